//! What a record does: the one place that changes a [`State`].
//!
//! The same code runs when a record is made, when it is recovered and when an older state is built,
//! so that the three can never differ.

use std::sync::Arc;

use firebrick_log::{
    Applied, Change, Checksum, FallBack, Frame, FrameRecord, ImageOrigin, Location, Promotion,
};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Role, Sequence, StoreId, SyncState};
use parking_lot::RwLock;
use tracing::warn;

use crate::error::{Error, ErrorKind};
use crate::map::{BlockMap, Entry};
use crate::state::{Cell, ImageMeta, ImageState, LOCAL_KEY, Snapshot, SnapshotMeta, State, Window};

/// Finds what an image was at an earlier position of the own log.
pub(crate) trait Past {
    fn image_at(&mut self, image: ImageId, sequence: Sequence) -> Result<ImageState, Error>;
}

/// The place of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) sequence: Sequence,
    /// From whose log the frame came; `None` for own records.
    pub(crate) peer: Option<StoreId>,
}

/// Applies the records of `frame` from `from` up to and including `upto`.
pub(crate) fn frame(
    state: &mut State,
    frame: &Frame,
    from: Sequence,
    upto: Sequence,
    past: &mut dyn Past,
) -> Result<(), Error> {
    let peer = frame.applied.map(|applied| applied.peer);
    for (i, record) in frame.records.iter().enumerate() {
        let sequence = frame.first.plus(i as u64);
        if sequence < from || sequence > upto {
            continue;
        }
        let stamp = Stamp { sequence, peer };
        match record {
            FrameRecord::Data {
                image,
                block,
                checksums,
                at,
                ..
            } => {
                data(state, stamp, *image, *block, *at, checksums);
            }
            FrameRecord::Discard {
                image,
                block,
                blocks,
            } => {
                discard(state, stamp, *image, *block, *blocks);
            }
            FrameRecord::Change(record) => change(state, stamp, record, past)?,
        }
    }
    if frame.position.sequence <= upto
        && let Some(applied) = frame.applied
    {
        cursor(state, applied);
    }
    Ok(())
}

/// Notes how far a peer's log is held.
pub(crate) fn cursor(state: &mut State, applied: Applied) {
    let known = state.applied.entry(applied.peer).or_default();
    *known = (*known).max(applied.sequence);
}

/// Blocks got new content.
pub(crate) fn data(
    state: &mut State,
    stamp: Stamp,
    image: ImageId,
    block: u64,
    at: Location,
    checksums: &[Checksum],
) {
    state.sequence = stamp.sequence;
    let Some(cell) = state.cell(image) else {
        return missing(image, stamp);
    };
    let mut image = cell.write();
    for (i, checksum) in checksums.iter().enumerate() {
        let entry = Entry {
            at: at.plus_blocks(i as u32),
            checksum: *checksum,
        };
        image.map.set(block + i as u64, entry);
    }
    own(&mut image.meta, stamp);
}

/// Blocks read as zeroes from here on.
pub(crate) fn discard(state: &mut State, stamp: Stamp, image: ImageId, block: u64, blocks: u64) {
    state.sequence = stamp.sequence;
    let Some(cell) = state.cell(image) else {
        return missing(image, stamp);
    };
    let mut image = cell.write();
    image.map.clear(block, block.saturating_add(blocks));
    own(&mut image.meta, stamp);
}

/// Anything else.
pub(crate) fn change(
    state: &mut State,
    stamp: Stamp,
    change: &Change,
    past: &mut dyn Past,
) -> Result<(), Error> {
    state.sequence = stamp.sequence;
    match change {
        Change::Create { .. } => create(state, stamp, change),
        Change::Remove { image } => remove(state, stamp, *image),
        Change::Promote { images } => {
            for promotion in images {
                on(state, stamp, promotion.image, |image| {
                    promote(image, stamp, promotion);
                });
            }
        }
        Change::Demote { images } => {
            for id in images {
                on(state, stamp, *id, |image| demote(image, stamp));
            }
        }
        Change::FallBack { images } => {
            for step in images {
                let then = past.image_at(step.image, step.to)?;
                on(state, stamp, step.image, |image| {
                    fall_back(image, then, step);
                });
            }
        }
        Change::Rename { image, .. }
        | Change::Resize { image, .. }
        | Change::SnapshotCreate { image, .. }
        | Change::SnapshotRemove { image, .. }
        | Change::Rollback { image, .. }
        | Change::Metadata { image, .. }
        | Change::Mirroring { image, .. }
        | Change::Sync { image, .. }
        | Change::Follow { image, .. } => {
            on(state, stamp, *image, |image| on_image(image, stamp, change));
        }
    }
    Ok(())
}

fn on(state: &State, stamp: Stamp, image: ImageId, change: impl FnOnce(&mut ImageState)) {
    match state.cell(image) {
        Some(cell) => change(&mut cell.write()),
        None => missing(image, stamp),
    }
}

fn missing(image: ImageId, stamp: Stamp) {
    // Cannot happen: who makes a record looks first. Recovery goes on, as the rest is worth more.
    warn!(%image, record = %stamp.sequence, "a record is about an image that is not there");
}

/// Own changes are what a promotion elsewhere may not have got.
fn own(meta: &mut ImageMeta, stamp: Stamp) {
    if stamp.peer.is_none() {
        meta.last_own = stamp.sequence;
    }
}

fn create(state: &mut State, stamp: Stamp, change: &Change) {
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
        return;
    };
    let mut map = origin.map_or_else(BlockMap::default, |origin| origin_map(state, origin));
    map.clear(size.0.div_ceil(BLOCK_SIZE), u64::MAX);
    let window = (*mirrored && *role == Role::Primary).then(|| Window::open(stamp.sequence));
    let mut meta = ImageMeta {
        id: *image,
        name: name.clone(),
        size: *size,
        role: *role,
        epoch: *epoch,
        mirrored: *mirrored,
        sync: *sync,
        upstream: stamp.peer,
        primary_demoted: false,
        window,
        last_own: Sequence::ZERO,
        origin: None,
        metadata: std::collections::BTreeMap::new(),
    };
    own(&mut meta, stamp);
    let created = ImageState {
        meta,
        map,
        snapshots: Vec::new(),
        removed: false,
    };
    state.removed.remove(image);
    state.images.insert(*image, Arc::new(RwLock::new(created)));
}

fn origin_map(state: &State, origin: ImageOrigin) -> BlockMap {
    let Some(cell) = state.cell(origin.image) else {
        return BlockMap::default();
    };
    let image = cell.read();
    match origin.snapshot {
        None => image.map.clone(),
        Some(id) => image
            .snapshot(id)
            .map(|snapshot| snapshot.map.clone())
            .unwrap_or_default(),
    }
}

fn remove(state: &mut State, stamp: Stamp, image: ImageId) {
    let Some(cell) = state.images.remove(&image) else {
        return missing(image, stamp);
    };
    let mut gone = cell.write();
    gone.removed = true;
    gone.map = BlockMap::default();
    gone.snapshots.clear();
    if let Some(window) = gone.meta.window {
        state.removed.insert(image, window.closed(stamp.sequence));
    }
}

fn on_image(image: &mut ImageState, stamp: Stamp, change: &Change) {
    match change {
        Change::Rename { name, .. } => image.meta.name = name.clone(),
        Change::Resize { size, .. } => {
            if *size < image.meta.size {
                image.map.clear(size.0.div_ceil(BLOCK_SIZE), u64::MAX);
            }
            image.meta.size = *size;
        }
        Change::SnapshotCreate { snapshot, name, .. } => {
            let (id, name, size) = (*snapshot, name.clone(), image.meta.size);
            let meta = SnapshotMeta {
                id,
                name,
                size,
                divergent: false,
            };
            image.snapshots.push(Snapshot {
                meta,
                map: image.map.clone(),
            });
        }
        Change::SnapshotRemove { snapshot, .. } => {
            image.snapshots.retain(|found| found.meta.id != *snapshot);
        }
        Change::Rollback { snapshot, .. } => {
            if let Some(target) = image.snapshot(*snapshot) {
                let (map, size) = (target.map.clone(), target.meta.size);
                image.map = map;
                image.meta.size = size;
            }
        }
        Change::Metadata { key, value, .. } => {
            match value {
                Some(value) => image.meta.metadata.insert(key.clone(), value.clone()),
                None => image.meta.metadata.remove(key),
            };
            if key.starts_with(LOCAL_KEY) {
                return;
            }
        }
        Change::Mirroring { enabled, .. } => {
            image.meta.mirrored = *enabled;
            image.meta.window = match (image.meta.window, enabled) {
                (_, true) if image.meta.role == Role::Primary => Some(Window::open(stamp.sequence)),
                (window, true) => window,
                (window, false) => window.map(|window| window.closed(stamp.sequence)),
            };
        }
        Change::Sync { state, .. } => return image.meta.sync = *state,
        Change::Follow { epoch, peer, .. } => {
            image.meta.epoch = *epoch;
            return follow(&mut image.meta, *peer);
        }
        Change::Create { .. }
        | Change::Remove { .. }
        | Change::Promote { .. }
        | Change::Demote { .. }
        | Change::FallBack { .. } => return,
    }
    own(&mut image.meta, stamp);
}

fn follow(meta: &mut ImageMeta, peer: StoreId) {
    meta.role = Role::Secondary;
    meta.upstream = Some(peer);
    meta.primary_demoted = false;
    meta.window = None;
    meta.mirrored = true;
}

fn promote(image: &mut ImageState, stamp: Stamp, promotion: &Promotion) {
    let meta = &mut image.meta;
    let followed = meta.upstream.take().is_some();
    meta.role = Role::Primary;
    meta.epoch = promotion.epoch;
    meta.primary_demoted = false;
    meta.origin = promotion.origin;
    if meta.mirrored {
        // An image that followed nobody since its demotion goes on where it was.
        meta.window = match meta.window {
            Some(window) if !followed => Some(Window::open(window.since)),
            Some(_) | None => Some(Window::open(stamp.sequence)),
        };
    }
    own(meta, stamp);
}

fn demote(image: &mut ImageState, stamp: Stamp) {
    let meta = &mut image.meta;
    if meta.role == Role::Primary {
        meta.role = Role::Secondary;
        meta.window = meta.window.map(|window| window.closed(stamp.sequence));
        own(meta, stamp);
    }
    meta.primary_demoted = true;
}

fn fall_back(image: &mut ImageState, then: ImageState, step: &FallBack) {
    let meta = SnapshotMeta {
        id: step.keep_id,
        name: step.keep_name.clone(),
        size: image.meta.size,
        divergent: true,
    };
    let kept = Snapshot {
        meta,
        map: image.map.clone(),
    };
    let mut snapshots = then.snapshots;
    for mut snapshot in std::mem::take(&mut image.snapshots) {
        if !snapshots
            .iter()
            .any(|common| common.meta.id == snapshot.meta.id)
        {
            snapshot.meta.divergent = true;
            snapshots.push(snapshot);
        }
    }
    snapshots.push(kept);
    image.snapshots = snapshots;
    image.map = then.map;
    image.meta.size = then.meta.size;
    image.meta.name = then.meta.name;
    image.meta.epoch = step.epoch;
    image.meta.last_own = step.to;
    image.meta.sync = SyncState::Consistent;
    follow(&mut image.meta, step.peer);
}

/// A past that nobody may ask for.
pub(crate) struct NoPast;

impl Past for NoPast {
    fn image_at(&mut self, image: ImageId, sequence: Sequence) -> Result<ImageState, Error> {
        let why = format!("image {image} at {sequence} was not prepared");
        Err(Error::new(ErrorKind::Invalid, "apply a record", why))
    }
}

/// A past of images that have been looked up before.
pub(crate) struct KnownPast(pub(crate) Vec<(ImageId, Sequence, ImageState)>);

impl Past for KnownPast {
    fn image_at(&mut self, image: ImageId, sequence: Sequence) -> Result<ImageState, Error> {
        let found = self
            .0
            .iter()
            .position(|(id, at, _)| (*id, *at) == (image, sequence));
        match found {
            Some(i) => Ok(self.0.swap_remove(i).2),
            None => NoPast.image_at(image, sequence),
        }
    }
}

/// The cell of `image`, or the error that there is none.
pub(crate) fn found<'a>(
    state: &'a State,
    doing: &'static str,
    image: ImageId,
) -> Result<&'a Cell, Error> {
    state
        .cell(image)
        .ok_or_else(|| Error::no_image(doing, image))
}
