//! Merging what changed in memory into the stored leaves.

use firebrick_vocabulary::Sequence;
use redb::Table;

use crate::changes::{Changes, Item};
use crate::entry::Entry;
use crate::error::Error;
use crate::leaf::Leaf;
use crate::memtable::Memtable;
use crate::points::{Points, Released};
use crate::slots::{Entries, HOLES};
use crate::stored::{LeafKey, Tables, entries_of, lost, newest, next_leaf, unreadable};
use crate::touched::Touched;
use crate::view::{BranchId, View};

/// The leaves, while a commit changes them.
pub(crate) struct Leaves<'a, 't> {
    pub(crate) versions: &'a mut Table<'t, LeafKey, &'static [u8]>,
    pub(crate) by_tag: &'a mut Table<'t, LeafKey, ()>,
    pub(crate) touched: &'a mut Touched,
    pub(crate) released: &'a mut Released,
}

impl Leaves<'_, '_> {
    pub(crate) fn insert(&mut self, key: LeafKey, entries: &Entries) -> Result<(), Error> {
        self.write(key, &Leaf::of(entries))?;
        self.touched.add(key);
        Ok(())
    }

    /// As [`Self::insert`], of the newest version; `alone` where the branch had none before.
    fn renew(&mut self, key: LeafKey, entries: &Entries, alone: bool) -> Result<(), Error> {
        let content = Leaf::of(entries);
        self.write(key, &content)?;
        self.touched.renew(key, content, alone);
        Ok(())
    }

    fn write(&mut self, key: LeafKey, content: &Leaf) -> Result<(), Error> {
        let bytes = content.encode();
        let had = self.versions.insert(key, &*bytes).map_err(unwritten)?;
        let is_new = had.is_none();
        drop(had);
        if is_new {
            let (branch, leaf, tag) = key;
            self.by_tag
                .insert((branch, tag, leaf), ())
                .map_err(unwritten)?;
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: LeafKey) -> Result<(), Error> {
        let (branch, leaf, tag) = key;
        self.versions.remove(key).map_err(unwritten)?;
        self.by_tag.remove((branch, tag, leaf)).map_err(unwritten)?;
        self.touched.version_gone(key);
        Ok(())
    }

    /// What a leaf was before its version with tag `tag`, as its branch or what lies below it says.
    pub(crate) fn before(
        &self,
        branch: BranchId,
        below: &View,
        leaf: u64,
        tag: u64,
    ) -> Result<(bool, Entries), Error> {
        match newest(&*self.versions, branch, leaf, tag)? {
            Some((_, found)) => Ok((true, found.entries())),
            None => Ok((false, entries_of(&*self.versions, below, leaf)?)),
        }
    }

    pub(crate) fn release(&mut self, old: &Entries, new: &Entries, other: &Entries) {
        for entry in lost(old, new, other) {
            self.released.add(entry.at);
        }
    }
}

/// Merges everything, parents before children, as children inherit what is merged.
pub(crate) fn merge(
    tables: &mut Tables<'_>,
    frozen: &Memtable,
    points: &dyn Points,
    touched: &mut Touched,
    released: &mut Released,
) -> Result<(), Error> {
    let mut branches: Vec<_> = frozen
        .branches()
        .filter_map(|(branch, changes)| Some((points.below(branch)?, branch, changes)))
        .collect();
    branches.sort_by_key(|(below, _, _)| below.steps().len());
    for (below, branch, changes) in branches {
        let leaves = Leaves {
            versions: &mut tables.leaves,
            by_tag: &mut tables.by_tag,
            touched: &mut *touched,
            released: &mut *released,
        };
        let mut merge = Merging {
            leaves,
            branch,
            below,
            changes,
            points,
        };
        merge.run()?;
    }
    Ok(())
}

struct Merging<'a, 't> {
    leaves: Leaves<'a, 't>,
    branch: BranchId,
    below: View,
    changes: &'a Changes,
    points: &'a dyn Points,
}

impl Merging<'_, '_> {
    fn run(&mut self) -> Result<(), Error> {
        let mut from = 0;
        while let Some(leaf) = self.next(from)? {
            self.merge(leaf)?;
            from = leaf + 1;
        }
        Ok(())
    }

    /// The first leaf from `from` on that changes: blocks were put there, or it exists and was
    /// cleared.
    fn next(&self, mut from: u64) -> Result<Option<u64>, Error> {
        let all = Sequence::ZERO..Sequence(u64::MAX);
        let put = self.changes.next_put(from, &all);
        while let Some(range) = self.changes.next_clear(from, &all) {
            if put.is_some_and(|put| put <= range.start) {
                break;
            }
            let existing = self.next_existing(range.start)?;
            match existing {
                Some(leaf) if leaf < range.end => return Ok(put.into_iter().chain([leaf]).min()),
                Some(leaf) => from = leaf,
                None => break,
            }
        }
        Ok(put)
    }

    fn next_existing(&self, from: u64) -> Result<Option<u64>, Error> {
        let leaves = &*self.leaves.versions;
        let mut nearest = next_leaf(leaves, self.branch, Sequence(u64::MAX), from)?;
        for step in self.below.steps() {
            let next = next_leaf(leaves, step.branch, step.before, from)?;
            nearest = nearest.into_iter().chain(next).min();
        }
        Ok(nearest)
    }

    fn merge(&mut self, leaf: u64) -> Result<(), Error> {
        let newest = newest(&*self.leaves.versions, self.branch, leaf, u64::MAX)?;
        let mut tag = newest.as_ref().map(|(tag, _)| *tag);
        let mut entries = match newest {
            Some((_, found)) => found.entries(),
            None => entries_of(&*self.leaves.versions, &self.below, leaf)?,
        };
        let items = self.changes.of_leaf(leaf);
        for of_tag in items.chunk_by(|one, other| one.0 == other.0) {
            let mut new = entries;
            for (_, item) in of_tag {
                apply(&mut new, item);
            }
            if new == entries {
                continue;
            }
            // See `Changes`: an older tag counts as the newest one.
            let behind = of_tag[0].0.0.max(tag.unwrap_or(0));
            tag = self.store(leaf, tag, behind, &entries, &new)?;
            entries = new;
        }
        Ok(())
    }

    /// Stores a leaf that was `old` up to its newest version `had` and is `new` behind the point
    /// `tag`; the newest version from then on.
    fn store(
        &mut self,
        leaf: u64,
        had: Option<u64>,
        tag: u64,
        old: &Entries,
        new: &Entries,
    ) -> Result<Option<u64>, Error> {
        let branch = self.branch.0;
        let alone = had.is_none();
        let seen = |had| had != tag && self.points.any(self.branch, Sequence(had), Sequence(tag));
        let Some(had) = had.filter(|had| !seen(*had)) else {
            // What was is still seen: by a point of this branch, or in what lies below.
            self.leaves.renew((branch, leaf, tag), new, alone)?;
            return Ok(Some(tag));
        };
        let (is_own, before) = self.leaves.before(self.branch, &self.below, leaf, had)?;
        self.leaves.release(old, new, &before);
        if *new == HOLES && !is_own && before == HOLES {
            self.leaves.remove((branch, leaf, had))?;
            return Ok(None);
        }
        self.leaves.renew((branch, leaf, had), new, false)?;
        Ok(Some(had))
    }
}

fn apply(entries: &mut Entries, item: &Item<'_>) {
    match item {
        Item::Clear => entries.fill(Entry::NONE),
        Item::Slots(slots) => slots.visit(&mut |slot, entry| entries[slot] = entry),
    }
}

/// An error while the index was written.
pub(crate) fn unwritten(error: redb::StorageError) -> Error {
    let Error { kind, source, .. } = unreadable(error);
    Error {
        kind,
        doing: "writing the index",
        source,
    }
}
