//! Writes branches into a new index, leaf by leaf, each in the order of what happened to it.

use firebrick_index::{Batch, BranchId, Entry, Index, LEAF_BLOCKS};
use firebrick_log::{Checksum, Location, Log};
use firebrick_vocabulary::{BLOCK_SIZE, Sequence};

use super::gather::{Order, Piece, What};
use super::sorter::Sorter;
use crate::branch::Seen;
use crate::error::Error;

const SLOTS: usize = LEAF_BLOCKS as usize;
/// The bytes of a name and a place.
pub(super) const NAMED: usize = 16;

/// What a slot of the present leaf became under the present tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Slot {
    Untouched,
    Hole,
    Block { entry: Entry, place: Location },
}

/// Leaves that became holes altogether, up to, without, `end`.
#[derive(Clone, Copy, Debug)]
struct Cleared {
    order: Order,
    end: u64,
}

/// Builds one branch after the other, parents first, and each from point to point: the index takes
/// changes of a branch only in the order of their tags.
pub(super) struct Builder<'a> {
    pub(super) index: &'a Index,
    pub(super) log: &'a Log,
    seen: Seen,
    /// What the index may hold in memory before it is committed, in bytes.
    pending_max: usize,
    /// Name and place of each block that is in a leaf.
    pub(super) named: Sorter<NAMED>,
    at: Option<At>,
    /// Those behind the present point that reach the present leaf or beyond, in their order.
    cleared: Vec<Cleared>,
    /// How many of them the present leaf has been through.
    passed: usize,
    slots: Box<[Slot; SLOTS]>,
}

/// The leaf that is being built.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct At {
    branch: BranchId,
    tag: Sequence,
    leaf: u64,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        index: &'a Index,
        log: &'a Log,
        seen: Seen,
        pending_max: usize,
        named: Sorter<NAMED>,
    ) -> Self {
        Self {
            index,
            log,
            seen,
            pending_max,
            named,
            at: None,
            cleared: Vec::new(),
            passed: 0,
            slots: Box::new([Slot::Untouched; SLOTS]),
        }
    }

    /// Takes in what comes next.
    pub(super) fn piece(&mut self, piece: &Piece) -> Result<(), Error> {
        let at = At {
            branch: piece.branch,
            tag: piece.tag,
            leaf: piece.leaf,
        };
        if self.at != Some(at) {
            self.go(at)?;
        }
        self.pass(Some(piece.order));
        match piece.what {
            What::Holes { first, last } => {
                self.slots[first.into()..=last.into()].fill(Slot::Hole);
            }
            What::Block {
                slot,
                name,
                checksum,
                place,
            } => {
                let entry = Entry { at: name, checksum };
                self.block(slot, entry, place);
            }
            What::Leaves { end } => {
                self.slots.fill(Slot::Hole);
                self.clear(Cleared {
                    order: piece.order,
                    end,
                });
            }
        }
        Ok(())
    }

    /// Writes down what is left, and gives back names and places.
    pub(super) fn finish(mut self) -> Result<Sorter<NAMED>, Error> {
        self.end_point()?;
        self.commit()?;
        Ok(self.named)
    }

    /// Leaves the present leaf for another one: behind the same point, or behind the next.
    fn go(&mut self, to: At) -> Result<(), Error> {
        match self.at {
            Some(at) if (at.branch, at.tag) == (to.branch, to.tag) => {
                self.end_leaf(at)?;
                self.clear_between(at, to.leaf);
                self.cleared.retain(|cleared| cleared.end > to.leaf);
            }
            Some(_) | None => self.end_point()?,
        }
        self.passed = 0;
        self.at = Some(to);
        if self.index.pending() >= self.pending_max {
            self.commit()?;
        }
        Ok(())
    }

    fn end_point(&mut self) -> Result<(), Error> {
        if let Some(at) = self.at.take() {
            self.end_leaf(at)?;
            self.clear_between(at, u64::MAX / LEAF_BLOCKS);
        }
        self.cleared.clear();
        Ok(())
    }

    /// Hands what the leaf became to the index.
    fn end_leaf(&mut self, at: At) -> Result<(), Error> {
        self.pass(None);
        let slots = std::mem::replace(&mut *self.slots, [Slot::Untouched; SLOTS]);
        let mut block = at.leaf * LEAF_BLOCKS;
        for run in slots.chunk_by(|one, next| kind(one) == kind(next)) {
            let end = block + run.len() as u64;
            match run.first() {
                Some(Slot::Hole) => self.index.clear(at.branch, at.tag, block, end),
                Some(Slot::Block { .. }) => {
                    let entries = self.entries(run)?;
                    self.index.put(at.branch, at.tag, block, &entries);
                }
                Some(Slot::Untouched) | None => {}
            }
            block = end;
        }
        Ok(())
    }

    /// Lets the present leaf be cleared with all that came before `before`, or whenever.
    fn pass(&mut self, before: Option<Order>) {
        while let Some(cleared) = self.cleared.get(self.passed)
            && before.is_none_or(|before| cleared.order < before)
        {
            self.slots.fill(Slot::Hole);
            self.passed += 1;
        }
    }

    fn block(&mut self, slot: u8, entry: Entry, place: Location) {
        let slot = &mut self.slots[usize::from(slot)];
        if let Slot::Block { entry: had, place } = slot
            && had.at == entry.at
            && is_whole(self.log, *place, entry.checksum)
        {
            // Another copy of the very same block.
            return;
        }
        *slot = Slot::Block { entry, place };
    }

    /// Notes that the present leaf and those behind it were cleared.
    fn clear(&mut self, new: Cleared) {
        // Whatever came between is cleared by the new one.
        self.cleared.retain(|old| old.end > new.end);
        let place = self.cleared.partition_point(|old| old.order <= new.order);
        self.cleared.insert(place, new);
        // The present leaf has been through all before it, and it.
        self.passed = place + 1;
    }

    /// Clears the leaves behind the present one and before `end`, about which nothing else is known
    /// behind this point: there may be something behind an earlier one, or in what is inherited.
    fn clear_between(&self, at: At, end: u64) {
        let first = at.leaf + 1;
        let cleared = self.cleared.iter().map(|cleared| cleared.end).max();
        let end = end.min(cleared.unwrap_or_default());
        if first < end {
            let (first, end) = (first * LEAF_BLOCKS, end * LEAF_BLOCKS);
            self.index.clear(at.branch, at.tag, first, end);
        }
    }

    fn entries(&mut self, run: &[Slot]) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(run.len());
        for slot in run {
            if let Slot::Block { entry, place } = slot {
                entries.push(*entry);
                self.named.push(encode(entry.at, *place))?;
            }
        }
        Ok(entries)
    }

    fn commit(&self) -> Result<(), Error> {
        let frozen = self.index.freeze();
        self.index.commit(frozen, &self.seen, &Batch::default())?;
        Ok(())
    }
}

const fn kind(slot: &Slot) -> u8 {
    match slot {
        Slot::Untouched => 0,
        Slot::Hole => 1,
        Slot::Block { .. } => 2,
    }
}

/// Whether what lies there is what was written. A copy that was being made when the machine stopped
/// may have a head and no data.
fn is_whole(log: &Log, place: Location, checksum: Checksum) -> bool {
    let mut bytes = vec![0; BLOCK_SIZE as usize];
    log.read(place, &mut bytes).is_ok() && Checksum::of(&bytes) == checksum
}

fn encode(name: Location, place: Location) -> [u8; NAMED] {
    let numbers = [name.segment, name.unit, place.segment, place.unit];
    let mut bytes = [0; NAMED];
    for (to, number) in bytes.chunks_exact_mut(4).zip(numbers) {
        to.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

/// The name and the place of a block.
pub(super) fn decode(bytes: &[u8; NAMED]) -> (Location, Location) {
    let short = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    let location = |at| Location {
        segment: short(at),
        unit: short(at + 4),
    };
    (location(0), location(8))
}
