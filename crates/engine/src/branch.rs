//! Branches: the lines of history of images, and the points of them that somebody may look at.
//!
//! An image's head is a branch. A clone, a rollback and the return of a former primary begin a new
//! one that starts at a position of another; nothing is copied. A *point* is a position of a branch
//! that must stay visible: a snapshot, the fork of another branch, a kept checkpoint, or a place that
//! somebody reads at the moment. What lies between two points and is overwritten may be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_index::{BranchId, Points, Step, View};
use firebrick_vocabulary::{ImageId, Sequence};
use serde::{Deserialize, Serialize};

use crate::shared::Shared;
pub(crate) use fold::Candidate;
use fold::Folding;

mod fold;
mod takes;

/// Sees everything.
pub(crate) const HEAD: Sequence = Sequence(u64::MAX);

/// A branch as it is remembered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Branch {
    /// Whose line it is.
    pub(crate) image: ImageId,
    /// The record that began it; those of the image behind it belong to it.
    pub(crate) since: Sequence,
    /// The record that ended it; none while it is the image's head.
    pub(crate) until: Option<Sequence>,
    /// Where it starts.
    pub(crate) parent: Option<Fork>,
    /// What it has taken over on top of that, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) takes: Vec<Take>,
    /// Its leaves are moving into its only child: nobody may begin to look at it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) folding: bool,
    /// What none of its children shows is forgotten: as for `folding`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) trimmed: bool,
    /// Nothing has been written to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unwritten: bool,
}

/// Where a branch starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fork {
    /// On which branch.
    pub(crate) branch: BranchId,
    /// At which of its points.
    pub(crate) at: Sequence,
    /// Blocks from this one on were not inherited.
    pub(crate) blocks: u64,
}

/// Records of an image that a branch has taken over when it began: no point of theirs shows the
/// state that it began with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Take {
    /// Whose records; the branch that they belonged to may be gone.
    pub(crate) image: ImageId,
    /// The record before the first.
    pub(crate) behind: Sequence,
    /// The last.
    pub(crate) upto: Sequence,
    /// Blocks from this one on were not taken over.
    pub(crate) blocks: u64,
}

/// A branch with what is looked at.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) branch: Branch,
    /// Its own points, and how many hold each.
    pub(crate) points: Shared<Sequence, u32>,
    /// What its head shows.
    pub(crate) view: View,
    /// No change of it has a tag behind this one.
    newest: Sequence,
}

/// All branches of a store.
#[derive(Default)]
pub(crate) struct Branches {
    lines: Shared<BranchId, Line>,
    /// By image and first record.
    by_image: BTreeMap<(ImageId, Sequence), BranchId>,
    /// Checkpoints that are points of every branch that was a head then, oldest first.
    kept: Arc<Vec<Sequence>>,
    /// Of the kept ones, those before this one are nothing but points: what lies between them and the
    /// next cannot be had.
    sparse_to: Sequence,
    /// Branches that took over records, by the image of those.
    takers: BTreeMap<ImageId, Vec<BranchId>>,
    /// Nothing goes, as what lies ahead may still go back to it.
    holding: bool,
    /// The number of the newest branch.
    newest: u64,
    /// What is to be done in the index about points that are gone.
    pub(crate) garbage: Garbage,
    /// Begun, ended or gone since the last checkpoint.
    pub(crate) changed: BTreeSet<BranchId>,
    /// Parent and child.
    children: BTreeSet<(BranchId, BranchId)>,
    /// What is folded, and what may have to be.
    folds: Folding,
    /// How often there may have been a new point, or a new branch.
    points_made: u64,
}

/// Parts of the index that may have become superfluous since the last checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Garbage {
    /// Branch, the point before, the point that is gone.
    pub(crate) sweeps: Vec<(BranchId, Sequence, Sequence)>,
    /// Branch, the point that is gone, the point behind: where the other side is more to look at.
    pub(crate) behind: Vec<(BranchId, Sequence, Sequence)>,
    /// Branches that are gone altogether.
    pub(crate) dropped: Vec<BranchId>,
}

impl Line {
    fn begin(branch: Branch, view: View) -> Self {
        Self {
            newest: branch.since,
            branch,
            points: Shared::default(),
            view,
        }
    }

    /// The first of its points that shows record `sequence`, kept checkpoints among them; [`HEAD`]
    /// where only the head does.
    fn first_from(&self, kept: &[Sequence], sequence: Sequence) -> Option<Sequence> {
        let own = self.points.range(sequence..).next();
        let own = own.map(|(at, _)| *at);
        let behind = Sequence(sequence.0.saturating_sub(1));
        let kept = self.kept_in(kept, behind, HEAD).first().copied();
        let head = self.branch.until.is_none().then_some(HEAD);
        [own, kept, head].into_iter().flatten().min()
    }

    /// The kept checkpoints behind `behind` and up to `upto` that are points of this branch.
    fn kept_in<'a>(
        &self,
        kept: &'a [Sequence],
        behind: Sequence,
        upto: Sequence,
    ) -> &'a [Sequence] {
        let behind = behind.max(Sequence(self.branch.since.0.saturating_sub(1)));
        // What the record `until` did is not part of this branch any more.
        let last = self
            .branch
            .until
            .map_or(HEAD, |until| Sequence(until.0.saturating_sub(1)));
        let first = kept.partition_point(|at| *at <= behind);
        let end = kept.partition_point(|at| *at <= upto.min(last));
        kept.get(first..end.max(first)).unwrap_or_default()
    }

    fn any(&self, kept: &[Sequence], behind: Sequence, upto: Sequence) -> bool {
        let head = upto == HEAD && self.branch.until.is_none();
        let own = || behind < upto && self.points.range(behind.next()..=upto).next().is_some();
        head || own() || !self.kept_in(kept, behind, upto).is_empty()
    }
}

impl Branches {
    /// What was remembered of them when record `now` was the newest. Points are not part of it; they
    /// are held again.
    pub(crate) fn load(
        branches: impl IntoIterator<Item = (BranchId, Branch)>,
        (kept, sparse_to): (Vec<Sequence>, Sequence),
        newest: u64,
        now: Sequence,
    ) -> Self {
        let mut all = Self {
            kept: Arc::new(kept),
            sparse_to,
            newest,
            ..Self::default()
        };
        // Parents have lower numbers.
        for (id, branch) in branches {
            all.insert(id, branch);
            if let Some(line) = all.lines.get_mut(&id) {
                line.newest = now;
            }
        }
        let forks: Vec<Fork> = all
            .lines
            .values()
            .filter_map(|line| line.branch.parent)
            .collect();
        for fork in forks {
            all.hold(fork.branch, fork.at);
        }
        all
    }

    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    pub(crate) fn get(&self, id: BranchId) -> Option<&Branch> {
        self.lines.get(&id).map(|line| &line.branch)
    }

    /// All of them, parents before their children.
    pub(crate) fn ids(&self) -> impl Iterator<Item = BranchId> {
        self.lines.keys().copied()
    }

    /// Lets nothing go any more, until [`Self::settle`]. In an index that is made anew no leaves
    /// have moved.
    pub(crate) fn hold_everything(&mut self) {
        self.holding = true;
        let partial = |branch: &Branch| branch.folding || branch.trimmed;
        let lines = self.lines.range(..).filter(|(_, it)| partial(&it.branch));
        let ids: Vec<BranchId> = lines.map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(line) = self.lines.get_mut(&id) {
                (line.branch.folding, line.branch.trimmed) = (false, false);
            }
        }
    }

    /// Whether nothing goes.
    pub(crate) const fn holds_everything(&self) -> bool {
        self.holding
    }

    /// Lets go of all branches that show nothing to anybody, and of what is to be done about them.
    pub(crate) fn settle(&mut self) {
        self.holding = false;
        let ids: Vec<BranchId> = self.lines.keys().rev().copied().collect();
        for id in ids {
            self.dispose(id);
        }
        self.garbage = Garbage::default();
        self.changed.clear();
    }

    /// The tag of a change of the branch by record `birth`, as the points are now.
    pub(crate) fn tag_of(&self, id: BranchId, birth: Sequence) -> Sequence {
        let line = self.lines.get(&id);
        line.map_or(Sequence::ZERO, |line| {
            let own = line.points.range(..birth).next_back();
            own.map_or(line.branch.since, |(at, _)| line.branch.since.max(*at))
        })
    }

    pub(crate) fn kept(&self) -> &[Sequence] {
        &self.kept
    }

    /// The kept checkpoints behind which any state can be had.
    pub(crate) fn dense(&self) -> &[Sequence] {
        let first = self.kept.partition_point(|at| *at < self.sparse_to);
        &self.kept[first..]
    }

    /// Begins a branch of `image` with the record `since`.
    pub(crate) fn begin(
        &mut self,
        image: ImageId,
        since: Sequence,
        parent: Option<Fork>,
        takes: Vec<Take>,
    ) -> BranchId {
        self.newest += 1;
        let id = BranchId(self.newest);
        let branch = Branch {
            image,
            since,
            until: None,
            parent,
            takes,
            folding: false,
            trimmed: false,
            unwritten: true,
        };
        if let Some(fork) = parent {
            self.hold(fork.branch, fork.at);
        }
        self.insert(id, branch);
        self.changed.insert(id);
        id
    }

    fn insert(&mut self, id: BranchId, branch: Branch) {
        self.points_made += 1;
        let view = self.view_of_new(id, branch.parent.as_ref());
        self.note_takes(id, &branch.takes);
        self.by_image.insert((branch.image, branch.since), id);
        if let Some(fork) = branch.parent {
            self.children.insert((fork.branch, id));
        }
        if branch.until.is_some() {
            self.folds.look_at(id);
        }
        self.lines.insert(id, Line::begin(branch, view));
    }

    fn view_of_new(&self, id: BranchId, parent: Option<&Fork>) -> View {
        let mut steps = vec![Step {
            branch: id,
            before: HEAD,
            blocks: u64::MAX,
        }];
        if let Some(fork) = parent {
            let below = self.view_at(fork.branch, fork.at);
            steps.extend(below.steps().iter().map(|step| Step {
                blocks: step.blocks.min(fork.blocks),
                ..*step
            }));
        }
        View::new(steps)
    }

    /// What the head of a branch shows; nothing where there is no such branch.
    pub(crate) fn view(&self, id: BranchId) -> View {
        let line = self.lines.get(&id);
        line.map_or_else(|| View::new(Vec::new()), |line| line.view.clone())
    }

    /// What a branch showed at one of its points.
    pub(crate) fn view_at(&self, id: BranchId, at: Sequence) -> View {
        let mut steps = self.view(id).steps().to_vec();
        if let Some(first) = steps.first_mut() {
            first.before = at;
        }
        View::new(steps)
    }

    /// The tag of a change that is made to the head of a branch now: its newest point.
    pub(crate) fn tag(&self, id: BranchId) -> Sequence {
        let Some(line) = self.lines.get(&id) else {
            return Sequence::ZERO;
        };
        let own = line.points.last_key_value().map(|(at, _)| *at);
        let kept = self.kept.last().copied();
        [own, kept, Some(line.branch.since)]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }

    /// As [`Self::tag`], for a change that is made.
    pub(crate) fn tag_change(&mut self, id: BranchId) -> Sequence {
        let tag = self.tag(id);
        let known = |line: &Line| line.newest >= tag && !line.branch.unwritten;
        if self.lines.get(&id).is_some_and(|line| !known(line))
            && let Some(line) = self.lines.get_mut(&id)
        {
            line.newest = line.newest.max(tag);
            if std::mem::take(&mut line.branch.unwritten) {
                self.changed.insert(id);
            }
        }
        tag
    }

    /// Whether something may have been written to a branch behind its point `at`.
    pub(crate) fn changed_behind(&self, id: BranchId, at: Sequence) -> bool {
        self.lines.get(&id).is_none_or(|line| line.newest >= at)
    }

    /// The head of a branch ends with record `until`.
    pub(crate) fn end(&mut self, id: BranchId, until: Sequence) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.branch.until = Some(until);
            self.changed.insert(id);
        }
        // What only the head showed.
        self.swept(id, HEAD);
        self.folds.look_at(id);
        self.dispose(id);
    }

    /// `at` becomes a point of the branch, or is held once more.
    pub(crate) fn hold(&mut self, id: BranchId, at: Sequence) {
        self.points_made += 1;
        if let Some(line) = self.lines.get_mut(&id) {
            let holders = line.points.get(&at).copied().unwrap_or_default();
            line.points.insert(at, holders + 1);
        }
    }

    /// Changes whenever there may be a new point: who has asked which of them shows something knows
    /// by this whether to ask again.
    pub(crate) const fn points_made(&self) -> u64 {
        self.points_made
    }

    /// One holder of the point less; without any, it is none any more.
    pub(crate) fn release(&mut self, id: BranchId, at: Sequence) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if line.branch.until.is_some() {
            self.folds.look_at(id);
        }
        let points = &mut line.points;
        match points.get_mut(&at) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => {
                points.remove(&at);
                self.swept(id, at);
                self.dispose(id);
            }
            None => {}
        }
    }

    /// The checkpoints that are kept from now on; those before `sparse_to` as nothing but points.
    pub(crate) fn keep(&mut self, kept: Vec<Sequence>, sparse_to: Sequence) {
        self.points_made += 1;
        let asked = self.dense().first().copied();
        self.sparse_to = sparse_to;
        let before = std::mem::replace(&mut self.kept, Arc::new(kept));
        let thinned = self.dense().first().copied() != asked;
        let gone: Vec<Sequence> = before
            .iter()
            .copied()
            .filter(|at| self.kept.binary_search(at).is_err())
            .collect();
        if gone.is_empty() && !thinned {
            return;
        }
        // What has not changed since the first of them looks the same at all of them.
        let first = gone.first().copied().unwrap_or(HEAD);
        let concerned = |line: &Line| line.branch.until.is_some() || line.newest >= first;
        let lines = self.lines.range(..).filter(|(_, line)| concerned(line));
        let ids: Vec<BranchId> = lines.map(|(id, _)| *id).collect();
        for id in ids {
            for at in &gone {
                let Some(line) = self.lines.get(&id) else {
                    break;
                };
                let behind = Sequence(at.0.saturating_sub(1));
                if !line.kept_in(&gone, behind, *at).is_empty() {
                    self.swept(id, *at);
                }
            }
            self.dispose(id);
        }
    }

    /// Notes that a point is gone, so that the index can be rid of what only it showed: leaves that
    /// changed behind the point before, and again before the next one.
    fn swept(&mut self, id: BranchId, at: Sequence) {
        let Some(line) = self.lines.get(&id) else {
            return;
        };
        let own = line.points.range(..at).next_back();
        let kept = self.kept.partition_point(|kept| *kept < at);
        let kept = kept.checked_sub(1).map(|last| self.kept[last]);
        let before = own.map(|(before, _)| *before).max(kept);
        let next = match at {
            HEAD => None,
            _ => line.first_from(&self.kept, at.next()),
        };
        let from = before.unwrap_or_default();
        match next {
            Some(_) if line.newest < at => {}
            // Of the two sides the one with fewer records.
            Some(next) if before.is_none_or(|before| next.0 - at.0 < at.0 - before.0) => {
                self.garbage.behind.push((id, at, next));
            }
            Some(_) | None => self.garbage.sweeps.push((id, from, at)),
        }
    }

    /// Whether somebody may ask for a record of the branch: for any behind the first checkpoint that
    /// is kept. It is found by the branch to which it belongs, also where no point shows it.
    fn asked_for(&self, line: &Line) -> bool {
        self.dense().first().is_some_and(|first| {
            let until = line.branch.until;
            until.is_none_or(|until| until > *first)
        })
    }

    /// Lets go of a branch that shows nothing to anybody any more, and of what it started from.
    fn dispose(&mut self, id: BranchId) {
        let mut next = Some(id).filter(|_| !self.holding);
        while let Some(id) = next.take() {
            let Some(line) = self.lines.get(&id) else {
                return;
            };
            if self.asked_for(line) || line.any(&self.kept, Sequence::ZERO, HEAD) {
                return;
            }
            let Some(gone) = self.lines.remove(&id) else {
                return;
            };
            self.by_image
                .remove(&(gone.branch.image, gone.branch.since));
            self.garbage.dropped.push(id);
            self.changed.insert(id);
            self.folds.forget(id);
            self.forget_takes(id, &gone.branch.takes);
            if let Some(fork) = gone.branch.parent {
                self.children.remove(&(fork.branch, id));
                next = self.let_go(fork);
            }
        }
    }

    /// A fork less; the branch on which it was, where that may show nothing any more.
    fn let_go(&mut self, fork: Fork) -> Option<BranchId> {
        let line = self.lines.get_mut(&fork.branch)?;
        if line.branch.until.is_some() {
            self.folds.look_at(fork.branch);
        }
        let count = line.points.get_mut(&fork.at)?;
        if *count > 1 {
            *count -= 1;
            return None;
        }
        line.points.remove(&fork.at);
        self.swept(fork.branch, fork.at);
        Some(fork.branch)
    }

    /// The branch to which a record about `image` belongs; none where nobody can see it any more.
    pub(crate) fn of_record(&self, image: ImageId, sequence: Sequence) -> Option<BranchId> {
        let (_, id) = self
            .by_image
            .range((image, Sequence::ZERO)..=(image, sequence))
            .next_back()?;
        let branch = self.get(*id)?;
        let within = branch.until.is_none_or(|until| sequence < until);
        within.then_some(*id)
    }

    /// The newest point of the branch at or before `sequence`.
    pub(crate) fn point_at(&self, id: BranchId, sequence: Sequence) -> Option<Sequence> {
        let line = self.lines.get(&id)?;
        let own = line
            .points
            .range(..=sequence)
            .next_back()
            .map(|(at, _)| *at);
        let kept = line
            .kept_in(&self.kept, Sequence::ZERO, sequence)
            .last()
            .copied();
        own.max(kept)
    }

    /// As a checkpoint sees them, whatever changes meanwhile.
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            lines: self.lines.clone(),
            kept: Arc::clone(&self.kept),
        }
    }
}

/// The branches at one moment.
pub(crate) struct Seen {
    lines: Shared<BranchId, Line>,
    kept: Arc<Vec<Sequence>>,
}

impl Seen {
    pub(crate) fn get(&self, id: BranchId) -> Option<&Branch> {
        self.lines.get(&id).map(|line| &line.branch)
    }

    /// The images of which something can be had.
    pub(crate) fn images(&self) -> BTreeSet<ImageId> {
        self.lines.values().map(|line| line.branch.image).collect()
    }
}

impl Points for Seen {
    fn any(&self, branch: BranchId, behind: Sequence, upto: Sequence) -> bool {
        let line = self.lines.get(&branch);
        line.is_some_and(|line| line.any(&self.kept, behind, upto))
    }

    fn below(&self, branch: BranchId) -> Option<View> {
        let line = self.lines.get(&branch)?;
        Some(View::new(line.view.steps().get(1..).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
