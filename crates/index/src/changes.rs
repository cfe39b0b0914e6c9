//! What changed in one branch since the last commit.

use std::collections::BTreeMap;
use std::ops::Range;

use firebrick_vocabulary::Sequence;

use crate::entry::Entry;
use crate::points::Released;
use crate::ranges::Ranges;
use crate::slots::{Entries, HOLES, Mask, Wanted};

/// From how many entries on a leaf is kept as an array.
const FEW: usize = 96;
/// What an item costs besides what it holds: key and nodes of the tree, in bytes.
const ITEM: usize = 64;

/// What changed in one leaf behind one point.
#[derive(Clone, Debug)]
pub(crate) enum Slots {
    /// One block: what scattered writes make, so it has no memory of its own.
    One(u8, Entry),
    /// Some blocks, sorted.
    #[allow(
        clippy::box_collection,
        reason = "with a bare vector One would take twice the room"
    )]
    Few(Box<Vec<(u8, Entry)>>),
    /// Many.
    Dense(Box<Dense>),
}

#[derive(Clone, Debug)]
pub(crate) struct Dense {
    present: Mask,
    entries: Entries,
}

impl Slots {
    fn weight(&self) -> usize {
        let more = match self {
            Self::One(..) => 0,
            Self::Few(few) => {
                size_of::<Vec<(u8, Entry)>>() + few.capacity() * size_of::<(u8, Entry)>()
            }
            Self::Dense(_) => size_of::<Dense>(),
        };
        ITEM + more
    }

    /// Calls `visit` with each slot and its entry.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(usize, Entry)) {
        match self {
            Self::One(slot, entry) => visit(usize::from(*slot), *entry),
            Self::Few(few) => {
                for (slot, entry) in few.iter() {
                    visit(usize::from(*slot), *entry);
                }
            }
            Self::Dense(dense) => {
                for slot in dense.present.iter() {
                    visit(slot, dense.entries[slot]);
                }
            }
        }
    }

    /// Answers what is wanted of them.
    fn fill(&self, wanted: &mut Wanted<'_>) {
        let slots = wanted.slots();
        match self {
            Self::One(slot, entry) => wanted.set(usize::from(*slot), *entry),
            Self::Few(few) => {
                let before = few.partition_point(|(slot, _)| usize::from(*slot) < slots.start);
                for (slot, entry) in &few[before..] {
                    if usize::from(*slot) >= slots.end {
                        break;
                    }
                    wanted.set(usize::from(*slot), *entry);
                }
            }
            Self::Dense(dense) => {
                for slot in slots.filter(|slot| dense.present.contains(*slot)) {
                    wanted.set(slot, dense.entries[slot]);
                }
            }
        }
    }

    /// Sets a slot; the entry that it had here before.
    fn set(&mut self, slot: u8, entry: Entry) -> Option<Entry> {
        match self {
            Self::One(its, old) if *its == slot => Some(std::mem::replace(old, entry)),
            Self::One(its, old) => {
                let mut few = vec![(*its, *old), (slot, entry)];
                few.sort_unstable_by_key(|(slot, _)| *slot);
                *self = Self::Few(Box::new(few));
                None
            }
            Self::Few(few) => match few.binary_search_by_key(&slot, |(slot, _)| *slot) {
                Ok(at) => Some(std::mem::replace(&mut few[at].1, entry)),
                Err(_) if few.len() >= FEW => {
                    let mut dense = Box::new(Dense {
                        present: Mask::default(),
                        entries: HOLES,
                    });
                    for (slot, entry) in few.iter() {
                        dense.set(*slot, *entry);
                    }
                    dense.set(slot, entry);
                    *self = Self::Dense(dense);
                    None
                }
                Err(at) => {
                    few.insert(at, (slot, entry));
                    None
                }
            },
            Self::Dense(dense) => dense.set(slot, entry),
        }
    }
}

impl Dense {
    fn set(&mut self, slot: u8, entry: Entry) -> Option<Entry> {
        let slot = usize::from(slot);
        let had = self.present.contains(slot);
        self.present.insert(slot);
        let old = std::mem::replace(&mut self.entries[slot], entry);
        had.then_some(old)
    }
}

/// One change of a leaf, as a commit applies it.
pub(crate) enum Item<'a> {
    /// All of it became holes.
    Clear,
    /// Some of it became something else.
    Slots(&'a Slots),
}

/// What changed in one branch. Tags are kept inverted, so that the newest comes first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// By leaf and tag. What is here came behind what was cleared with the same tag.
    slots: BTreeMap<(u64, u64), Slots>,
    /// By tag: leaves that were cleared whole.
    clears: BTreeMap<u64, Ranges>,
    /// The newest tag. An older one that comes behind it counts as this: the points between the two
    /// are gone, so nobody can tell the difference.
    top: Sequence,
    bytes: usize,
}

impl Changes {
    /// The memory of it, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn put(
        &mut self,
        tag: Sequence,
        leaf: u64,
        slot: u8,
        entry: Entry,
        released: &mut Released,
    ) {
        self.top = self.top.max(tag);
        match self.slots.entry((leaf, !self.top.0)) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                self.bytes += vacant.insert(Slots::One(slot, entry)).weight();
            }
            std::collections::btree_map::Entry::Occupied(mut occupied) => {
                let slots = occupied.get_mut();
                self.bytes -= slots.weight();
                if let Some(old) = slots.set(slot, entry)
                    && old.is_some()
                    && old.at != entry.at
                {
                    released.add(old.at);
                }
                self.bytes += slots.weight();
            }
        }
    }

    /// Clears whole leaves; the range is not empty.
    pub(crate) fn clear(&mut self, tag: Sequence, leaves: Range<u64>, released: &mut Released) {
        self.top = self.top.max(tag);
        let top = !self.top.0;
        let keys = (leaves.start, 0)..(leaves.end, 0);
        for (_, slots) in self.slots.extract_if(keys, |(_, its), _| *its == top) {
            self.bytes -= slots.weight();
            release(&slots, released);
        }
        let ranges = self.clears.entry(top).or_default();
        self.bytes -= ranges.len() * ITEM;
        ranges.add(leaves);
        self.bytes += ranges.len() * ITEM;
    }

    /// Answers what is wanted of a leaf as far as changes with tags before `before` say it.
    pub(crate) fn fill(&self, leaf: u64, before: Sequence, wanted: &mut Wanted<'_>) {
        let Some(newest) = newest_before(before) else {
            return;
        };
        let mut clears = self
            .clears
            .range(newest..)
            .filter(|(_, ranges)| ranges.contains(leaf))
            .map(|(tag, _)| *tag)
            .peekable();
        for ((_, tag), slots) in self.slots.range((leaf, newest)..=(leaf, u64::MAX)) {
            if clears.peek().is_some_and(|clear| clear < tag) {
                break;
            }
            slots.fill(wanted);
            if wanted.is_done() {
                return;
            }
        }
        if clears.peek().is_some() {
            wanted.holes_from(0);
        }
    }

    /// The first leaf from `from` on in which blocks were put with a tag in `tags`.
    pub(crate) fn next_put(&self, from: u64, tags: &Range<Sequence>) -> Option<u64> {
        self.slots
            .range((from, 0)..)
            .find(|((_, tag), _)| tags.contains(&Sequence(!tag)))
            .map(|((leaf, _), _)| *leaf)
    }

    /// The first leaves from `from` on that were cleared with a tag in `tags`, from there to an end.
    pub(crate) fn next_clear(&self, from: u64, tags: &Range<Sequence>) -> Option<Range<u64>> {
        self.clears
            .iter()
            .filter(|(tag, _)| tags.contains(&Sequence(!**tag)))
            .filter_map(|(_, ranges)| ranges.next(from))
            .min_by_key(|range| (range.start, u64::MAX - range.end))
    }

    /// All that changed in one leaf, the oldest first.
    pub(crate) fn of_leaf(&self, leaf: u64) -> Vec<(Sequence, Item<'_>)> {
        let clears = self.clears.iter().rev();
        let mut items: Vec<_> = clears
            .filter(|(_, ranges)| ranges.contains(leaf))
            .map(|(tag, _)| (Sequence(!tag), Item::Clear))
            .collect();
        let slots = self.slots.range((leaf, 0)..=(leaf, u64::MAX)).rev();
        items.extend(slots.map(|((_, tag), slots)| (Sequence(!tag), Item::Slots(slots))));
        // Stable: what was cleared stays before what was put with the same tag.
        items.sort_by_key(|(tag, _)| *tag);
        items
    }

    /// Takes in what changed behind all of this.
    pub(crate) fn absorb(&mut self, newer: Self, released: &mut Released) {
        let mut by_tag: BTreeMap<Sequence, (Ranges, Vec<(u64, Slots)>)> = BTreeMap::new();
        for (tag, ranges) in newer.clears {
            by_tag.entry(Sequence(!tag)).or_default().0 = ranges;
        }
        for ((leaf, tag), slots) in newer.slots {
            by_tag
                .entry(Sequence(!tag))
                .or_default()
                .1
                .push((leaf, slots));
        }
        for (tag, (ranges, puts)) in by_tag {
            for range in ranges.iter() {
                self.clear(tag, range, released);
            }
            for (leaf, slots) in puts {
                slots.visit(&mut |slot, entry| self.put(tag, leaf, slot as u8, entry, released));
            }
        }
    }

    /// Counts all that it holds as released.
    pub(crate) fn release(&self, released: &mut Released) {
        for slots in self.slots.values() {
            release(slots, released);
        }
    }
}

fn release(slots: &Slots, released: &mut Released) {
    slots.visit(&mut |_, entry| {
        if entry.is_some() {
            released.add(entry.at);
        }
    });
}

/// The newest tag before `before`, inverted.
fn newest_before(before: Sequence) -> Option<u64> {
    before.0.checked_sub(1).map(|tag| !tag)
}
