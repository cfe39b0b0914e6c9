//! An image or a snapshot as it is at one position, whatever is written later.

use std::sync::Arc;

use firebrick_index::{BranchId, Changed, Entry, View};
use firebrick_vocabulary::{BLOCK_SIZE, Sequence};

use crate::commit::Core;
use crate::error::Error;
use crate::state::State;

/// The blocks of an image or a snapshot at one position; later writes do not change it. While it
/// lives, what it shows is kept.
pub struct MapView {
    core: Arc<Core>,
    pub(crate) view: View,
    blocks: u64,
    branch: BranchId,
    at: Sequence,
}

impl MapView {
    /// Holds what `branch` shows at `at`, which is one of its points or the newest record.
    pub(crate) fn hold(
        core: &Arc<Core>,
        state: &mut State,
        (branch, at): (BranchId, Sequence),
        blocks: u64,
    ) -> Self {
        state.branches.hold(branch, at);
        Self {
            core: Arc::clone(core),
            view: state.branches.view_at(branch, at),
            blocks,
            branch,
            at,
        }
    }

    /// The size in blocks.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The blocks that are mapped.
    pub fn mapped(&self) -> Result<u64, Error> {
        Ok(self.core.index.mapped(&self.view)?)
    }

    /// Reads the blocks of `entries`, which this view has shown, into `buffer`, which holds exactly them;
    /// [`ErrorKind::Damaged`](crate::ErrorKind::Damaged) where one is not what was written.
    pub fn read(&self, entries: &[Entry], buffer: &mut [u8]) -> Result<(), Error> {
        self.core.read_blocks(entries, buffer)
    }

    /// Reads the blocks from `first` on into `buffer`, which holds whole blocks; holes are zeroes.
    pub fn read_blocks(&self, first: u64, buffer: &mut [u8]) -> Result<(), Error> {
        buffer.fill(0);
        let count = buffer.len() / BLOCK_SIZE as usize;
        let entries = self.core.entries(&self.view, first, count)?;
        self.core.read_blocks(&entries, buffer)
    }

    /// The blocks from `from_block` on that differ from `older` (nothing, where there is none), in
    /// their order, at most `at_most`. Takes time in proportion to the difference.
    pub fn changed_since(
        &self,
        older: Option<&Self>,
        from_block: u64,
        at_most: usize,
    ) -> Result<Vec<Changed>, Error> {
        let older = older.map(|older| &older.view);
        Ok(self
            .core
            .index
            .changed(&self.view, older, from_block, at_most)?)
    }
}

impl Drop for MapView {
    fn drop(&mut self) {
        // Whoever drops it may hold the commit lock.
        self.core.unheld.lock().push((self.branch, self.at));
    }
}

impl std::fmt::Debug for MapView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MapView")
            .field("branch", &self.branch)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
