//! Blocks for a peer whose own copy has rotted.

use firebrick_index::Entry;
use firebrick_log::Checksum;
use firebrick_vocabulary::{BLOCK_SIZE, ImageId};

use crate::apply::found;
use crate::error::{Error, ErrorKind};
use crate::store::Store;

/// The snapshots, the newest first, in which a block is looked for: a peer must not keep this store
/// busy with one question.
const SNAPSHOTS_MAX: usize = 1024;

impl Store {
    /// The bytes of block `block` of a mirrored image that have this checksum, if its newest state or one
    /// of its snapshots has them and they are whole here.
    pub fn lend(
        &self,
        image: ImageId,
        block: u64,
        checksum: Checksum,
    ) -> Result<Option<Vec<u8>>, Error> {
        let views = {
            let state = self.core.lock();
            let image = found(&state, "lend a block", image)?.read();
            if !image.meta.mirrored {
                return Ok(None);
            }
            let snapshots = image.snapshots.iter().rev().take(SNAPSHOTS_MAX);
            let mut views = vec![image.view.clone()];
            views.extend(snapshots.map(|taken| state.branches.view_at(taken.branch, taken.at)));
            views
        };
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
