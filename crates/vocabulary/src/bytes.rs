//! Sizes and ranges in bytes.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// One kibibyte in bytes.
pub const KIB: u64 = 1 << 10;
/// One mebibyte in bytes.
pub const MIB: u64 = 1 << 20;
/// One gibibyte in bytes.
pub const GIB: u64 = 1 << 30;

/// The unit in which images are mapped and checksummed, in bytes.
pub const BLOCK_SIZE: u64 = 4 * KIB;

/// A count of bytes.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// The count as a plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of blocks that these bytes touch, the last one perhaps in part.
    pub const fn blocks(self) -> u64 {
        self.0.div_ceil(BLOCK_SIZE)
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Bytes {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Bytes {
    /// Prints as the `rbd` tool does: `512 B`, `4 KiB`, `1.5 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < units.len() {
            value /= 1024.0;
            unit += 1;
        }
        if value.fract() < 0.05 || unit == 0 {
            write!(f, "{value:.0} {}", units[unit])
        } else {
            write!(f, "{value:.1} {}", units[unit])
        }
    }
}

/// A size in whole gibibytes: the unit of a volume's size in the Block Storage API, at least 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gibibytes(pub u32);

impl Gibibytes {
    /// The same size in bytes.
    pub const fn bytes(self) -> Bytes {
        Bytes(self.0 as u64 * GIB)
    }
}

impl fmt::Display for Gibibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} GiB", self.0)
    }
}

/// A contiguous range of an image, in bytes. May be empty.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte of the range.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

impl ByteRange {
    /// The range of `len` bytes from `offset` on.
    pub const fn new(offset: u64, len: u64) -> Self {
        Self { offset, len }
    }

    /// The first byte behind the range; `None` where that would not fit 64 bits.
    pub const fn end(self) -> Option<u64> {
        self.offset.checked_add(self.len)
    }

    /// Whether the whole range lies within the first `size` bytes.
    pub const fn fits(self, size: Bytes) -> bool {
        match self.end() {
            Some(end) => end <= size.0,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_print_as_rbd_prints_them() {
        assert_eq!(Bytes(512).to_string(), "512 B");
        assert_eq!(Bytes(4096).to_string(), "4 KiB");
        assert_eq!(Bytes(GIB + GIB / 2).to_string(), "1.5 GiB");
    }

    #[test]
    fn a_range_past_64_bits_never_fits() {
        assert!(!ByteRange::new(u64::MAX, 2).fits(Bytes(u64::MAX)));
        assert!(ByteRange::new(0, 4096).fits(Bytes(4096)));
        assert!(!ByteRange::new(1, 4096).fits(Bytes(4096)));
    }
}
