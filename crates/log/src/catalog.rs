//! The list of segments: what a checkpoint remembers, so that a start need not open every file.

use firebrick_edge::Timestamp;
use firebrick_vocabulary::{Epoch, Sequence};

use crate::record::Checksum;
use crate::segment::{u32_at, u64_at};

const VERSION: u32 = 1;
/// The bytes of a catalog before its entries.
const HEAD_LEN: usize = 16;

/// What a segment is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SegmentKind {
    /// A part of the ordered log.
    Log,
    /// Blocks that the cleaner moved, each with its name, image, block and birth.
    Packed,
}

/// How far a segment is used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Where its last frame ends, in bytes from the start of the file.
    pub bytes: u64,
    /// The data blocks in its frames, whether anybody still needs them or not.
    pub blocks: u64,
    /// The last record in it; in a packed segment the youngest birth. Zero where it has none.
    pub last: Sequence,
    /// The time of its last frame.
    pub time: Timestamp,
}

/// One segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u32,
    /// What it is for.
    pub kind: SegmentKind,
    /// The log segment before it (0 for none, and for packed segments).
    pub before: u32,
    /// The sequence of its first record; zero for packed segments.
    pub first: Sequence,
    /// The checksum of the last frame before it.
    pub chain: Checksum,
    /// What was durable when it was begun.
    pub durable: Sequence,
    /// The store's epoch then.
    pub epoch: Epoch,
    /// The length of its file, in bytes.
    pub len: u64,
    /// How far it is used; `None` where nobody has looked since the store was opened (then ask
    /// [`crate::Log::measure`]).
    pub usage: Option<Usage>,
}

/// The segments that were full and durable at some moment. Given to [`crate::Log::open_with`], it
/// spares reading their headers; what has been freed since is passed over, what is newer is read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Catalog {
    /// In the order of their numbers.
    pub segments: Vec<SegmentInfo>,
    /// No segment has had this number or a higher one.
    pub next: u32,
}

impl SegmentInfo {
    /// The bytes of an encoded entry.
    pub const LEN: usize = 80;

    /// The entry as bytes: for a row of its own, or a part of [`Catalog::encode`].
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let usage = self.usage.unwrap_or_default();
        bytes[..4].copy_from_slice(&self.number.to_le_bytes());
        bytes[4] = match self.kind {
            SegmentKind::Log => 1,
            SegmentKind::Packed => 2,
        };
        bytes[5] = u8::from(self.usage.is_some());
        bytes[8..12].copy_from_slice(&self.before.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.chain.0.to_le_bytes());
        let long = [
            self.first.0,
            self.durable.0,
            self.epoch.0,
            self.len,
            usage.bytes,
            usage.blocks,
            usage.last.0,
            usage.time.0,
        ];
        for (place, value) in bytes[16..].chunks_exact_mut(8).zip(long) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// The entry that [`Self::encode`] wrote; `None` where it makes no sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LEN {
            return None;
        }
        let kind = match bytes[4] {
            1 => SegmentKind::Log,
            2 => SegmentKind::Packed,
            _ => return None,
        };
        let usage = Usage {
            bytes: u64_at(bytes, 48),
            blocks: u64_at(bytes, 56),
            last: Sequence(u64_at(bytes, 64)),
            time: Timestamp(u64_at(bytes, 72)),
        };
        Some(Self {
            number: u32_at(bytes, 0),
            kind,
            before: u32_at(bytes, 8),
            chain: Checksum(u32_at(bytes, 12)),
            first: Sequence(u64_at(bytes, 16)),
            durable: Sequence(u64_at(bytes, 24)),
            epoch: Epoch(u64_at(bytes, 32)),
            len: u64_at(bytes, 40),
            usage: (bytes[5] != 0).then_some(usage),
        })
    }
}

impl Catalog {
    /// The catalog as bytes, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.segments.len() * SegmentInfo::LEN);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.next.to_le_bytes());
        bytes.extend_from_slice(&[0; HEAD_LEN - 8]);
        for segment in &self.segments {
            bytes.extend_from_slice(&segment.encode());
        }
        let sum = Checksum::of(&bytes);
        bytes[8..12].copy_from_slice(&sum.0.to_le_bytes());
        bytes
    }

    /// The catalog that [`Self::encode`] wrote; `None` where it is not whole, or of another version:
    /// then a start reads the headers.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, entries) = bytes.split_at_checked(HEAD_LEN)?;
        let mut blank = head.to_vec();
        blank[8..12].fill(0);
        let sum = Checksum::of(&blank).and(entries);
        let whole = u32_at(head, 0) == VERSION
            && u32_at(head, 8) == sum.0
            && entries.len().is_multiple_of(SegmentInfo::LEN);
        if !whole {
            return None;
        }
        let segments = entries
            .chunks_exact(SegmentInfo::LEN)
            .map(SegmentInfo::decode);
        Some(Self {
            segments: segments.collect::<Option<_>>()?,
            next: u32_at(head, 4),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_comes_back_as_it_was_and_a_damaged_one_does_not() {
        let one = |number, kind, usage| SegmentInfo {
            number,
            kind,
            before: number - 1,
            first: Sequence(7),
            chain: Checksum(8),
            durable: Sequence(9),
            epoch: Epoch(10),
            len: 11,
            usage,
        };
        let usage = Usage {
            bytes: 1,
            blocks: 2,
            last: Sequence(3),
            time: Timestamp(4),
        };
        let catalog = Catalog {
            segments: vec![
                one(3, SegmentKind::Log, Some(usage)),
                one(5, SegmentKind::Packed, None),
            ],
            next: 6,
        };
        let bytes = catalog.encode();
        assert_eq!(Catalog::decode(&bytes), Some(catalog));
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(Catalog::decode(&bytes), None, "byte {at}");
        }
        assert_eq!(Catalog::decode(&bytes[..bytes.len() - 1]), None);
    }
}
