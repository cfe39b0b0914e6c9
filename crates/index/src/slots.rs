//! The blocks of one leaf, by their slots in it.

use crate::entry::{Entry, LEAF_BLOCKS};

/// How many slots a leaf has.
pub(crate) const SLOTS: usize = LEAF_BLOCKS as usize;

/// All entries of one leaf.
pub(crate) type Entries = [Entry; SLOTS];

/// A leaf of holes.
pub(crate) const HOLES: Entries = [Entry::NONE; SLOTS];

/// A set of slots.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mask([u64; SLOTS / 64]);

impl Mask {
    pub(crate) fn contains(&self, slot: usize) -> bool {
        self.0[slot / 64] & (1 << (slot % 64)) != 0
    }

    pub(crate) fn insert(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; SLOTS / 64]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..SLOTS).filter(|slot| self.contains(*slot))
    }
}

/// Some neighbouring slots of a leaf that are looked up, from the newest source to the oldest: the
/// first one that knows a slot decides.
pub(crate) struct Wanted<'a> {
    /// The slot of the first of `out`.
    first: usize,
    missing: Mask,
    out: &'a mut [Entry],
}

impl<'a> Wanted<'a> {
    /// The slots from `first` on, as many as `out` has room for; all are holes so far.
    pub(crate) fn new(first: usize, out: &'a mut [Entry]) -> Self {
        let mut missing = Mask::default();
        for slot in first..first + out.len() {
            missing.insert(slot);
        }
        out.fill(Entry::NONE);
        Self {
            first,
            missing,
            out,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.missing.is_empty()
    }

    pub(crate) fn set(&mut self, slot: usize, entry: Entry) {
        if self.missing.contains(slot) {
            self.missing.remove(slot);
            self.out[slot - self.first] = entry;
        }
    }

    /// What no source has known from `slot` on is holes.
    pub(crate) fn holes_from(&mut self, slot: usize) {
        for slot in slot.max(self.first)..self.first + self.out.len() {
            self.missing.remove(slot);
        }
    }

    /// Asks a source that knows all slots.
    pub(crate) fn fill(&mut self, entry: impl Fn(usize) -> Entry) {
        for slot in self.first..self.first + self.out.len() {
            if self.missing.contains(slot) {
                self.out[slot - self.first] = entry(slot);
            }
        }
        self.missing = Mask::default();
    }
}

/// The first slot of a leaf that lies behind the end of an image of `blocks` blocks, if one does.
pub(crate) fn limit_of(leaf: u64, blocks: u64) -> Option<usize> {
    let inside = blocks.saturating_sub(leaf.saturating_mul(LEAF_BLOCKS));
    (inside < LEAF_BLOCKS).then_some(inside as usize)
}
