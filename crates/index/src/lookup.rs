//! Looking blocks up, leaf by leaf.
//!
//! A lookup holds the lock of the state only while it needs no disk. What is missing is read without
//! the lock, from the committed state that was current when it was found missing, and then all of it
//! is looked up again: so that what one lookup sees is of one moment.

use std::sync::Arc;

use firebrick_vocabulary::Sequence;

use crate::cache::Cache;
use crate::entry::{Entry, LEAF_BLOCKS};
use crate::error::{Damage, Error};
use crate::leaf::Leaf;
use crate::slots::{Wanted, limit_of};
use crate::state::{Core, State};
use crate::stored::Stored;
use crate::view::{BranchId, View};

/// What has to be read from the disk before a lookup can be answered.
struct Missing {
    branch: BranchId,
    before: Sequence,
}

/// What one lookup has read, so that it is there whatever the cache keeps.
#[derive(Default)]
struct Fetched {
    generation: u64,
    versions: Vec<(BranchId, Arc<[u64]>)>,
    leaves: Vec<(BranchId, u64, Arc<Leaf>)>,
}

impl Fetched {
    fn versions(&self, branch: BranchId) -> Option<Arc<[u64]>> {
        let mut known = self.versions.iter();
        known
            .find(|(its, _)| *its == branch)
            .map(|(_, tags)| Arc::clone(tags))
    }

    fn leaf(&self, branch: BranchId, tag: u64) -> Option<Arc<Leaf>> {
        let mut known = self.leaves.iter();
        known
            .find(|(its, at, _)| *its == branch && *at == tag)
            .map(|(_, _, leaf)| Arc::clone(leaf))
    }
}

impl Core {
    /// Looks up the slots from `first` on, as many as `out` has room for.
    pub(crate) fn resolve(
        &self,
        view: &View,
        leaf: u64,
        first: usize,
        out: &mut [Entry],
    ) -> Result<(), Error> {
        let mut fetched = Fetched::default();
        let mut tries = 0;
        loop {
            let state = self.read();
            if fetched.generation != state.stored.generation {
                fetched = Fetched {
                    generation: state.stored.generation,
                    ..Fetched::default()
                };
            }
            let missing = self.attempt(&state, view, leaf, &mut Wanted::new(first, out), &fetched);
            let Some(missing) = missing else {
                return Ok(());
            };
            let stored = Arc::clone(&state.stored);
            drop(state);
            if let Err(error) = self.fetch(&stored, leaf, &missing, &mut fetched) {
                self.may_try_again(&stored, error, &mut tries)?;
            }
        }
    }

    /// As [`Self::resolve`], but `false` where the disk would have to be read.
    pub(crate) fn resolve_cached(
        &self,
        view: &View,
        leaf: u64,
        first: usize,
        out: &mut [Entry],
    ) -> bool {
        let mut wanted = Wanted::new(first, out);
        let state = self.read();
        let missing = self.attempt(&state, view, leaf, &mut wanted, &Fetched::default());
        missing.is_none()
    }

    fn attempt(
        &self,
        state: &State,
        view: &View,
        leaf: u64,
        wanted: &mut Wanted<'_>,
        fetched: &Fetched,
    ) -> Option<Missing> {
        for step in view.steps() {
            if let Some(limit) = limit_of(leaf, step.blocks) {
                wanted.holes_from(limit);
            }
            for memtable in state.memtables() {
                if wanted.is_done() {
                    return None;
                }
                memtable.fill(step.branch, leaf, step.before, wanted);
            }
            if wanted.is_done() {
                return None;
            }
            let missing = Some(Missing {
                branch: step.branch,
                before: step.before,
            });
            let tags = fetched.versions(step.branch);
            let Some(tags) = tags.or_else(|| self.cache.versions(step.branch, leaf)) else {
                return missing;
            };
            let Some(tag) = newest_of(&tags, step.before) else {
                continue;
            };
            let found = fetched.leaf(step.branch, tag);
            match found.or_else(|| self.cache.leaf(step.branch, leaf, tag)) {
                Some(found) => {
                    found.fill(wanted);
                    return None;
                }
                None => return missing,
            }
        }
        None
    }

    /// Reads which versions a leaf has, and the one that is asked for.
    fn fetch(
        &self,
        stored: &Stored,
        leaf: u64,
        missing: &Missing,
        fetched: &mut Fetched,
    ) -> Result<(), Error> {
        let branch = missing.branch;
        let known = fetched.versions(branch);
        let tags = match &known {
            Some(tags) => Arc::clone(tags),
            None => stored.versions(branch, leaf)?,
        };
        let tag = newest_of(&tags, missing.before);
        let found = match tag {
            Some(tag) => stored.leaf(branch, leaf, tag)?.map(|found| (tag, found)),
            None => None,
        };
        if tag.is_some() && found.is_none() {
            let damage = Damage::Leaf { branch, leaf };
            return Err(Error::damaged(damage, "reading the index"));
        }
        self.remember(stored, |cache: &Cache| {
            cache.put_versions(branch, leaf, Arc::clone(&tags));
            if let Some((tag, found)) = &found {
                cache.put_leaf(branch, leaf, *tag, Arc::clone(found));
            }
        });
        if known.is_none() {
            fetched.versions.push((branch, tags));
        }
        fetched
            .leaves
            .extend(found.map(|(tag, found)| (branch, tag, found)));
        Ok(())
    }
}

fn newest_of(tags: &[u64], before: Sequence) -> Option<u64> {
    let count = tags.partition_point(|tag| *tag < before.0);
    count.checked_sub(1).map(|index| tags[index])
}

/// The parts of a range of blocks by leaf: leaf, first slot, number of slots.
pub(crate) fn parts(first: u64, end: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = first;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (leaf, slot) = (at / LEAF_BLOCKS, at % LEAF_BLOCKS);
        let count = (LEAF_BLOCKS - slot).min(end - at);
        at += count;
        Some((leaf, slot as usize, count as usize))
    })
}
