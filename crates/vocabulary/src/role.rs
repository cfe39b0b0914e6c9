//! Who may write.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Sequence;

/// The role of an image at one site.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Guests write here.
    Primary,
    /// Only the mirror writes here.
    Secondary,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}

/// Whether a secondary image can be used as it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "sync")]
pub enum SyncState {
    /// The image is a prefix of its primary.
    Consistent,
    /// The first copy still runs: the image is not usable yet.
    Copying {
        /// Every block below this one has been copied.
        next_block: u64,
        /// The record of the primary's log at which the newest state is being copied;
        /// [`Sequence::ZERO`] as long as its snapshots are.
        at: Sequence,
    },
}

impl SyncState {
    /// The first copy is yet to begin.
    pub const NOTHING_COPIED: Self = Self::Copying {
        next_block: 0,
        at: Sequence::ZERO,
    };

    /// Whether the image is a prefix of its primary.
    pub const fn is_consistent(self) -> bool {
        matches!(self, Self::Consistent)
    }
}
