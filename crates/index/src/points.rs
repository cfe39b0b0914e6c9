//! What a commit is told, and what it tells.

use std::collections::BTreeMap;

use firebrick_log::Location;
use firebrick_vocabulary::Sequence;

use crate::view::{BranchId, View};

/// Who may look at what. Asked while a commit runs, so it may change meanwhile: new points may come
/// (behind everything that was frozen) and points may go.
pub trait Points: Sync {
    /// What lies below the branch: its parent as of the fork, then that one's parent, and so on;
    /// empty for a branch that began with nothing, `None` where the branch is gone. It never changes
    /// in the life of a branch: an image that shrinks behind the fork says so with
    /// [`crate::Index::clear`].
    fn below(&self, branch: BranchId) -> Option<View>;

    /// Whether the branch has a point `v` with `behind < v <= upto`. With `upto` at
    /// `Sequence(u64::MAX)` the head is one of them.
    fn any(&self, branch: BranchId, behind: Sequence, upto: Sequence) -> bool;
}

/// Points that went away. Versions of leaves with `from <= tag < to` are looked at, and go where no
/// point needs them any more. For one point `p` that went, `from` is the point before it (or 0) and
/// `to` is `p`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sweep {
    /// Of which branch.
    pub branch: BranchId,
    /// The first tag to look at.
    pub from: Sequence,
    /// Behind the last tag to look at.
    pub to: Sequence,
}

/// A block whose bytes the cleaner has copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moved {
    /// Its name: where it was written first.
    pub name: Location,
    /// Where it is now.
    pub place: Location,
}

/// What becomes durable together with the frozen changes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The engine's own metadata: key, and value or `None` to remove it.
    pub rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Points that went away.
    pub sweeps: Vec<Sweep>,
    /// Points that went away, where changes behind them are fewer: for one point `p`, `from` is `p` and
    /// `to` the next point (or the head). Looked at are the versions right before those with
    /// `from <= tag < to`.
    pub behind: Vec<Sweep>,
    /// Branches that are gone, whose leaves go.
    pub dropped: Vec<BranchId>,
    /// Blocks that the cleaner moved.
    pub moves: Vec<Moved>,
    /// Names of moved blocks that nobody uses any more: where they are is forgotten.
    pub dead: Vec<Location>,
}

/// Blocks that lost a reference that may have been their last one: by the segment of their names, the
/// units. A hint for the cleaner, which looks for itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Released(pub BTreeMap<u32, Vec<u32>>);

impl Released {
    pub(crate) fn add(&mut self, name: Location) {
        self.0.entry(name.segment).or_default().push(name.unit);
    }

    pub(crate) fn append(&mut self, other: &Self) {
        for (segment, units) in &other.0 {
            self.0.entry(*segment).or_default().extend(units);
        }
    }

    /// How many blocks of a segment there are.
    pub fn count(&self, segment: u32) -> usize {
        self.0.get(&segment).map_or(0, Vec::len)
    }
}
