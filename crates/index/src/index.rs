//! The index itself: who may do what, and when.

use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_log::Location;
use firebrick_vocabulary::Sequence;

use crate::entry::Entry;
use crate::error::Error;
use crate::points::{Batch, Moved, Points, Released};
use crate::view::{BranchId, Changed, View};

/// How much memory an index may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct IndexOptions {
    /// For what was read and decoded.
    pub cache_bytes: usize,
    /// For pages of the file.
    pub pages_bytes: usize,
}

/// Changes on their way into the file.
pub struct Frozen(());

/// Where the blocks of every image are.
pub struct Index(());

#[allow(unused_variables, clippy::todo, reason = "the bodies follow")]
impl Index {
    /// Makes an empty index, durably, in the folder `index` of the disk.
    pub fn create(disk: &Arc<dyn Disk>) -> Result<(), Error> {
        todo!()
    }

    /// Opens the index as the last commit left it.
    pub fn open(disk: &Arc<dyn Disk>, options: IndexOptions) -> Result<Self, Error> {
        todo!()
    }

    /// The blocks from `block` on have these entries. One caller at a time; never waits for the disk.
    pub fn put(&self, branch: BranchId, tag: Sequence, block: u64, entries: &[Entry]) {
        todo!()
    }

    /// The blocks from `first` up to, without, `end` are holes. As [`Self::put`]; its cost does not
    /// grow with the range, but with what changed in it since the last commit.
    pub fn clear(&self, branch: BranchId, tag: Sequence, first: u64, end: u64) {
        todo!()
    }

    /// Forgets what changed in a branch that is gone.
    pub fn drop_changes(&self, branch: BranchId) {
        todo!()
    }

    /// The memory of what is not committed, in bytes.
    pub fn pending(&self) -> usize {
        todo!()
    }

    /// Appends the entries of `count` blocks from `first` on to `out`.
    pub fn get(
        &self,
        view: &View,
        first: u64,
        count: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        todo!()
    }

    /// As [`Self::get`], but only if that needs no wait for the disk: `false` where it would (then
    /// nothing was appended).
    pub fn get_cached(&self, view: &View, first: u64, count: usize, out: &mut Vec<Entry>) -> bool {
        todo!()
    }

    /// The first block in `first..end` that is no hole.
    pub fn next_mapped(&self, view: &View, first: u64, end: u64) -> Result<Option<u64>, Error> {
        todo!()
    }

    /// The first hole in `first..end`.
    pub fn next_hole(&self, view: &View, first: u64, end: u64) -> Result<Option<u64>, Error> {
        todo!()
    }

    /// The blocks from `from` on that differ between the views, ascending, `at_most` that many; all
    /// that are mapped where there is no older view.
    pub fn changed(
        &self,
        newer: &View,
        older: Option<&View>,
        from: u64,
        at_most: usize,
    ) -> Result<Vec<Changed>, Error> {
        todo!()
    }

    /// How many blocks of the view are no holes.
    pub fn mapped(&self, view: &View) -> Result<u64, Error> {
        todo!()
    }

    /// Takes what changed so far aside for [`Self::commit`]; it is still seen by lookups.
    pub fn freeze(&self) -> Frozen {
        todo!()
    }

    /// Makes the frozen changes and the batch durable, together or not at all.
    pub fn commit(
        &self,
        frozen: Frozen,
        points: &dyn Points,
        batch: &Batch,
    ) -> Result<Released, Error> {
        todo!()
    }

    /// Makes only moves durable; what changed since the last commit is left alone.
    pub fn apply_moves(&self, moves: &[Moved], emptied: &[u32]) -> Result<(), Error> {
        todo!()
    }

    /// One row of the engine's metadata, as of the last commit.
    pub fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        todo!()
    }

    /// All rows whose keys begin with `prefix`, in their order.
    pub fn rows<E: From<Error>>(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        todo!()
    }

    /// Where a block is now.
    pub fn place(&self, name: Location) -> Result<Location, Error> {
        todo!()
    }

    /// What was moved from a segment, by name.
    pub fn moved_from(&self, segment: u32) -> Result<Vec<Moved>, Error> {
        todo!()
    }
}
