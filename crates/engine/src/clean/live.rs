//! Whether anybody still sees a block.
//!
//! A block that was born with some record is seen by a contiguous run of the points of its branch. So
//! it is enough to look at the first point behind its birth: who does not see it there has never seen
//! it, and nobody later will.

use firebrick_index::View;
use firebrick_log::{Checksum, Location, MovedDiscard, WalkedBlock};
use firebrick_vocabulary::{ImageId, Sequence};

use crate::commit::Core;
use crate::error::Error;

/// A block that is still needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveBlock {
    pub(crate) name: Location,
    pub(crate) image: ImageId,
    pub(crate) block: u64,
    pub(crate) birth: Sequence,
    pub(crate) checksum: Checksum,
    /// Where it lies.
    pub(crate) at: Location,
}

impl Core {
    /// Which of the blocks of one record are needed.
    pub(crate) fn live_blocks(
        &self,
        image: ImageId,
        blocks: &[WalkedBlock],
    ) -> Result<Vec<LiveBlock>, Error> {
        let mut live = Vec::new();
        // Those of one birth are neighbours.
        let neighbours = |one: &WalkedBlock, next: &WalkedBlock| {
            one.birth == next.birth && one.block + 1 == next.block
        };
        for run in blocks.chunk_by(neighbours) {
            let Some(first) = run.first() else { continue };
            let mut seen = vec![false; run.len()];
            for view in self.witnesses(image, first.birth) {
                let entries = self.entries(&view, first.block, run.len())?;
                for (i, (entry, block)) in entries.iter().zip(run).enumerate() {
                    seen[i] |= entry.is_some() && entry.at == block.name;
                }
            }
            for (block, seen) in run.iter().zip(seen) {
                // A copy that was moved on from here, or never got its place, is nobody's.
                if seen && self.index.place(block.name)? == block.at {
                    live.push(LiveBlock {
                        name: block.name,
                        image,
                        block: block.block,
                        birth: block.birth,
                        checksum: block.checksum,
                        at: block.at,
                    });
                }
            }
        }
        Ok(live)
    }

    /// What of a discard must be remembered, so that a rebuilt index does not show what it hid: the
    /// holes that are left of it.
    pub(crate) fn live_discards(&self, discard: MovedDiscard) -> Result<Vec<MovedDiscard>, Error> {
        let mut live = Vec::new();
        let end = discard.block.saturating_add(discard.blocks);
        for view in self.witnesses(discard.image, discard.birth) {
            let mut block = discard.block;
            while let Some(hole) = self.index.next_hole(&view, block, end)? {
                let until = self.index.next_mapped(&view, hole, end)?.unwrap_or(end);
                live.push(MovedDiscard {
                    block: hole,
                    blocks: until - hole,
                    ..discard
                });
                block = until;
            }
        }
        Ok(live)
    }

    fn witnesses(&self, image: ImageId, birth: Sequence) -> Vec<View> {
        self.glance().branches.witnesses(image, birth)
    }
}
