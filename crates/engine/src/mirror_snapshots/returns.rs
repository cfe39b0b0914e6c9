//! Where a forced promotion returns to.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_vocabulary::{ImageId, Role, SnapshotId};

use super::{MirrorPoint, by_snapshots, shared};
use crate::keys::GROUP_KEY;
use crate::state::{ImageMeta, ImageState, Snapshot, State};

/// The images with which one is always to be of the same point: those of its group, by the id of that,
/// where the group is in snapshot mode; else the image alone.
pub(super) fn set_of(state: &State, meta: &ImageMeta) -> ImageId {
    let group = meta.metadata.get(GROUP_KEY);
    let group: Option<ImageId> = group.and_then(|id| id.parse().ok());
    let together = |id: &ImageId| {
        let marker = state.cell(*id);
        marker.is_some_and(|marker| by_snapshots(&marker.read().meta))
    };
    group.filter(together).unwrap_or(meta.id)
}

/// Whether the image may be another one now than at the snapshot.
pub(super) fn differs(state: &State, image: &ImageState, taken: &Snapshot) -> bool {
    image.branch != taken.branch
        || image.meta.size != taken.meta.size
        || state.branches.changed_behind(taken.branch, taken.at)
}

/// Where images that are promoted return to; what is not in it stays where it is. And those images for which
/// there is no such place.
pub(crate) fn returns(
    state: &State,
    ids: &[ImageId],
) -> (BTreeMap<ImageId, SnapshotId>, BTreeSet<ImageId>) {
    let mut sets: BTreeMap<ImageId, Vec<ImageId>> = BTreeMap::new();
    let mut demoted = BTreeSet::new();
    for id in ids {
        let Some(cell) = state.cell(*id) else {
            continue;
        };
        let meta = &cell.read().meta;
        if meta.role == Role::Primary || !by_snapshots(meta) {
            continue;
        }
        if meta.primary_demoted {
            demoted.insert(*id);
        }
        sets.entry(set_of(state, meta)).or_default().push(*id);
    }
    let (mut targets, mut missing) = (BTreeMap::new(), BTreeSet::new());
    for images in sets.into_values() {
        // Where all is here that a primary wrote, there is nothing to return from.
        if images.iter().all(|id| demoted.contains(id)) {
            continue;
        }
        match common(state, &images) {
            Some(common) => targets.extend(common),
            None => missing.extend(images),
        }
    }
    (targets, missing)
}

/// The newest mirror snapshots of images that are of one point.
fn common(state: &State, images: &[ImageId]) -> Option<Vec<(ImageId, SnapshotId)>> {
    let of = |id: &ImageId| -> BTreeMap<MirrorPoint, SnapshotId> {
        let taken = state.cell(*id).map(|cell| {
            let image = cell.read();
            shared(&image)
                .map(|(taken, point)| (point, taken.meta.id))
                .collect()
        });
        taken.unwrap_or_default()
    };
    let all: Vec<(ImageId, BTreeMap<MirrorPoint, SnapshotId>)> =
        images.iter().map(|id| (*id, of(id))).collect();
    // By number: clocks of sites differ.
    let (_, first) = all.first()?;
    let everywhere = first
        .iter()
        .filter(|(point, _)| all.iter().all(|(_, its)| its.contains_key(point)));
    let (point, _) = everywhere.max_by_key(|(_, id)| **id)?;
    let place =
        |(id, its): &(ImageId, BTreeMap<MirrorPoint, SnapshotId>)| Some((*id, *its.get(point)?));
    all.iter().map(place).collect()
}
