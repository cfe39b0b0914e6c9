//! What a log amounts to: every image with its branch, roles and names.

mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_edge::RwLock;
use firebrick_edge::Timestamp;
use firebrick_index::{BranchId, View};
use firebrick_log::{Applied, ImageOrigin, Reign, Taken};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageName, Role, Sequence, SnapshotId, SnapshotName,
    StoreId, SyncState,
};
use serde::{Deserialize, Serialize};

use crate::branch::Branches;
use crate::ended::End;
use crate::keep::Keep;
use crate::lanes::Traffic;
use crate::light::Light;
use crate::past::ThenMeta;
use crate::shared::Shared;
use crate::window::{Kept, Retention};

pub(crate) use snapshots::Snapshots;

/// Everything that a store knows besides the blocks. Its own records and nothing else change it.
#[derive(Default)]
pub(crate) struct State {
    /// The last record that has been applied.
    pub(crate) sequence: Sequence,
    pub(crate) images: Shared<ImageId, Cell>,
    pub(crate) names: BTreeMap<ImageName, ImageId>,
    pub(crate) branches: Branches,
    /// Up to where the logs of peers are held here.
    pub(crate) applied: BTreeMap<StoreId, Sequence>,
    /// Of removed images: the records that peers still have to get.
    pub(crate) removed: BTreeMap<ImageId, Window>,
    /// Of images that ended up to here it may be forgotten that they did.
    pub(crate) ended_to: Sequence,
    /// How images ended.
    pub(crate) ended: BTreeMap<ImageId, End>,
    /// Peers that do not read this log, and so never hear how.
    pub(crate) deaf: BTreeSet<StoreId>,
    /// Of removed images: the records that those still have to get who read here what this site follows.
    pub(crate) removed_told: BTreeMap<ImageId, Window>,
    /// The checkpoints that somebody needs, oldest first.
    pub(crate) kept: Vec<Kept>,
    /// Of those, the ones before this are nothing but points; behind the others any state can be had. Without
    /// others, any behind this.
    pub(crate) sparse_to: Sequence,
    /// What is kept for whom, as of the last checkpoint.
    pub(crate) keep: BTreeMap<String, Keep>,
    /// The bytes that the log has got since the store was made, as of the last checkpoint.
    pub(crate) bytes: u64,
    /// Snapshots that are gone, but were there at a kept checkpoint.
    pub(crate) ghosts: Vec<Ghost>,
    /// How far back those images can be had that say so themselves.
    pub(crate) retentions: BTreeMap<ImageId, Retention>,
    /// The newest checkpoint whose rows are in the log.
    pub(crate) base: Sequence,
    /// When the frame was written that is being applied.
    pub(crate) time: Timestamp,
    /// What the next checkpoint has to write of it.
    pub(crate) changed: Changed,
    /// What images were at kept checkpoints that are not written yet: by image and record.
    pub(crate) then: BTreeMap<(ImageId, Sequence), ThenMeta>,
    /// The large writes on their way.
    pub(crate) traffic: Traffic,
}

/// What has changed since the last checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changed {
    pub(crate) images: BTreeSet<ImageId>,
    /// Got or lost blocks.
    pub(crate) written: BTreeSet<ImageId>,
    /// Added, removed or marked.
    pub(crate) snapshots: BTreeSet<(ImageId, SnapshotId)>,
    /// What is known of images that ended.
    pub(crate) ended: bool,
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

impl Changed {
    /// How many rows there are to write.
    pub(crate) fn len(&self) -> usize {
        self.images.len() + self.written.len() + self.snapshots.len()
    }
}

impl Window {
    pub(crate) const fn open(since: Sequence) -> Self {
        Self { since, until: None }
    }

    pub(crate) fn has(self, sequence: Sequence) -> bool {
        sequence >= self.since && self.until.is_none_or(|until| sequence <= until)
    }

    /// Without what lies behind `until`.
    pub(crate) fn cut(self, until: Sequence) -> Self {
        Self {
            until: Some(self.until.map_or(until, |former| former.min(until))),
            ..self
        }
    }

    pub(crate) fn closed(self, until: Sequence) -> Self {
        Self {
            until: self.until.or(Some(until)),
            ..self
        }
    }
}

/// One image.
pub(crate) struct ImageState {
    pub(crate) meta: Light<ImageMeta>,
    /// Its head.
    pub(crate) branch: BranchId,
    /// What the head shows.
    pub(crate) view: View,
    /// Oldest first.
    pub(crate) snapshots: Snapshots,
    /// Handles of an image that is gone find out here.
    pub(crate) removed: bool,
}

/// What of an image is neither blocks nor snapshots.
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
    /// The primary of the epoch, where it is neither that one nor this store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leader: Option<StoreId>,
    /// From this record on the own log says all that happened to it, as its primary's does; none as long as it is
    /// not complete, or not mirrored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steady: Option<Sequence>,
    /// The primary of the epoch has been demoted, and everything before that is here.
    pub(crate) primary_demoted: bool,
    /// Which own records peers get.
    pub(crate) window: Option<Window>,
    /// The last own record that changed what peers share of the image.
    pub(crate) last_own: Sequence,
    /// Where the last promotion here followed on.
    pub(crate) origin: Option<Applied>,
    /// The record of the last promotion here. Who has it follows, or knows of a higher epoch.
    #[serde(default)]
    pub(crate) promoted: Sequence,
    pub(crate) metadata: BTreeMap<String, String>,
    /// When it came to this store, in nanoseconds since the Unix epoch; 0 where that is not known.
    #[serde(default)]
    pub(crate) created: u64,
    /// What it started as.
    #[serde(default)]
    pub(crate) parent: Option<ImageOrigin>,
}

/// A snapshot: a point of a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) branch: BranchId,
    /// The record that took it.
    pub(crate) at: Sequence,
}

/// What of a snapshot is no place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnapshotMeta {
    pub(crate) id: SnapshotId,
    pub(crate) name: SnapshotName,
    pub(crate) size: Bytes,
    /// It keeps what a former primary wrote that the new one never got; only this store has it.
    pub(crate) divergent: bool,
    /// When it came to this store, in nanoseconds since the Unix epoch; 0 where that is not known.
    #[serde(default)]
    pub(crate) time: u64,
    /// The record that took it, at whatever site; none where that was not written down yet.
    #[serde(default)]
    pub(crate) taken: Option<Taken>,
}

/// A snapshot that is gone, but was there at a checkpoint to which somebody may return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ghost {
    pub(crate) image: ImageId,
    pub(crate) snapshot: Snapshot,
    /// The record that removed it.
    pub(crate) gone: Sequence,
}

impl State {
    pub(crate) fn cell(&self, image: ImageId) -> Option<&Cell> {
        self.images.get(&image)
    }

    pub(crate) fn applied(&self, peer: StoreId) -> Sequence {
        self.applied.get(&peer).copied().unwrap_or_default()
    }

    /// The records of the own log about `image` that peers get.
    pub(crate) fn sent(&self, image: ImageId) -> Option<Window> {
        let living = self
            .images
            .get(&image)
            .and_then(|cell| cell.read().meta.window);
        living.or_else(|| self.removed.get(&image).copied())
    }

    /// The records of the own log about `image` that say all that happened to it, whoever was primary.
    pub(crate) fn told(&self, image: ImageId) -> Option<Window> {
        let cell = self.images.get(&image);
        let steady = cell.and_then(|cell| cell.read().meta.steady);
        let living = steady.map(Window::open);
        living.or_else(|| self.removed_told.get(&image).copied())
    }

    /// Notes what changed images are now, for those who return to this checkpoint. It is kept from
    /// here on, also while it is being written and if that fails.
    pub(crate) fn note_then(&mut self) {
        if self.branches.dense().is_empty() {
            return;
        }
        for id in &self.changed.images {
            if let Some(cell) = self.images.get(id) {
                let then = ThenMeta::of(&cell.read().meta);
                self.then.insert((*id, self.sequence), then);
            }
        }
    }

    /// Tells images that their views got shorter, as branches became part of others.
    pub(crate) fn shorten_views(&mut self) {
        for (id, view) in self.branches.shorten() {
            let image = self.branches.get(id).map(|branch| branch.image);
            let cell = image.and_then(|image| self.images.get(&image));
            if let Some(cell) = cell
                && cell.read().branch == id
            {
                cell.write().view = view;
            }
        }
    }

    /// Lets go of a snapshot that record `gone` ended: at once, or once no kept checkpoint has it.
    pub(crate) fn bury(&mut self, image: ImageId, snapshot: Snapshot, gone: Sequence) {
        self.changed.snapshots.insert((image, snapshot.meta.id));
        let ghost = Ghost {
            image,
            snapshot,
            gone,
        };
        // Before the first checkpoint is kept, it is not known yet who may ask for what.
        let dense = self.branches.dense();
        if self.branches.holds_everything() || dense.is_empty() || ghost.haunts(dense) {
            self.ghosts.push(ghost);
        } else {
            self.branches
                .release(ghost.snapshot.branch, ghost.snapshot.at);
        }
    }

    /// Makes a point of all branches at the newest record, until the next checkpoint finds who asks for it.
    pub(crate) fn pin(&mut self, now: Kept) {
        if self.kept.last().is_some_and(|kept| kept.at >= now.at) {
            return;
        }
        let mut kept = self.kept.clone();
        kept.push(now);
        let began = self.dense().is_empty();
        // Which snapshots that are gone nobody asks for, the next checkpoint finds out.
        self.keep(kept, self.sparse_to, Some(Sequence::ZERO));
        if began {
            self.changed.images.extend(self.images.keys().copied());
        }
        // Who returns to a state behind it asks what images were called then.
        self.note_then();
    }

    /// Makes a point at the checkpoint that was loaded, before anything behind it is applied again: something there may
    /// return to a state that was had by a point which the process had made in between, and no checkpoint tells of. When
    /// the checkpoint was taken, nobody noted: it was there at `now`.
    pub(crate) fn pin_loaded(&mut self, now: Timestamp) {
        let (at, time, bytes) = (self.sequence, now.0, self.bytes);
        if at > Sequence::ZERO {
            self.pin(Kept { at, time, bytes });
        }
    }

    /// The kept checkpoints behind which any state can be had, oldest first.
    pub(crate) fn dense(&self) -> &[Kept] {
        let first = self.kept.partition_point(|kept| kept.at < self.sparse_to);
        &self.kept[first..]
    }

    /// Whether a checkpoint was taken behind record `at` when nobody might ask for what was there: then it is
    /// not known any more which snapshots there were.
    pub(crate) fn forgot(&self, at: Sequence) -> bool {
        let known = self.dense().first().is_some_and(|kept| kept.at <= at);
        at < self.sparse_to && !known
    }

    /// Keeps these checkpoints and no others, those before `sparse_to` as nothing but points; peers may ask
    /// for states from record `oldest` on.
    pub(crate) fn keep(&mut self, kept: Vec<Kept>, sparse_to: Sequence, oldest: Option<Sequence>) {
        let points = kept.iter().map(|kept| kept.at).collect();
        self.branches.keep(points, sparse_to);
        self.kept = kept;
        self.sparse_to = sparse_to;
        let ghosts = std::mem::take(&mut self.ghosts);
        for ghost in ghosts {
            let asked = oldest.is_some_and(|oldest| oldest < ghost.gone);
            if asked || ghost.haunts(self.branches.dense()) {
                self.ghosts.push(ghost);
            } else {
                self.branches
                    .release(ghost.snapshot.branch, ghost.snapshot.at);
            }
        }
    }
}

impl Ghost {
    /// Whether somebody may ask for a state in which the snapshot was there: any behind the first of
    /// the checkpoints can be had.
    fn haunts(&self, kept: &[Sequence]) -> bool {
        kept.first().is_some_and(|first| *first < self.gone)
    }
}

impl ImageMeta {
    /// Who is primary of it, in the store `own`.
    pub(crate) fn reign(&self, own: StoreId) -> Reign {
        Reign {
            epoch: self.epoch,
            leader: self.leader.or(self.upstream).unwrap_or(own),
        }
    }
}

impl ImageState {
    /// The size in blocks.
    pub(crate) fn blocks(&self) -> u64 {
        self.meta.size.0.div_ceil(BLOCK_SIZE)
    }

    pub(crate) fn snapshot(&self, id: SnapshotId) -> Option<&Snapshot> {
        self.snapshots.with_id(id)
    }

    pub(crate) fn snapshot_named(&self, name: &SnapshotName) -> Option<&Snapshot> {
        self.snapshots.named(name)
    }
}
