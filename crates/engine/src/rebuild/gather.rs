//! What lies in the segments: every block and every hole, for each branch that may show it.

use firebrick_index::{BranchId, LEAF_BLOCKS};
use firebrick_log::{
    Checksum, Location, Log, MovedDiscard, SegmentInfo, WalkedBlock, WalkedRecord,
};
use firebrick_vocabulary::{ImageId, Sequence};

use super::sorter::Sorter;
use crate::apply::image::taken_tag;
use crate::branch::Branches;
use crate::clean::cut_off;
use crate::error::Error;

/// The bytes of an encoded [`Piece`].
pub(super) const PIECE: usize = 59;
/// Stands for the own records of a branch, which come behind all that it took over.
const OWN: u32 = u32::MAX;

/// The order in which a branch came to what it has: by what it took over, its own records last; and
/// by birth within each.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Order {
    take: u32,
    pub(super) birth: Sequence,
}

/// Something that a record did to one leaf of a branch, or to many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) branch: BranchId,
    /// The point behind which it came.
    pub(super) tag: Sequence,
    pub(super) leaf: u64,
    pub(super) order: Order,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum What {
    /// The slots from the first to the last one are holes.
    Holes { first: u8, last: u8 },
    Block {
        slot: u8,
        name: Location,
        checksum: Checksum,
        /// Where one copy of it lies.
        place: Location,
    },
    /// The leaf and all up to, without, `end` are holes.
    Leaves { end: u64 },
}

impl Piece {
    /// As bytes whose order is that in which a branch is built: from point to point, each leaf by
    /// leaf, and each of those in the order of what happened.
    pub(super) fn encode(&self) -> [u8; PIECE] {
        let mut bytes = [0; PIECE];
        bytes[..8].copy_from_slice(&self.branch.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.tag.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.leaf.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.order.take.to_be_bytes());
        bytes[28..36].copy_from_slice(&self.order.birth.0.to_be_bytes());
        match self.what {
            What::Holes { first, last } => bytes[36..39].copy_from_slice(&[0, first, last]),
            What::Block {
                slot,
                name,
                checksum,
                place,
            } => {
                bytes[36..39].copy_from_slice(&[1, slot, slot]);
                let numbers = [
                    name.segment,
                    name.unit,
                    checksum.0,
                    place.segment,
                    place.unit,
                ];
                for (to, number) in bytes[39..].chunks_exact_mut(4).zip(numbers) {
                    to.copy_from_slice(&number.to_be_bytes());
                }
            }
            What::Leaves { end } => {
                bytes[36] = 2;
                bytes[39..47].copy_from_slice(&end.to_be_bytes());
            }
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8; PIECE]) -> Self {
        let long = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        let short = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        let location = |at| Location {
            segment: short(at),
            unit: short(at + 4),
        };
        let what = match bytes[36] {
            0 => What::Holes {
                first: bytes[37],
                last: bytes[38],
            },
            1 => What::Block {
                slot: bytes[37],
                name: location(39),
                checksum: Checksum(short(47)),
                place: location(51),
            },
            _ => What::Leaves { end: long(39) },
        };
        Self {
            branch: BranchId(long(0)),
            tag: Sequence(long(8)),
            leaf: long(16),
            order: Order {
                take: short(24),
                birth: Sequence(long(28)),
            },
            what,
        }
    }
}

/// A branch that came by what some record did.
struct Heir {
    branch: BranchId,
    tag: Sequence,
    order: Order,
    /// Blocks from this one on it did not get.
    blocks: u64,
}

/// Finds what lies in segments.
pub(super) struct Gatherer<'a> {
    pub(super) log: &'a Log,
    pub(super) branches: &'a Branches,
    pub(super) pieces: Sorter<PIECE>,
    /// How many pieces there are.
    pub(super) found: u64,
}

impl Gatherer<'_> {
    /// Takes in what lies in a segment; how many blocks that are, and whether it is whole.
    pub(super) fn segment(&mut self, segment: &SegmentInfo) -> Result<(u64, bool), Error> {
        let log = self.log;
        let mut count = 0;
        let broken = log.salvage(segment.number, &mut |frame| {
            for record in &frame.records {
                match record {
                    WalkedRecord::Data { image, blocks } => {
                        count += blocks.len() as u64;
                        self.blocks(*image, blocks)?;
                    }
                    WalkedRecord::Discard(discard) => self.holes(*discard)?,
                    WalkedRecord::Change { sequence, change } => {
                        if let Some(cut) = cut_off(*sequence, change) {
                            self.holes(cut)?;
                        }
                    }
                }
            }
            Ok::<(), Error>(())
        })?;
        Ok((count, broken.is_empty()))
    }

    /// The branches that came by what record `birth` of `image` did.
    fn branches_of(&self, image: ImageId, birth: Sequence) -> Vec<Heir> {
        let own = self.branches.of_record(image, birth).map(|branch| Heir {
            branch,
            tag: self.branches.tag_of(branch, birth),
            order: Order { take: OWN, birth },
            blocks: u64::MAX,
        });
        let taken = self.branches.takers_of(image, birth);
        let taken = taken.filter_map(|(branch, take)| {
            let found = self.branches.get(branch)?;
            Some(Heir {
                branch,
                tag: taken_tag(found.since),
                order: Order {
                    take: take as u32,
                    birth,
                },
                blocks: found.takes.get(take)?.blocks,
            })
        });
        own.into_iter().chain(taken).collect()
    }

    fn blocks(&mut self, image: ImageId, blocks: &[WalkedBlock]) -> Result<(), Error> {
        for of_birth in blocks.chunk_by(|one, next| one.birth == next.birth) {
            let Some(first) = of_birth.first() else {
                continue;
            };
            for heir in self.branches_of(image, first.birth) {
                for block in of_birth.iter().filter(|block| block.block < heir.blocks) {
                    let piece = Piece {
                        branch: heir.branch,
                        tag: heir.tag,
                        leaf: block.block / LEAF_BLOCKS,
                        order: heir.order,
                        what: What::Block {
                            slot: (block.block % LEAF_BLOCKS) as u8,
                            name: block.name,
                            checksum: block.checksum,
                            place: block.at,
                        },
                    };
                    self.found += 1;
                    self.pieces.push(piece.encode())?;
                }
            }
        }
        Ok(())
    }

    fn holes(&mut self, discard: MovedDiscard) -> Result<(), Error> {
        let end = discard.block.saturating_add(discard.blocks);
        for heir in self.branches_of(discard.image, discard.birth) {
            let mut add = |leaf, what| {
                let piece = Piece {
                    branch: heir.branch,
                    tag: heir.tag,
                    leaf,
                    order: heir.order,
                    what,
                };
                self.found += 1;
                self.pieces.push(piece.encode())
            };
            let whole = discard.block.div_ceil(LEAF_BLOCKS)..end / LEAF_BLOCKS;
            if whole.start < whole.end {
                add(whole.start, What::Leaves { end: whole.end })?;
            }
            let head = discard.block..end.min(whole.start.saturating_mul(LEAF_BLOCKS));
            let tail = end.min(whole.end * LEAF_BLOCKS).max(head.end)..end;
            for part in [head, tail] {
                if part.start < part.end {
                    let first = (part.start % LEAF_BLOCKS) as u8;
                    let last = ((part.end - 1) % LEAF_BLOCKS) as u8;
                    add(part.start / LEAF_BLOCKS, What::Holes { first, last })?;
                }
            }
        }
        Ok(())
    }
}
