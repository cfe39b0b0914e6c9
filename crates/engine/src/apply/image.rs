//! What records do to images: beginnings, ends, branches, roles.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_edge::RwLock;
use firebrick_log::{Change, FallBack, ImageOrigin, Promotion};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, ImageId, ImageName, Role, Sequence, SnapshotId, StoreId, SyncState,
};

use super::{Stamp, Target, missing, own};
use crate::branch::{Fork, Take};
use crate::ended::End;
use crate::error::Error;
use crate::keys::{LOCAL_KEY, renamed_snapshot};
use crate::past::{Op, Then};
use crate::stage::staged;
use crate::state::{ImageMeta, ImageState, Snapshot, SnapshotMeta, Snapshots, Window};

/// What a new branch begins with.
#[derive(Default)]
struct Start {
    fork: Option<Fork>,
    takes: Vec<Take>,
    /// What the records that it takes over did.
    ops: Vec<Op>,
}

impl Target<'_> {
    pub(super) fn create(&mut self, stamp: Stamp, change: &Change) -> Result<(), Error> {
        let Change::Create {
            image,
            name,
            size,
            origin,
            mirrored,
            role,
            epoch,
            sync,
        } = change
        else {
            return Ok(());
        };
        let blocks = size.0.div_ceil(BLOCK_SIZE);
        let Start { fork, takes, ops } = match origin {
            None => Start::default(),
            Some(origin) => self.origin(stamp, *origin, blocks)?,
        };
        let branches = &mut self.state.branches;
        let branch = branches.begin(*image, stamp.sequence, fork, takes);
        let view = branches.view(branch);
        let window = (*mirrored && *role == Role::Primary).then(|| Window::open(stamp.sequence));
        let mut meta = ImageMeta {
            id: *image,
            name: name.clone(),
            size: *size,
            role: *role,
            epoch: *epoch,
            mirrored: *mirrored,
            sync: *sync,
            // What this site makes for itself while it follows belongs to nobody else.
            upstream: stamp.peer.filter(|_| *role == Role::Secondary),
            leader: None,
            steady: (*mirrored && sync.is_consistent()).then_some(stamp.sequence),
            primary_demoted: false,
            window,
            last_own: Sequence::ZERO,
            origin: None,
            promoted: Sequence::ZERO,
            metadata: BTreeMap::new(),
            created: self.state.time.0,
            parent: *origin,
        };
        own(&mut meta, stamp);
        let created = ImageState {
            meta: meta.into(),
            branch,
            view,
            snapshots: Snapshots::default(),
            removed: false,
        };
        self.state.removed.remove(image);
        self.state.removed_told.remove(image);
        self.state.changed.ended |= self.state.ended.remove(image).is_some();
        self.state.names.insert(name.clone(), *image);
        self.state
            .images
            .insert(*image, Arc::new(RwLock::new(created)));
        self.state.changed.images.insert(*image);
        self.replay(branch, stamp, &ops, blocks);
        Ok(())
    }

    /// Where a clone of `blocks` blocks starts, and what it takes over behind that.
    fn origin(&mut self, stamp: Stamp, origin: ImageOrigin, blocks: u64) -> Result<Start, Error> {
        if let Some(at) = origin.at {
            let then = self.past.image_at(self.state, origin.image, at)?;
            let fork = then.fork.map(|fork| Fork {
                blocks: fork.blocks.min(blocks),
                ..fork
            });
            let takes = then.takes.into_iter().map(|take| Take {
                blocks: take.blocks.min(blocks),
                ..take
            });
            return Ok(Start {
                fork,
                takes: takes.collect(),
                ops: then.ops,
            });
        }
        let Some(cell) = self.state.images.get(&origin.image) else {
            missing(origin.image, stamp);
            return Ok(Start::default());
        };
        let image = cell.read();
        let (branch, at) = match origin.snapshot.and_then(|id| image.snapshot(id)) {
            Some(snapshot) => (snapshot.branch, snapshot.at),
            None => (image.branch, stamp.sequence),
        };
        let fork = Fork { branch, at, blocks };
        Ok(Start {
            fork: Some(fork),
            ..Start::default()
        })
    }

    /// Takes over into a new branch what another one was changed by.
    fn replay(&mut self, branch: firebrick_index::BranchId, stamp: Stamp, ops: &[Op], blocks: u64) {
        let tag = taken_tag(stamp.sequence);
        for op in ops {
            match op {
                Op::Put { block, entries } => {
                    let fitting = blocks.saturating_sub(*block).min(entries.len() as u64);
                    let entries = &entries[..fitting as usize];
                    if !entries.is_empty() {
                        self.blocks.put(branch, tag, *block, entries);
                    }
                }
                Op::Clear { first, end } => self.blocks.clear(branch, tag, *first, *end),
            }
        }
    }

    pub(super) fn remove(&mut self, stamp: Stamp, image: ImageId) {
        let Some(cell) = self.state.images.remove(&image) else {
            return missing(image, stamp);
        };
        let mut gone = cell.write();
        gone.removed = true;
        for snapshot in gone.snapshots.take() {
            self.state.bury(image, snapshot, stamp.sequence);
        }
        self.state.branches.end(gone.branch, stamp.sequence);
        self.state.names.remove(&gone.meta.name);
        self.state.retentions.remove(&image);
        self.state.changed.images.insert(image);
        if let Some(end) = End::of(&gone.meta, stamp.sequence) {
            self.state.ended.insert(image, end);
            self.state.changed.ended = true;
        }
        if let Some(window) = gone.meta.window {
            let window = window.closed(stamp.sequence);
            self.state.removed.insert(image, window);
        }
        if let Some(steady) = gone.meta.steady {
            let told = Window::open(steady).closed(stamp.sequence);
            self.state.removed_told.insert(image, told);
        }
    }

    pub(super) fn rename(&mut self, stamp: Stamp, image: ImageId, name: &ImageName) {
        let mut former = None;
        self.on(stamp, image, |image| {
            former = Some(std::mem::replace(&mut image.meta.name, name.clone()));
            own(&mut image.meta, stamp);
        });
        if let Some(former) = former {
            self.state.names.remove(&former);
            self.state.names.insert(name.clone(), image);
        }
    }

    pub(super) fn resize(&mut self, stamp: Stamp, image: ImageId, size: Bytes) {
        let mut smaller = None;
        self.on(stamp, image, |image| {
            if size < image.meta.size {
                smaller = Some(image.branch);
            }
            image.meta.size = size;
            own(&mut image.meta, stamp);
        });
        if let Some(branch) = smaller {
            let tag = self.state.branches.tag_change(branch);
            let first = size.0.div_ceil(BLOCK_SIZE);
            self.blocks.clear(branch, tag, first, u64::MAX);
        }
    }

    pub(super) fn roll_back(&mut self, stamp: Stamp, image: ImageId, id: SnapshotId) {
        let Some(cell) = self.state.images.get(&image).map(Arc::clone) else {
            return missing(image, stamp);
        };
        let mut rolled = cell.write();
        let Some(target) = rolled.snapshot(id).cloned() else {
            return missing(image, stamp);
        };
        let size = target.meta.size;
        let fork = Fork {
            branch: target.branch,
            at: target.at,
            blocks: size.0.div_ceil(BLOCK_SIZE),
        };
        self.begin(stamp, &mut rolled, Some(fork), Vec::new());
        rolled.meta.size = size;
        own(&mut rolled.meta, stamp);
        self.state.changed.images.insert(image);
    }

    pub(super) fn restore(
        &mut self,
        stamp: Stamp,
        image: ImageId,
        to: Sequence,
        size: Bytes,
    ) -> Result<(), Error> {
        let Some(cell) = self.state.images.get(&image).map(Arc::clone) else {
            missing(image, stamp);
            return Ok(());
        };
        let then = self.past.image_at(self.state, image, to)?;
        let mut restored = cell.write();
        self.begin(stamp, &mut restored, then.fork, then.takes);
        let blocks = size.0.div_ceil(BLOCK_SIZE);
        self.replay(restored.branch, stamp, &then.ops, blocks);
        restored.meta.size = size;
        own(&mut restored.meta, stamp);
        self.state.changed.images.insert(image);
        Ok(())
    }

    /// The image goes on with a new branch.
    fn begin(
        &mut self,
        stamp: Stamp,
        image: &mut ImageState,
        fork: Option<Fork>,
        takes: Vec<Take>,
    ) {
        let branches = &mut self.state.branches;
        let former = image.branch;
        image.branch = branches.begin(image.meta.id, stamp.sequence, fork, takes);
        image.view = branches.view(image.branch);
        // Last: what the new one starts from must be held before.
        branches.end(former, stamp.sequence);
    }

    pub(super) fn fall_back(&mut self, stamp: Stamp, step: &FallBack) -> Result<(), Error> {
        let Some(cell) = self.state.images.get(&step.image).map(Arc::clone) else {
            missing(step.image, stamp);
            return Ok(());
        };
        let then = self.past.image_at(self.state, step.image, step.to)?;
        let mut image = cell.write();
        let kept = Snapshot {
            meta: SnapshotMeta {
                id: step.keep_id,
                name: step.keep_name.clone(),
                size: image.meta.size,
                divergent: true,
                time: self.state.time.0,
                taken: None,
            },
            branch: image.branch,
            at: stamp.sequence,
        };
        self.state.branches.hold(kept.branch, kept.at);
        let renumbered = self.restore_snapshots(&mut image, &then, kept);
        let blocks = then.meta.size.0.div_ceil(BLOCK_SIZE);
        self.begin(stamp, &mut image, then.fork, then.takes);
        self.replay(image.branch, stamp, &then.ops, blocks);
        self.state.names.remove(&image.meta.name);
        self.state.names.insert(then.meta.name.clone(), step.image);
        image.meta.size = then.meta.size;
        image.meta.name = then.meta.name;
        if let Some(shared) = then.meta.metadata {
            let own = &mut image.meta.metadata;
            own.retain(|key, _| key.starts_with(LOCAL_KEY));
            own.extend(shared);
        }
        image.meta.epoch = step.epoch;
        image.meta.last_own = step.to;
        image.meta.sync = SyncState::Consistent;
        // What lies behind that is nobody else's.
        let window = image.meta.window.map(|window| window.cut(step.to));
        follow(&mut image.meta, step.peer, None);
        image.meta.window = window;
        image.meta.steady = Some(stamp.sequence);
        self.state.changed.images.insert(step.image);
        drop(image);
        self.renumber_parents(step.image, &renumbered);
        self.state.note_retention(step.image);
        Ok(())
    }

    /// The image of a former primary follows another site, and keeps what it has under a snapshot.
    pub(super) fn give_way(&mut self, stamp: Stamp, change: &Change) {
        let Change::Yield {
            image: id,
            common,
            keep_id,
            keep_name,
            epoch,
            peer,
            leader,
        } = change
        else {
            return;
        };
        let Some(cell) = self.state.images.get(id).map(Arc::clone) else {
            return missing(*id, stamp);
        };
        let mut image = cell.write();
        let kept = Snapshot {
            meta: SnapshotMeta {
                id: *keep_id,
                name: keep_name.clone(),
                size: image.meta.size,
                divergent: true,
                time: self.state.time.0,
                taken: None,
            },
            branch: image.branch,
            at: stamp.sequence,
        };
        self.state.branches.hold(kept.branch, kept.at);
        let former = image.snapshots.take();
        let mut renumbered = BTreeMap::new();
        let mut snapshots = Snapshots::default();
        for mut snapshot in former {
            if snapshot.at > *common {
                let was = snapshot.meta.id;
                snapshot.meta.divergent = true;
                if !was.is_apart() {
                    snapshot.meta.id = snapshots.apart(was);
                    renumbered.insert(was, snapshot.meta.id);
                }
                let changed = &mut self.state.changed.snapshots;
                changed.extend([(*id, was), (*id, snapshot.meta.id)]);
            }
            snapshots.push(snapshot);
        }
        self.state.changed.snapshots.insert((*id, *keep_id));
        snapshots.push(kept);
        image.snapshots = snapshots;
        image.meta.epoch = *epoch;
        image.meta.last_own = *common;
        image.meta.sync = SyncState::NOTHING_COPIED;
        follow(&mut image.meta, *peer, *leader);
        image.meta.steady = None;
        self.state.changed.images.insert(*id);
        drop(image);
        self.renumber_parents(*id, &renumbered);
    }

    /// The image goes on with what was staged for it, which ends.
    pub(super) fn adopt(&mut self, stamp: Stamp, id: ImageId) {
        let staged_id = staged(id);
        let Some(cell) = self.state.images.get(&id).map(Arc::clone) else {
            return missing(id, stamp);
        };
        let Some(staged) = self.state.images.remove(&staged_id) else {
            return missing(staged_id, stamp);
        };
        let (mut image, mut staged) = (cell.write(), staged.write());
        staged.removed = true;
        let fork = Fork {
            branch: staged.branch,
            at: stamp.sequence,
            blocks: staged.blocks(),
        };
        self.begin(stamp, &mut image, Some(fork), Vec::new());
        for snapshot in staged.snapshots.take() {
            let snapshots = &mut self.state.changed.snapshots;
            snapshots.insert((staged_id, snapshot.meta.id));
            snapshots.insert((id, snapshot.meta.id));
            // Its point is held as it was.
            image.snapshots.push(snapshot);
        }
        self.state.branches.end(staged.branch, stamp.sequence);
        self.state.names.remove(&staged.meta.name);
        image.meta.size = staged.meta.size;
        image.meta.sync = SyncState::Consistent;
        image.meta.steady = Some(stamp.sequence);
        self.state.changed.images.extend([id, staged_id]);
    }

    /// The snapshots of then, and those that were taken since, which are divergent, and `kept`. Returns which
    /// ids became which, as other sites may give those of now to others.
    fn restore_snapshots(
        &mut self,
        image: &mut ImageState,
        then: &Then,
        kept: Snapshot,
    ) -> BTreeMap<SnapshotId, SnapshotId> {
        let mut renumbered = BTreeMap::new();
        let id = image.meta.id;
        let mut snapshots = Snapshots::from(then.snapshots.clone());
        for snapshot in snapshots.iter() {
            let held = image.snapshot(snapshot.meta.id).is_some();
            if !held {
                // It was removed since; whoever looks at that time still holds its place.
                self.state.branches.hold(snapshot.branch, snapshot.at);
                self.state.changed.snapshots.insert((id, snapshot.meta.id));
            }
        }
        for mut snapshot in image.snapshots.take() {
            if snapshots.with_id(snapshot.meta.id).is_none() {
                let former = snapshot.meta.id;
                snapshot.meta.divergent = true;
                if !former.is_apart() {
                    snapshot.meta.id = snapshots.apart(former);
                    renumbered.insert(former, snapshot.meta.id);
                }
                let changed = &mut self.state.changed.snapshots;
                changed.extend([(id, former), (id, snapshot.meta.id)]);
                snapshots.push(snapshot);
            }
        }
        self.state.changed.snapshots.insert((id, kept.meta.id));
        snapshots.push(kept);
        image.snapshots = snapshots;
        renumbered
    }

    /// Clones of snapshots that have other ids now still say what they came from.
    fn renumber_parents(&mut self, of: ImageId, renumbered: &BTreeMap<SnapshotId, SnapshotId>) {
        if renumbered.is_empty() {
            return;
        }
        for (id, cell) in self.state.images.range(..) {
            let parent = cell.read().meta.parent.filter(|parent| parent.image == of);
            let Some(parent) = parent else { continue };
            let snapshot = parent.snapshot.and_then(|former| renumbered.get(&former));
            if let Some(snapshot) = snapshot.copied() {
                cell.write().meta.parent = Some(ImageOrigin {
                    snapshot: Some(snapshot),
                    ..parent
                });
                self.state.changed.images.insert(*id);
            }
        }
    }
}

/// The tag of what a branch that begins with record `since` takes over: a checkpoint right behind
/// that record, which may be kept, shows it.
pub(crate) const fn taken_tag(since: Sequence) -> Sequence {
    Sequence(since.0.saturating_sub(1))
}

/// Changes of what is neither blocks nor snapshots nor a name.
pub(super) fn meta(meta: &mut ImageMeta, stamp: Stamp, change: &Change) {
    match change {
        Change::Metadata { key, value, .. } => {
            if renamed_snapshot(key).is_some() {
                // The name is kept with the snapshot itself.
                return own(meta, stamp);
            }
            match value {
                Some(value) => meta.metadata.insert(key.clone(), value.clone()),
                None => meta.metadata.remove(key),
            };
            if key.starts_with(LOCAL_KEY) {
                return;
            }
        }
        Change::Mirroring { enabled, .. } => {
            let goes_on = meta.mirrored && *enabled;
            meta.mirrored = *enabled;
            if !goes_on {
                meta.steady = enabled.then_some(stamp.sequence);
            }
            meta.window = match (meta.window, enabled) {
                (_, true) if meta.role == Role::Primary => Some(Window::open(stamp.sequence)),
                (window, true) => window,
                (window, false) => window.map(|window| window.closed(stamp.sequence)),
            };
        }
        Change::Sync { state, .. } => {
            meta.sync = *state;
            meta.steady = (meta.mirrored && state.is_consistent()).then_some(stamp.sequence);
            return;
        }
        Change::Follow {
            epoch,
            peer,
            leader,
            ..
        } => {
            meta.epoch = *epoch;
            // A third site may still have to get what was written here before.
            meta.window = meta.window.map(|window| window.closed(stamp.sequence));
            follow(meta, *peer, *leader);
            if meta.steady.is_none() && meta.sync.is_consistent() {
                meta.steady = Some(stamp.sequence);
            }
            return;
        }
        Change::Create { .. }
        | Change::Remove { .. }
        | Change::Rename { .. }
        | Change::Resize { .. }
        | Change::SnapshotCreate { .. }
        | Change::SnapshotRemove { .. }
        | Change::Rollback { .. }
        | Change::Restore { .. }
        | Change::Promote { .. }
        | Change::Demote { .. }
        | Change::Base { .. }
        | Change::FallBack { .. }
        | Change::Yield { .. }
        | Change::Adopt { .. } => return,
    }
    own(meta, stamp);
}

fn follow(meta: &mut ImageMeta, peer: StoreId, leader: Option<StoreId>) {
    meta.role = Role::Secondary;
    meta.upstream = Some(peer);
    meta.leader = leader.filter(|leader| *leader != peer);
    meta.primary_demoted = false;
    meta.mirrored = true;
}

pub(super) fn promote(meta: &mut ImageMeta, stamp: Stamp, promotion: &Promotion) {
    let followed = meta.upstream.take().is_some();
    meta.role = Role::Primary;
    meta.leader = None;
    meta.epoch = promotion.epoch;
    meta.primary_demoted = false;
    meta.origin = promotion.origin;
    meta.promoted = stamp.sequence;
    if meta.mirrored {
        // An image that followed nobody since its demotion goes on where it was.
        meta.window = match meta.window {
            Some(window) if !followed => Some(Window::open(window.since)),
            Some(_) | None => Some(Window::open(stamp.sequence)),
        };
    }
    own(meta, stamp);
}

pub(super) fn demote(meta: &mut ImageMeta, stamp: Stamp) {
    if meta.role == Role::Primary {
        meta.role = Role::Secondary;
        meta.window = meta.window.map(|window| window.closed(stamp.sequence));
        own(meta, stamp);
    }
    meta.primary_demoted = true;
}
