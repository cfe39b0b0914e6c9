//! Looking blocks up, leaf by leaf.
//!
//! A lookup holds the lock of the state only while it needs no disk. What is missing is read without
//! the lock, from the committed state that was current when it was found missing, and then all of it
//! is looked up again: so that what one lookup sees is of one moment.

use std::sync::Arc;

use firebrick_vocabulary::Sequence;

use crate::cache::Cache;
use crate::entry::{Entry, LEAF_BLOCKS};
use crate::error::Error;
use crate::slots::{Wanted, limit_of};
use crate::state::{Core, State};
use crate::stored::{Found, Newest, Stored};
use crate::view::{BranchId, View};

/// What has to be read from the disk before a lookup can be answered.
struct Missing {
    branch: BranchId,
    before: Sequence,
    /// Which versions there are is known, only what is in the one that is asked for is not.
    known: bool,
}

/// What one lookup has read, so that it is there whatever the cache keeps.
#[derive(Default)]
struct Fetched {
    generation: u64,
    leaves: Vec<(BranchId, Found)>,
}

impl Fetched {
    fn of(&self, branch: BranchId) -> Option<&Found> {
        let mut known = self.leaves.iter();
        known
            .find(|(its, _)| *its == branch)
            .map(|(_, found)| found)
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
            match fetched.of(step.branch) {
                Some(None) => continue,
                Some(Some((_, found))) => {
                    found.fill(wanted);
                    return None;
                }
                None => {}
            }
            let missing = |known| Missing {
                branch: step.branch,
                before: step.before,
                known,
            };
            let Some(versions) = self.cache.versions(step.branch, leaf) else {
                return Some(missing(false));
            };
            let tag = match versions.newest(step.before) {
                Newest::Tag(tag) => tag,
                Newest::Nothing => continue,
                Newest::Unknown => return Some(missing(versions.is_full())),
            };
            match self.cache.leaf(step.branch, leaf, tag) {
                Some(found) => {
                    found.fill(wanted);
                    return None;
                }
                None => return Some(missing(true)),
            }
        }
        None
    }

    /// Reads the version of a leaf that is asked for, and where it is not known which ones there are.
    fn fetch(
        &self,
        stored: &Stored,
        leaf: u64,
        missing: &Missing,
        fetched: &mut Fetched,
    ) -> Result<(), Error> {
        let Missing {
            branch,
            before,
            known,
        } = *missing;
        let (versions, found) = if known {
            (None, stored.newest(branch, leaf, before)?)
        } else {
            let (versions, found) = stored.look(branch, leaf, before)?;
            let found = match versions.newest(before) {
                Newest::Unknown => stored.newest(branch, leaf, before)?,
                Newest::Tag(_) | Newest::Nothing => found,
            };
            (Some(versions), found)
        };
        self.remember(stored, |cache: &Cache| {
            if let Some(versions) = versions {
                cache.put_versions(branch, leaf, versions);
            }
            if let Some((tag, found)) = &found {
                cache.put_leaf(branch, leaf, *tag, Arc::clone(found));
            }
        });
        fetched.leaves.push((branch, found));
        Ok(())
    }
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
