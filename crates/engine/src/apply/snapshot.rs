//! What records do to snapshots.

use firebrick_log::Change;
use firebrick_vocabulary::{ImageId, SnapshotId, SnapshotName};

use super::{Stamp, Target, own};
use crate::keys::{protected, renamed_snapshot};
use crate::state::{Snapshot, SnapshotMeta};

impl Target<'_> {
    pub(super) fn take_snapshot(&mut self, stamp: Stamp, change: &Change) {
        let Change::SnapshotCreate {
            image,
            snapshot: id,
            name,
            taken: by,
        } = change
        else {
            return;
        };
        let (image, id) = (*image, *id);
        let mut taken = None;
        let time = self.state.time.0;
        self.on(stamp, image, |image| {
            let meta = SnapshotMeta {
                id,
                name: name.clone(),
                size: image.meta.size,
                divergent: false,
                time,
                taken: *by,
            };
            image.snapshots.push(Snapshot {
                meta,
                branch: image.branch,
                at: stamp.sequence,
            });
            taken = Some(image.branch);
            own(&mut image.meta, stamp);
        });
        if let Some(branch) = taken {
            self.state.branches.hold(branch, stamp.sequence);
            self.state.changed.snapshots.insert((image, id));
        }
    }

    /// Gives a snapshot another name, where it is that what a key of the metadata says.
    pub(super) fn rename_snapshot(&mut self, image: ImageId, change: &Change) {
        let Change::Metadata {
            key,
            value: Some(name),
            ..
        } = change
        else {
            return;
        };
        let (Some(id), Ok(name)) = (renamed_snapshot(key), SnapshotName::new(name.as_str())) else {
            return;
        };
        let Some(cell) = self.state.images.get(&image) else {
            return;
        };
        if cell.write().snapshots.rename(id, name) {
            self.state.changed.snapshots.insert((image, id));
        }
    }

    pub(super) fn remove_snapshot(&mut self, stamp: Stamp, image: ImageId, id: SnapshotId) {
        let mut gone = None;
        self.on(stamp, image, |image| {
            // It is of no use to anybody without the snapshot.
            if image.meta.metadata.contains_key(&protected(id)) {
                image.meta.metadata.remove(&protected(id));
            }
            gone = image.snapshots.remove(id);
            own(&mut image.meta, stamp);
        });
        if let Some(snapshot) = gone {
            self.state.bury(image, snapshot, stamp.sequence);
        }
    }
}
