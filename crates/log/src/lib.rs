//! The log is the volume: one totally ordered, append-only sequence of records per store.
//!
//! What it is for: everything that changes an image is a record here, and nothing else is a source
//! of truth. What it promises: [`Log::append`] gives records consecutive sequences; after a crash at
//! any instant the log is a prefix of what was appended that holds everything before the last
//! completed [`Log::flush`] (INV-1); every frame and every block carries a CRC-32C (INV-4); a failed
//! sync poisons the log for good. What it leans on: `edge` for the disk, and nothing above.

mod ahead;
mod catalog;
mod cursor;
mod entry;
mod error;
mod files;
mod flush;
mod found;
mod frame;
mod keeping;
mod log;
mod moved;
mod packed_frame;
mod packer;
mod reader;
mod record;
mod recovery;
mod reserve;
mod segment;
mod segments;
mod sources;
mod superblock;
mod supply;
mod verify;
mod walk;

pub use catalog::{Catalog, SegmentInfo, SegmentKind, Usage};
pub use entry::{Appended, BatchData, Entry, Frame, FrameRecord, LogOptions, OpenOptions, Room};
pub use error::{Error, ErrorKind};
pub use log::Log;
pub use moved::{DamagedBlock, Moved, MovedDiscard, Verified, Walked, WalkedBlock, WalkedRecord};
pub use reader::Reader;
pub use record::{
    Applied, Change, Checksum, FallBack, ImageOrigin, Location, Promotion, Reign, Taken,
};
pub use recovery::{Recovery, Tail};
pub use reserve::Reserved;
pub use sources::Sources;
