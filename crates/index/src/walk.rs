//! Walking over the leaves that exist, and no others.

use std::ops::Range;
use std::sync::Arc;

use firebrick_vocabulary::Sequence;

use crate::entry::{Entry, LEAF_BLOCKS};
use crate::error::Error;
use crate::lookup::parts;
use crate::slots::HOLES;
use crate::state::{Core, State};
use crate::stored::{Stored, next_leaf};
use crate::view::{Step, View};

impl Step {
    /// The tags that it sees.
    pub(crate) const fn tags(&self) -> Range<Sequence> {
        Sequence::ZERO..self.before
    }
}

/// The first leaf from `from` on that a step has in memory.
pub(crate) fn next_put(state: &State, step: &Step, from: u64) -> Option<u64> {
    let memtables = state.memtables();
    memtables
        .filter_map(|memtable| memtable.of(step.branch)?.next_put(from, &step.tags()))
        .min()
}

/// The first leaf from `from` on that a view has on the disk.
pub(crate) fn next_stored(stored: &Stored, view: &View, from: u64) -> Result<Option<u64>, Error> {
    let mut nearest: Option<u64> = None;
    for step in view.steps() {
        let next = next_leaf(&stored.leaves, step.branch, step.before, from)?;
        nearest = nearest.into_iter().chain(next).min();
    }
    Ok(nearest)
}

impl Core {
    /// The first leaf from `from` on in which the view may have blocks.
    pub(crate) fn next_leaf(&self, view: &View, from: u64) -> Result<Option<u64>, Error> {
        let mut tries = 0;
        loop {
            let state = self.read();
            let in_memory = view
                .steps()
                .iter()
                .filter_map(|step| next_put(&state, step, from));
            let in_memory = in_memory.min();
            let stored = Arc::clone(&state.stored);
            drop(state);
            match next_stored(&stored, view, from) {
                Ok(next) => return Ok(next.into_iter().chain(in_memory).min()),
                Err(error) => self.may_try_again(&stored, error, &mut tries)?,
            }
        }
    }

    /// The first block in `first..end` that is no hole.
    pub(crate) fn next_mapped(
        &self,
        view: &View,
        first: u64,
        end: u64,
    ) -> Result<Option<u64>, Error> {
        let mut at = first;
        while at < end {
            let Some(leaf) = self.next_leaf(view, at / LEAF_BLOCKS)? else {
                return Ok(None);
            };
            at = at.max(leaf * LEAF_BLOCKS);
            let leaf_end = end.min((leaf + 1).saturating_mul(LEAF_BLOCKS));
            let found = self.find(view, at, leaf_end, Entry::is_some)?;
            if found.is_some() {
                return Ok(found);
            }
            at = at.max(leaf_end);
        }
        Ok(None)
    }

    /// The first block in `first..end` whose entry is one to look for.
    pub(crate) fn find(
        &self,
        view: &View,
        first: u64,
        end: u64,
        is_it: impl Fn(Entry) -> bool,
    ) -> Result<Option<u64>, Error> {
        let mut entries = HOLES;
        for (leaf, slot, count) in parts(first, end) {
            let out = &mut entries[..count];
            self.resolve(view, leaf, slot, out)?;
            if let Some(at) = out.iter().position(|entry| is_it(*entry)) {
                return Ok(Some(leaf * LEAF_BLOCKS + (slot + at) as u64));
            }
        }
        Ok(None)
    }

    /// How many blocks of the view are no holes.
    pub(crate) fn mapped(&self, view: &View) -> Result<u64, Error> {
        let (mut count, mut from) = (0, 0);
        let mut entries = HOLES;
        while let Some(leaf) = self.next_leaf(view, from)? {
            self.resolve(view, leaf, 0, &mut entries)?;
            count += entries.iter().filter(|entry| entry.is_some()).count() as u64;
            from = leaf + 1;
        }
        Ok(count)
    }
}
