//! What is looked at: lines of history, and positions in them.

use std::fmt;
use std::sync::Arc;

use firebrick_vocabulary::Sequence;
use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// One line of history of an image. Never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct BranchId(pub u64);

impl fmt::Display for BranchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A branch as of one position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// Which branch.
    pub branch: BranchId,
    /// What is tagged before this is seen; `Sequence(u64::MAX)` sees everything.
    pub before: Sequence,
    /// The blocks from this one on are holes, in this step and in all below it.
    pub blocks: u64,
}

/// A state of an image: its branch, then that one's parent as of the fork, and so on. Clones share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View(Arc<[Step]>);

impl View {
    /// The view of these steps, the newest branch first. Without a step it is all holes.
    pub fn new(steps: impl Into<Arc<[Step]>>) -> Self {
        Self(steps.into())
    }

    /// Its steps, the newest branch first.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// This view as what lies below `step`.
    #[must_use]
    pub fn under(&self, step: Step) -> Self {
        Self([&[step], self.steps()].concat().into())
    }
}

/// A block that differs between two views.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Changed {
    /// Its number in the image.
    pub block: u64,
    /// What it is in the newer view; `None` for a hole.
    pub entry: Option<Entry>,
}
