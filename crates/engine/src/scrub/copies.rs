//! As which images a damaged block is asked for: another site may have it under another id than this one.

use firebrick_index::{Entry, View};
use firebrick_log::{Checksum, WalkedBlock};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId};

use super::Source;
use crate::commit::Core;
use crate::error::Error;
use crate::lend::{shares, views};
use crate::stage::staged;

/// As how many other images a block is asked for at most: where many clones share it, another site has most of them.
const SHARERS_MAX: usize = 64;

impl Core {
    /// A good copy of a block that `image` wrote. First it is asked for as what that wrote, or what was staged for it,
    /// which is what came by a difference.
    pub(super) fn copy_of(
        &self,
        image: ImageId,
        block: &WalkedBlock,
        source: &dyn Source,
    ) -> Result<Option<Vec<u8>>, Error> {
        let fetch = |id| source.fetch(id, block.block, block.checksum);
        let whole = |data: &Vec<u8>| {
            data.len() as u64 == BLOCK_SIZE && Checksum::of(data) == block.checksum
        };
        let names = [image, staged(image)].into_iter();
        let found = names.filter_map(fetch).find(whole);
        if found.is_some() {
            return Ok(found);
        }
        let sharers = self.sharers(image, block)?.into_iter();
        Ok(sharers.filter_map(fetch).find(whole))
    }

    /// The images that share a block which `image` wrote: those that show it, and then those that may do so elsewhere,
    /// where what overwrote it has not arrived. A site that got one of them by itself, as a copy, has it as that
    /// one's alone. What is not mirrored comes last: it is elsewhere only where it was promoted before its end here
    /// was heard of.
    fn sharers(&self, image: ImageId, block: &WalkedBlock) -> Result<Vec<ImageId>, Error> {
        let sharing: Vec<(ImageId, bool)> = {
            let state = self.glance();
            let asked = [image, staged(image)];
            let others = state.images.range(..).filter(|(id, _)| !asked.contains(id));
            let others = others.filter(|(_, cell)| shares(&state, cell, image));
            others
                .map(|(id, cell)| (*id, cell.read().meta.mirrored))
                .collect()
        };
        let mut ranked = Vec::with_capacity(sharing.len());
        for (id, mirrored) in sharing {
            let views = {
                let state = self.glance();
                views(&state, state.cell(id).into_iter())
            };
            let shows = self.shows(&views, block)?;
            ranked.push((!mirrored, !shows, id));
        }
        ranked.sort_unstable();
        ranked.truncate(SHARERS_MAX);
        Ok(ranked.into_iter().map(|(_, _, id)| id).collect())
    }

    fn shows(&self, views: &[View], block: &WalkedBlock) -> Result<bool, Error> {
        for view in views {
            let entries = self.entries(view, block.block, 1)?;
            let is_it = |entry: &Entry| entry.is_some() && entry.at == block.name;
            if entries.first().is_some_and(is_it) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
