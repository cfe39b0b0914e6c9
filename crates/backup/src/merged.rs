//! What a backup and its parents say about each byte of the image: the newest word counts.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::object::Chunk;

/// A chunk, and the object that has it (as a number that means something to the owner of the map).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Source {
    pub(crate) object: usize,
    pub(crate) chunk: Chunk,
}

/// Ranges with data, by their first byte: their end, and where they are. What is between is zeroes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merged(BTreeMap<u64, (u64, Source)>);

impl Merged {
    /// From here on the range is this, whatever it was.
    pub(crate) fn put(&mut self, object: usize, chunk: Chunk) {
        let end = chunk.offset + u64::from(chunk.length);
        self.clear(chunk.offset, end);
        self.0.insert(chunk.offset, (end, Source { object, chunk }));
    }

    /// From here on the range reads as zeroes.
    pub(crate) fn clear(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if let Some((first, (last, source))) = self.before(start)
            && last > start
        {
            self.0.insert(first, (start, source));
            if last > end {
                self.0.insert(end, (last, source));
            }
        }
        let within: Vec<u64> = self.0.range(start..end).map(|(first, _)| *first).collect();
        for first in within {
            if let Some((last, source)) = self.0.remove(&first)
                && last > end
            {
                self.0.insert(end, (last, source));
            }
        }
    }

    fn before(&self, start: u64) -> Option<(u64, (u64, Source))> {
        let found = self.0.range(..start).next_back();
        found.map(|(first, rest)| (*first, *rest))
    }

    /// The digest of exactly that range, where it is all of one chunk.
    pub(crate) fn exactly(&self, start: u64, end: u64) -> Option<Digest> {
        let (last, source) = self.0.get(&start)?;
        let whole = source.chunk.offset == start
            && source.chunk.offset + u64::from(source.chunk.length) == end;
        (whole && *last == end).then_some(source.chunk.sha256)
    }

    /// Whether any of the range is data.
    pub(crate) fn has_data(&self, start: u64, end: u64) -> bool {
        start < end
            && (self.0.range(start..end).next().is_some()
                || self
                    .before(start)
                    .is_some_and(|(_, (last, _))| last > start))
    }

    /// The first range that ends behind `from`: its beginning, its end and where it is.
    pub(crate) fn next(&self, from: u64) -> Option<(u64, u64, Source)> {
        let covering = self.before(from).filter(|(_, (last, _))| *last > from);
        let found = covering.map(|(_, (last, source))| (from, last, source));
        found.or_else(|| {
            let next = self.0.range(from..).next();
            next.map(|(first, (last, source))| (*first, *last, *source))
        })
    }
}
