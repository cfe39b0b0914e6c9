//! Places in a store's log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of a primary's reign over an image; each promotion raises it by one.
///
/// Of two sides that both believe to be primary, the higher epoch is right and the lower is refused.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch in which an image is created.
    pub const FIRST: Self = Self(1);

    /// The epoch that a promotion starts.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a record in one store's log; the first record has 1, and there are no gaps.
/// 0 stands for "before the first record".
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first record.
    pub const ZERO: Self = Self(0);

    /// The number behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The number `count` behind this one.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a store's log: everything up to and including record `sequence`. `epoch` is the
/// store's own: it goes up by one whenever the store promotes images, so that an operator sees on
/// which side of a switch a position lies. Order is by sequence, as within one log the epoch never
/// falls. Prints and parses as `epoch.sequence`, for example `2.18731`.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct Position {
    /// The store's epoch at that record.
    pub epoch: Epoch,
    /// The last record that belongs to the position.
    pub sequence: Sequence,
}

impl Position {
    /// Before the first record.
    pub const ZERO: Self = Self {
        epoch: Epoch(0),
        sequence: Sequence(0),
    };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence)
    }
}

/// The text is not `epoch.sequence`.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("a position is written epoch.sequence, for example 2.18731, not {0:?}")]
pub struct ParsePositionError(String);

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParsePositionError(text.chars().take(64).collect());
        let (epoch, sequence) = text.split_once('.').ok_or_else(refuse)?;
        Ok(Self {
            epoch: Epoch(epoch.parse().map_err(|_| refuse())?),
            sequence: Sequence(sequence.parse().map_err(|_| refuse())?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_survive_printing(epoch: u64, sequence: u64) {
            let position = Position { epoch: Epoch(epoch), sequence: Sequence(sequence) };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }

    #[test]
    fn other_text_is_no_position() {
        for text in ["", "1", "1.", ".1", "1.2.3", "-1.2", "a.b"] {
            assert!(text.parse::<Position>().is_err(), "{text:?} was taken");
        }
    }
}
