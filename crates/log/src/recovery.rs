//! After a start: what is there, and how it is made ready for more.
//!
//! Frames are read in order from the segment that holds the first wanted record. The first that is
//! not whole is where the crash was: what lies behind it was never acknowledged as durable, unless a
//! later header says so, and then the store is damaged and nothing is touched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use firebrick_edge::{Clock, Disk, DiskFile, DiskLock};
use firebrick_edge::{Condvar, Mutex, RwLock};
use firebrick_vocabulary::{Epoch, Position, Sequence, StoreId};

use crate::ahead::Ahead;
use crate::catalog::Catalog;
use crate::cursor::{Cursor, Verify};
use crate::entry::{Frame, OpenOptions};
use crate::error::{Error, ErrorKind};
use crate::files::Files;
use crate::flush::Flusher;
use crate::found::Found;
use crate::log::{Log, Shared, Writer};
use crate::reader::read_head;
use crate::record::Checksum;
use crate::segment::{self, ALIGNMENT, FOLDER, Segment};
use crate::segments::{Segments, contiguous_from};
use crate::superblock::Superblock;
use crate::supply::{self, Limits, Supply};

const DOING: &str = "recover the log";
/// How much is read at once where heads are looked for, in bytes.
const CHUNK: usize = 1 << 20;

/// A store that has been found and locked, whose tail has not been read yet.
pub struct Recovery {
    files: Arc<Files>,
    clock: Arc<dyn Clock>,
    options: OpenOptions,
    superblock: Superblock,
    lock: Box<dyn DiskLock>,
    found: Found,
}

/// Where the log ends.
#[derive(Clone, Debug)]
pub struct Tail {
    /// Index of the segment with the last whole frame, and where it ends there.
    segment: usize,
    offset: u64,
    next: Sequence,
    epoch: Epoch,
    chain: Checksum,
    /// Of all frames that were visited.
    bytes: u64,
}

impl Tail {
    /// The last record.
    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            sequence: Sequence(self.next.0 - 1),
        }
    }
}

impl Recovery {
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: OpenOptions,
        catalog: impl FnOnce() -> Option<Catalog>,
    ) -> Result<Self, Error> {
        if !Superblock::exists(&disk)? {
            return Err(Error::new(ErrorKind::NotFound, "open the store"));
        }
        let lock = disk.lock("lock").map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::new(ErrorKind::Locked, "open the store"),
            _ => Error::io("lock the store", error),
        })?;
        let superblock = Superblock::read(&disk)?;
        let mut catalog = catalog();
        if let Some(catalog) = &mut catalog {
            let segments = &mut catalog.segments;
            segments.sort_unstable_by_key(|segment| segment.number);
        }
        let files = Arc::new(Files::new(disk, options.open_files_max));
        let found = Found::look(&files, superblock.store, catalog.as_ref())?;
        Ok(Self {
            files,
            clock,
            options,
            superblock,
            lock,
            found,
        })
    }

    /// The id of the store.
    pub const fn store(&self) -> StoreId {
        self.superblock.store
    }

    /// The first record from which on the log can be read in order: 1 where nothing was ever freed.
    pub fn oldest(&self) -> Sequence {
        let log = &self.found.log;
        contiguous_from(log, log.len() - 1)
    }

    /// Visits every frame from the one that holds record `from` on (`from - 1` is what the newest
    /// checkpoint holds, and must have been durable), each verified whole and durable, and finds the
    /// end. Removes nothing.
    pub fn replay<E: From<Error>>(
        &self,
        from: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), E>,
    ) -> Result<Tail, E> {
        let log = &self.found.log;
        let mut cursor = self.cursor(from)?;
        // What came before is durable, as there is a checkpoint.
        for segment in &log[cursor.index..] {
            let file = segment.file()?;
            settle(&*file)?;
            // The one that was the last may have been cut short by a recovery that was cut itself.
            segment.set_len(file.len().map_err(|error| Error::io(DOING, error))?);
        }
        let mut verified = from;
        let mut bytes = 0;
        let durable = loop {
            while let Some((header, frame)) = cursor.next(Verify::From(verified))? {
                if header.next() > from {
                    bytes += u64::from(header.frame_len);
                    visit(&frame)?;
                }
            }
            let durable = self.durable_behind(cursor.index, cursor.offset)?;
            if durable < cursor.next.max(verified) {
                break durable;
            }
            // Of a frame that was durable, blocks have rotted: whoever reads them is told so, and
            // nothing else of it is lost. Where its head is damaged, the log ends here again.
            tracing::warn!(
                record = cursor.next.0,
                "blocks of the newest part of the log are damaged"
            );
            verified = durable.next();
        };
        let Cursor {
            index,
            offset,
            next,
            chain,
            epoch,
            ..
        } = cursor;
        self.refuse_gap(index, next)?;
        if next < from {
            let number = log[index].number;
            let why = format!("record {} was durable and is missing", from.0 - 1);
            return Err(Error::damaged(DOING, number, offset, why).into());
        }
        if durable >= next {
            let why = format!("record {next} was durable and is not whole");
            return Err(Error::damaged(DOING, log[index].number, offset, why).into());
        }
        Ok(Tail {
            segment: index,
            offset,
            next,
            epoch,
            chain,
            bytes,
        })
    }

    /// Visits the frames that hold the records from `from` to `upto`, without verifying their data.
    pub fn scan<E: From<Error>>(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut cursor = self.cursor(from)?;
        while cursor.next <= upto {
            let Some((header, frame)) = cursor.next(Verify::Nothing)? else {
                break;
            };
            if header.next() > from {
                visit(&frame)?;
            }
        }
        Ok(())
    }

    /// Makes the log ready for appending: what lies behind the last whole frame is gone for good.
    pub fn finish(self, tail: &Tail) -> Result<Log, Error> {
        let io = |error| Error::io(DOING, error);
        let disk = Arc::clone(&self.files.disk);
        // Whoever made the store may have been killed before its name was durable, and the machine has
        // gone on: a flush of the segments alone would not keep it. Segments are used only once
        // their names are durable.
        disk.sync_dir("").map_err(io)?;
        let mut log = self.found.log;
        // The newest first, each durably, so that a crash in between never leaves a hole. They are
        // removed and not kept as spares, as their frames have sequences that are given again.
        for segment in log.drain(tail.segment + 1..).rev() {
            disk.remove(&Segment::path(segment.number)).map_err(io)?;
            disk.sync_dir(FOLDER).map_err(io)?;
        }
        let last = Arc::clone(&log[tail.segment]);
        let file = last.file()?;
        // The old tail becomes zeroes, durably, before the first append: otherwise a frame of the
        // former life could stand behind a shorter new one.
        file.truncate(tail.offset).map_err(io)?;
        file.allocate(last.len()).map_err(io)?;
        file.sync().map_err(io)?;
        let limits = Limits {
            segment: self.superblock.options.segment_bytes,
            capacity: self.options.capacity,
            spare: self.options.spare_bytes_max,
        };
        let all = log.iter().chain(&self.found.packed);
        let used = all.map(|segment| segment.len()).sum();
        let blank = self.found.blank;
        let spares = supply::sort_spares(&disk, &limits, used, blank, self.found.spares)?;
        let supply = Supply::new(self.files, limits, self.found.next, used, spares);
        let head = tail.position();
        let writer = Writer {
            segment: last,
            file,
            offset: tail.offset,
            next: tail.next,
            epoch: tail.epoch,
            chain: tail.chain,
            remains: false,
            guests: supply.guests_fit()?,
            dirty: false,
            unsynced: Vec::new(),
            begun: tail.offset,
            reserved: 0,
            ahead: Ahead::new(tail.offset),
            head: Vec::new(),
            lock: Some(self.lock),
        };
        let segments = Segments {
            contiguous: contiguous_from(&log, tail.segment),
            keep_from: Sequence::ZERO,
            log: numbered(log),
            packed: numbered(self.found.packed),
        };
        let shared = Shared {
            clock: self.clock,
            store: self.superblock.store,
            options: self.superblock.options,
            segments: RwLock::new(segments),
            writer: Mutex::new(writer),
            head: Mutex::new(head),
            grown: Condvar::new(),
            flusher: Flusher::new(head),
            bytes: AtomicU64::new(tail.bytes),
            around_min: self.options.around_min,
            supply,
            packer: Mutex::default(),
            packed_sync: Mutex::default(),
        };
        Ok(Log {
            shared: Arc::new(shared),
        })
    }

    fn cursor(&self, from: Sequence) -> Result<Cursor<'_>, Error> {
        let log = &self.found.log;
        Cursor::new(self.superblock.store, log, from).ok_or_else(|| self.trimmed())
    }

    fn trimmed(&self) -> Error {
        let log = &self.found.log;
        let oldest = contiguous_from(log, log.len() - 1);
        Error::new(ErrorKind::Trimmed { oldest }, DOING)
    }

    /// Frames end in the segment at `index`, and the one behind it is not that which was begun after
    /// it: what lay between was freed, and cannot be replayed. Recovery itself never leaves such a
    /// hole.
    fn refuse_gap(&self, index: usize, next: Sequence) -> Result<(), Error> {
        let log = &self.found.log;
        match log.get(index + 1) {
            Some(behind) if behind.before != log[index].number && behind.first > next => {
                Err(self.trimmed())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What headers that were written later than those before `offset` say to have been durable. Where
    /// the log seems to end before that, this is no crash but damage.
    fn durable_behind(&self, index: usize, offset: u64) -> Result<Sequence, Error> {
        let mut durable = self.durable_in(index, offset)?;
        for later in index + 1..self.found.log.len() {
            durable = durable.max(self.found.log[later].durable);
            durable = durable.max(self.durable_in(later, segment::HEADER_LEN)?);
        }
        Ok(durable)
    }

    /// The most that a whole frame header behind `offset` of a segment says to have been durable.
    fn durable_in(&self, index: usize, offset: u64) -> Result<Sequence, Error> {
        let segment = &self.found.log[index];
        let first = segment.first;
        let mut bytes = vec![0; CHUNK];
        let mut found = Sequence::ZERO;
        let mut head = Vec::new();
        let mut at = offset;
        let file = segment.file()?;
        while at < segment.len() {
            let len = CHUNK.min((segment.len() - at) as usize);
            let chunk = &mut bytes[..len];
            file.read_at(chunk, at)
                .map_err(|error| Error::io(DOING, error))?;
            for i in (0..len).step_by(ALIGNMENT as usize) {
                if chunk[i..].starts_with(b"FBFR")
                    && let Some(header) =
                        read_head(segment, at + i as u64, self.superblock.store, &mut head)?
                    && !header.packed
                    && header.first >= first
                {
                    found = found.max(header.durable);
                }
            }
            at += len as u64;
        }
        Ok(found)
    }
}

fn numbered(segments: Vec<Arc<Segment>>) -> BTreeMap<u32, Arc<Segment>> {
    let numbered = segments
        .into_iter()
        .map(|segment| (segment.number, segment));
    numbered.collect()
}

/// Makes sure that what is read is what the disk has. If a sync failed in a former life, the cache
/// may hold what was never written, and a later sync would say nothing about it.
pub(crate) fn settle(file: &dyn DiskFile) -> Result<(), Error> {
    file.sync()
        .and_then(|()| file.forget_cached())
        .map_err(|error| Error::io(DOING, error))
}
