//! Whether anybody still sees a block.
//!
//! A block that was born with some record is seen by a contiguous run of the points of its branch. So
//! it is enough to look at the first point behind its birth: who does not see it there has never seen
//! it, and nobody later will.

use firebrick_index::View;
use firebrick_log::{Checksum, Location, MovedDiscard, WalkedBlock};
use firebrick_vocabulary::{ImageId, Sequence};

use crate::branch::Branches;
use crate::commit::Core;
use crate::error::Error;

/// For how many runs of blocks it is asked at once who shows them, under the commit lock.
const RUNS_MAX: usize = 64;

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
    /// Which of the blocks, each of an image, are needed: somebody sees them, or may ask for a state
    /// between two kept checkpoints, which is made of the records of that time.
    pub(crate) fn live_blocks(
        &self,
        blocks: &[(ImageId, WalkedBlock)],
    ) -> Result<Vec<LiveBlock>, Error> {
        // Those of one birth are neighbours.
        let neighbours = |(image, one): &(ImageId, WalkedBlock),
                          (its, next): &(ImageId, WalkedBlock)| {
            image == its && one.birth == next.birth && one.block + 1 == next.block
        };
        let runs: Vec<_> = blocks.chunk_by(neighbours).collect();
        let asked_behind = self.glance().branches.dense().first().copied();
        let mut live = Vec::new();
        for some in runs.chunks(RUNS_MAX) {
            let seen = self.steadily(
                |branches| {
                    let first = some.iter().filter_map(|run| run.first());
                    let views = first.map(|(image, first)| branches.witnesses(*image, first.birth));
                    views.collect::<Vec<_>>()
                },
                |views| {
                    let runs = some.iter().zip(views);
                    runs.map(|(run, views)| self.seen(run, views)).collect()
                },
            )?;
            let seen: Vec<Vec<bool>> = seen;
            for ((image, block), seen) in some.iter().copied().flatten().zip(seen.iter().flatten())
            {
                let asked_for = asked_behind.is_some_and(|kept| block.birth > kept);
                // A copy that was moved on from here, or never got its place, is nobody's.
                if (*seen || asked_for) && self.index.place(block.name)? == block.at {
                    live.push(LiveBlock {
                        name: block.name,
                        image: *image,
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

    /// Which blocks of one run some view shows.
    fn seen(&self, run: &[(ImageId, WalkedBlock)], views: &[View]) -> Result<Vec<bool>, Error> {
        let mut seen = vec![false; run.len()];
        let Some((_, first)) = run.first() else {
            return Ok(seen);
        };
        for view in views {
            let entries = self.entries(view, first.block, run.len())?;
            for (i, (entry, (_, block))) in entries.iter().zip(run).enumerate() {
                seen[i] |= entry.is_some() && entry.at == block.name;
            }
        }
        Ok(seen)
    }

    /// What of a discard must be remembered, so that a rebuilt index does not show what it hid: the
    /// holes that are left of it.
    pub(crate) fn live_discards(&self, discard: MovedDiscard) -> Result<Vec<MovedDiscard>, Error> {
        self.steadily(
            |branches| branches.witnesses(discard.image, discard.birth),
            |views| self.holes(discard, views),
        )
    }

    fn holes(&self, discard: MovedDiscard, views: &[View]) -> Result<Vec<MovedDiscard>, Error> {
        let mut live = Vec::new();
        let end = discard.block.saturating_add(discard.blocks);
        for view in views {
            let mut block = discard.block;
            while let Some(hole) = self.index.next_hole(view, block, end)? {
                let until = self.index.next_mapped(view, hole, end)?.unwrap_or(end);
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

    /// Looks at what `witnesses` names, without the commit lock; and again where there was a new point
    /// meanwhile: it may show what was overwritten behind it before anybody looked.
    fn steadily<W, T>(
        &self,
        witnesses: impl Fn(&Branches) -> W,
        look: impl Fn(&W) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let (views, made) = {
                let branches = &self.glance().branches;
                (witnesses(branches), branches.points_made())
            };
            let seen = look(&views)?;
            if self.glance().branches.points_made() == made {
                return Ok(seen);
            }
        }
    }
}
