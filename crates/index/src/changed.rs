//! What differs between two views.
//!
//! Where both go through the same branch, the leaves that differ below it are those that the table
//! by tag names between the two positions; what lies above it is looked at leaf by leaf.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use firebrick_vocabulary::Sequence;

use crate::entry::{Entry, LEAF_BLOCKS};
use crate::error::Error;
use crate::slots::HOLES;
use crate::state::{Core, State};
use crate::stored::{Stored, next_leaf, next_tagged};
use crate::view::{BranchId, Changed, Step, View};
use crate::walk::next_stored;

/// Where to look for leaves that may differ.
struct Scope<'a> {
    newer: &'a View,
    older: &'a View,
    /// Branches that only one of them goes through: all leaves that they have.
    apart: Vec<Step>,
    /// The branch that both go through, and the tags that only one of them sees.
    shared: Option<(BranchId, Range<Sequence>)>,
    /// Leaves that are within one of them and behind the end of the other.
    extent: Range<u64>,
}

impl<'a> Scope<'a> {
    fn of(newer: &'a View, older: &'a View) -> Self {
        let common = newer.steps().iter().enumerate().find_map(|(at, step)| {
            let mut others = older.steps().iter();
            others
                .position(|other| other.branch == step.branch)
                .map(|other| (at, other))
        });
        let (above, below) = common.unwrap_or((newer.steps().len(), older.steps().len()));
        let apart = [&newer.steps()[..above], &older.steps()[..below]].concat();
        let Some((at, other)) = common else {
            return Self {
                newer,
                older,
                apart,
                shared: None,
                extent: 0..0,
            };
        };
        let (one, two) = (newer.steps()[at], older.steps()[other]);
        let size = |steps: &[Step]| steps.iter().map(|step| step.blocks).min().unwrap_or(0);
        let (size, its) = (size(&newer.steps()[..=at]), size(&older.steps()[..=other]));
        let extent = if size == its {
            0..0
        } else {
            size.min(its) / LEAF_BLOCKS..size.max(its).div_ceil(LEAF_BLOCKS)
        };
        let tags = one.before.min(two.before)..one.before.max(two.before);
        Self {
            newer,
            older,
            apart,
            shared: Some((one.branch, tags)),
            extent,
        }
    }

    /// Each branch to look at, and which tags of it.
    fn tags(&self) -> impl Iterator<Item = (BranchId, Range<Sequence>)> {
        let apart = self.apart.iter().map(|step| (step.branch, step.tags()));
        apart.chain(self.shared.clone())
    }

    /// The first leaf from `from` on that is put in memory with a tag in question.
    fn next_put(&self, state: &State, from: u64) -> Option<u64> {
        let found = self.tags().flat_map(|(branch, tags)| {
            state
                .memtables()
                .filter_map(move |memtable| memtable.of(branch)?.next_put(from, &tags))
        });
        found.min()
    }

    /// The first leaves from `from` on of which all may differ that exist: cleared, or behind the
    /// end of one view.
    fn next_range(&self, state: &State, from: u64) -> Option<Range<u64>> {
        let cleared = self.tags().flat_map(|(branch, tags)| {
            state
                .memtables()
                .filter_map(move |memtable| memtable.of(branch)?.next_clear(from, &tags))
        });
        let behind = self.extent.start.max(from)..self.extent.end;
        let behind = Some(behind).filter(|range| !range.is_empty());
        cleared.chain(behind).min_by_key(|range| range.start)
    }
}

/// What comes next.
enum Next {
    Leaf(u64),
    End,
    /// Changes have moved on to where this did not look: begin again.
    Stale,
}

impl Next {
    fn of(leaf: Option<u64>) -> Self {
        leaf.map_or(Self::End, Self::Leaf)
    }
}

/// Goes through the leaves of a scope that may differ, as of one moment.
struct Candidates {
    stored: Arc<Stored>,
    epoch: u64,
    /// For each tag of the shared branch the next leaf.
    tagged: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Candidates {
    fn begin(core: &Core, scope: &Scope<'_>, from: u64) -> Result<Self, (Arc<Stored>, Error)> {
        let state = core.read();
        let mut candidates = Self {
            stored: Arc::clone(&state.stored),
            epoch: state.epoch,
            tagged: BinaryHeap::new(),
        };
        drop(state);
        match candidates.collect(scope, from) {
            Ok(()) => Ok(candidates),
            Err(error) => Err((candidates.stored, error)),
        }
    }

    fn collect(&mut self, scope: &Scope<'_>, from: u64) -> Result<(), Error> {
        let Some((branch, tags)) = &scope.shared else {
            return Ok(());
        };
        let mut tags = tags.start.0..tags.end.0;
        while !tags.is_empty() {
            match next_tagged(&self.stored.by_tag, *branch, &tags, from)? {
                None => break,
                Some((tag, leaf)) if tag == tags.start => {
                    self.tagged.push(Reverse((leaf, tag)));
                    tags.start += 1;
                }
                // The first leaf of the next tag, which may lie before `from`.
                Some((tag, _)) => tags.start = tag,
            }
        }
        Ok(())
    }

    /// The first leaf from `from` on.
    fn next(&mut self, core: &Core, scope: &Scope<'_>, from: u64) -> Result<Next, Error> {
        let state = core.read();
        if state.epoch != self.epoch {
            return Ok(Next::Stale);
        }
        let mut nearest = scope.next_put(&state, from);
        drop(state);
        let mut nearer = |leaf: Option<u64>| nearest = nearest.into_iter().chain(leaf).min();
        for step in &scope.apart {
            nearer(next_leaf(
                &self.stored.leaves,
                step.branch,
                step.before,
                from,
            )?);
        }
        nearer(self.next_tagged(scope, from)?);
        match self.next_in_ranges(core, scope, from)? {
            Next::Leaf(leaf) => nearer(Some(leaf)),
            Next::End => {}
            Next::Stale => return Ok(Next::Stale),
        }
        Ok(Next::of(nearest))
    }

    fn next_tagged(&mut self, scope: &Scope<'_>, from: u64) -> Result<Option<u64>, Error> {
        let Some((branch, _)) = &scope.shared else {
            return Ok(None);
        };
        while let Some(Reverse((leaf, tag))) = self.tagged.peek().copied() {
            if leaf >= from {
                return Ok(Some(leaf));
            }
            self.tagged.pop();
            let next = next_tagged(&self.stored.by_tag, *branch, &(tag..tag + 1), from)?;
            self.tagged
                .extend(next.map(|(tag, leaf)| Reverse((leaf, tag))));
        }
        Ok(None)
    }

    /// The first leaf that exists, in memory or on the disk, in the ranges of which all may differ.
    fn next_in_ranges(&self, core: &Core, scope: &Scope<'_>, mut from: u64) -> Result<Next, Error> {
        loop {
            let state = core.read();
            if state.epoch != self.epoch {
                return Ok(Next::Stale);
            }
            let Some(range) = scope.next_range(&state, from) else {
                return Ok(Next::End);
            };
            let steps = scope.newer.steps().iter().chain(scope.older.steps());
            let put = steps.filter_map(|step| crate::walk::next_put(&state, step, range.start));
            let mut next = put.min();
            drop(state);
            for view in [scope.newer, scope.older] {
                let found = next_stored(&self.stored, view, range.start)?;
                next = next.into_iter().chain(found).min();
            }
            match next {
                Some(leaf) if leaf < range.end => return Ok(Next::Leaf(leaf)),
                // Whatever begins before that leaf has nothing before it.
                Some(leaf) => from = leaf.max(range.end),
                None => return Ok(Next::End),
            }
        }
    }
}

impl Core {
    pub(crate) fn changed(
        &self,
        newer: &View,
        older: Option<&View>,
        from: u64,
        at_most: usize,
    ) -> Result<Vec<Changed>, Error> {
        let nothing = View::new([]);
        let older = older.unwrap_or(&nothing);
        let scope = Scope::of(newer, older);
        let mut changed = Vec::new();
        let mut leaf = from / LEAF_BLOCKS;
        let mut tries = 0;
        let mut candidates = None;
        while changed.len() < at_most {
            let mut these = match candidates.take() {
                Some(these) => these,
                None => match Candidates::begin(self, &scope, leaf) {
                    Ok(these) => these,
                    Err((stored, error)) => {
                        self.may_try_again(&stored, error, &mut tries)?;
                        continue;
                    }
                },
            };
            match these.next(self, &scope, leaf) {
                Ok(Next::Leaf(next)) => {
                    self.compare(&scope, next, from, &mut changed)?;
                    leaf = next + 1;
                    candidates = Some(these);
                }
                Ok(Next::End) => break,
                Ok(Next::Stale) => {}
                Err(error) => self.may_try_again(&these.stored, error, &mut tries)?,
            }
        }
        changed.truncate(at_most);
        Ok(changed)
    }

    /// Compares one leaf.
    fn compare(
        &self,
        scope: &Scope<'_>,
        leaf: u64,
        from: u64,
        changed: &mut Vec<Changed>,
    ) -> Result<(), Error> {
        let (mut new, mut old) = (HOLES, HOLES);
        self.resolve(scope.newer, leaf, 0, &mut new)?;
        self.resolve(scope.older, leaf, 0, &mut old)?;
        for (slot, (new, old)) in new.iter().zip(&old).enumerate() {
            let block = leaf * LEAF_BLOCKS + slot as u64;
            if block >= from && new != old {
                let entry = Entry::some(*new);
                changed.push(Changed { block, entry });
            }
        }
        Ok(())
    }
}
