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
}
