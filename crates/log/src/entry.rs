//! What goes into the log, and what comes out of it.

use firebrick_edge::Timestamp;
use firebrick_vocabulary::{GIB, ImageId, MIB, Position, Sequence};

use crate::record::{Applied, Change, Checksum, Location};

/// How a store is laid out; fixed when it is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogOptions {
    /// The size of a segment file, in bytes; at least 1 MiB, a multiple of 512.
    pub segment_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * MIB,
        }
    }
}

/// Whole blocks to be appended, consecutive in their image. The bytes go from the caller's buffers
/// straight to the disk.
#[derive(Clone, Copy, Debug)]
pub struct BatchData<'a> {
    /// Of which image.
    pub image: ImageId,
    /// The first block.
    pub block: u64,
    /// The bytes, one slice behind the other, in sum one block or more and whole blocks only (a
    /// single slice may end in the middle of a block).
    pub data: &'a [&'a [u8]],
    /// One checksum for each block. Computed by the caller, so that no lock is held meanwhile.
    pub checksums: &'a [Checksum],
}

/// One record to be appended.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Blocks get new content.
    Data(BatchData<'a>),
    /// Blocks read as zeroes from here on.
    Discard {
        /// Of which image.
        image: ImageId,
        /// The first block.
        block: u64,
        /// How many; at least one.
        blocks: u64,
    },
    /// Anything else.
    Change(&'a Change),
}

/// Where a frame went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Appended {
    /// The sequence of the first record; the others follow without a gap.
    pub first: Sequence,
    /// The position of the last record.
    pub position: Position,
    /// When the frame was written, as it is recorded in it.
    pub time: Timestamp,
    /// Where the data of each [`Entry::Data`] begins, in order.
    pub locations: Vec<Location>,
}

/// One record as it was read.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameRecord {
    /// Blocks got new content.
    Data {
        /// Of which image.
        image: ImageId,
        /// The first block.
        block: u64,
        /// How many.
        blocks: u32,
        /// One checksum for each block.
        checksums: Vec<Checksum>,
        /// Where the bytes lie; read them with [`crate::Log::read`].
        at: Location,
    },
    /// Blocks read as zeroes from here on.
    Discard {
        /// Of which image.
        image: ImageId,
        /// The first block.
        block: u64,
        /// How many.
        blocks: u64,
    },
    /// Anything else.
    Change(Change),
}

/// The unit of atomicity: all of its records are there, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The sequence of the first record; record `i` has `first + i`.
    pub first: Sequence,
    /// The position of the last record.
    pub position: Position,
    /// When it was written.
    pub time: Timestamp,
    /// Up to where a peer's log is held once this frame is.
    pub applied: Option<Applied>,
    /// The records; at least one.
    pub records: Vec<FrameRecord>,
}

/// How a store is opened; nothing of it is written down.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The most that all segments, spares among them, may take together, in bytes; `None` for what
    /// the file system has.
    pub capacity: Option<u64>,
    /// The most that spare segments may take, in bytes; what is freed beyond that is removed.
    pub spare_bytes_max: u64,
    /// The most segment files that are kept open only because they might be read again.
    pub open_files_max: usize,
    /// From how many bytes of data on a frame goes past the system's cache. Less is written sooner
    /// through the cache, and gathers there until the next flush.
    pub around_min: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            capacity: None,
            spare_bytes_max: GIB,
            open_files_max: 256,
            around_min: 256 << 10,
        }
    }
}

/// How much room there is, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Room {
    /// What the segments take, the one made ahead among them, spares not.
    pub used: u64,
    /// What spares take: segments that were freed and are used again.
    pub spare: u64,
    /// What guests may still write before they are told that there is no space.
    pub free_for_guests: u64,
    /// What can still be packed before another segment is needed for that; part of `used`.
    pub left_to_pack: u64,
}
