//! The blocks of one leaf, by their slots in it.

use std::ops::Range;

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

    pub(crate) fn insert_all(&mut self, slots: Range<usize>) {
        for (index, word) in self.0.iter_mut().enumerate() {
            *word |= bits_within(index, &slots);
        }
    }

    fn remove_all(&mut self, slots: Range<usize>) {
        for (index, word) in self.0.iter_mut().enumerate() {
            *word &= !bits_within(index, &slots);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; SLOTS / 64]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.checked_sub(1)?;
                Some(index * 64 + bit)
            })
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many slots before `slot` it contains.
    pub(crate) fn rank(&self, slot: usize) -> usize {
        let (index, bit) = (slot / 64, slot % 64);
        let full = self.0[..index].iter().map(|word| word.count_ones());
        let part = self.0.get(index).map_or(0, |word| word & ((1 << bit) - 1));
        (full.sum::<u32>() + part.count_ones()) as usize
    }

    /// The last slot that it contains of `slot` and those before.
    pub(crate) fn last_until(&self, slot: usize) -> Option<usize> {
        let (index, bit) = (slot / 64, slot % 64);
        let part = self.0[index] & (u64::MAX >> (63 - bit));
        let words = std::iter::once(part).chain(self.0[..index].iter().rev().copied());
        let mut words = (0..=index).rev().zip(words);
        let (index, word) = words.find(|(_, word)| *word != 0)?;
        Some(index * 64 + word.ilog2() as usize)
    }
}

/// The bits of word `index` of a mask that stand for some of `slots`.
fn bits_within(index: usize, slots: &Range<usize>) -> u64 {
    let below = |slot: usize| match slot.saturating_sub(index * 64) {
        bits @ 0..64 => (1 << bits) - 1,
        _ => u64::MAX,
    };
    below(slots.end) & !below(slots.start)
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
        missing.insert_all(first..first + out.len());
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
        self.missing.remove_all(slot..SLOTS);
    }

    /// The slots that are looked up.
    pub(crate) fn slots(&self) -> Range<usize> {
        self.first..self.first + self.out.len()
    }
}

/// The first slot of a leaf that lies behind the end of an image of `blocks` blocks, if one does.
pub(crate) fn limit_of(leaf: u64, blocks: u64) -> Option<usize> {
    let inside = blocks.saturating_sub(leaf.saturating_mul(LEAF_BLOCKS));
    (inside < LEAF_BLOCKS).then_some(inside as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_slots_are_as_their_slots() {
        let edges = [0, 1, 63, 64, 65, 127, 128, 200, 255, 256];
        for start in edges {
            for end in edges.into_iter().filter(|end| *end >= start) {
                let (mut at_once, mut each) = (Mask::default(), Mask::default());
                at_once.insert_all(start..end);
                (start..end).for_each(|slot| each.insert(slot));
                assert_eq!(at_once, each, "{start}..{end}");
                assert_eq!(at_once.len(), end - start);
                for slot in edges {
                    let before = at_once.iter().filter(|its| *its < slot);
                    assert_eq!(
                        at_once.rank(slot),
                        before.count(),
                        "{start}..{end} at {slot}"
                    );
                    if slot < SLOTS {
                        let last = at_once.iter().filter(|its| *its <= slot).last();
                        assert_eq!(at_once.last_until(slot), last, "{start}..{end} at {slot}");
                    }
                    let mut rest = at_once;
                    rest.remove_all(slot..SLOTS);
                    assert!(
                        rest.iter().eq(start..end.min(slot)),
                        "{start}..{end} to {slot}"
                    );
                }
            }
        }
    }
}
