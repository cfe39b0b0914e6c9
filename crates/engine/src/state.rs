//! What a log amounts to: every image with its maps, roles and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_log::Applied;
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageName, Role, Sequence, SnapshotId, SnapshotName,
    StoreId, SyncState,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::map::{BlockMap, MapView};

/// Everything that a store knows. Its own records and nothing else change it.
#[derive(Default)]
pub(crate) struct State {
    /// The last record that has been applied.
    pub(crate) sequence: Sequence,
    pub(crate) images: BTreeMap<ImageId, Cell>,
    /// Up to where the logs of peers are held here.
    pub(crate) applied: BTreeMap<StoreId, Sequence>,
    /// Of removed images: the records that peers still have to get.
    pub(crate) removed: BTreeMap<ImageId, Window>,
}

/// An image that its handles and the state share.
pub(crate) type Cell = Arc<RwLock<ImageState>>;

/// Which records of the own log peers get of an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// The first.
    pub(crate) since: Sequence,
    /// The last; none yet, as long as the image is primary here and mirrored.
    pub(crate) until: Option<Sequence>,
}

impl Window {
    pub(crate) const fn open(since: Sequence) -> Self {
        Self { since, until: None }
    }

    pub(crate) fn has(self, sequence: Sequence) -> bool {
        sequence >= self.since && self.until.is_none_or(|until| sequence <= until)
    }

    pub(crate) fn closed(self, until: Sequence) -> Self {
        Self {
            until: self.until.or(Some(until)),
            ..self
        }
    }
}

/// One image.
#[derive(Clone)]
pub(crate) struct ImageState {
    pub(crate) meta: ImageMeta,
    pub(crate) map: BlockMap,
    /// Oldest first.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Handles of an image that is gone find out here.
    pub(crate) removed: bool,
}

/// What of an image is no map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ImageMeta {
    pub(crate) id: ImageId,
    pub(crate) name: ImageName,
    pub(crate) size: Bytes,
    pub(crate) role: Role,
    pub(crate) epoch: Epoch,
    pub(crate) mirrored: bool,
    pub(crate) sync: SyncState,
    /// Whom a secondary follows.
    pub(crate) upstream: Option<StoreId>,
    /// The primary of the epoch has been demoted, and everything before that is here.
    pub(crate) primary_demoted: bool,
    /// Which own records peers get.
    pub(crate) window: Option<Window>,
    /// The last own record that changed what peers share of the image.
    pub(crate) last_own: Sequence,
    /// Where the last promotion here followed on.
    pub(crate) origin: Option<Applied>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A snapshot.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) map: BlockMap,
}

/// What of a snapshot is no map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotMeta {
    pub(crate) id: SnapshotId,
    pub(crate) name: SnapshotName,
    pub(crate) size: Bytes,
    /// It keeps what a former primary wrote that the new one never got; only this store has it.
    pub(crate) divergent: bool,
}

/// Metadata under such keys concern this store alone.
pub(crate) const LOCAL_KEY: &str = "local.";

impl State {
    pub(crate) fn cell(&self, image: ImageId) -> Option<&Cell> {
        self.images.get(&image)
    }

    pub(crate) fn applied(&self, peer: StoreId) -> Sequence {
        self.applied.get(&peer).copied().unwrap_or_default()
    }

    /// Whether a peer gets record `sequence` of the own log, which is about `image`.
    pub(crate) fn sends(&self, image: ImageId, sequence: Sequence) -> bool {
        let living = self
            .images
            .get(&image)
            .and_then(|cell| cell.read().meta.window);
        let window = living.or_else(|| self.removed.get(&image).copied());
        window.is_some_and(|window| window.has(sequence))
    }

    /// A copy that shares the maps and nothing else.
    pub(crate) fn detached(&self) -> Self {
        let images = self.images.iter().map(|(id, cell)| {
            let state = cell.read().clone();
            (*id, Arc::new(RwLock::new(state)))
        });
        Self {
            sequence: self.sequence,
            images: images.collect(),
            applied: self.applied.clone(),
            removed: self.removed.clone(),
        }
    }
}

impl ImageState {
    /// The size in blocks.
    pub(crate) const fn blocks(&self) -> u64 {
        self.meta.size.0.div_ceil(BLOCK_SIZE)
    }

    pub(crate) fn snapshot(&self, id: SnapshotId) -> Option<&Snapshot> {
        self.snapshots
            .iter()
            .find(|snapshot| snapshot.meta.id == id)
    }

    pub(crate) fn snapshot_named(&self, name: &SnapshotName) -> Option<&Snapshot> {
        self.snapshots
            .iter()
            .find(|snapshot| snapshot.meta.name == *name)
    }

    pub(crate) fn view(&self) -> MapView {
        MapView {
            map: self.map.clone(),
            blocks: self.blocks(),
        }
    }
}
