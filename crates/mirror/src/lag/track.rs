//! What one reader of the log has to get, as marks along the log.

use std::collections::VecDeque;

use firebrick_edge::Timestamp;
use firebrick_vocabulary::{Bytes, Lag, Sequence};

/// A place in the log, and what lies before it.
#[derive(Clone, Copy)]
struct Mark {
    /// The last record of the frame.
    sequence: Sequence,
    time: Timestamp,
    /// Counted from the start of the track.
    records: u64,
    bytes: u64,
}

/// What a reader has to get of the log, or of one image in it.
pub(super) struct Track {
    /// Oldest first.
    waiting: VecDeque<Mark>,
    /// What lies before the first mark.
    base: Mark,
}

impl Track {
    /// Counts from record `head` on.
    pub(super) const fn new(head: Sequence) -> Self {
        let base = Mark {
            sequence: head,
            time: Timestamp(0),
            records: 0,
            bytes: 0,
        };
        Self {
            waiting: VecDeque::new(),
            base,
        }
    }

    /// The last record that is known of.
    pub(super) fn head(&self) -> Sequence {
        self.waiting.back().unwrap_or(&self.base).sequence
    }

    /// How many marks there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// What a reader lacks at `now` that has everything up to `confirmed`.
    pub(super) fn behind(&self, confirmed: Sequence, now: Timestamp) -> Lag {
        let Some(newest) = self.waiting.back() else {
            return Lag::NONE;
        };
        let first = self
            .waiting
            .partition_point(|mark| mark.sequence <= confirmed);
        let Some(oldest) = self.waiting.get(first) else {
            return Lag::NONE;
        };
        let before = first.checked_sub(1).and_then(|i| self.waiting.get(i));
        let before = before.unwrap_or(&self.base);
        Lag {
            records: newest.records - before.records,
            bytes: Bytes(newest.bytes - before.bytes),
            seconds: oldest.time.until(now).as_secs_f64(),
        }
    }

    /// A frame that ends with record `sequence` has so many records and bytes for the reader.
    pub(super) fn add(&mut self, sequence: Sequence, time: Timestamp, records: u64, bytes: u64) {
        let last = self.waiting.back().copied().unwrap_or(self.base);
        self.waiting.push_back(Mark {
            sequence,
            time,
            records: last.records + records,
            bytes: last.bytes + bytes,
        });
    }

    /// Forgets what every reader has.
    pub(super) fn forget(&mut self, confirmed: Sequence) {
        while let Some(mark) = self.waiting.front().copied()
            && mark.sequence <= confirmed
        {
            self.base = mark;
            self.waiting.pop_front();
        }
    }

    /// Makes one mark of two neighbours, with the older time and the newer counts: what a reader lacks
    /// is never said to be less than it is.
    pub(super) fn halve(&mut self) {
        let pairs: Vec<Mark> = self.waiting.drain(..).collect();
        self.waiting.extend(pairs.chunks(2).filter_map(|pair| {
            let (older, newer) = (pair.first()?, pair.last()?);
            Some(Mark {
                time: older.time,
                ..*newer
            })
        }));
    }
}
