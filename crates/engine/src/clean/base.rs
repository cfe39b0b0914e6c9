//! Bases: everything that the index's rows say, in the log.
//!
//! Segments that are freed take the changes with them that made the images what they are. Before
//! that, the rows of a checkpoint are appended to the log: whoever rebuilds the index from the log
//! alone begins with them and applies the changes behind that checkpoint.

use firebrick_log::{Change, SegmentInfo};
use firebrick_vocabulary::Sequence;

use crate::commit::Core;
use crate::error::Error;
use crate::rows;

/// How much of a base goes into one record, in bytes, about.
const PART_BYTES: usize = 1 << 20;

impl Core {
    /// Whether the log holds a base that makes the changes of this segment superfluous; makes one
    /// where the last checkpoint can be it.
    pub(super) fn based(&self, segment: &SegmentInfo) -> Result<bool, Error> {
        let last = match segment.usage {
            Some(usage) => usage.last,
            None => self.log.measure(segment.number)?.last,
        };
        if last <= self.glance().base {
            return Ok(true);
        }
        let base = self.write_base()?;
        Ok(last <= base)
    }

    /// Appends the rows of the last checkpoint to the log, durably; returns its position.
    pub(super) fn write_base(&self) -> Result<Sequence, Error> {
        // So that all rows are those of one checkpoint.
        let running = self.progress.pause();
        let at = self.progress.position();
        let base = self.glance().base;
        if at <= base {
            return Ok(base);
        }
        let rows = rows::all(&self.index)?;
        drop(running);
        let mut part = Vec::new();
        let mut size = 0;
        let mut number = 0;
        let mut rows = rows.into_iter().peekable();
        loop {
            let row = rows.next();
            if let Some((key, value)) = row {
                size += key.len() + value.len();
                part.push((key, value));
            }
            let last = rows.peek().is_none();
            if size < PART_BYTES && !last {
                continue;
            }
            let change = Change::Base {
                at,
                part: number,
                last,
                rows: std::mem::take(&mut part),
            };
            self.commit(&mut self.lock(), &[change])?;
            (number, size) = (number + 1, 0);
            if last {
                break;
            }
        }
        self.log.flush()?;
        Ok(at)
    }
}
