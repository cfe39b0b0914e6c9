//! What the cleaner puts into packed segments, and what a walk or a scrub of a segment finds.

use firebrick_edge::Timestamp;
use firebrick_vocabulary::{ImageId, Sequence};

use crate::catalog::SegmentKind;
use crate::record::{Change, Checksum, Location};

/// A block that is moved into a packed segment.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// Its name: where it was first written.
    pub name: Location,
    /// Of which image.
    pub image: ImageId,
    /// Which block of it.
    pub block: u64,
    /// The record that wrote it.
    pub birth: Sequence,
    /// The checksum of its bytes, as they were first written.
    pub checksum: Checksum,
    /// Its bytes: exactly one block.
    pub data: &'a [u8],
}

/// A discard that still hides something, and is moved into a packed segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MovedDiscard {
    /// Of which image.
    pub image: ImageId,
    /// The first block.
    pub block: u64,
    /// How many.
    pub blocks: u64,
    /// The record that said so first.
    pub birth: Sequence,
}

/// A block as a walk finds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WalkedBlock {
    /// Which block of its image.
    pub block: u64,
    /// Its name: where it was first written.
    pub name: Location,
    /// The record that wrote it.
    pub birth: Sequence,
    /// The checksum of its bytes.
    pub checksum: Checksum,
    /// Where they lie; in a log segment that is its name.
    pub at: Location,
}

/// A record as a walk finds it.
#[derive(Clone, Debug, PartialEq)]
pub enum WalkedRecord {
    /// Blocks of one image.
    Data {
        /// Of which image.
        image: ImageId,
        /// Each with its name and birth.
        blocks: Vec<WalkedBlock>,
    },
    /// Blocks read as zeroes from that record on.
    Discard(MovedDiscard),
    /// Anything else (in log segments only).
    Change {
        /// Its sequence.
        sequence: Sequence,
        /// What it says.
        change: Change,
    },
}

/// A frame as a walk finds it: header and table are whole, the data has not been looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Walked {
    /// What its segment is for.
    pub kind: SegmentKind,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What it says.
    pub records: Vec<WalkedRecord>,
}

/// A block whose bytes are not those that were written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DamagedBlock {
    /// Its name.
    pub name: Location,
    /// Where it lies.
    pub at: Location,
    /// Of which image.
    pub image: ImageId,
    /// Which block of it.
    pub block: u64,
}

/// What a scrub found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verified {
    /// The bytes that were read.
    pub bytes: u64,
    /// Blocks whose bytes are not those that were written, or cannot be read.
    pub damaged: Vec<DamagedBlock>,
    /// Where a frame should begin and has no whole head: what lies between there and the end of
    /// the segment cannot be told apart any more.
    pub broken_at: Option<u64>,
    /// Where to go on; `None` at the end of the segment.
    pub next: Option<u64>,
}
