//! How far peers are behind: a light reader of the own log that counts what they have to get.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firebrick_edge::Timestamp;
use firebrick_engine::Store;
use firebrick_log::{Frame, FrameRecord};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, Lag, Sequence};
use parking_lot::Mutex;
use tracing::warn;

use crate::sent::Sent;

/// Frames remembered one by one; beyond, neighbours are counted together.
const MARKS_MAX: usize = 1 << 16;

/// What peers may not have yet.
pub(crate) struct Backlog(Mutex<Marks>);

struct Marks {
    /// A peer lacks records that were not counted: everything behind this one is counted again.
    recount: Option<Sequence>,
    /// Oldest first.
    waiting: VecDeque<Mark>,
    /// What lies before the first mark.
    base: Mark,
}

#[derive(Clone, Copy)]
struct Mark {
    /// The last record of the frame.
    sequence: Sequence,
    time: Timestamp,
    /// Counted from the start of the site.
    records: u64,
    bytes: u64,
}

impl Backlog {
    /// Counts from record `head` on.
    pub(crate) fn new(head: Sequence) -> Self {
        let base = Mark {
            sequence: head,
            time: Timestamp(0),
            records: 0,
            bytes: 0,
        };
        Self(Mutex::new(Marks {
            recount: None,
            waiting: VecDeque::new(),
            base,
        }))
    }

    /// A peer has come that holds everything up to `confirmed`.
    pub(crate) fn count_from(&self, confirmed: Sequence) {
        let mut marks = self.0.lock();
        let from = marks.recount.unwrap_or(marks.base.sequence);
        if confirmed < from {
            marks.recount = Some(confirmed);
        }
    }

    /// Where to count again from, if somebody needs it.
    fn recount(&self) -> Option<Sequence> {
        let mut marks = self.0.lock();
        let from = marks.recount.take()?;
        marks.waiting.clear();
        marks.base = Mark {
            sequence: from,
            time: Timestamp(0),
            records: 0,
            bytes: 0,
        };
        Some(from)
    }

    /// What a peer lacks that has everything up to `confirmed`.
    pub(crate) fn behind(&self, confirmed: Sequence) -> Lag {
        let marks = self.0.lock();
        let Some(newest) = marks.waiting.back() else {
            return Lag::NONE;
        };
        let first = marks
            .waiting
            .partition_point(|mark| mark.sequence <= confirmed);
        let Some(oldest) = marks.waiting.get(first) else {
            return Lag::NONE;
        };
        let before = first.checked_sub(1).and_then(|i| marks.waiting.get(i));
        let before = before.unwrap_or(&marks.base);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let age = oldest.time.until(Timestamp(now.as_nanos() as u64));
        Lag {
            records: newest.records - before.records,
            bytes: Bytes(newest.bytes - before.bytes),
            seconds: age.as_secs_f64(),
        }
    }

    fn add(&self, frame: &Frame, records: u64, bytes: u64) {
        let mut marks = self.0.lock();
        let last = marks.waiting.back().copied().unwrap_or(marks.base);
        let mark = Mark {
            sequence: frame.position.sequence,
            time: frame.time,
            records: last.records + records,
            bytes: last.bytes + bytes,
        };
        if marks.waiting.len() >= MARKS_MAX {
            halve(&mut marks.waiting);
        }
        marks.waiting.push_back(mark);
    }

    /// Forgets what every peer has.
    fn forget(&self, confirmed: Sequence) {
        let mut marks = self.0.lock();
        while let Some(mark) = marks.waiting.front().copied()
            && mark.sequence <= confirmed
        {
            marks.base = mark;
            marks.waiting.pop_front();
        }
    }
}

/// Two neighbours become one with the older time and the newer counts.
fn halve(marks: &mut VecDeque<Mark>) {
    let pairs: Vec<Mark> = marks.drain(..).collect();
    marks.extend(pairs.chunks(2).filter_map(|pair| {
        let (older, newer) = (pair.first()?, pair.last()?);
        Some(Mark {
            time: older.time,
            ..*newer
        })
    }));
}

/// Follows the own log until `stop`.
pub(crate) fn follow(
    store: &Arc<Store>,
    backlog: &Backlog,
    lowest: &dyn Fn() -> Sequence,
    stop: &AtomicBool,
) {
    const PAUSE: Duration = Duration::from_millis(200);
    // A guest's writes come one by one; to be woken for each would cost as much as the write.
    const GATHER: Duration = Duration::from_millis(2);
    let mut at = backlog.0.lock().base.sequence;
    let mut reader = match store.reader(at.next()) {
        Ok(reader) => reader,
        Err(error) => return warn!(%error, "how far peers are behind is not known"),
    };
    while !stop.load(Ordering::Acquire) {
        if let Some(from) = backlog.recount() {
            at = from;
            reader = match store.reader(from.next()) {
                Ok(reader) => reader,
                Err(error) => return warn!(%error, "how far peers are behind is not known"),
            };
        }
        match reader.next_frame() {
            Ok(Some(frame)) => {
                at = frame.position.sequence;
                let (records, bytes) = sent(store, &frame);
                if records > 0 {
                    backlog.add(&frame, records, bytes);
                }
            }
            Ok(None) => {
                backlog.forget(lowest());
                if store.wait_beyond(at, PAUSE) {
                    std::thread::sleep(GATHER);
                }
            }
            Err(error) => return warn!(%error, "how far peers are behind is not known any more"),
        }
    }
}

/// The records of a frame that peers get, and the bytes of their data.
fn sent(store: &Store, frame: &Frame) -> (u64, u64) {
    let mut count = (0, 0);
    let mut sent = Sent::new(store);
    for (i, record) in frame.records.iter().enumerate() {
        let sequence = frame.first.plus(i as u64);
        let (image, bytes) = match record {
            FrameRecord::Data { image, blocks, .. } => (*image, u64::from(*blocks) * BLOCK_SIZE),
            FrameRecord::Discard { image, .. } => (*image, 0),
            // Counted even where it is about an image that no peer has: a promotion that a peer has not
            // got yet must show, and they are few.
            FrameRecord::Change(_) => {
                count.0 += u64::from(frame.applied.is_none());
                continue;
            }
        };
        if sent.has(image, sequence) {
            count.0 += 1;
            count.1 += bytes;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebrick_vocabulary::{Epoch, Position};

    fn frame(sequence: u64) -> Frame {
        Frame {
            first: Sequence(sequence),
            position: Position {
                epoch: Epoch(1),
                sequence: Sequence(sequence),
            },
            time: Timestamp(sequence),
            applied: None,
            records: Vec::new(),
        }
    }

    #[test]
    fn the_lag_is_what_lies_behind_the_confirmed_record() {
        let backlog = Backlog::new(Sequence(10));
        assert_eq!(backlog.behind(Sequence(10)), Lag::NONE);
        for sequence in 11..=20 {
            backlog.add(&frame(sequence), 1, 4096);
        }
        let lag = backlog.behind(Sequence(15));
        assert_eq!((lag.records, lag.bytes), (5, Bytes(5 * 4096)));
        assert!(lag.seconds > 0.0);
        backlog.forget(Sequence(14));
        assert_eq!(backlog.behind(Sequence(15)).records, 5);
        assert_eq!(backlog.behind(Sequence(20)), Lag::NONE);
    }

    #[test]
    fn marks_are_bounded_and_keep_the_sums() {
        let backlog = Backlog::new(Sequence(0));
        let many = MARKS_MAX as u64 * 2;
        for sequence in 1..=many {
            backlog.add(&frame(sequence), 1, 1);
        }
        assert!(backlog.0.lock().waiting.len() <= MARKS_MAX);
        assert_eq!(backlog.behind(Sequence(0)).records, many);
    }
}
