//! An open log: append, flush, read.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use firebrick_edge::{Clock, Disk, DiskLock};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, Position, Sequence, StoreId};
use parking_lot::{Condvar, Mutex, RwLock};

use crate::catalog::{Catalog, SegmentInfo, Usage};
use crate::entry::{Appended, Entry, LogOptions, OpenOptions, Room};
use crate::error::{Error, ErrorKind};
use crate::flush::{Flusher, Unsynced};
use crate::frame::{self, Heading};
use crate::moved::{Moved, MovedDiscard, Verified, Walked};
use crate::reader::Reader;
use crate::record::{Applied, Checksum, Location};
use crate::recovery::Recovery;
use crate::segment::{ALIGNMENT, FOLDER, HEADER_LEN, Segment, SegmentHeader};
use crate::spare::SpareSlot;
use crate::superblock::Superblock;

/// An open log. All methods may be called from any thread.
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

/// What the log and its readers share.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: StoreId,
    pub(crate) options: LogOptions,
    pub(crate) segments: RwLock<Vec<Arc<Segment>>>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) head: Mutex<Position>,
    pub(crate) grown: Condvar,
    pub(crate) flusher: Flusher,
    pub(crate) spare: SpareSlot,
}

/// The end of the log.
pub(crate) struct Writer {
    pub(crate) segment: Arc<Segment>,
    /// Where the next frame begins in it.
    pub(crate) offset: u64,
    pub(crate) next: Sequence,
    pub(crate) epoch: Epoch,
    pub(crate) chain: Checksum,
    /// Something of a frame that was refused may lie at `offset`.
    pub(crate) remains: bool,
    /// Older segments with frames that have not been synced.
    pub(crate) unsynced: Vec<Arc<Segment>>,
    pub(crate) bytes: u64,
    /// Reused for the head of each frame.
    pub(crate) head: Vec<u8>,
    /// Keeps other processes out; `None` once the log is closed.
    pub(crate) lock: Option<Box<dyn DiskLock>>,
}

impl Log {
    /// Makes an empty store in the folder: superblock, folders and first segment, all durable.
    /// Refuses with [`ErrorKind::Exists`] where there is one.
    pub fn create(disk: &Arc<dyn Disk>, store: StoreId, options: LogOptions) -> Result<(), Error> {
        const DOING: &str = "make the store";
        let fits =
            options.segment_bytes >= 1 << 20 && options.segment_bytes.is_multiple_of(ALIGNMENT);
        if !fits {
            let why = "a segment has at least 1 MiB, in multiples of 512 bytes";
            return Err(Error::new(ErrorKind::Invalid(why), DOING));
        }
        if Superblock::exists(disk)? {
            return Err(Error::new(ErrorKind::Exists, DOING));
        }
        let io = |error| Error::io(DOING, error);
        disk.create_dir(FOLDER).map_err(io)?;
        // What an attempt without a superblock left behind was never a store.
        for number in Segment::numbers(disk)? {
            disk.remove(&Segment::path(number)).map_err(io)?;
        }
        disk.sync_dir("").map_err(io)?;
        let header = SegmentHeader {
            store,
            number: 1,
            first: Sequence(1),
            chain: Checksum(0),
            durable: Sequence::ZERO,
            epoch: Epoch::FIRST,
        };
        Segment::create(disk, &header, options.segment_bytes)?;
        // Last, as its presence says that all the rest is there.
        Superblock { store, options }.write(disk)
    }

    /// Finds and locks the store; what it holds is read by [`Recovery::replay`].
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Recovery, Error> {
        Recovery::begin(disk, clock)
    }

    /// As [`Self::open`], with what the last checkpoint knows and with limits.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: OpenOptions,
    ) -> Result<Recovery, Error> {
        drop(options);
        Recovery::begin(disk, clock)
    }

    /// The record from which on the log can be read in order: nothing behind it was freed.
    pub fn contiguous_from(&self) -> Sequence {
        todo!()
    }

    /// Says that nobody will read the log in order before `keep_from` any more; what is not durable
    /// stays in any case. [`Self::free`] accepts log segments wholly before it.
    pub fn trim(&self, keep_from: Sequence) {
        let _ = keep_from;
        todo!()
    }

    /// Gives a segment back: one of the log wholly before what [`Self::trim`] said, or a packed one;
    /// never one that is being written. That nothing refers to it any more is durable already.
    pub fn free(&self, number: u32) -> Result<(), Error> {
        let _ = number;
        todo!()
    }

    /// The segments that are full and durable, for the next start. Cheap.
    pub fn catalog(&self) -> Catalog {
        todo!()
    }

    /// All segments, those being written among them, in the order of their numbers.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        todo!()
    }

    /// How far a segment is used; walks it where that is not known.
    pub fn measure(&self, number: u32) -> Result<Usage, Error> {
        let _ = number;
        todo!()
    }

    /// Appends moved blocks and discards to the current packed segment as one frame, and says where
    /// each block lies now. Durable after a later [`Self::sync_packed`].
    pub fn pack(
        &self,
        blocks: &[Moved<'_>],
        discards: &[MovedDiscard],
    ) -> Result<Vec<Location>, Error> {
        let _ = (blocks, discards);
        todo!()
    }

    /// Makes everything durable that was packed before the call.
    pub fn sync_packed(&self) -> Result<(), Error> {
        todo!()
    }

    /// Visits the frames of a full segment in order; heads are verified, data is not looked at.
    pub fn walk<E: From<Error>>(
        &self,
        number: u32,
        visit: &mut dyn FnMut(&Walked) -> Result<(), E>,
    ) -> Result<(), E> {
        let _ = (number, visit);
        todo!()
    }

    /// Reads the frames of a full segment from `from_offset` on (0, or what the call before said)
    /// and checks heads and blocks: at least one frame, then until `budget_bytes` have been read.
    pub fn verify_segment(
        &self,
        number: u32,
        from_offset: u64,
        budget_bytes: u64,
    ) -> Result<Verified, Error> {
        let _ = (number, from_offset, budget_bytes);
        todo!()
    }

    /// How much room there is.
    pub fn room(&self) -> Result<Room, Error> {
        todo!()
    }

    /// The id of the store.
    pub fn store(&self) -> StoreId {
        self.shared.store
    }

    /// Appends one frame: its records get consecutive sequences, and after a crash all of them are
    /// there or none. Not durable before a later [`Self::flush`]. Where the file system is full
    /// ([`ErrorKind::NoSpace`]) nothing was appended; only a crash before a later frame has been
    /// flushed may find that one whole after all, and keep it.
    pub fn append(
        &self,
        entries: &[Entry<'_>],
        applied: Option<Applied>,
    ) -> Result<Appended, Error> {
        let shared = &*self.shared;
        let mut writer = shared.writer.lock();
        shared.may_append(&writer)?;
        let time = shared.clock.now();
        let mut head = std::mem::take(&mut writer.head);
        let appended = shared.append_frame(&mut writer, entries, applied, time, &mut head);
        writer.head = head;
        let appended = appended.inspect_err(|error| {
            // After anything else that the system refused nobody knows what is there.
            if error.kind == ErrorKind::Io {
                shared.flusher.poison();
            }
        })?;
        // Under the writer's lock, so that heads are published in their order.
        *shared.head.lock() = appended.position;
        drop(writer);
        shared.grown.notify_all();
        Ok(appended)
    }

    /// The sequence that the first record of the next frame gets. Certain only while the caller
    /// keeps others from appending.
    pub fn next_sequence(&self) -> Sequence {
        self.shared.writer.lock().next
    }

    /// The last appended record.
    pub fn head(&self) -> Position {
        *self.shared.head.lock()
    }

    /// The last record that is durable.
    pub fn durable(&self) -> Position {
        self.shared.flusher.durable()
    }

    /// Frames appended from here on carry the next epoch of the store.
    pub fn raise_epoch(&self) {
        let mut writer = self.shared.writer.lock();
        writer.epoch = writer.epoch.next();
    }

    /// Makes everything durable that was appended before the call, and says up to where. Calls that
    /// come together share one sync.
    pub fn flush(&self) -> Result<Position, Error> {
        let shared = &*self.shared;
        let target = self.head();
        shared.flusher.flush(target, || shared.take_unsynced())
    }

    /// Reads the whole blocks of `buffer` from `at` on; they must lie in one record's data.
    /// The checksums are the caller's to check.
    pub fn read(&self, at: Location, buffer: &mut [u8]) -> Result<(), Error> {
        let segment = self.shared.segment(at, buffer.len())?;
        let read = segment.file.read_at(buffer, at.offset());
        read.map_err(|error| Error::io("read the log", error))
    }

    /// As [`Self::read`], but only if that needs no wait for the disk; `false` where it would.
    pub fn read_cached(&self, at: Location, buffer: &mut [u8]) -> Result<bool, Error> {
        let segment = self.shared.segment(at, buffer.len())?;
        let read = segment.file.read_cached_at(buffer, at.offset());
        read.map_err(|error| Error::io("read the log", error))
    }

    /// A reader whose first frame is the one that holds record `from` (perhaps in its middle).
    pub fn reader(&self, from: Sequence) -> Result<Reader, Error> {
        Reader::begin(Arc::clone(&self.shared), from)
    }

    /// Waits until the head is beyond `sequence`, at most `timeout`; whether it is.
    pub fn wait_beyond(&self, sequence: Sequence, timeout: Duration) -> bool {
        let mut head = self.shared.head.lock();
        if head.sequence <= sequence {
            let behind = |head: &mut Position| head.sequence <= sequence;
            self.shared.grown.wait_while_for(&mut head, behind, timeout);
        }
        head.sequence > sequence
    }

    /// The bytes of all frames appended since the log was opened.
    pub fn bytes_appended(&self) -> u64 {
        self.shared.writer.lock().bytes
    }

    /// The number of segment files.
    pub fn segment_count(&self) -> usize {
        self.shared.segments.read().len()
    }

    /// The bytes that the segment files take.
    pub fn segment_bytes(&self) -> u64 {
        self.shared
            .segments
            .read()
            .iter()
            .map(|segment| segment.len)
            .sum()
    }

    /// Makes the next segment ahead of its use, so that no append has to wait for it: waits until the
    /// last one is in use, at most `timeout`. Whether there was something to make.
    pub fn prepare_segment(&self, timeout: Duration) -> Result<bool, Error> {
        let shared = &*self.shared;
        let len = shared.options.segment_bytes;
        shared.spare.prepare(&shared.disk, len, timeout)
    }

    /// Lets the system's cache forget segments of which nothing will be read soon: those that are
    /// durable and for which `is_live` is false. They stay where they are.
    pub fn forget_dead(&self, is_live: impl Fn(u32) -> bool) -> Result<(), Error> {
        let segments = self.shared.segments.read().clone();
        let durable = self.durable().sequence;
        for pair in segments.windows(2) {
            let segment = &pair[0];
            let synced = pair[1].first.0 <= durable.0 + 1;
            if synced
                && !is_live(segment.number)
                && !segment.forgotten.swap(true, Ordering::Relaxed)
            {
                let forgotten = segment.file.forget_cached();
                forgotten.map_err(|error| Error::io("forget a segment", error))?;
            }
        }
        Ok(())
    }

    /// Flushes, then lets others open the store; every later append fails.
    pub fn close(&self) -> Result<(), Error> {
        let flushed = self.flush();
        self.shared.writer.lock().lock = None;
        flushed.map(drop)
    }
}

impl Shared {
    fn may_append(&self, writer: &Writer) -> Result<(), Error> {
        const DOING: &str = "append to the log";
        if writer.lock.is_none() {
            return Err(Error::new(ErrorKind::Closed, DOING));
        }
        if self.flusher.is_poisoned() {
            return Err(Error::new(ErrorKind::Poisoned, DOING));
        }
        Ok(())
    }

    fn append_frame(
        &self,
        writer: &mut Writer,
        entries: &[Entry<'_>],
        applied: Option<Applied>,
        time: firebrick_edge::Timestamp,
        head: &mut Vec<u8>,
    ) -> Result<Appended, Error> {
        let heading = Heading {
            store: self.store,
            epoch: writer.epoch,
            first: writer.next,
            chain: writer.chain,
            time,
            applied,
            durable: self.flusher.durable().sequence,
        };
        let encoded = frame::encode(&heading, entries, head)?;
        if writer.offset + encoded.frame_len > writer.segment.len {
            self.next_segment(writer, encoded.frame_len)?;
        }
        let mut parts = vec![IoSlice::new(head)];
        let mut locations = Vec::new();
        let mut at = writer.offset + head.len() as u64;
        for entry in entries {
            if let Entry::Data(batch) = entry {
                let unit = (at / ALIGNMENT) as u32;
                locations.push(Location {
                    segment: writer.segment.number,
                    unit,
                });
                parts.extend(batch.data.iter().map(|slice| IoSlice::new(slice)));
                at += batch.checksums.len() as u64 * BLOCK_SIZE;
            }
        }
        if let Err(error) = writer.segment.file.write_at(&parts, writer.offset) {
            // What a full file system left of the frame, the next one overwrites.
            writer.remains = true;
            return Err(Error::io("append to the log", error));
        }
        writer.remains = false;
        let first = writer.next;
        writer.offset += encoded.frame_len;
        writer.next = first.plus(entries.len() as u64);
        writer.chain = encoded.checksum;
        writer.bytes += encoded.frame_len;
        let sequence = Sequence(writer.next.0 - 1);
        let position = Position {
            epoch: writer.epoch,
            sequence,
        };
        Ok(Appended {
            first,
            position,
            time,
            locations,
        })
    }

    /// What remains of a frame for which there was no room may have a whole head. The next frame goes
    /// over it; before that goes into another segment, it must be gone for good: a reader or the next
    /// recovery would take it for the next one.
    fn erase_remains(writer: &mut Writer) -> Result<(), Error> {
        let file = &writer.segment.file;
        let zeroes = [0; ALIGNMENT as usize];
        file.write_at(&[IoSlice::new(&zeroes)], writer.offset)
            .map_err(|error| Error::io("append to the log", error))?;
        file.sync()
            .map_err(|error| Error::refused("append to the log", error))?;
        writer.remains = false;
        Ok(())
    }

    fn next_segment(&self, writer: &mut Writer, frame_len: u64) -> Result<(), Error> {
        if writer.remains {
            Self::erase_remains(writer)?;
        }
        self.begin_segment(writer, frame_len)
    }

    fn begin_segment(&self, writer: &mut Writer, frame_len: u64) -> Result<(), Error> {
        let header = SegmentHeader {
            store: self.store,
            number: writer.segment.number + 1,
            first: writer.next,
            chain: writer.chain,
            durable: self.flusher.durable().sequence,
            epoch: writer.epoch,
        };
        let len = self.options.segment_bytes.max(HEADER_LEN + frame_len);
        let segment = Arc::new(self.spare.begin(&self.disk, &header, len)?);
        self.segments.write().push(Arc::clone(&segment));
        let former = std::mem::replace(&mut writer.segment, segment);
        writer.unsynced.push(former);
        writer.offset = HEADER_LEN;
        Ok(())
    }

    /// What a flush must sync. A segment leaves the list here: if its sync fails, the log is
    /// poisoned and nobody asks again.
    fn take_unsynced(&self) -> Unsynced {
        let mut writer = self.writer.lock();
        let older = std::mem::take(&mut writer.unsynced);
        let files = older
            .iter()
            .chain([&writer.segment])
            .map(|s| Arc::clone(&s.file))
            .collect();
        // Published under the writer's lock: nothing behind it has been written.
        Unsynced {
            head: *self.head.lock(),
            files,
        }
    }

    fn segment(&self, at: Location, len: usize) -> Result<Arc<Segment>, Error> {
        let segments = self.segments.read();
        let first = segments.first().map_or(0, |segment| segment.number);
        let found = at
            .segment
            .checked_sub(first)
            .and_then(|i| segments.get(i as usize));
        match found {
            Some(segment) if at.offset() + len as u64 <= segment.len => Ok(Arc::clone(segment)),
            Some(_) | None => {
                let why = "no such place";
                Err(Error::damaged("read the log", at.segment, at.offset(), why))
            }
        }
    }
}
