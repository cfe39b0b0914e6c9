//! After a start: what is there, and how it is made ready for more.
//!
//! Frames are read in order from the segment that holds the first wanted record. The first that is
//! not whole is where the crash was: what lies behind it was never acknowledged as durable, unless a
//! later header says so, and then the store is damaged and nothing is touched.

use std::sync::Arc;

use firebrick_edge::{Clock, Disk, DiskFile, DiskLock};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, Position, Sequence, StoreId};
use parking_lot::{Condvar, Mutex, RwLock};

use crate::entry::{Frame, FrameRecord};
use crate::error::{Error, ErrorKind};
use crate::flush::Flusher;
use crate::frame::{FrameHeader, HEADER_LEN};
use crate::log::{Log, Shared, Writer};
use crate::reader::read_head;
use crate::record::{Checksum, Location};
use crate::segment::{self, ALIGNMENT, FOLDER, Segment};
use crate::spare::SpareSlot;
use crate::superblock::Superblock;

const DOING: &str = "recover the log";
/// How much is read at once where block data is verified, in bytes.
const CHUNK: usize = 1 << 20;

/// A store that has been found and locked, whose tail has not been read yet.
pub struct Recovery {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    superblock: Superblock,
    lock: Box<dyn DiskLock>,
    segments: Vec<Arc<Segment>>,
    /// A last segment whose header is not whole, or was never used.
    broken: Option<u32>,
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
    pub(crate) fn begin(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        if !Superblock::exists(&disk)? {
            return Err(Error::new(ErrorKind::NotFound, "open the store"));
        }
        let lock = disk.lock("lock").map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => Error::new(ErrorKind::Locked, "open the store"),
            _ => Error::io("lock the store", error),
        })?;
        let superblock = Superblock::read(&disk)?;
        let io = |error| Error::io(DOING, error);
        let numbers = Segment::numbers(&disk)?;
        let mut segments = Vec::with_capacity(numbers.len());
        let mut broken = None;
        for (i, &number) in numbers.iter().enumerate() {
            if i > 0 && number != numbers[i - 1] + 1 {
                return Err(Error::damaged(
                    DOING,
                    number,
                    0,
                    "the segment before it is missing",
                ));
            }
            if i + 1 == numbers.len() {
                settle(&*disk.open(&Segment::path(number)).map_err(io)?)?;
            }
            match Segment::open(&disk, superblock.store, number)? {
                Some(segment) => segments.push(Arc::new(segment)),
                None if i > 0 && i + 1 == numbers.len() => broken = Some(number),
                None => return Err(Error::damaged(DOING, number, 0, "its header is not whole")),
            }
        }
        if segments.is_empty() {
            return Err(Error::damaged(DOING, 1, 0, "the store has no segment"));
        }
        Ok(Self {
            disk,
            clock,
            superblock,
            lock,
            segments,
            broken,
        })
    }

    /// The id of the store.
    pub const fn store(&self) -> StoreId {
        self.superblock.store
    }

    /// Visits every frame from the one that holds record `from` on (`from - 1` is what the newest
    /// checkpoint holds, and must have been durable), each verified whole and durable, and finds the
    /// end. Removes nothing.
    pub fn replay<E: From<Error>>(
        &self,
        from: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), E>,
    ) -> Result<Tail, E> {
        let mut cursor = self.cursor(from);
        // What came before is durable, as there is a checkpoint.
        for segment in &self.segments[cursor.index..] {
            settle(&*segment.file)?;
        }
        while let Some((header, frame)) = cursor.next(Verify::From(from))? {
            if header.next() > from {
                visit(&frame)?;
            }
        }
        let Cursor {
            index,
            offset,
            next,
            chain,
            epoch,
            ..
        } = cursor;
        if next < from {
            let number = self.segments[index].number;
            let why = format!("record {} was durable and is missing", from.0 - 1);
            return Err(Error::damaged(DOING, number, offset, why).into());
        }
        self.refuse_damage(index, offset, next)?;
        Ok(Tail {
            segment: index,
            offset,
            next,
            epoch,
            chain,
        })
    }

    /// Visits the frames that hold the records from `from` to `upto`, without verifying their data.
    pub fn scan<E: From<Error>>(
        &self,
        from: Sequence,
        upto: Sequence,
        visit: &mut dyn FnMut(&Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut cursor = self.cursor(from);
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
        // Whoever made the store may have been killed before its name was durable, and the machine has
        // gone on: a flush of the segments alone would not keep it. Segments are used only once
        // their names are durable.
        self.disk.sync_dir("").map_err(io)?;
        // The newest first, each durably, so that a crash in between never leaves a hole.
        let behind = self.segments[tail.segment + 1..]
            .iter()
            .map(|segment| segment.number);
        for number in behind.chain(self.broken).rev() {
            self.disk.remove(&Segment::path(number)).map_err(io)?;
            self.disk.sync_dir(FOLDER).map_err(io)?;
        }
        let mut segments = self.segments;
        segments.truncate(tail.segment + 1);
        let last = Arc::clone(&segments[tail.segment]);
        // The old tail becomes zeroes, durably, before the first append: otherwise a frame of the
        // former life could stand behind a shorter new one.
        last.file.truncate(tail.offset).map_err(io)?;
        last.file.allocate(last.len).map_err(io)?;
        last.file.sync().map_err(io)?;
        let head = tail.position();
        let number = last.number;
        let writer = Writer {
            segment: last,
            offset: tail.offset,
            next: tail.next,
            epoch: tail.epoch,
            chain: tail.chain,
            remains: false,
            unsynced: Vec::new(),
            bytes: 0,
            head: Vec::new(),
            lock: Some(self.lock),
        };
        let shared = Shared {
            disk: self.disk,
            clock: self.clock,
            store: self.superblock.store,
            options: self.superblock.options,
            segments: RwLock::new(segments),
            writer: Mutex::new(writer),
            head: Mutex::new(head),
            grown: Condvar::new(),
            flusher: Flusher::new(head),
            spare: SpareSlot::new(number),
        };
        Ok(Log {
            shared: Arc::new(shared),
        })
    }

    fn cursor(&self, from: Sequence) -> Cursor<'_> {
        let behind = self
            .segments
            .partition_point(|segment| segment.first <= from);
        let index = behind.saturating_sub(1);
        let segment = &self.segments[index];
        Cursor {
            recovery: self,
            index,
            offset: segment::HEADER_LEN,
            next: segment.first,
            chain: segment.chain,
            epoch: segment.epoch,
            bytes: Vec::new(),
        }
    }

    /// The log seems to end at record `next - 1`. Headers that were written later say what was
    /// durable then; if that is more, this is no crash but damage.
    fn refuse_damage(&self, index: usize, offset: u64, next: Sequence) -> Result<(), Error> {
        let mut durable = self.durable_behind(index, offset)?;
        for later in index + 1..self.segments.len() {
            durable = durable.max(Some(self.segments[later].durable));
            durable = durable.max(self.durable_behind(later, segment::HEADER_LEN)?);
        }
        match durable {
            Some(durable) if durable >= next => {
                let why = format!("record {next} was durable and is not whole");
                Err(Error::damaged(
                    DOING,
                    self.segments[index].number,
                    offset,
                    why,
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The most that a whole frame header behind `offset` says to have been durable.
    fn durable_behind(&self, index: usize, offset: u64) -> Result<Option<Sequence>, Error> {
        let segment = &self.segments[index];
        let first = segment.first;
        let mut bytes = vec![0; CHUNK];
        let mut found = None;
        let mut head = Vec::new();
        let mut at = offset;
        while at < segment.len {
            let len = CHUNK.min((segment.len - at) as usize);
            let chunk = &mut bytes[..len];
            segment
                .file
                .read_at(chunk, at)
                .map_err(|error| Error::io(DOING, error))?;
            for i in (0..len).step_by(ALIGNMENT as usize) {
                if chunk[i..].starts_with(b"FBFR")
                    && let Some(header) =
                        read_head(segment, at + i as u64, self.superblock.store, &mut head)?
                    && header.first >= first
                {
                    found = found.max(Some(header.durable));
                }
            }
            at += len as u64;
        }
        Ok(found)
    }
}

/// Makes sure that what is read is what the disk has. If a sync failed in a former life, the cache
/// may hold what was never written, and a later sync would say nothing about it.
fn settle(file: &dyn DiskFile) -> Result<(), Error> {
    file.sync()
        .and_then(|()| file.forget_cached())
        .map_err(|error| Error::io(DOING, error))
}

/// What of a frame's data is verified.
#[derive(Clone, Copy)]
enum Verify {
    Nothing,
    /// The data of frames that hold this record or a later one.
    From(Sequence),
}

struct Cursor<'a> {
    recovery: &'a Recovery,
    index: usize,
    offset: u64,
    next: Sequence,
    chain: Checksum,
    epoch: Epoch,
    bytes: Vec<u8>,
}

impl Cursor<'_> {
    /// The next frame if it is whole.
    fn next(&mut self, verify: Verify) -> Result<Option<(FrameHeader, Frame)>, Error> {
        loop {
            let segment = &self.recovery.segments[self.index];
            if let Some(found) = self.read(segment, self.offset, verify)? {
                self.pass(&found.0);
                return Ok(Some(found));
            }
            let Some(following) = self.recovery.segments.get(self.index + 1) else {
                return Ok(None);
            };
            if following.first != self.next || following.chain != self.chain {
                return Ok(None);
            }
            // The frames of this segment end here; the following one belongs to the log even if it
            // is empty, and so does what follows on that.
            self.index += 1;
            self.offset = segment::HEADER_LEN;
            self.epoch = following.epoch;
        }
    }

    fn pass(&mut self, header: &FrameHeader) {
        self.offset += u64::from(header.frame_len);
        self.next = header.next();
        self.chain = header.checksum;
        self.epoch = header.epoch;
    }

    fn read(
        &mut self,
        segment: &Segment,
        offset: u64,
        verify: Verify,
    ) -> Result<Option<(FrameHeader, Frame)>, Error> {
        let store = self.recovery.superblock.store;
        let Some(header) = read_head(segment, offset, store, &mut self.bytes)? else {
            return Ok(None);
        };
        if header.first != self.next || header.chain != self.chain {
            return Ok(None);
        }
        let table = &self.bytes[HEADER_LEN..header.head_len()];
        let Some(frame) = header.records(table, segment.number, offset) else {
            let why = "a frame holds a record that this release does not know";
            return Err(Error::damaged(DOING, segment.number, offset, why));
        };
        if let Verify::From(from) = verify
            && header.next() > from
            && !is_whole(segment, &frame)?
        {
            return Ok(None);
        }
        Ok(Some((header, frame)))
    }
}

/// Whether every block of the frame has its checksum.
fn is_whole(segment: &Segment, frame: &Frame) -> Result<bool, Error> {
    let mut buffer = Vec::new();
    for record in &frame.records {
        let FrameRecord::Data { checksums, at, .. } = record else {
            continue;
        };
        if !has_checksums(segment, *at, checksums, &mut buffer)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_checksums(
    segment: &Segment,
    at: Location,
    checksums: &[Checksum],
    buffer: &mut Vec<u8>,
) -> Result<bool, Error> {
    let blocks = CHUNK / BLOCK_SIZE as usize;
    let mut offset = at.offset();
    for some in checksums.chunks(blocks) {
        buffer.resize(some.len() * BLOCK_SIZE as usize, 0);
        segment
            .file
            .read_at(buffer, offset)
            .map_err(|error| Error::io(DOING, error))?;
        offset += buffer.len() as u64;
        let mut read = buffer.chunks_exact(BLOCK_SIZE as usize).zip(some);
        if !read.all(|(block, checksum)| Checksum::of(block) == *checksum) {
            return Ok(false);
        }
    }
    Ok(true)
}
