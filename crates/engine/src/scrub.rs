//! Scrubbing: everything that is stored is read again and checked, so that what has rotted is found
//! while there is still another copy of it.

mod copies;

use std::collections::BTreeMap;

use firebrick_edge::Timestamp;
use firebrick_index::Moved as Move;
use firebrick_log::{Checksum, DamagedBlock, Location, Moved, WalkedBlock, WalkedRecord};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, Sequence};
use tracing::{error, info};

use crate::commit::Core;
use crate::error::Error;
use crate::store::Store;

/// Who may have another copy of a block.
pub trait Source {
    /// The bytes of block `block` of `image` that have that checksum, if they are to be had.
    fn fetch(&self, image: ImageId, block: u64, checksum: Checksum) -> Option<Vec<u8>>;
}

/// Nobody has another copy.
#[derive(Clone, Copy, Debug)]
pub struct NoSource;

impl Source for NoSource {
    fn fetch(&self, _: ImageId, _: u64, _: Checksum) -> Option<Vec<u8>> {
        None
    }
}

/// Where a scrub is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScrubCursor {
    segment: u32,
    offset: u64,
}

impl ScrubCursor {
    /// The segment that is read next.
    pub(crate) const fn segment(self) -> u32 {
        self.segment
    }

    /// The beginning of a segment.
    pub(crate) const fn at_segment(segment: u32) -> Self {
        Self { segment, offset: 0 }
    }
}

/// How far a pass over everything has come: what has to outlive a restart, so that it goes on there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScrubProgress {
    /// When it began.
    pub began: Timestamp,
    /// What has been read.
    pub read: Bytes,
    /// Where to go on; `None` once everything has been read.
    pub next: Option<ScrubCursor>,
}

/// The progress that was noted, and that of it which a checkpoint holds.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    pub(crate) now: Option<ScrubProgress>,
    pub(crate) written: Option<ScrubProgress>,
}

impl Noted {
    /// As a checkpoint has it.
    pub(crate) const fn loaded(progress: Option<ScrubProgress>) -> Self {
        Self {
            now: progress,
            written: progress,
        }
    }

    /// What has been read that no checkpoint tells of.
    pub(crate) fn unwritten(&self) -> u64 {
        let read = |progress: Option<ScrubProgress>| progress.map_or(0, |progress| progress.read.0);
        read(self.now).abs_diff(read(self.written))
    }
}

/// A block that is not what was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rot {
    /// Of which image; where it is shared, the one that wrote it.
    pub image: ImageId,
    /// Its name, if it is there still.
    pub name: Option<ImageName>,
    /// The first byte of the block in the image.
    pub offset: u64,
    /// Whether it was repaired from another copy.
    pub repaired: bool,
}

/// What a part of a scrub found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scrubbed {
    /// What was read.
    pub bytes: Bytes,
    /// Blocks that somebody needs and that are damaged, or were until now.
    pub rot: Vec<Rot>,
    /// Where to go on; `None` once everything has been read.
    pub next: Option<ScrubCursor>,
}

impl Store {
    /// Reads about `budget` from `cursor` on and checks it. What is damaged and needed is repaired
    /// from `source`, as far as that has it.
    pub fn scrub(
        &self,
        cursor: ScrubCursor,
        budget: Bytes,
        source: &dyn Source,
    ) -> Result<Scrubbed, Error> {
        self.core.scrub(cursor, budget, source)
    }

    /// How far the pass has come that [`Self::note_scrub`] told of last, also before a restart: then
    /// perhaps from a little before, and from the beginning of a segment on.
    pub fn scrub_progress(&self) -> Option<ScrubProgress> {
        self.core.scrubbed.lock().now
    }

    /// Notes how far a pass has come, for the next checkpoint to write down.
    pub fn note_scrub(&self, progress: ScrubProgress) {
        self.core.scrubbed.lock().now = Some(progress);
    }

    /// The damaged blocks that are known and needed.
    pub fn rot(&self) -> Vec<Rot> {
        self.core.rot.lock().values().cloned().collect()
    }
}

impl Core {
    fn scrub(
        &self,
        cursor: ScrubCursor,
        budget: Bytes,
        source: &dyn Source,
    ) -> Result<Scrubbed, Error> {
        let mut done = Scrubbed::default();
        let mut at = cursor;
        // What is being written, too, as far as it is durable.
        for segment in self.log.segments() {
            if segment.number < at.segment {
                continue;
            }
            if segment.number > at.segment {
                at = ScrubCursor {
                    segment: segment.number,
                    offset: 0,
                };
            }
            let mut ended = false;
            while done.bytes < budget {
                let left = budget.0 - done.bytes.0;
                let verified = match self.log.verify_segment(at.segment, at.offset, left) {
                    Ok(verified) => verified,
                    // It was freed meanwhile.
                    Err(_) if !self.has_segment(at.segment) => {
                        ended = true;
                        break;
                    }
                    Err(error) => return Err(error.into()),
                };
                done.bytes.0 += verified.bytes;
                done.rot.extend(self.inspect(&verified.damaged, source)?);
                if let Some(offset) = verified.broken_at {
                    error!(segment = at.segment, offset, "a frame's head is damaged");
                }
                let Some(offset) = verified.next else {
                    ended = true;
                    break;
                };
                at.offset = offset;
            }
            if ended {
                at = ScrubCursor {
                    segment: at.segment + 1,
                    offset: 0,
                };
            }
            if done.bytes >= budget {
                done.next = Some(at);
                return Ok(done);
            }
        }
        Ok(done)
    }

    fn has_segment(&self, number: u32) -> bool {
        let segments = self.log.segments();
        segments.iter().any(|segment| segment.number == number)
    }

    /// Sorts out what of the damaged blocks somebody needs, and repairs it if possible.
    fn inspect(&self, damaged: &[DamagedBlock], source: &dyn Source) -> Result<Vec<Rot>, Error> {
        let mut rot = Vec::new();
        let mut by_segment: BTreeMap<u32, Vec<&DamagedBlock>> = BTreeMap::new();
        for block in damaged {
            by_segment.entry(block.at.segment).or_default().push(block);
        }
        for (segment, damaged) in by_segment {
            for (image, block) in self.written(segment, &damaged)? {
                for live in self.live_blocks(&[(image, block)])? {
                    let repaired = self.repair(image, live.birth, &block, source)?;
                    rot.push(self.note(image, &block, repaired));
                }
            }
        }
        Ok(rot)
    }

    /// How the damaged blocks of a segment were written.
    fn written(
        &self,
        segment: u32,
        damaged: &[&DamagedBlock],
    ) -> Result<Vec<(ImageId, WalkedBlock)>, Error> {
        let mut written = Vec::new();
        let wanted = |at: Location| damaged.iter().any(|block| block.at == at);
        self.log.walk(segment, &mut |frame| {
            for record in &frame.records {
                if let WalkedRecord::Data { image, blocks } = record {
                    let found = blocks.iter().filter(|block| wanted(block.at));
                    written.extend(found.map(|block| (*image, *block)));
                }
            }
            Ok::<(), Error>(())
        })?;
        Ok(written)
    }

    /// Puts a good copy of the block into a packed segment, which is where it is from then on.
    fn repair(
        &self,
        image: ImageId,
        birth: Sequence,
        block: &WalkedBlock,
        source: &dyn Source,
    ) -> Result<bool, Error> {
        let Some(data) = self.copy_of(image, block, source)? else {
            return Ok(false);
        };
        let moved = Moved {
            name: block.name,
            image,
            block: block.block,
            birth,
            checksum: block.checksum,
            data: &data,
        };
        let places = self.log.pack(&[moved], &[])?;
        self.log.sync_packed()?;
        let moves: Vec<Move> = places
            .first()
            .map(|place| Move {
                name: block.name,
                place: *place,
            })
            .into_iter()
            .collect();
        self.index.apply_moves(&moves, &[])?;
        Ok(true)
    }

    fn note(&self, image: ImageId, block: &WalkedBlock, repaired: bool) -> Rot {
        let state = self.lock();
        let name = state.cell(image).map(|cell| cell.read().meta.name.clone());
        drop(state);
        let rot = Rot {
            image,
            name,
            offset: block.block * BLOCK_SIZE,
            repaired,
        };
        let named = rot.name.as_ref().map_or("", ImageName::as_str);
        let mut known = self.rot.lock();
        if repaired {
            known.remove(&block.name);
            info!(%image, named, offset = rot.offset, "a damaged block was repaired from another site");
        } else {
            known.insert(block.name, rot.clone());
            error!(%image, named, offset = rot.offset, "a block is damaged, and there is no other copy of it");
        }
        rot
    }
}
