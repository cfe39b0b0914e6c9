//! Images and snapshots, for tools.

use std::collections::BTreeMap;

use firebrick_vocabulary::{
    Bytes, Epoch, Features, ImageId, ImageMirrorMode, ImageName, Role, SnapshotId, SnapshotName,
    SyncState,
};
use serde::{Deserialize, Serialize};

use super::collections::Locks;
use crate::admin::mirror_tools::MirrorSnapshot;

/// An image, for tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolImage {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its size.
    pub size: Bytes,
    /// Its role here.
    pub role: Role,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// How, if it is.
    pub mode: ImageMirrorMode,
    /// Whether it is usable.
    pub sync: SyncState,
    /// How many snapshots it has.
    pub snapshots: u64,
    /// When it was made, in nanoseconds since the Unix epoch; 0 where that is not known.
    pub created: u64,
    /// The image that it started as, if that is there still and this one belongs to it.
    pub parent: Option<ToolParent>,
    /// Clients that have it open.
    pub watchers: Vec<ToolWatcher>,
    /// What it can do, in RBD's words.
    pub features: Features,
    /// What was said of its journal, where that is a feature.
    pub journal: JournalSettings,
    /// How many snapshots it may have.
    pub snapshot_limit: Option<u64>,
    /// The group that it belongs to.
    pub group: Option<ImageName>,
    /// The locks that users put on it.
    pub locks: Locks,
    /// What users noted about it: keys and values.
    pub metadata: BTreeMap<String, String>,
}

/// A client that has an image open.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ToolWatcher {
    /// Its number, which no other one gets as long as the site runs.
    pub client: u64,
    /// Where it is: an address and a port, or `pid:` and the number of a process beside the site.
    pub address: String,
}

/// What an image started as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolParent {
    /// Its id.
    pub id: ImageId,
    /// The image.
    pub image: ImageName,
    /// The snapshot of it, if that is there still.
    pub snapshot: Option<SnapshotName>,
}

/// What was said of a journal: it is kept and shown. The log of a store has no objects of its own for
/// an image, so it changes nothing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct JournalSettings {
    /// The binary logarithm of the size of an object in bytes.
    pub order: u8,
    /// Over how many objects it is spread.
    pub splay_width: u64,
    /// The pool of the objects, where it is not that of the image.
    pub pool: Option<String>,
}

impl Default for JournalSettings {
    /// RBD's own.
    fn default() -> Self {
        Self {
            order: 24,
            splay_width: 4,
            pool: None,
        }
    }
}

/// A snapshot, for tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSnapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// The size of the image then.
    pub size: Bytes,
    /// When it was taken, in nanoseconds since the Unix epoch; 0 where that is not known.
    pub time: u64,
    /// It keeps what a former primary wrote that the new one never got.
    pub divergent: bool,
    /// It must not be removed.
    pub protected: bool,
    /// The snapshot of which group it is a part of.
    pub group: Option<(ImageName, SnapshotName)>,
    /// What it is to mirroring, if it is a mirror snapshot.
    pub mirror: Option<MirrorSnapshot>,
}

/// An image that started as another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolChild {
    /// Its id.
    pub id: ImageId,
    /// Its name.
    pub name: ImageName,
    /// The snapshot that it started as; `None` for what the image was at some moment.
    pub snapshot: Option<SnapshotId>,
}
