//! How a leaf is stored, and kept in memory once it was read.
//!
//! Stored: CRC-32C of all that follows (4 bytes), the number of runs (2 bytes), the runs, and the
//! checksums of all mapped blocks in their order (4 bytes each). A run is the slots whose names
//! follow each other: first slot (1 byte), length less one (1 byte), segment and unit of the first
//! (each a varint). Numbers of fixed width are big-endian.

use std::ops::Range;

use firebrick_log::{Checksum, Location};

use crate::entry::Entry;
use crate::slots::{Entries, HOLES, Mask, SLOTS, Wanted};

/// Units from one block to the next in a segment.
const UNITS: u32 = 8;

/// A version of a leaf, as compact as it is useful: of blocks that were written one by one, most of
/// what a cache holds is this.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Leaf {
    /// The slots that are no holes.
    mapped: Mask,
    /// Those of them at which a run begins.
    starts: Mask,
    /// Where the first block of each run is.
    runs: Box<[Location]>,
    /// Of each mapped slot.
    checksums: Box<[u32]>,
}

/// The slots whose names follow each other.
struct Run {
    slots: Range<usize>,
    /// The name of the first.
    at: Location,
}

/// Where the block `blocks` behind the one at `at` would be in a run; `None` behind the end of all segments.
fn follower(at: Location, blocks: usize) -> Option<Location> {
    let units = u32::try_from(blocks).ok()?.checked_mul(UNITS)?;
    let unit = at.unit.checked_add(units)?;
    Some(Location { unit, ..at })
}

impl Leaf {
    pub(crate) fn of(entries: &Entries) -> Self {
        let (mut mapped, mut starts) = (Mask::default(), Mask::default());
        let (mut runs, mut checksums) = (Vec::new(), Vec::new());
        let mut next = None;
        for (slot, entry) in entries.iter().enumerate() {
            if !entry.is_some() {
                next = None;
                continue;
            }
            if next != Some(entry.at) {
                starts.insert(slot);
                runs.push(entry.at);
            }
            next = follower(entry.at, 1);
            mapped.insert(slot);
            checksums.push(entry.checksum.0);
        }
        Self {
            mapped,
            starts,
            runs: runs.into(),
            checksums: checksums.into(),
        }
    }

    /// Its memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.runs) + size_of_val(&*self.checksums)
    }

    pub(crate) fn get(&self, slot: usize) -> Entry {
        let Some(first) = self
            .starts
            .last_until(slot)
            .filter(|_| self.mapped.contains(slot))
        else {
            return Entry::NONE;
        };
        let run = self.runs[self.starts.rank(first)];
        Entry {
            at: run.plus_blocks((slot - first) as u32),
            checksum: Checksum(self.checksums[self.mapped.rank(slot)]),
        }
    }

    /// The runs, in the order of their slots.
    fn runs(&self) -> impl Iterator<Item = Run> {
        self.starts.iter().zip(&self.runs).map(|(first, at)| {
            let inside = |slot: &usize| self.mapped.contains(*slot) && !self.starts.contains(*slot);
            let more = (first + 1..SLOTS).take_while(inside).count();
            Run {
                slots: first..first + 1 + more,
                at: *at,
            }
        })
    }

    /// Answers all that is still wanted.
    pub(crate) fn fill(&self, wanted: &mut Wanted<'_>) {
        let slots = wanted.slots();
        if slots.len() == 1 {
            wanted.set(slots.start, self.get(slots.start));
        } else {
            let mut checksums = self.checksums.iter();
            for run in self.runs().take_while(|run| run.slots.start < slots.end) {
                for ((slot, block), checksum) in run.slots.zip(0..).zip(&mut checksums) {
                    if slots.contains(&slot) {
                        let at = run.at.plus_blocks(block);
                        let checksum = Checksum(*checksum);
                        wanted.set(slot, Entry { at, checksum });
                    }
                }
            }
        }
        wanted.holes_from(0);
    }

    pub(crate) fn entries(&self) -> Entries {
        let mut entries = HOLES;
        self.fill(&mut Wanted::new(0, &mut entries));
        entries
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend((self.runs.len() as u16).to_be_bytes());
        for run in self.runs() {
            bytes.push(run.slots.start as u8);
            bytes.push((run.slots.len() - 1) as u8);
            put_varint(&mut bytes, run.at.segment);
            put_varint(&mut bytes, run.at.unit);
        }
        for checksum in &self.checksums {
            bytes.extend(checksum.to_be_bytes());
        }
        let sum = Checksum::of(&bytes[4..]).0;
        bytes[..4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// `None` where the bytes are not what [`Self::encode`] makes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (sum, mut rest) = bytes.split_first_chunk::<4>()?;
        if u32::from_be_bytes(*sum) != Checksum::of(rest).0 {
            return None;
        }
        let count = u16::from_be_bytes(*take::<2>(&mut rest)?);
        let mut runs = Vec::with_capacity(usize::from(count).min(SLOTS));
        let (mut mapped, mut starts) = (Mask::default(), Mask::default());
        let mut free = 0;
        for _ in 0..count {
            let [first, more] = *take::<2>(&mut rest)?;
            let (first, more) = (usize::from(first), usize::from(more));
            let at = Location {
                segment: take_varint(&mut rest)?,
                unit: take_varint(&mut rest)?,
            };
            let end = first + 1 + more;
            let is_run = free <= first && end <= SLOTS && at.segment != 0;
            follower(at, more).filter(|_| is_run)?;
            mapped.insert_all(first..end);
            starts.insert(first);
            runs.push(at);
            free = end;
        }
        let (checksums, surplus) = rest.as_chunks::<4>();
        if !surplus.is_empty() || checksums.len() != mapped.len() {
            return None;
        }
        Some(Self {
            mapped,
            starts,
            runs: runs.into(),
            checksums: checksums
                .iter()
                .map(|sum| u32::from_be_bytes(*sum))
                .collect(),
        })
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let [byte] = *take::<1>(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value.try_into().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = Entries> {
        let run = (0..SLOTS, 1..SLOTS, 0..3u32, any::<u32>(), any::<u32>());
        prop::collection::vec(run, 0..40).prop_map(|runs| {
            let mut entries = HOLES;
            for (first, len, segment, unit, sum) in runs {
                let end = SLOTS.min(first + len);
                for (index, entry) in (0u32..).zip(&mut entries[first..end]) {
                    let unit = unit.wrapping_add(index * UNITS);
                    *entry = if segment == 0 {
                        Entry::NONE
                    } else {
                        Entry {
                            at: Location { segment, unit },
                            checksum: Checksum(sum.wrapping_mul(index + 1)),
                        }
                    };
                }
            }
            entries
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn leaves_survive_storing(entries in entries()) {
            let leaf = Leaf::of(&entries);
            prop_assert_eq!(leaf.entries(), entries);
            let each: Entries = std::array::from_fn(|slot| leaf.get(slot));
            prop_assert_eq!(each, entries);
            prop_assert_eq!(Leaf::decode(&leaf.encode()), Some(leaf));
        }

        #[test]
        fn a_part_is_as_the_whole(entries in entries(), first in 0..SLOTS, len in 1..SLOTS) {
            let end = SLOTS.min(first + len);
            let mut out = vec![Entry::NONE; end - first];
            let mut wanted = Wanted::new(first, &mut out);
            Leaf::of(&entries).fill(&mut wanted);
            prop_assert!(wanted.is_done());
            prop_assert_eq!(&out[..], &entries[first..end]);
        }

        #[test]
        fn other_bytes_are_no_leaf(entries in entries(), at: prop::sample::Index, bit in 0..8u8) {
            let mut bytes = Leaf::of(&entries).encode();
            let at = at.index(bytes.len());
            prop_assert_eq!(Leaf::decode(&bytes[..at]), None);
            bytes[at] ^= 1u8 << bit;
            prop_assert_eq!(Leaf::decode(&bytes), None);
        }

        #[test]
        fn no_bytes_panic(mut body in prop::collection::vec(any::<u8>(), 0..60)) {
            let sum = Checksum::of(&body).0.to_be_bytes();
            body.splice(0..0, sum);
            if let Some(leaf) = Leaf::decode(&body) {
                leaf.entries();
            }
        }
    }

    #[test]
    fn a_leaf_is_small() {
        let scattered: Entries = std::array::from_fn(|slot| Entry {
            at: Location {
                segment: 16_000 - slot as u32,
                unit: 131_000,
            },
            checksum: Checksum(slot as u32),
        });
        assert!(Leaf::of(&scattered).encode().len() <= 3 * 1024);
        // Of 8 GiB that were written at random, all leaves are to fit into a commit's share of a cache.
        assert!(Leaf::of(&scattered).weight() <= 3 * 1024 + 256);
        assert!(Leaf::of(&HOLES).encode().len() <= 8);
    }
}
