//! What is overwritten in large pieces gives up its place in the system's cache.
//!
//! A log has new places for what is written anew, so pages of its files would fill memory with what was
//! overwritten, whether it stays for a snapshot or goes with its segment: the former is hardly read, and never
//! through this image. For the new pages the system would have to find memory elsewhere, and where that is
//! another machine's, which lends it, each costs several times as much as the copy into it.
//!
//! What clones share stays: others of them read it.

use firebrick_index::{Entry, Step, View};
use firebrick_log::Location;
use firebrick_vocabulary::BLOCK_SIZE;

use crate::image::Image;

impl Image {
    /// Blocks from `first` on are about to be overwritten. Only as far as it is known without the disk where
    /// they lie.
    pub(crate) fn give_up_overwritten(&self, first: u64, blocks: usize) {
        let is_large = |blocks: usize| blocks as u64 * BLOCK_SIZE >= self.core.options.around_bytes;
        if !is_large(blocks) {
            return;
        }
        let own = self.cell.read().view.steps().first().copied();
        let shared = |step: Step| self.core.glance().branches.has_children(step.branch);
        let Some(own) = own.filter(|step| !shared(*step)) else {
            return;
        };
        let mut entries = Vec::with_capacity(blocks);
        let (index, own) = (&self.core.index, View::new([own]));
        if !index.get_cached(&own, first, blocks, &mut entries) {
            return;
        }
        // By their names: of what the cleaner has moved nothing is left at that place, nor in the cache.
        for (at, blocks) in pieces(&entries) {
            if is_large(blocks) {
                self.core.log.give_up_cached(at, blocks as u64 * BLOCK_SIZE);
            }
        }
    }
}

/// What was written together: the place of its first block, and how many there are up to its last one. Those
/// in between that are not among the entries have been overwritten before.
fn pieces(entries: &[Entry]) -> Vec<(Location, usize)> {
    // Those that were written together lie as far apart as they do in the image.
    let origin = |i: usize, at: Location| at.offset() as i64 - (i as u64 * BLOCK_SIZE) as i64;
    let mapped = entries.iter().enumerate();
    let mapped = mapped.filter(|(_, entry)| entry.is_some());
    let mut origins: Vec<(u32, i64, usize)> = mapped
        .map(|(i, entry)| (entry.at.segment, origin(i, entry.at), i))
        .collect();
    origins.sort_unstable();
    let together = origins.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1));
    together
        .filter_map(|some| {
            let (first, last) = (some.first()?.2, some.last()?.2);
            Some((entries.get(first)?.at, last - first + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use firebrick_log::Checksum;

    use super::*;

    fn entry(segment: u32, block: u32) -> Entry {
        let at = Location { segment, unit: 1 };
        Entry {
            at: at.plus_blocks(block),
            checksum: Checksum(7),
        }
    }

    #[test]
    fn what_was_written_together_is_one_piece_whatever_was_overwritten_in_between() {
        let (one, other) = (|block| entry(3, block), |block| entry(2, block));
        let entries = [one(10), one(11), other(40), Entry::NONE, one(14), one(12)];
        let at = |entry: Entry| entry.at;
        let wanted = [(at(other(40)), 1), (at(one(12)), 1), (at(one(10)), 5)];
        assert_eq!(pieces(&entries), wanted);
        assert_eq!(pieces(&[Entry::NONE; 3]), []);
        assert_eq!(pieces(&[]), []);
    }
}
