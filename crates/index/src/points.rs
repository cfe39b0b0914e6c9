//! What a commit is told, and what it tells.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_log::Location;
use firebrick_vocabulary::Sequence;

use crate::view::{BranchId, View};

/// Who may look at what. Asked while a commit runs, so it may change meanwhile: new points may come
/// (behind everything that was frozen) and points may go.
pub trait Points: Sync {
    /// What lies below the branch: its parent as of the fork, then that one's parent, and so on;
    /// empty for a branch that began with nothing, `None` where the branch is gone. What it shows
    /// never changes in the life of a branch: an image that shrinks behind the fork says so with
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

/// A branch that is looked at by one child alone, and whose leaves are to become that child's.
/// Nothing of it may be changed any more, all of it must have been frozen for this commit or an
/// earlier one, and nobody may begin to look at it in another way than through the child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fold {
    /// The branch.
    pub from: BranchId,
    /// The child.
    pub into: BranchId,
    /// What is tagged before this the child sees.
    pub before: Sequence,
    /// Blocks from this one on it does not see.
    pub blocks: u64,
    /// The tag that leaves get: before all points of the child.
    pub tag: Sequence,
    /// How many leaves this commit moves at most. Lookups wait while the cache forgets them.
    pub at_most: usize,
}

/// A branch that is looked at by some children alone, and what none of them shows is forgotten. As
/// for a [`Fold`], nobody may begin to look at it in another way than through these children.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trim {
    /// The branch.
    pub branch: BranchId,
    /// All children.
    pub children: Vec<Child>,
    /// The first leaf to look at.
    pub from: u64,
    /// How often this commit looks for a leaf at most; more than there are children.
    pub at_most: usize,
}

/// A child of a branch that is trimmed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Child {
    /// The child.
    pub branch: BranchId,
    /// What is tagged before this it sees of its parent.
    pub before: Sequence,
    /// Blocks from this one on it does not see.
    pub blocks: u64,
    /// Behind this come all its points, and no version of it has an older tag.
    pub tag: Sequence,
}

/// How much there is to fold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// No leaf is left.
    Empty,
    /// Some.
    Light,
    /// So much more than the child has that it should wait.
    Heavy,
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
    /// Branches of which some leaves are folded into a child; none may be part of two of these.
    /// Whether there are any left is what [`crate::Index::weigh`] says.
    pub folds: Vec<Fold>,
    /// Branches of which some leaves are trimmed; as for folds.
    pub trims: Vec<Trim>,
}

/// What a commit found out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Released {
    /// Blocks that lost a reference that may have been their last one: by the segment of their
    /// names, the units. A hint for the cleaner, which looks for itself.
    pub units: BTreeMap<u32, Vec<u32>>,
    /// Folded branches of which the child still shows something.
    pub inherited: BTreeSet<BranchId>,
    /// For each branch that was trimmed the leaf to go on with, if there may be more, and whether
    /// anything was forgotten.
    pub trimmed: BTreeMap<BranchId, (Option<u64>, bool)>,
}

impl Released {
    pub(crate) fn add(&mut self, name: Location) {
        self.units.entry(name.segment).or_default().push(name.unit);
    }

    pub(crate) fn append(&mut self, other: &Self) {
        for (segment, units) in &other.units {
            self.units.entry(*segment).or_default().extend(units);
        }
        self.inherited.extend(&other.inherited);
        self.trimmed.extend(&other.trimmed);
    }

    /// How many blocks of a segment there are.
    pub fn count(&self, segment: u32) -> usize {
        self.units.get(&segment).map_or(0, Vec::len)
    }
}
