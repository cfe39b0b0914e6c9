//! Writes branches into a new index, leaf by leaf, each in the order of what happened to it.

use firebrick_index::{Batch, BranchId, Entry, Index, LEAF_BLOCKS};
use firebrick_log::{Checksum, Location, Log};
use firebrick_vocabulary::{BLOCK_SIZE, Sequence};

use super::gather::{Order, Piece, What};
use super::sorter::Sorter;
use crate::apply::image::taken_tag;
use crate::branch::{Branches, Seen};
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
    tag: Sequence,
    end: u64,
}

/// Builds one branch after the other, parents first.
pub(super) struct Builder<'a> {
    pub(super) index: &'a Index,
    pub(super) log: &'a Log,
    pub(super) branches: &'a Branches,
    seen: Seen,
    /// What the index may hold in memory before it is committed, in bytes.
    pending_max: usize,
    /// Name and place of each block that is in a leaf.
    pub(super) named: Sorter<NAMED>,
    at: Option<(BranchId, u64)>,
    /// Whether the branch inherits anything.
    inherits: bool,
    /// Those that reach the present leaf or beyond, in their order.
    cleared: Vec<Cleared>,
    /// How many of them the present leaf has been through.
    passed: usize,
    tag: Sequence,
    slots: Box<[Slot; SLOTS]>,
    is_changed: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        index: &'a Index,
        log: &'a Log,
        branches: &'a Branches,
        pending_max: usize,
        named: Sorter<NAMED>,
    ) -> Self {
        Self {
            index,
            log,
            branches,
            seen: branches.seen(),
            pending_max,
            named,
            at: None,
            inherits: false,
            cleared: Vec::new(),
            passed: 0,
            tag: Sequence::ZERO,
            slots: Box::new([Slot::Untouched; SLOTS]),
            is_changed: false,
        }
    }

    /// Takes in what comes next.
    pub(super) fn piece(&mut self, piece: &Piece) -> Result<(), Error> {
        let at = (piece.branch, piece.leaf);
        if self.at != Some(at) {
            self.go(at)?;
        }
        self.pass(Some(piece.order))?;
        self.turn(self.tag_of(piece.branch, piece.order))?;
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
                    tag: self.tag,
                    end,
                });
            }
        }
        self.is_changed = true;
        Ok(())
    }

    /// Writes down what is left, and gives back names and places.
    pub(super) fn finish(mut self) -> Result<Sorter<NAMED>, Error> {
        self.end_branch()?;
        self.commit()?;
        Ok(self.named)
    }

    fn tag_of(&self, branch: BranchId, order: Order) -> Sequence {
        if order.is_own() {
            return self.branches.tag_of(branch, order.birth);
        }
        let since = self.branches.get(branch).map(|branch| branch.since);
        taken_tag(since.unwrap_or_default())
    }

    /// Leaves the present leaf for another one, of the same branch or of the next.
    fn go(&mut self, (branch, leaf): (BranchId, u64)) -> Result<(), Error> {
        match self.at {
            Some((of, last)) if of == branch => {
                self.end_leaf()?;
                self.clear_between(branch, last + 1, leaf);
                self.cleared.retain(|cleared| cleared.end > leaf);
            }
            Some(_) | None => {
                self.end_branch()?;
                let parent = self.branches.get(branch).and_then(|branch| branch.parent);
                self.inherits = parent.is_some();
            }
        }
        self.passed = 0;
        self.tag = Sequence::ZERO;
        self.at = Some((branch, leaf));
        if self.index.pending() >= self.pending_max {
            self.commit()?;
        }
        Ok(())
    }

    fn end_branch(&mut self) -> Result<(), Error> {
        if let Some((branch, last)) = self.at {
            self.end_leaf()?;
            self.clear_between(branch, last + 1, u64::MAX / LEAF_BLOCKS);
        }
        self.cleared.clear();
        self.at = None;
        Ok(())
    }

    fn end_leaf(&mut self) -> Result<(), Error> {
        self.pass(None)?;
        self.store()
    }

    /// Lets the present leaf be cleared with all that came before `before`, or whenever.
    fn pass(&mut self, before: Option<Order>) -> Result<(), Error> {
        while let Some(cleared) = self.cleared.get(self.passed).copied()
            && before.is_none_or(|before| cleared.order < before)
        {
            self.turn(cleared.tag)?;
            self.slots.fill(Slot::Hole);
            self.is_changed = true;
            self.passed += 1;
        }
        Ok(())
    }

    /// Goes on with another tag.
    fn turn(&mut self, tag: Sequence) -> Result<(), Error> {
        if self.tag != tag {
            self.store()?;
            self.tag = tag;
        }
        Ok(())
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
        let hidden = |old: &Cleared| old.tag == new.tag && old.end <= new.end;
        self.cleared.retain(|old| !hidden(old));
        let place = self.cleared.partition_point(|old| old.order <= new.order);
        self.cleared.insert(place, new);
        // The present leaf has been through all before it, and it.
        self.passed = place + 1;
    }

    /// Clears leaves about which nothing else is known here, but perhaps in what they inherit.
    fn clear_between(&self, branch: BranchId, first: u64, end: u64) {
        if !self.inherits {
            return;
        }
        for cleared in &self.cleared {
            let end = end.min(cleared.end);
            if first < end {
                let (first, end) = (first * LEAF_BLOCKS, end * LEAF_BLOCKS);
                self.index.clear(branch, cleared.tag, first, end);
            }
        }
    }

    /// Hands what the present leaf became under the present tag to the index.
    fn store(&mut self) -> Result<(), Error> {
        let Some((branch, leaf)) = self.at.filter(|_| self.is_changed) else {
            return Ok(());
        };
        self.is_changed = false;
        let slots = std::mem::replace(&mut *self.slots, [Slot::Untouched; SLOTS]);
        let mut block = leaf * LEAF_BLOCKS;
        for run in slots.chunk_by(|one, next| kind(one) == kind(next)) {
            let end = block + run.len() as u64;
            match run.first() {
                Some(Slot::Hole) => self.index.clear(branch, self.tag, block, end),
                Some(Slot::Block { .. }) => {
                    let entries = self.entries(run)?;
                    self.index.put(branch, self.tag, block, &entries);
                }
                Some(Slot::Untouched) | None => {}
            }
            block = end;
        }
        Ok(())
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
