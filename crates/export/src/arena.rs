//! Memory for the data of large requests that lies together, so that a disk takes it in few parts.

use bytes::BytesMut;

use firebrick_edge::prefer_huge_pages;

/// How long a piece of the arena is, without what its user needs before the data, in bytes.
pub(crate) const PIECE: usize = 1 << 20;
/// How many bytes an arena takes, once all of it was used at one time.
const ARENA: usize = 64 << 20;

/// Pieces of one length, cut from one range of memory. It is made at the first use, and takes as much as was
/// ever in use at one time.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// What was not cut up yet.
    uncut: Option<BytesMut>,
    /// The piece used last comes first.
    idle: Vec<BytesMut>,
}

impl Arena {
    /// A piece of [`PIECE`] bytes and `more`, which is the same for all; `None` where all are in use.
    pub(crate) fn take(&mut self, more: usize) -> Option<BytesMut> {
        if let Some(piece) = self.idle.pop() {
            return Some(piece);
        }
        let uncut = self.uncut.get_or_insert_with(|| {
            let mut memory = BytesMut::zeroed(ARENA);
            prefer_huge_pages(&mut memory);
            memory
        });
        (uncut.len() >= PIECE + more).then(|| uncut.split_to(PIECE + more))
    }

    /// Takes back what [`Self::take`] gave.
    pub(crate) fn give_back(&mut self, piece: BytesMut) {
        self.idle.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_of_one_length_and_used_again() {
        let mut arena = Arena::default();
        let mut pieces: Vec<_> = std::iter::from_fn(|| arena.take(100)).collect();
        assert!(pieces.iter().all(|piece| piece.len() == PIECE + 100));
        assert_eq!(pieces.len(), ARENA / (PIECE + 100));
        let mut last = pieces.pop().unwrap();
        last[0] = 7;
        arena.give_back(last);
        assert_eq!(arena.take(100).unwrap()[0], 7);
        assert!(arena.take(100).is_none());
    }
}
