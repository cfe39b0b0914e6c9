//! What became of a compare-and-set.

/// Whether a compare-and-set found what it expected. Whoever lost must not go on as if it had not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a lost compare-and-set has changed nothing"]
pub enum Swapped {
    /// The row was as expected, and is changed.
    Won,
    /// The row is gone, or is not what was expected any more; nothing has changed.
    Lost,
}

impl Swapped {
    /// By the rows that a statement changed.
    pub(crate) const fn of(rows: u64) -> Self {
        if rows > 0 { Self::Won } else { Self::Lost }
    }

    /// Whether it won.
    #[must_use]
    pub const fn won(self) -> bool {
        match self {
            Self::Won => true,
            Self::Lost => false,
        }
    }
}
