//! What the index knows about one block.

use firebrick_log::{Checksum, Location};

/// The blocks of one leaf: neighbours that are stored together. With blocks of 4 KiB that is 1 MiB.
pub const LEAF_BLOCKS: u64 = 256;

/// Where a block's bytes were first written, and what they are; or that there are none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Entry {
    /// The name of the block: where it was written first. [`crate::Index::place`] says where it is.
    pub at: Location,
    /// The checksum of its bytes.
    pub checksum: Checksum,
}

impl Entry {
    /// A hole: the block reads as zeroes. No segment has the number 0.
    pub const NONE: Self = Self {
        at: Location {
            segment: 0,
            unit: 0,
        },
        checksum: Checksum(0),
    };

    /// Whether the block has bytes.
    pub const fn is_some(self) -> bool {
        self.at.segment != 0
    }

    /// The entry, unless it is a hole.
    pub const fn some(self) -> Option<Self> {
        if self.is_some() { Some(self) } else { None }
    }
}
