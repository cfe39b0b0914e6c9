//! Tombstones: what stays here of an image that its primary removed.
//!
//! In the frame that ends a replica, a clone of it begins under another name, where somebody asked for that.
//! So after a crash there is the replica or its tombstone. A tombstone belongs to this site alone: whatever
//! the primary goes on to say of the image, as when it is mirrored anew, is not about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_log::{Change, ImageOrigin};
use firebrick_vocabulary::{Bytes, Epoch, ImageId, ImageName, Role, SnapshotId, SyncState};

use crate::image::ImageInfo;
use crate::state::ImageState;
use crate::store::Store;

/// How what stays of an image is called, and what is noted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tombstone {
    /// Its name; it must be free.
    pub name: ImageName,
    /// Keys and values.
    pub metadata: BTreeMap<String, String>,
}

/// Says what stays of a replica under the id that is given, where anything does.
pub type Bury = dyn Fn(&ImageInfo, ImageId) -> Option<Tombstone> + Send + Sync;

impl Store {
    /// From here on `bury` is asked about each complete image that its primary removes, or does not mirror
    /// any more; also about what a former primary has. It is asked under the commit lock, so it must neither block nor call the store.
    pub fn keep_removed(&self, bury: Arc<Bury>) {
        *self.core.bury.lock() = Some(bury);
    }
}

/// What makes a tombstone `kept` of an image of which `behind` has yet to be applied; nothing where nothing stays.
pub(crate) fn tombstone<'a>(
    bury: Option<&Bury>,
    image: &ImageState,
    behind: impl Iterator<Item = &'a Change>,
    kept: ImageId,
) -> Vec<Change> {
    let Some(bury) = bury.filter(|_| image.meta.sync.is_consistent()) else {
        return Vec::new();
    };
    let mut info = ImageInfo::of(image);
    let snapshots = image.snapshots.iter();
    let mut sizes: BTreeMap<SnapshotId, Bytes> =
        snapshots.map(|it| (it.meta.id, it.meta.size)).collect();
    for change in behind {
        learn(&mut info, &mut sizes, change);
    }
    let Some(Tombstone { name, metadata }) = bury(&info, kept) else {
        return Vec::new();
    };
    let origin = ImageOrigin {
        image: info.id,
        snapshot: None,
        taken: None,
        at: None,
    };
    let mut changes = vec![Change::Create {
        image: kept,
        name,
        size: info.size,
        origin: Some(origin),
        mirrored: false,
        role: Role::Primary,
        epoch: Epoch::FIRST,
        sync: SyncState::Consistent,
    }];
    let noted = metadata.into_iter().map(|(key, value)| Change::Metadata {
        image: kept,
        key,
        value: Some(value),
    });
    changes.extend(noted);
    changes
}

/// What an image is called and how large it is behind a change.
fn learn(info: &mut ImageInfo, sizes: &mut BTreeMap<SnapshotId, Bytes>, change: &Change) {
    match change {
        Change::Rename { image, name } if *image == info.id => info.name = name.clone(),
        Change::Resize { image, size } if *image == info.id => info.size = *size,
        Change::SnapshotCreate {
            image, snapshot, ..
        } if *image == info.id => {
            sizes.insert(*snapshot, info.size);
        }
        Change::Rollback { image, snapshot } if *image == info.id => {
            info.size = sizes.get(snapshot).copied().unwrap_or(info.size);
        }
        Change::Metadata { image, key, value } if *image == info.id => {
            match value {
                Some(value) => info.metadata.insert(key.clone(), value.clone()),
                None => info.metadata.remove(key),
            };
        }
        _ => {}
    }
}
