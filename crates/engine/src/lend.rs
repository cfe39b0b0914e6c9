//! Blocks for a peer whose own copy has rotted.

use firebrick_index::{Entry, View};
use firebrick_log::Checksum;
use firebrick_vocabulary::{BLOCK_SIZE, ImageId};

use crate::branch::Branch;
use crate::error::{Error, ErrorKind};
use crate::stage::staged;
use crate::state::{Cell, State};
use crate::store::Store;

/// The snapshots, the newest first, in which a block is looked for: a peer must not keep this store
/// busy with one question.
const SNAPSHOTS_MAX: usize = 1024;

impl Store {
    /// The bytes of block `block` of an image that have this checksum, if the newest state or one of the snapshots
    /// of it, or of a mirrored image that shares something with it, has them and they are whole here.
    pub fn lend(
        &self,
        image: ImageId,
        block: u64,
        checksum: Checksum,
    ) -> Result<Option<Vec<u8>>, Error> {
        let own = {
            let state = self.core.glance();
            let own = state.images.range(image..=image);
            views(&state, own.map(|(_, cell)| cell))
        };
        let lent = self.lend_from(own, block, checksum)?;
        if lent.is_some() {
            return Ok(lent);
        }
        let clones = {
            let state = self.core.glance();
            let all = state.images.range(..);
            let clones = all.filter(|(id, cell)| **id != image && shares(&state, cell, image));
            views(&state, clones.map(|(_, cell)| cell))
        };
        self.lend_from(clones, block, checksum)
    }

    fn lend_from(
        &self,
        views: Vec<View>,
        block: u64,
        checksum: Checksum,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut data = vec![0; BLOCK_SIZE as usize];
        let mut tried = None;
        for view in views {
            let entries = self.core.entries(&view, block, 1)?;
            let Some(entry) = entries
                .first()
                .filter(|entry| **entry != Entry::NONE && entry.checksum == checksum)
            else {
                continue;
            };
            // Snapshots share most blocks.
            if tried == Some(entry.at) {
                continue;
            }
            tried = Some(entry.at);
            match self.core.read_blocks(&entries, &mut data) {
                Ok(()) => return Ok(Some(data)),
                Err(error) if error.kind == ErrorKind::Damaged => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Whether an image may be made of something that `image` wrote, which may be gone: of branches of it, or of records that
/// were taken over when these were folded. Whatever line a snapshot is of, it began as the image did.
pub(crate) fn shares(state: &State, cell: &Cell, image: ImageId) -> bool {
    let wrote = |id: ImageId| id == image || id == staged(image);
    let has = |branch: &Branch| {
        let mut taken = branch.takes.iter();
        wrote(branch.image) || taken.any(|take| wrote(take.image))
    };
    let held = cell.read();
    let mut steps = held.view.steps().iter();
    steps.any(|step| state.branches.get(step.branch).is_some_and(has))
}

/// The newest states and the snapshots of those images that are mirrored.
pub(crate) fn views<'s>(state: &State, images: impl Iterator<Item = &'s Cell>) -> Vec<View> {
    let mut views = Vec::new();
    for cell in images {
        let held = cell.read();
        if !held.meta.mirrored {
            continue;
        }
        let left = SNAPSHOTS_MAX.saturating_sub(views.len());
        let snapshots = held.snapshots.iter().rev().take(left);
        views.push(held.view.clone());
        views.extend(snapshots.map(|taken| state.branches.view_at(taken.branch, taken.at)));
        if left == 0 {
            break;
        }
    }
    views
}
