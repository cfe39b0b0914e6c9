//! Moving what is needed of a segment into packed ones.

use firebrick_index::Moved as Move;
use firebrick_log::{
    Checksum, Location, Moved, MovedDiscard, SegmentInfo, SegmentKind, WalkedBlock, WalkedRecord,
};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId};

use super::cut_off;
use super::live::LiveBlock;
use crate::commit::Core;
use crate::error::Error;

const BLOCK: usize = BLOCK_SIZE as usize;
/// How many frames a packed segment gets at least, and how many blocks a frame gets at most.
const FRAMES_MIN: u64 = 16;
const FRAME_BLOCKS: u64 = 256;
/// How many discards go into one frame at most.
const FRAME_DISCARDS: usize = 1024;
/// How much is read at once, and over how much that nobody needs, in bytes.
const READ_BYTES: u64 = 2 << 20;
const READ_OVER: u64 = 32 << 10;
/// What the head of a frame costs for each block that was moved, in bytes, about.
const HEAD_BYTES: u64 = 64;

/// What was needed of the segments of one step.
#[derive(Default)]
pub(super) struct Step {
    /// Blocks that have been written to packed segments.
    pub(super) moves: Vec<Move>,
    discards: Vec<MovedDiscard>,
    /// Names of moved blocks that nobody uses any more.
    pub(super) dead: Vec<Location>,
}

impl Step {
    /// The data that was moved.
    pub(super) fn bytes(&self) -> u64 {
        self.moves.len() as u64 * BLOCK_SIZE
    }

    /// The room that it takes.
    pub(super) fn packed(&self) -> u64 {
        self.moves.len() as u64 * (BLOCK_SIZE + HEAD_BYTES)
    }
}

#[derive(Default)]
struct Found {
    blocks: Vec<LiveBlock>,
    discards: Vec<MovedDiscard>,
    dead: Vec<Location>,
}

/// How many blocks a frame holds at most, in packed segments of so many bytes.
pub(super) fn frame_blocks(segment: u64) -> u64 {
    (segment / BLOCK_SIZE / FRAMES_MIN).clamp(1, FRAME_BLOCKS)
}

impl Core {
    /// Moves what is needed of a segment; where that fails half way, what was moved is needed of
    /// nowhere else.
    pub(super) fn rescue(&self, victim: &SegmentInfo, step: &mut Step) -> Result<(), Error> {
        let found = self.find_needed(victim)?;
        // Small frames fill a segment to its end.
        let most = frame_blocks(self.options.segment_bytes);
        let mut buffer = Vec::new();
        for chunk in found.blocks.chunks(most as usize) {
            self.move_blocks(chunk, &mut buffer, step)?;
        }
        step.discards.extend(found.discards);
        step.dead.extend(found.dead);
        Ok(())
    }

    fn find_needed(&self, victim: &SegmentInfo) -> Result<Found, Error> {
        let mut found = Found::default();
        let mut blocks = Vec::new();
        self.log.walk(victim.number, &mut |frame| {
            for record in &frame.records {
                match record {
                    WalkedRecord::Data {
                        image,
                        blocks: more,
                    } => {
                        blocks.extend(more.iter().map(|block| (*image, *block)));
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
        found.blocks = self.live_blocks(&blocks)?;
        if victim.kind == SegmentKind::Packed {
            found.dead = self.dead_names(&blocks, &found.blocks)?;
        }
        Ok(found)
    }

    /// The names of moved blocks that lie here and that nobody uses any more. A copy that was moved
    /// on from here says nothing about its name.
    fn dead_names(
        &self,
        blocks: &[(ImageId, WalkedBlock)],
        live: &[LiveBlock],
    ) -> Result<Vec<Location>, Error> {
        // Both are in the order in which they lie there.
        let mut live = live.iter().map(|live| live.at).peekable();
        let mut dead = Vec::new();
        for (_, block) in blocks {
            let needed = live.next_if_eq(&block.at).is_some();
            if !needed && self.index.place(block.name)? == block.at {
                dead.push(block.name);
            }
        }
        Ok(dead)
    }

    /// Writes blocks of one segment, in the order in which they lie there, as one frame.
    fn move_blocks(
        &self,
        live: &[LiveBlock],
        buffer: &mut Vec<u8>,
        step: &mut Step,
    ) -> Result<(), Error> {
        buffer.clear();
        for span in spans(live) {
            let (Some(first), Some(last)) = (span.first(), span.last()) else {
                continue;
            };
            let len = (last.at.offset() - first.at.offset()) as usize + BLOCK;
            let begin = buffer.len();
            buffer.resize(begin + len, 0);
            self.log.read(first.at, &mut buffer[begin..])?;
            // What nobody needs goes at once.
            for (i, live) in span.iter().enumerate() {
                let from = begin + (live.at.offset() - first.at.offset()) as usize;
                buffer.copy_within(from..from + BLOCK, begin + i * BLOCK);
            }
            buffer.truncate(begin + span.len() * BLOCK);
        }
        let data = buffer.chunks_exact(BLOCK);
        let mut blocks = Vec::with_capacity(live.len());
        for (live, data) in live.iter().zip(data) {
            if Checksum::of(data) != live.checksum {
                return Err(Error::damaged_block(live.at));
            }
            blocks.push(Moved {
                name: live.name,
                image: live.image,
                block: live.block,
                birth: live.birth,
                checksum: live.checksum,
                data,
            });
        }
        let places = self.log.pack(&blocks, &[])?;
        let moved = |(live, place): (&LiveBlock, Location)| Move {
            name: live.name,
            place,
        };
        let moves = live.iter().zip(places).map(moved);
        let mut known = self.cleaning.state.lock();
        for moved in moves {
            known.moving.insert(moved.name, moved.place);
            step.moves.push(moved);
        }
        Ok(())
    }

    /// Writes the discards that were found.
    pub(super) fn pack_discards(&self, step: &Step) -> Result<(), Error> {
        for chunk in merged(&step.discards).chunks(FRAME_DISCARDS) {
            self.log.pack(&[], chunk)?;
        }
        Ok(())
    }
}

/// Blocks that are read at once.
fn spans(live: &[LiveBlock]) -> impl Iterator<Item = &[LiveBlock]> {
    let mut begin = live.first().map_or(0, |first| first.at.offset());
    live.chunk_by(move |one, next| {
        let (end, at) = (one.at.offset() + BLOCK_SIZE, next.at.offset());
        let together = at >= end && at - end <= READ_OVER && at - begin < READ_BYTES;
        if !together {
            begin = at;
        }
        together
    })
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

#[cfg(test)]
mod tests {
    use firebrick_vocabulary::Sequence;

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
