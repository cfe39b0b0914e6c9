//! Folding: a branch that ended and that only one child looks at becomes part of that child.
//!
//! What of such a branch its child does not show is of no use to anybody, and without it chains of
//! clones whose origins are removed would grow for ever. First its leaves move, some with each
//! checkpoint, in the same transaction as the rows: what a child looks like never changes by that. Once
//! a checkpoint holds none of them any more, the child takes over its parent and its records; so a
//! block still says by the record of its birth who may need it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use firebrick_index::{BranchId, Child, Fold, Trim, View};

use super::{Branches, Fork, Take};
use crate::apply::image::taken_tag;

/// How many branches one checkpoint looks at.
const LOOKS: usize = 512;
/// After how many checkpoints a branch is looked at again that could not be folded yet.
const AGAIN: u64 = 64;
/// After how many at most one that is trimmed: the wait doubles where nothing came of it.
const AGAIN_MAX: u64 = 4096;
/// How many children a branch may have to be trimmed: with more there is hardly anything that all of
/// them have overwritten.
const CHILDREN_MAX: usize = 256;
/// How many leaves one checkpoint moves.
const LEAVES: usize = 4096;
/// How many branches one checkpoint trims.
const TRIMS: usize = 64;
/// How many views one checkpoint makes shorter, under the commit lock.
const VIEWS: usize = 256;

/// What is folded, and what may have to be.
#[derive(Default)]
pub(super) struct Folding {
    /// Branches to look at, by the checkpoint that does.
    due: BTreeSet<(u64, BranchId)>,
    /// The same by branch.
    when: BTreeMap<BranchId, u64>,
    /// How many checkpoints there were.
    now: u64,
    active: BTreeMap<BranchId, Active>,
    /// Branches that are trimmed, and the leaf to go on with.
    trims: BTreeMap<BranchId, u64>,
    /// How long to wait for the next look at branches that were trimmed, in checkpoints.
    waits: BTreeMap<BranchId, u64>,
    /// How many began.
    begun: u64,
    /// Branches whose views lead through one that is empty and gone, and that one.
    longer: VecDeque<(BranchId, BranchId)>,
}

/// A fold on its way.
#[derive(Clone, Copy, Debug)]
struct Active {
    into: BranchId,
    /// The child may show something of it.
    inherited: bool,
    /// A checkpoint holds no leaf of it any more.
    empty: bool,
}

/// A branch that might be folded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) from: BranchId,
    pub(crate) into: BranchId,
}

impl Folding {
    /// Has a branch looked at with the next checkpoint.
    pub(super) fn look_at(&mut self, id: BranchId) {
        self.look_at_in(id, 0);
    }

    fn look_at_in(&mut self, id: BranchId, checkpoints: u64) {
        let at = self.now + checkpoints;
        if let Some(before) = self.when.insert(id, at) {
            self.due.remove(&(before, id));
        }
        self.due.insert((at, id));
    }

    pub(super) fn forget(&mut self, id: BranchId) {
        self.active.remove(&id);
        self.trims.remove(&id);
        self.waits.remove(&id);
        if let Some(at) = self.when.remove(&id) {
            self.due.remove(&(at, id));
        }
    }

    /// Some of those that are due.
    fn take_due(&mut self) -> Vec<BranchId> {
        let due: Vec<_> = self
            .due
            .range(..=(self.now, BranchId(u64::MAX)))
            .take(LOOKS)
            .copied()
            .collect();
        for (at, id) in &due {
            self.due.remove(&(*at, *id));
            self.when.remove(id);
        }
        due.into_iter().map(|(_, id)| id).collect()
    }
}

impl Branches {
    fn children_of(&self, id: BranchId) -> impl Iterator<Item = BranchId> {
        let children = (id, BranchId(0))..=(id, BranchId(u64::MAX));
        self.children.range(children).map(|(_, child)| *child)
    }

    /// Whether another branch began at a position of this one.
    pub(crate) fn has_children(&self, id: BranchId) -> bool {
        self.children_of(id).next().is_some()
    }

    /// The children of a branch, where nobody else looks at it or ever will, and there are not too
    /// many.
    fn heirs(&self, id: BranchId) -> Option<Vec<(BranchId, Fork)>> {
        let line = self.lines.get(&id)?;
        if line.branch.until.is_none() || self.holding || self.asked_for(line) {
            return None;
        }
        let children = self.children_of(id).take(CHILDREN_MAX + 1);
        let fork = |child| Some((child, self.get(child)?.parent?));
        let children: Vec<(BranchId, Fork)> = children.filter_map(fork).collect();
        let holders: u64 = line.points.values().map(|count| u64::from(*count)).sum();
        let alone = holders == children.len() as u64 && children.len() <= CHILDREN_MAX;
        alone.then_some(children)
    }

    /// The only child of a branch, where nobody else looks at the branch or ever will.
    fn heir(&self, id: BranchId) -> Option<(BranchId, Fork)> {
        match *self.heirs(id)? {
            [heir] => Some(heir),
            _ => None,
        }
    }

    /// Whether not all of a branch is there any more that it showed at its points.
    pub(crate) fn is_partial(&self, id: BranchId) -> bool {
        let branch = self.get(id);
        branch.is_some_and(|branch| branch.folding || branch.trimmed)
    }

    /// Whether leaves of a branch are moving into its child.
    pub(crate) fn is_folding(&self, id: BranchId) -> bool {
        self.get(id).is_some_and(|branch| branch.folding)
    }

    /// The child into which leaves of a branch are moving.
    pub(super) fn folds_into(&self, id: BranchId) -> Option<BranchId> {
        if !self.is_folding(id) {
            return None;
        }
        let children = (id, BranchId(0))..=(id, BranchId(u64::MAX));
        self.children
            .range(children)
            .next()
            .map(|(_, child)| *child)
    }

    /// Whether folds are on their way, which further checkpoints go on with.
    pub(crate) fn has_folds(&self) -> bool {
        // A trim that has not begun can wait for a checkpoint that somebody needs.
        !self.folds.active.is_empty() || self.folds.trims.values().any(|from| *from > 0)
    }

    /// How many folds have begun: who looks for what a branch shows, and finds afterwards that this
    /// is another number, may have looked for it in the wrong place.
    pub(crate) fn folds_begun(&self) -> u64 {
        self.folds.begun
    }

    /// Branches that may be folded from the next checkpoint on, if that is worth it: to be answered
    /// with [`Self::fold_next`] or [`Self::fold_later`].
    pub(crate) fn candidates(&mut self) -> Vec<Candidate> {
        let mut found = Vec::new();
        if self.holding {
            return found;
        }
        self.folds.now += 1;
        for id in self.folds.take_due() {
            if self.folds.active.contains_key(&id) || self.folds.trims.contains_key(&id) {
                continue;
            }
            match self.heirs(id).as_deref() {
                Some([(into, _)]) => found.push(Candidate {
                    from: id,
                    into: *into,
                }),
                Some([_, ..]) => drop(self.folds.trims.insert(id, 0)),
                // Otherwise it will be said when somebody stops looking at it.
                Some([]) | None if self.lines.get(&id).is_some_and(|line| self.asked_for(line)) => {
                    self.folds.look_at_in(id, AGAIN);
                }
                Some([]) | None => {}
            }
        }
        found
    }

    /// The next checkpoint begins to fold that branch, unless one of the two is part of another
    /// fold.
    pub(crate) fn fold_next(&mut self, candidate: Candidate, empty: bool) {
        let Candidate { from, into } = candidate;
        let active = &self.folds.active;
        let other = active.contains_key(&into) || active.values().any(|other| other.into == from);
        let Some(branch) = self.get(from) else {
            return;
        };
        if other {
            self.folds.look_at(from);
            return;
        }
        // What a fold that a crash has ended found is not known.
        let inherited = branch.folding;
        let active = Active {
            into,
            inherited,
            empty,
        };
        self.folds.active.insert(from, active);
    }

    /// A later checkpoint looks at it again. Until then what the child does not show is forgotten.
    pub(crate) fn fold_later(&mut self, candidate: Candidate) {
        if self.lines.get(&candidate.from).is_some() {
            self.folds.trims.insert(candidate.from, 0);
        }
    }

    /// How far a checkpoint has come with a trim, if it may go on, and whether anything came of it.
    pub(crate) fn trimmed(&mut self, id: BranchId, next: Option<u64>, found: bool) {
        if self.lines.get(&id).is_none() {
            return;
        }
        if found {
            self.folds.waits.insert(id, AGAIN / 2);
        }
        if let Some(next) = next {
            self.folds.trims.insert(id, next);
            return;
        }
        self.folds.trims.remove(&id);
        let wait = self.folds.waits.entry(id).or_insert(AGAIN / 2);
        *wait = (*wait * 2).min(AGAIN_MAX);
        let wait = *wait;
        self.folds.look_at_in(id, wait);
    }

    /// What a checkpoint has to trim.
    pub(crate) fn trims(&mut self) -> Vec<Trim> {
        let ids: Vec<(BranchId, u64)> = self.folds.trims.clone().into_iter().collect();
        let mut trims = Vec::new();
        for (id, from) in ids {
            let heirs = self.heirs(id).filter(|_| !self.is_folding(id));
            let Some(heirs) = heirs else {
                self.folds.trims.remove(&id);
                continue;
            };
            let child = |(branch, fork): (BranchId, Fork)| {
                let since = self.get(branch)?.since;
                Some(Child {
                    branch,
                    before: fork.at,
                    blocks: fork.blocks,
                    tag: taken_tag(since),
                })
            };
            let children: Option<Vec<Child>> = heirs.into_iter().map(child).collect();
            let Some(children) = children else { continue };
            if let Some(line) = self.lines.get_mut(&id)
                && !line.branch.trimmed
            {
                line.branch.trimmed = true;
                self.changed.insert(id);
            }
            trims.push(Trim {
                branch: id,
                children,
                from,
                at_most: LEAVES,
            });
            if trims.len() == TRIMS {
                break;
            }
        }
        trims
    }

    /// What a checkpoint has done about a fold.
    pub(crate) fn folded(&mut self, from: BranchId, inherited: bool, empty: bool) {
        if let Some(active) = self.folds.active.get_mut(&from) {
            active.inherited |= inherited;
            active.empty |= empty;
        }
    }

    /// What a checkpoint has to fold. What the last one emptied becomes part of the child now.
    pub(crate) fn folds(&mut self) -> Vec<Fold> {
        let active: Vec<(BranchId, Active)> = self
            .folds
            .active
            .iter()
            .map(|(id, active)| (*id, *active))
            .collect();
        let mut folds = Vec::new();
        for (from, active) in active {
            let Some((into, fork)) = self.heir(from).filter(|(into, _)| *into == active.into)
            else {
                self.folds.active.remove(&from);
                self.folds.look_at_in(from, 1);
                continue;
            };
            let Some(tag) = self.get(into).map(|branch| taken_tag(branch.since)) else {
                continue;
            };
            if active.empty {
                self.unite(from, into, fork, active.inherited);
                continue;
            }
            if let Some(line) = self.lines.get_mut(&from)
                && !line.branch.folding
            {
                line.branch.folding = true;
                self.folds.begun += 1;
                self.changed.insert(from);
            }
            folds.push(Fold {
                from,
                into,
                before: fork.at,
                blocks: fork.blocks,
                tag,
                at_most: LEAVES,
            });
        }
        let share = LEAVES.div_ceil(folds.len().max(1));
        for fold in &mut folds {
            fold.at_most = share;
        }
        folds
    }

    /// The child takes over the place of its parent, which has no leaves any more.
    fn unite(&mut self, from: BranchId, into: BranchId, fork: Fork, inherited: bool) {
        let Some(gone) = self.lines.remove(&from) else {
            return;
        };
        let gone = gone.branch;
        self.folds.forget(from);
        self.by_image.remove(&(gone.image, gone.since));
        self.forget_takes(from, &gone.takes);
        self.children.remove(&(from, into));
        let within = |take: &Take| Take {
            blocks: take.blocks.min(fork.blocks),
            ..*take
        };
        let own = Take {
            image: gone.image,
            behind: gone.since,
            upto: fork.at,
            blocks: fork.blocks,
        };
        let own = (!gone.unwritten).then_some(own);
        let mut takes: Vec<Take> = gone.takes.iter().map(within).chain(own).collect();
        takes.retain(|_| inherited);
        self.note_takes(into, &takes);
        // The child holds in its place what the parent has held.
        let parent = gone.parent.map(|parent| Fork {
            blocks: parent.blocks.min(fork.blocks),
            ..parent
        });
        if let Some(parent) = parent {
            self.children.remove(&(parent.branch, from));
            self.children.insert((parent.branch, into));
            self.folds.look_at(parent.branch);
        }
        if let Some(line) = self.lines.get_mut(&into) {
            takes.append(&mut line.branch.takes);
            line.branch.takes = takes;
            line.branch.parent = parent;
            if line.branch.until.is_some() {
                self.folds.look_at(into);
            }
        }
        for (id, _) in &mut self.folds.longer {
            if *id == from {
                *id = into;
            }
        }
        self.folds.longer.push_back((into, from));
        self.garbage.dropped.push(from);
        self.changed.extend([from, into]);
    }

    /// Makes some views shorter that lead through branches that are gone: they show the same. Those
    /// of heads, for who has copies of them.
    pub(crate) fn shorten(&mut self) -> Vec<(BranchId, View)> {
        let mut heads = Vec::new();
        for _ in 0..VIEWS {
            let Some((id, gone)) = self.folds.longer.pop_front() else {
                break;
            };
            let Some(line) = self.lines.get_mut(&id) else {
                continue;
            };
            let steps = line.view.steps().iter();
            let steps: Vec<_> = steps.filter(|step| step.branch != gone).copied().collect();
            if steps.len() < line.view.steps().len() {
                line.view = View::new(steps);
                if line.branch.until.is_none() {
                    heads.push((id, line.view.clone()));
                }
            }
            // Whoever becomes a child of it from now on begins with the short one.
            let children = self
                .children
                .range((id, BranchId(0))..=(id, BranchId(u64::MAX)));
            let children = children.map(|(_, child)| (*child, gone));
            self.folds.longer.extend(children);
        }
        heads
    }
}

#[cfg(test)]
mod tests;
