//! How far a peer is behind.

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// How far a peer is behind its primary: what a forced failover at this moment would lose (the RPO).
/// A peer that lacks something lacks everything that was written in the last `seconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// Records that the peer has not confirmed.
    pub records: u64,
    /// Bytes of data in them.
    pub bytes: Bytes,
    /// Age in seconds of the oldest record that the peer has not confirmed; 0 where it has all.
    pub seconds: f64,
}

impl Lag {
    /// Nothing is missing.
    pub const NONE: Self = Self {
        records: 0,
        bytes: Bytes::ZERO,
        seconds: 0.0,
    };
    /// That of two images of which both are needed: what is missing of both, and the longer time.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: Bytes(self.bytes.0 + other.bytes.0),
            seconds: self.seconds.max(other.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_images_all_is_missing_that_either_lacks() {
        let of = |records, bytes, seconds| Lag {
            records,
            bytes: Bytes(bytes),
            seconds,
        };
        assert_eq!(of(1, 4096, 2.5).and(of(2, 512, 1.0)), of(3, 4608, 2.5));
        assert_eq!(of(1, 4096, 2.5).and(Lag::NONE), of(1, 4096, 2.5));
    }
}
