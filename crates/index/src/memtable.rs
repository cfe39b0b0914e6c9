//! What changed since the last commit, in memory.

use std::collections::BTreeMap;

use firebrick_vocabulary::Sequence;

use crate::changes::Changes;
use crate::entry::{Entry, LEAF_BLOCKS};
use crate::points::Released;
use crate::slots::Wanted;
use crate::view::BranchId;

/// What a branch costs besides its changes, in bytes.
const BRANCH: usize = 256;

/// The changes of all branches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memtable {
    branches: BTreeMap<BranchId, Changes>,
    /// What was put here and replaced before it was committed.
    released: Released,
    bytes: usize,
}

impl Memtable {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn released(&self) -> &Released {
        &self.released
    }

    pub(crate) fn branches(&self) -> impl Iterator<Item = (BranchId, &Changes)> {
        self.branches
            .iter()
            .map(|(branch, changes)| (*branch, changes))
    }

    pub(crate) fn of(&self, branch: BranchId) -> Option<&Changes> {
        self.branches.get(&branch)
    }

    pub(crate) fn put(&mut self, branch: BranchId, tag: Sequence, block: u64, entries: &[Entry]) {
        self.change(branch, |changes, released| {
            for (block, entry) in (block..).zip(entries) {
                let slot = (block % LEAF_BLOCKS) as u8;
                changes.put(tag, block / LEAF_BLOCKS, slot, *entry, released);
            }
        });
    }

    pub(crate) fn clear(&mut self, branch: BranchId, tag: Sequence, first: u64, end: u64) {
        self.change(branch, |changes, released| {
            let whole = first.div_ceil(LEAF_BLOCKS)..end / LEAF_BLOCKS;
            let head = first..end.min(whole.start.saturating_mul(LEAF_BLOCKS));
            let tail = head.end.max(whole.end * LEAF_BLOCKS)..end;
            for block in head.chain(tail) {
                let slot = (block % LEAF_BLOCKS) as u8;
                changes.put(tag, block / LEAF_BLOCKS, slot, Entry::NONE, released);
            }
            if !whole.is_empty() {
                changes.clear(tag, whole, released);
            }
        });
    }

    pub(crate) fn remove(&mut self, branch: BranchId) {
        if let Some(changes) = self.branches.remove(&branch) {
            self.bytes -= BRANCH + changes.bytes();
            changes.release(&mut self.released);
        }
    }

    /// Answers what is wanted of a leaf as far as changes with tags before `before` say it.
    pub(crate) fn fill(
        &self,
        branch: BranchId,
        leaf: u64,
        before: Sequence,
        wanted: &mut Wanted<'_>,
    ) {
        if let Some(changes) = self.of(branch) {
            changes.fill(leaf, before, wanted);
        }
    }

    /// Takes in what changed behind all of this.
    pub(crate) fn absorb(&mut self, newer: Self) {
        for (branch, theirs) in newer.branches {
            self.change(branch, |changes, released| changes.absorb(theirs, released));
        }
        self.released.append(&newer.released);
    }

    fn change(&mut self, branch: BranchId, change: impl FnOnce(&mut Changes, &mut Released)) {
        let changes = self.branches.entry(branch).or_insert_with(|| {
            self.bytes += BRANCH;
            Changes::default()
        });
        let before = changes.bytes();
        change(changes, &mut self.released);
        self.bytes = self.bytes - before + changes.bytes();
    }
}

#[cfg(test)]
mod tests {
    use firebrick_log::{Checksum, Location};

    use super::*;
    use crate::slots::HOLES;

    const BRANCH: BranchId = BranchId(1);

    fn entry(segment: u32) -> Entry {
        Entry {
            at: Location { segment, unit: 8 },
            checksum: Checksum(segment),
        }
    }

    #[test]
    fn a_scattered_block_costs_little() {
        let mut table = Memtable::default();
        for n in 0..1000 {
            table.put(BRANCH, Sequence(1), n * 1000, &[entry(1)]);
        }
        assert!(table.bytes() <= 100_000, "{}", table.bytes());
        let mut dense = Memtable::default();
        dense.put(BRANCH, Sequence(1), 0, &[entry(1); 256]);
        assert!(dense.bytes() <= 4096, "{}", dense.bytes());
    }

    #[test]
    fn a_part_of_a_leaf_is_as_the_whole() {
        for (count, step) in [(1, 7), (30, 7), (200, 1)] {
            let mut table = Memtable::default();
            let mut whole = HOLES;
            for slot in (0..count).map(|n| n * step + 11) {
                table.put(BRANCH, Sequence(1), slot, &[entry(slot as u32)]);
                whole[slot as usize] = entry(slot as u32);
            }
            for (first, end) in [(0, 256), (0, 11), (11, 12), (10, 13), (60, 70), (255, 256)] {
                let mut out = vec![Entry::NONE; end - first];
                let mut wanted = Wanted::new(first, &mut out);
                table.fill(BRANCH, 0, Sequence(2), &mut wanted);
                wanted.holes_from(0);
                assert!(wanted.is_done());
                assert_eq!(out, whole[first..end], "{count} {first}..{end}");
            }
        }
    }

    #[test]
    fn a_huge_hole_costs_little() {
        let mut table = Memtable::default();
        table.clear(BRANCH, Sequence(1), 5, u64::MAX);
        assert!(table.bytes() <= 16 << 10, "{}", table.bytes());
        table.clear(BRANCH, Sequence(1), 0, 5);
        table.remove(BRANCH);
        assert_eq!(table.bytes(), 0);
    }

    #[test]
    fn what_is_replaced_before_a_commit_is_released() {
        let mut table = Memtable::default();
        table.put(BRANCH, Sequence(1), 7, &[entry(3), entry(3)]);
        table.put(BRANCH, Sequence(1), 7, &[entry(4)]);
        table.put(BRANCH, Sequence(2), 7, &[entry(5)]);
        table.clear(BRANCH, Sequence(2), 0, 256);
        let released = [3, 4, 5].map(|segment| table.released().count(segment));
        assert_eq!(released, [1, 0, 1]);
    }
}
