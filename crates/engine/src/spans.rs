//! Blocks of images that may have changed, in bounded memory: the more there are, the coarser.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_vocabulary::ImageId;
use serde::{Deserialize, Serialize};

/// So many pieces are remembered at most; beyond, each piece becomes twice as large.
const PIECES_MAX: usize = 4096;

/// A set of blocks of images that is never smaller than what was added.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spans {
    /// A piece has two to the power of this many blocks.
    shift: u32,
    /// Numbers of pieces.
    pieces: BTreeMap<ImageId, BTreeSet<u64>>,
}

impl Spans {
    /// Adds `count` blocks from `first` on.
    pub(crate) fn add(&mut self, image: ImageId, first: u64, count: u64) {
        if count == 0 {
            return;
        }
        let last = first.saturating_add(count - 1);
        // A long run must not be taken apart first.
        while ((last >> self.shift) - (first >> self.shift)) as usize >= PIECES_MAX {
            self.coarsen();
        }
        let pieces = self.pieces.entry(image).or_default();
        pieces.extend((first >> self.shift)..=(last >> self.shift));
        while self.len() > PIECES_MAX && self.shift < u64::BITS - 1 {
            self.coarsen();
            // Pieces of different images stay apart.
            if self.len() <= self.pieces.len() {
                break;
            }
        }
    }

    fn len(&self) -> usize {
        self.pieces.values().map(BTreeSet::len).sum()
    }

    fn coarsen(&mut self) {
        self.shift += 1;
        for pieces in self.pieces.values_mut() {
            *pieces = pieces.iter().map(|piece| piece >> 1).collect();
        }
    }

    /// Neighbouring blocks of an image as runs: first block and count, ascending.
    pub(crate) fn runs(&self, image: ImageId) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let pieces = self.pieces.get(&image).into_iter().flatten();
        for piece in pieces {
            let (first, count) = (piece << self.shift, 1 << self.shift);
            match runs.last_mut() {
                Some((start, len)) if *start + *len == first => *len += count,
                Some(_) | None => runs.push((first, count)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_however_coarse_it_becomes() {
        let (one, other) = (ImageId::random(), ImageId::random());
        let mut spans = Spans::default();
        for block in (0..100_000).step_by(7) {
            spans.add(one, block, 2);
        }
        spans.add(other, 3, 1 << 40);
        assert!(spans.len() <= PIECES_MAX);
        let has = |image, block| {
            let mut runs = spans.runs(image).into_iter();
            runs.any(|(first, count)| (first..first + count).contains(&block))
        };
        assert!((0..100_000).step_by(7).all(|block| has(one, block)));
        assert!(has(other, 3) && has(other, 2 + (1 << 40)));
        assert!(spans.runs(ImageId::random()).is_empty());
    }

    #[test]
    fn few_blocks_are_remembered_as_they_are() {
        let image = ImageId::random();
        let mut spans = Spans::default();
        spans.add(image, 9, 1);
        spans.add(image, 4, 2);
        spans.add(image, 6, 0);
        assert_eq!(spans.runs(image), [(4, 2), (9, 1)]);
    }
}
