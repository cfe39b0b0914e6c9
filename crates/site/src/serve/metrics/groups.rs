//! How far groups are behind: all images of one together.

use std::collections::BTreeMap;

use firebrick_engine::Store;
use firebrick_vocabulary::{ImageId, ImageName, Lag};

use super::text::Text;
use crate::admin::MirrorReport;
use crate::serve::tools::{group_id, group_name};

/// The lag of each group at each peer that follows this site.
pub(super) fn lags(text: &mut Text, store: &Store, report: &MirrorReport) {
    let mut of: BTreeMap<(ImageName, &str), Option<Lag>> = BTreeMap::new();
    for image in &report.images {
        let Some(group) = group_of(store, image.id) else {
            continue;
        };
        for peer in &image.peers {
            let known = of.entry((group.clone(), &peer.name));
            let known = known.or_insert(Some(Lag::NONE));
            // Where one is not known, nobody knows how far all are.
            *known = known.zip(peer.lag).map(|(one, other)| one.and(other));
        }
    }
    let all = || {
        of.iter().filter_map(|((group, peer), lag)| {
            let labels = [("group", group.as_str()), ("peer", *peer)];
            Some((labels, (*lag)?))
        })
    };
    let mut records = text.gauge(
        "mirror_group_lag_records",
        "Records of all images of the group that the peer has not confirmed.",
    );
    all().for_each(|(labels, lag)| records.add(&labels, lag.records));
    let mut bytes = text.gauge(
        "mirror_group_lag_bytes",
        "Bytes of all images of the group that the peer has not confirmed.",
    );
    all().for_each(|(labels, lag)| bytes.add(&labels, lag.bytes.0));
    let mut seconds = text.gauge(
        "mirror_group_lag_seconds",
        "Age of the oldest record of an image of the group that the peer has not confirmed.",
    );
    all().for_each(|(labels, lag)| seconds.add(&labels, lag.seconds));
}

/// The group that an image belongs to, or stands for.
fn group_of(store: &Store, image: ImageId) -> Option<ImageName> {
    let info = store.image(image).ok()?.info();
    group_name(&info.name).or_else(|| {
        let group = store.image(group_id(&info)?).ok()?.info();
        group_name(&group.name)
    })
}
