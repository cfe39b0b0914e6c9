//! Cleaning: what is still needed of mostly dead segments moves into packed ones, and their room is
//! used again.
//!
//! A block keeps its name wherever it moves, so no map changes; the index remembers where it is now.
//! Orders that matter: the log is flushed, so that what replaced the rest is durable; the base that
//! replaces the changes of a freed segment and the blocks that were moved are durable before the
//! index says where they are, and that is durable before the segment is freed.

mod base;
mod choose;
mod live;

use std::collections::BTreeMap;

use firebrick_index::{Moved as Move, Released};
use firebrick_log::{
    Change, Location, Moved, MovedDiscard, SegmentInfo, SegmentKind, WalkedBlock, WalkedRecord,
};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, Sequence};
use parking_lot::Mutex;
use tracing::{debug, warn};

pub use choose::Pressure;

use crate::commit::Core;
use crate::error::Error;
use crate::images::SIZE_MAX;
use crate::store::Store;
use live::LiveBlock;

const BLOCK: usize = BLOCK_SIZE as usize;
/// How much one step moves at most, about, in bytes: guests wait behind no more than that.
const STEP_BYTES: usize = 4 << 20;
/// How many frames a packed segment gets at least, and how many blocks a frame gets at most.
const FRAMES_MIN: u64 = 16;
const FRAME_BLOCKS: u64 = 256;
/// How many steps are taken for a guest that waits for room.
const ROOM_STEPS: usize = 256;
/// How many dead segments one step frees at most.
const STEP_SEGMENTS: usize = 16;
/// How many discards go into one frame at most.
const FRAME_DISCARDS: usize = 1024;

/// What one step of cleaning did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cleaned {
    /// Segments that were freed.
    pub freed: u32,
    /// Data that was moved.
    pub moved: Bytes,
    /// How urgent it is to go on.
    pub pressure: Pressure,
}

/// What the cleaner knows.
#[derive(Default)]
pub(crate) struct Cleaning {
    state: Mutex<Known>,
    /// Held during a step.
    running: Mutex<()>,
    /// Held by a guest's write that cleans for itself.
    making_room: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// Blocks that may be dead, by the segment in which they lie: hints.
    dead: BTreeMap<u32, u64>,
    /// Segments that hold a damaged block which is still needed: the scrubber's, not the cleaner's.
    damaged: std::collections::BTreeSet<u32>,
    /// Data that was moved since the store was opened.
    moved: u64,
}

impl Cleaning {
    /// With the hints of the last checkpoint.
    pub(crate) fn load(dead: BTreeMap<u32, u64>) -> Self {
        let known = Known {
            dead,
            ..Known::default()
        };
        Self {
            state: Mutex::new(known),
            ..Self::default()
        }
    }

    /// How many blocks of each segment may be dead.
    pub(crate) fn dead(&self) -> BTreeMap<u32, u64> {
        self.state.lock().dead.clone()
    }
}

impl Store {
    /// Does one bounded step of cleaning, where there is something worth it.
    pub fn clean(&self) -> Result<Cleaned, Error> {
        self.core.clean()
    }

    /// Data that the cleaner has moved since the store was opened.
    pub fn cleaned_bytes(&self) -> Bytes {
        Bytes(self.core.cleaning.state.lock().moved)
    }
}

impl Core {
    /// Notes which blocks lost their last reference, as the index believes.
    pub(crate) fn released(&self, released: &Released) -> Result<(), Error> {
        for (segment, units) in &released.units {
            let moved = self.index.moved_from(*segment)?;
            let mut known = self.cleaning.state.lock();
            for unit in units {
                let at = moved.binary_search_by_key(unit, |moved| moved.name.unit);
                let place = at.map_or(*segment, |at| moved[at].place.segment);
                *known.dead.entry(place).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Cleans for a guest that was refused for want of room; whether there is some now.
    pub(crate) fn make_room(&self) -> bool {
        let _one = self.cleaning.making_room.lock();
        let (mut checkpoints, mut freed) = (0, false);
        for _ in 0..ROOM_STEPS {
            // The segment that is being written and the one made ahead are part of it.
            let enough = 3 * self.options.segment_bytes;
            let room = self.log.room();
            if room.is_ok_and(|room| room.free_for_guests >= enough) {
                return true;
            }
            if self.clean().is_ok_and(|cleaned| cleaned.freed > 0) {
                freed = true;
                continue;
            }
            // What died since the last checkpoint can be freed only behind the next one.
            checkpoints += 1;
            if checkpoints > 2 || self.checkpoint().is_err() {
                break;
            }
        }
        freed
    }

    fn clean(&self) -> Result<Cleaned, Error> {
        let _running = self.cleaning.running.lock();
        let (pressure, victims) = self.victims()?;
        let mut cleaned = Cleaned {
            pressure,
            ..Cleaned::default()
        };
        let mut emptied = Vec::new();
        let mut step = Step::default();
        let folds = self.lock().branches.folds_begun();
        for victim in victims {
            // What is moved needs room before it wins any: no more than the log's reserve has.
            let enough = STEP_BYTES.min(self.options.segment_bytes as usize / 2);
            if emptied.len() == STEP_SEGMENTS || step.bytes() >= enough {
                break;
            }
            if victim.kind == SegmentKind::Log && !self.based(&victim)? {
                continue;
            }
            match self.rescue(&victim, &mut step) {
                Ok(()) => emptied.push(victim.number),
                Err(error) if error.kind == crate::ErrorKind::Damaged => {
                    warn!(segment = victim.number, %error, "a segment is damaged and not cleaned");
                    self.cleaning.state.lock().damaged.insert(victim.number);
                }
                Err(error) => return Err(error),
            }
        }
        // What has begun to move meanwhile may have been missed.
        if emptied.is_empty() || self.lock().branches.folds_begun() != folds {
            return Ok(cleaned);
        }
        cleaned.moved = Bytes(step.bytes() as u64);
        // What made the rest of it superfluous may have been written a moment ago: it must be durable
        // before the rest is gone.
        self.log.flush()?;
        let moves = self.move_blocks(&step)?;
        self.index.apply_moves(&moves, &step.dead)?;
        let mut known = self.cleaning.state.lock();
        known.moved += cleaned.moved.0;
        for number in &emptied {
            known.dead.remove(number);
        }
        drop(known);
        for number in emptied {
            self.log.free(number)?;
            cleaned.freed += 1;
        }
        debug!(
            freed = cleaned.freed,
            moved = cleaned.moved.0,
            "segments were cleaned"
        );
        Ok(cleaned)
    }

    /// Takes what is needed of a segment into the step.
    fn rescue(&self, victim: &SegmentInfo, step: &mut Step) -> Result<(), Error> {
        let mut found = Step::default();
        self.log.walk(victim.number, &mut |frame| {
            for record in &frame.records {
                match record {
                    WalkedRecord::Data { image, blocks } => {
                        let live = self.live_blocks(*image, blocks)?;
                        if frame.kind == SegmentKind::Packed {
                            found.dead.extend(self.dead_names(blocks, &live)?);
                        }
                        found.blocks.extend(live);
                    }
                    WalkedRecord::Discard(discard) => {
                        found.discards.extend(self.live_discards(*discard)?);
                    }
                    // The base says all of it, but for what it did to blocks.
                    WalkedRecord::Change { sequence, change } => {
                        if let Some(cut) = cut_off(*sequence, change) {
                            found.discards.extend(self.live_discards(cut)?);
                        }
                    }
                }
            }
            Ok::<(), Error>(())
        })?;
        for live in found.blocks {
            let mut data = vec![0; BLOCK];
            self.log.read(live.at, &mut data)?;
            if firebrick_log::Checksum::of(&data) != live.checksum {
                return Err(Error::damaged_block(live.at));
            }
            step.data.push(data);
            step.blocks.push(live);
        }
        step.discards.extend(found.discards);
        step.dead.extend(found.dead);
        Ok(())
    }

    /// The names of moved blocks that lie here and that nobody uses any more. A copy that was moved
    /// on from here says nothing about its name.
    fn dead_names(
        &self,
        blocks: &[WalkedBlock],
        live: &[LiveBlock],
    ) -> Result<Vec<Location>, Error> {
        // Both are in the order in which they lie there.
        let mut live = live.iter().map(|live| live.at).peekable();
        let mut dead = Vec::new();
        for block in blocks {
            let needed = live.next_if_eq(&block.at).is_some();
            if !needed && self.index.place(block.name)? == block.at {
                dead.push(block.name);
            }
        }
        Ok(dead)
    }

    /// Writes what was rescued into packed segments, durably.
    fn move_blocks(&self, step: &Step) -> Result<Vec<Move>, Error> {
        let blocks: Vec<Moved<'_>> = step
            .blocks
            .iter()
            .zip(&step.data)
            .map(|(live, data)| Moved {
                name: live.name,
                image: live.image,
                block: live.block,
                birth: live.birth,
                checksum: live.checksum,
                data,
            })
            .collect();
        if blocks.is_empty() && step.discards.is_empty() {
            return Ok(Vec::new());
        }
        // Small frames fill a segment to its end.
        let most = (self.options.segment_bytes / BLOCK_SIZE / FRAMES_MIN).clamp(1, FRAME_BLOCKS);
        let mut places = Vec::with_capacity(blocks.len());
        for chunk in blocks.chunks(most as usize) {
            places.extend(self.log.pack(chunk, &[])?);
        }
        for chunk in merged(&step.discards).chunks(FRAME_DISCARDS) {
            self.log.pack(&[], chunk)?;
        }
        // Before the index says that they are there.
        self.log.sync_packed()?;
        let moved = |(live, place): (&LiveBlock, Location)| Move {
            name: live.name,
            place,
        };
        Ok(step.blocks.iter().zip(places).map(moved).collect())
    }
}

/// The same discards in as few pieces as possible: several points may need the same one, and each
/// asks for it whenever it is moved.
fn merged(discards: &[MovedDiscard]) -> Vec<MovedDiscard> {
    let mut sorted = discards.to_vec();
    sorted.sort_unstable_by_key(|it| (it.image, it.birth, it.block));
    let mut merged: Vec<MovedDiscard> = Vec::with_capacity(sorted.len());
    for next in sorted {
        match merged.last_mut() {
            Some(last)
                if (last.image, last.birth) == (next.image, next.birth)
                    && next.block <= last.block.saturating_add(last.blocks) =>
            {
                let end = next.block.saturating_add(next.blocks);
                last.blocks = last.blocks.max(end - last.block);
            }
            Some(_) | None => merged.push(next),
        }
    }
    merged
}

/// The blocks that an image loses by a change of its size, as a discard of all that may lie there:
/// what is left of them in older segments must not come back when the image grows again.
pub(crate) fn cut_off(sequence: Sequence, change: &Change) -> Option<MovedDiscard> {
    let Change::Resize { image, size } = change else {
        return None;
    };
    let block = size.0.div_ceil(BLOCK_SIZE);
    Some(MovedDiscard {
        image: *image,
        block,
        blocks: (SIZE_MAX / BLOCK_SIZE).saturating_sub(block),
        birth: sequence,
    })
    .filter(|cut| cut.blocks > 0)
}

/// What is needed of the segments of one step.
#[derive(Default)]
struct Step {
    blocks: Vec<LiveBlock>,
    data: Vec<Vec<u8>>,
    discards: Vec<MovedDiscard>,
    /// Names of moved blocks that nobody uses any more.
    dead: Vec<Location>,
}

impl Step {
    fn bytes(&self) -> usize {
        self.data.len() * BLOCK
    }
}

#[cfg(test)]
mod tests {
    use firebrick_vocabulary::ImageId;

    use super::*;

    #[test]
    fn a_discard_is_moved_once_however_many_need_it() {
        let image = ImageId::random();
        let piece = |birth, block, blocks| MovedDiscard {
            image,
            block,
            blocks,
            birth: Sequence(birth),
        };
        let some = [
            piece(7, 10, 5),
            piece(8, 0, 9),
            piece(7, 0, 4),
            piece(7, 12, 10),
            piece(7, 10, 5),
            piece(7, 4, 1),
        ];
        let merged = merged(&some);
        assert_eq!(merged, [piece(7, 0, 5), piece(7, 10, 12), piece(8, 0, 9)]);
    }
}
