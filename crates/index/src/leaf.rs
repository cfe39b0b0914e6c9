//! How a leaf is stored, and kept in memory once it was read.
//!
//! Stored: CRC-32C of all that follows (4 bytes), the number of runs (2 bytes), the runs, and the
//! checksums of all mapped blocks in their order (4 bytes each). A run is the slots whose names
//! follow each other: first slot (1 byte), length less one (1 byte), segment and unit of the first
//! (each a varint). Numbers of fixed width are big-endian.

use firebrick_log::{Checksum, Location};

use crate::entry::Entry;
use crate::slots::{Entries, SLOTS, Wanted};

/// Units from one block to the next in a segment.
const UNITS: u32 = 8;

/// A version of a leaf, as compact as it is useful.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Leaf {
    runs: Box<[Run]>,
    checksums: Box<[u32]>,
}

#[derive(Debug, Eq, PartialEq)]
struct Run {
    first: u16,
    len: u16,
    /// Which of the checksums is that of its first slot.
    base: u16,
    at: Location,
}

impl Run {
    fn end(&self) -> usize {
        usize::from(self.first + self.len)
    }

    /// Where the slot behind it would have to be to belong to it.
    fn follower(&self) -> Option<Location> {
        let unit = self
            .at
            .unit
            .checked_add(u32::from(self.len).checked_mul(UNITS)?)?;
        Some(Location { unit, ..self.at })
    }
}

impl Leaf {
    pub(crate) fn of(entries: &Entries) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut checksums = Vec::new();
        for (slot, entry) in entries.iter().enumerate() {
            if !entry.is_some() {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end() == slot && run.follower() == Some(entry.at) => run.len += 1,
                _ => runs.push(Run {
                    first: slot as u16,
                    len: 1,
                    base: checksums.len() as u16,
                    at: entry.at,
                }),
            }
            checksums.push(entry.checksum.0);
        }
        Self {
            runs: runs.into(),
            checksums: checksums.into(),
        }
    }

    /// Its memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.runs) + size_of_val(&*self.checksums)
    }

    pub(crate) fn get(&self, slot: usize) -> Entry {
        let behind = self
            .runs
            .partition_point(|run| usize::from(run.first) <= slot);
        match behind.checked_sub(1).map(|index| &self.runs[index]) {
            Some(run) if slot < run.end() => self.entry(run, slot),
            _ => Entry::NONE,
        }
    }

    /// The entry of a slot of `run`.
    fn entry(&self, run: &Run, slot: usize) -> Entry {
        let inside = slot - usize::from(run.first);
        Entry {
            at: run.at.plus_blocks(inside as u32),
            checksum: Checksum(self.checksums[usize::from(run.base) + inside]),
        }
    }

    /// Answers all that is still wanted.
    pub(crate) fn fill(&self, wanted: &mut Wanted<'_>) {
        let slots = wanted.slots();
        let before = self.runs.partition_point(|run| run.end() <= slots.start);
        for run in &self.runs[before..] {
            let first = usize::from(run.first);
            if first >= slots.end {
                break;
            }
            for slot in first.max(slots.start)..run.end().min(slots.end) {
                wanted.set(slot, self.entry(run, slot));
            }
        }
        wanted.holes_from(0);
    }

    pub(crate) fn entries(&self) -> Entries {
        std::array::from_fn(|slot| self.get(slot))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend((self.runs.len() as u16).to_be_bytes());
        for run in &self.runs {
            bytes.push(run.first as u8);
            bytes.push((run.len - 1) as u8);
            put_varint(&mut bytes, run.at.segment);
            put_varint(&mut bytes, run.at.unit);
        }
        for checksum in &self.checksums {
            bytes.extend(checksum.to_be_bytes());
        }
        let sum = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// `None` where the bytes are not what [`Self::encode`] makes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (sum, mut rest) = bytes.split_first_chunk::<4>()?;
        if u32::from_be_bytes(*sum) != crc32c::crc32c(rest) {
            return None;
        }
        let count = u16::from_be_bytes(*take::<2>(&mut rest)?);
        let mut runs: Vec<Run> = Vec::with_capacity(usize::from(count).min(SLOTS));
        let mut mapped = 0;
        for _ in 0..count {
            let [first, more] = *take::<2>(&mut rest)?;
            let run = Run {
                first: u16::from(first),
                len: u16::from(more) + 1,
                base: mapped,
                at: Location {
                    segment: take_varint(&mut rest)?,
                    unit: take_varint(&mut rest)?,
                },
            };
            let free = runs.last().map_or(0, Run::end);
            let last = u32::from(more) * UNITS;
            if usize::from(run.first) < free
                || run.end() > SLOTS
                || run.at.segment == 0
                || run.at.unit.checked_add(last).is_none()
            {
                return None;
            }
            mapped += run.len;
            runs.push(run);
        }
        let (checksums, surplus) = rest.as_chunks::<4>();
        if !surplus.is_empty() || checksums.len() != usize::from(mapped) {
            return None;
        }
        Some(Self {
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
    use crate::slots::HOLES;

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
            let sum = crc32c::crc32c(&body).to_be_bytes();
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
        assert!(Leaf::of(&HOLES).encode().len() <= 8);
    }
}
