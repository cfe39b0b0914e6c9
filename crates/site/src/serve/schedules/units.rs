//! Of what mirror snapshots are taken: images, and groups as a whole.

use std::collections::BTreeMap;

use firebrick_engine::{ImageInfo, MirrorPoint, Store};
use firebrick_vocabulary::{ImageId, ImageMirrorMode, ImageName, Role};

use super::kept::{Kept, KeptItem};
use crate::admin::{ScheduleItem, ScheduleLevel};
use crate::serve::tools::{group_id, group_name};

/// What is snapshotted at one position.
pub(super) struct Unit {
    /// The image, or what stands for the group.
    pub(super) id: ImageId,
    /// What users call it.
    pub(super) name: ImageName,
    pub(super) group: bool,
    /// All that belongs to it.
    pub(super) images: Vec<ImageId>,
    /// When the newest mirror snapshot was taken, in nanoseconds since the Unix epoch.
    pub(super) newest: u64,
    /// What it says itself, wherever it is primary.
    pub(super) own: Option<KeptItem>,
}

impl Unit {
    /// The level of it alone.
    pub(super) const fn level(&self) -> ScheduleLevel {
        if self.group {
            ScheduleLevel::Group(self.id)
        } else {
            ScheduleLevel::Image(self.id)
        }
    }

    /// The schedule that holds: the nearest one. What this site was told goes before what the image says.
    pub(super) fn schedule<'a>(&'a self, kept: &'a Kept) -> Option<&'a [KeptItem]> {
        if let Some(items) = kept.get(&self.level()) {
            return Some(items);
        }
        if self.own.is_some() {
            return Some(self.own.as_slice());
        }
        let namespace = ScheduleLevel::Namespace(self.name.namespace().to_owned());
        let levels = [namespace, ScheduleLevel::Pool, ScheduleLevel::Site];
        levels
            .iter()
            .find_map(|level| kept.get(level))
            .map(Vec::as_slice)
    }
}

/// Whether an image is mirrored by snapshots.
pub(super) fn by_snapshots(info: &ImageInfo) -> bool {
    info.mirrored && info.mode == ImageMirrorMode::Snapshot
}

/// The group of an image, where that is snapshotted as a whole.
pub(super) fn group_of(store: &Store, info: &ImageInfo) -> Option<ImageId> {
    let id = group_id(info)?;
    let group = store.image(id).ok()?.info();
    by_snapshots(&group).then_some(id)
}

/// All that is primary here and in snapshot mode.
pub(super) fn units(store: &Store) -> Vec<Unit> {
    let mut units: BTreeMap<ImageId, Unit> = BTreeMap::new();
    let mut members = Vec::new();
    for image in store.images() {
        let info = image.info();
        if !by_snapshots(&info) || info.role != Role::Primary {
            continue;
        }
        if let Some(group) = group_of(store, &info) {
            members.push((group, info.id));
            continue;
        }
        let newest = store.newest_mirror_snapshot(info.id);
        let newest = newest.and_then(|(newest, _)| MirrorPoint::of(&newest.name));
        let group = group_name(&info.name);
        let own = info.mirror_interval().map(|interval| KeptItem {
            item: ScheduleItem {
                interval,
                start_time: None,
            },
            // There is one since the mode began, so nothing before that is due.
            since: 0,
        });
        let unit = Unit {
            id: info.id,
            group: group.is_some(),
            name: group.unwrap_or(info.name),
            images: vec![info.id],
            newest: newest.map_or(0, |newest| newest.taken().0),
            own,
        };
        units.insert(unit.id, unit);
    }
    for (group, image) in members {
        if let Some(unit) = units.get_mut(&group) {
            unit.images.push(image);
        }
    }
    units.into_values().collect()
}
