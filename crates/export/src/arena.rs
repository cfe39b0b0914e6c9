//! Memory for the data of large requests that lies together, so that a disk takes it in few parts.

use bytes::BytesMut;

use firebrick_edge::prefer_huge_pages;

/// How many bytes an arena takes, once all of it was used at one time.
const ARENA: usize = 64 << 20;

/// Pieces of one length, cut from one range of memory. It is made at the first use, and takes as much as was
/// ever in use at one time.
#[derive(Debug)]
pub(crate) struct Arena {
    /// The length of a piece, in bytes.
    piece: usize,
    /// What was not cut up yet.
    uncut: Option<BytesMut>,
    /// The piece used last comes first.
    idle: Vec<BytesMut>,
}

impl Arena {
    /// An arena of pieces of so many bytes.
    pub(crate) const fn new(piece: usize) -> Self {
        Self {
            piece,
            uncut: None,
            idle: Vec::new(),
        }
    }

    /// A piece; `None` where all are in use.
    pub(crate) fn take(&mut self) -> Option<BytesMut> {
        if let Some(piece) = self.idle.pop() {
            return Some(piece);
        }
        let uncut = self.uncut.get_or_insert_with(|| {
            let mut memory = BytesMut::zeroed(ARENA);
            prefer_huge_pages(&mut memory);
            memory
        });
        (uncut.len() >= self.piece).then(|| uncut.split_to(self.piece))
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
        let len = (1 << 20) + 100;
        let mut arena = Arena::new(len);
        let mut pieces: Vec<_> = std::iter::from_fn(|| arena.take()).collect();
        assert!(pieces.iter().all(|piece| piece.len() == len));
        assert_eq!(pieces.len(), ARENA / len);
        let mut last = pieces.pop().unwrap();
        last[0] = 7;
        arena.give_back(last);
        assert_eq!(arena.take().unwrap()[0], 7);
        assert!(arena.take().is_none());
    }
}
