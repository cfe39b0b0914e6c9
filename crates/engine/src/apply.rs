//! What a record does: the one place that changes a [`State`].
//!
//! The same code runs when a record is made and when it is recovered, so that the two can never
//! differ.

pub(crate) mod image;
mod snapshot;

use firebrick_index::{BranchId, Entry, Index};
use firebrick_log::{Applied, Change, Checksum, Frame, FrameRecord, Location};
use firebrick_vocabulary::{ImageId, Sequence, StoreId};
use tracing::warn;

use crate::error::{Error, ErrorKind};
use crate::past::Then;
use crate::state::{Cell, ImageMeta, State};

/// Where changes of blocks go.
pub(crate) trait Blocks {
    /// Blocks from `block` on are these now.
    fn put(&self, branch: BranchId, tag: Sequence, block: u64, entries: &[Entry]);
    /// Blocks from `first` to before `end` are holes now.
    fn clear(&self, branch: BranchId, tag: Sequence, first: u64, end: u64);
}

impl Blocks for Index {
    fn put(&self, branch: BranchId, tag: Sequence, block: u64, entries: &[Entry]) {
        Self::put(self, branch, tag, block, entries);
    }

    fn clear(&self, branch: BranchId, tag: Sequence, first: u64, end: u64) {
        Self::clear(self, branch, tag, first, end);
    }
}

/// Finds what an image was at an earlier position of the own log.
pub(crate) trait Past {
    fn image_at(&mut self, state: &State, image: ImageId, at: Sequence) -> Result<Then, Error>;
}

/// The place of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) sequence: Sequence,
    /// From whose log the frame came; `None` for own records.
    pub(crate) peer: Option<StoreId>,
}

/// What records change: the state, and the blocks beside it.
pub(crate) struct Target<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) blocks: &'a dyn Blocks,
    pub(crate) past: &'a mut dyn Past,
}

impl Target<'_> {
    /// Applies the records of `frame` from `from` on.
    pub(crate) fn frame(&mut self, frame: &Frame, from: Sequence) -> Result<(), Error> {
        let peer = frame.applied.map(|applied| applied.peer);
        self.state.time = frame.time;
        for (i, record) in frame.records.iter().enumerate() {
            let sequence = frame.first.plus(i as u64);
            if sequence < from {
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
                } => self.data(stamp, *image, *block, *at, checksums),
                FrameRecord::Discard {
                    image,
                    block,
                    blocks,
                } => self.discard(stamp, *image, *block, *blocks),
                FrameRecord::Change(change) => self.change(stamp, change)?,
            }
        }
        if let Some(applied) = frame.applied {
            cursor(self.state, applied);
        }
        Ok(())
    }

    /// Blocks got new content.
    pub(crate) fn data(
        &mut self,
        stamp: Stamp,
        image: ImageId,
        block: u64,
        at: Location,
        checksums: &[Checksum],
    ) {
        self.state.sequence = stamp.sequence;
        let Some(cell) = self.state.images.get(&image) else {
            return missing(image, stamp);
        };
        let entries = entries(at, checksums);
        let mut image = cell.write();
        let tag = self.state.branches.tag_change(image.branch);
        self.blocks.put(image.branch, tag, block, &entries);
        own(&mut image.meta, stamp);
        self.state.changed.written.insert(image.meta.id);
    }

    /// Blocks read as zeroes from here on.
    pub(crate) fn discard(&mut self, stamp: Stamp, image: ImageId, block: u64, blocks: u64) {
        self.state.sequence = stamp.sequence;
        let Some(cell) = self.state.images.get(&image) else {
            return missing(image, stamp);
        };
        let mut image = cell.write();
        let tag = self.state.branches.tag_change(image.branch);
        let end = block.saturating_add(blocks);
        self.blocks.clear(image.branch, tag, block, end);
        own(&mut image.meta, stamp);
        self.state.changed.written.insert(image.meta.id);
    }

    /// Anything else.
    pub(crate) fn change(&mut self, stamp: Stamp, change: &Change) -> Result<(), Error> {
        self.state.sequence = stamp.sequence;
        match change {
            Change::Create { .. } => self.create(stamp, change)?,
            Change::Remove { image } => self.remove(stamp, *image),
            Change::Promote { images } => {
                for promotion in images {
                    self.on(stamp, promotion.image, |image| {
                        image::promote(&mut image.meta, stamp, promotion);
                    });
                }
            }
            Change::Demote { images } => {
                for id in images {
                    self.on(stamp, *id, |image| image::demote(&mut image.meta, stamp));
                }
            }
            Change::FallBack { images } => {
                for step in images {
                    self.fall_back(stamp, step)?;
                }
            }
            Change::Resize { image, size } => self.resize(stamp, *image, *size),
            Change::Rename { image, name } => self.rename(stamp, *image, name),
            Change::SnapshotCreate { .. } => self.take_snapshot(stamp, change),
            Change::SnapshotRemove { image, snapshot } => {
                self.remove_snapshot(stamp, *image, *snapshot);
            }
            Change::Yield { .. } => self.give_way(stamp, change),
            Change::Adopt { images } => {
                for image in images {
                    self.adopt(stamp, *image);
                }
            }
            Change::Restore { image, to, size } => self.restore(stamp, *image, *to, *size)?,
            Change::Rollback { image, snapshot } => self.roll_back(stamp, *image, *snapshot),
            Change::Base { at, last, .. } => {
                if *last {
                    self.state.base = self.state.base.max(*at);
                }
            }
            Change::Metadata { image, .. }
            | Change::Mirroring { image, .. }
            | Change::Sync { image, .. }
            | Change::Follow { image, .. } => {
                self.on(stamp, *image, |image| {
                    image::meta(&mut image.meta, stamp, change);
                });
                self.state.note_retention(*image);
                self.rename_snapshot(*image, change);
            }
        }
        Ok(())
    }

    /// Changes an image that must be there.
    fn on(
        &mut self,
        stamp: Stamp,
        image: ImageId,
        change: impl FnOnce(&mut crate::state::ImageState),
    ) {
        match self.state.images.get(&image) {
            Some(cell) => change(&mut cell.write()),
            None => return missing(image, stamp),
        }
        self.state.changed.images.insert(image);
    }
}

/// The entries of neighbouring blocks that were written together.
pub(crate) fn entries(at: Location, checksums: &[Checksum]) -> Vec<Entry> {
    let entry = |(i, checksum): (usize, &Checksum)| Entry {
        at: at.plus_blocks(i as u32),
        checksum: *checksum,
    };
    checksums.iter().enumerate().map(entry).collect()
}

/// Notes how far a peer's log is held.
pub(crate) fn cursor(state: &mut State, applied: Applied) {
    let known = state.applied.entry(applied.peer).or_default();
    *known = (*known).max(applied.sequence);
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

/// A past that nobody may ask for.
pub(crate) struct NoPast;

impl Past for NoPast {
    fn image_at(&mut self, _: &State, image: ImageId, at: Sequence) -> Result<Then, Error> {
        let why = format!("image {image} at {at} was not prepared");
        Err(Error::new(ErrorKind::Invalid, "apply a record", why))
    }
}

/// A past of images that have been looked up before.
pub(crate) struct KnownPast(pub(crate) Vec<(ImageId, Sequence, Then)>);

impl Past for KnownPast {
    fn image_at(&mut self, state: &State, image: ImageId, at: Sequence) -> Result<Then, Error> {
        let known = |(id, then, _): &(ImageId, Sequence, Then)| (*id, *then) == (image, at);
        match self.0.iter().position(known) {
            Some(i) => Ok(self.0.swap_remove(i).2),
            None => NoPast.image_at(state, image, at),
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
