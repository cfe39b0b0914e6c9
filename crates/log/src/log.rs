//! An open log: append, flush, read.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::{Clock, Condvar, Disk, DiskFile, DiskLock, Mutex, PAGE, RwLock};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, Position, Sequence, StoreId};

use crate::ahead::Ahead;
use crate::catalog::{Catalog, SegmentKind, Usage};
use crate::entry::{Appended, Entry, LogOptions, OpenOptions};
use crate::error::{Error, ErrorKind};
use crate::flush::{Flusher, Unsynced};
use crate::frame::{self, Encoded, Heading};
use crate::packer::Packer;
use crate::reader::Reader;
use crate::record::{Applied, Checksum, Location};
use crate::recovery::Recovery;
use crate::segment::{ALIGNMENT, FOLDER, HEADER_LEN, Segment, SegmentHeader};
use crate::segments::Segments;
use crate::sources::Sources;
use crate::superblock::Superblock;
use crate::supply::{Begun, Right, Supply};

/// An open log. All methods may be called from any thread.
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

/// What the log and its readers share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: StoreId,
    pub(crate) options: LogOptions,
    pub(crate) segments: RwLock<Segments>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) head: Mutex<Position>,
    pub(crate) grown: Condvar,
    pub(crate) flusher: Flusher,
    /// The bytes of all frames appended since the log was opened.
    pub(crate) bytes: AtomicU64,
    pub(crate) around_min: u64,
    pub(crate) supply: Supply,
    pub(crate) packer: Mutex<Packer>,
    /// Held by whoever makes packed segments durable.
    pub(crate) packed_sync: Mutex<()>,
}

/// The end of the log.
pub(crate) struct Writer {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where the next frame begins in it.
    pub(crate) offset: u64,
    pub(crate) next: Sequence,
    pub(crate) epoch: Epoch,
    pub(crate) chain: Checksum,
    /// Something of a frame that was refused may lie at `offset`.
    pub(crate) remains: bool,
    /// Guests may fill the segment; not so if it was begun in the reserve.
    pub(crate) guests: bool,
    /// The segment has frames that no flush has taken up yet.
    pub(crate) dirty: bool,
    /// Older segments with such frames.
    pub(crate) unsynced: Vec<Arc<dyn DiskFile>>,
    /// Up to where a flush to come has been begun in the segment.
    pub(crate) begun: u64,
    /// Frames that have their place and are being written: nothing else is appended meanwhile.
    pub(crate) reserved: u32,
    pub(crate) ahead: Ahead,
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
        let (segments, spares) = Segment::numbers(disk)?;
        let spares = spares.into_iter().map(Segment::spare_path);
        for path in segments.into_iter().map(Segment::path).chain(spares) {
            disk.remove(&path).map_err(io)?;
        }
        disk.sync_dir("").map_err(io)?;
        let header = SegmentHeader {
            store,
            number: 1,
            kind: SegmentKind::Log,
            before: 0,
            first: Sequence(1),
            chain: Checksum(0),
            durable: Sequence::ZERO,
            epoch: Epoch::FIRST,
        };
        Segment::create(disk, &header, options.segment_bytes)?;
        // Last, as its presence says that all the rest is there.
        Superblock { store, options }.write(disk)
    }

    /// Whether the folder holds a store.
    pub fn exists(disk: &Arc<dyn Disk>) -> Result<bool, Error> {
        Superblock::exists(disk)
    }

    /// Finds and locks the store; what it holds is read by [`Recovery::replay`].
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Recovery, Error> {
        Recovery::begin(disk, clock, OpenOptions::default(), || None)
    }

    /// As [`Self::open`], with limits, and with what the last checkpoint knows, which is looked up
    /// once the store is locked.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: OpenOptions,
        catalog: impl FnOnce() -> Option<Catalog>,
    ) -> Result<Recovery, Error> {
        Recovery::begin(disk, clock, options, catalog)
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
        let has_data = entries.iter().any(|entry| matches!(entry, Entry::Data(_)));
        let right = if has_data {
            Right::Guest
        } else {
            Right::Reserve
        };
        let mut writer = shared.writer.lock();
        if writer.reserved > 0 {
            let why = "frames are being written side by side";
            return Err(Error::new(ErrorKind::Invalid(why), "append to the log"));
        }
        shared.may_append(&mut writer, right)?;
        let heading = shared.heading(&writer, applied);
        let mut head = std::mem::take(&mut writer.head);
        let appended = shared.append_frame(&mut writer, entries, &heading, right, &mut head);
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

    /// Starts to write what a flush soon to come must wait for. Promises nothing.
    pub fn begin_flush(&self) {
        let mut writer = self.shared.writer.lock();
        if !writer.dirty || writer.begun >= writer.offset {
            return;
        }
        let (from, end) = (writer.begun, writer.offset);
        writer.begun = end;
        let file = Arc::clone(&writer.file);
        drop(writer);
        file.begin_sync(from, end - from);
    }

    /// Reads the whole blocks of `buffer` from `at` on; they must lie in one record's data.
    /// The checksums are the caller's to check.
    pub fn read(&self, at: Location, buffer: &mut [u8]) -> Result<(), Error> {
        self.sources().read(at, buffer)
    }

    /// Lets the system's cache drop `len` bytes from `at` on, which nobody will read soon. They stay where they
    /// are.
    pub fn give_up_cached(&self, at: Location, len: u64) {
        let segments = self.shared.segments.read();
        let segment = segments.get(at.segment).map(Arc::clone);
        drop(segments);
        // One that is not even open is hardly worth the opening.
        let Some(file) = segment.and_then(|segment| segment.open_file()) else {
            return;
        };
        // With the frame's head, which lies in the page before: pages that were written at once are dropped
        // at once or not at all.
        let from = at.offset().saturating_sub(PAGE);
        file.give_up_cached(from, at.offset() + len - from);
    }

    /// For many reads that belong together.
    pub fn sources(&self) -> Sources<'_> {
        Sources::new(&self.shared)
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
            let grown = &self.shared.grown;
            head = grown.wait_while_for(head, behind, timeout).0;
        }
        head.sequence > sequence
    }

    /// The bytes of all frames that were appended since the log was opened, and of those that recovery
    /// replayed: what was not in the last checkpoint then.
    pub fn bytes_appended(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Makes the next segment ahead of its use, so that no append has to wait for it: waits until the
    /// last one is in use, at most `timeout`. Whether there was something to make.
    pub fn prepare_segment(&self, timeout: Duration) -> Result<bool, Error> {
        self.shared.supply.prepare(timeout)
    }

    /// Flushes, then lets others open the store; every later append fails.
    pub fn close(&self) -> Result<(), Error> {
        let flushed = self.flush();
        let packed = self.sync_packed();
        self.shared.packer.lock().close();
        self.shared.writer.lock().lock = None;
        flushed.and(packed)
    }
}

impl Writer {
    /// Where the next frame goes, if its head is `padded` bytes long.
    pub(crate) fn place(&self, entries: &[Entry<'_>], heading: &Heading, padded: u64) -> Appended {
        let mut locations = Vec::new();
        let mut at = self.offset + padded;
        for entry in entries {
            if let Entry::Data(batch) = entry {
                locations.push(Location {
                    segment: self.segment.number,
                    unit: (at / ALIGNMENT) as u32,
                });
                at += batch.checksums.len() as u64 * BLOCK_SIZE;
            }
        }
        Appended {
            first: self.next,
            position: Position {
                epoch: self.epoch,
                sequence: Sequence(self.next.0 + entries.len() as u64 - 1),
            },
            time: heading.time,
            locations,
        }
    }

    /// The next frame follows on this one.
    pub(crate) fn pass(&mut self, encoded: &Encoded, records: usize) {
        self.offset += encoded.frame_len;
        self.next = self.next.plus(records as u64);
        self.chain = encoded.checksum;
    }
}

impl Shared {
    pub(crate) fn may_append(&self, writer: &mut Writer, right: Right) -> Result<(), Error> {
        const DOING: &str = "append to the log";
        if writer.lock.is_none() {
            return Err(Error::new(ErrorKind::Closed, DOING));
        }
        self.refuse_poisoned(DOING)?;
        if right == Right::Guest && !writer.guests {
            writer.guests = self.supply.guests_fit()?;
            if !writer.guests {
                return Err(Error::new(ErrorKind::NoSpace, DOING));
            }
        }
        Ok(())
    }

    /// What the next frame's header says.
    pub(crate) fn heading(&self, writer: &Writer, applied: Option<Applied>) -> Heading {
        Heading {
            store: self.store,
            epoch: writer.epoch,
            first: writer.next,
            chain: writer.chain,
            time: self.clock.now(),
            applied,
            durable: self.flusher.durable().sequence,
            packed: false,
        }
    }

    /// Fails once something was refused of which nobody knows what it left.
    pub(crate) fn refuse_poisoned(&self, doing: &'static str) -> Result<(), Error> {
        if self.flusher.is_poisoned() {
            return Err(Error::new(ErrorKind::Poisoned, doing));
        }
        Ok(())
    }

    fn append_frame(
        &self,
        writer: &mut Writer,
        entries: &[Entry<'_>],
        heading: &Heading,
        right: Right,
        head: &mut Vec<u8>,
    ) -> Result<Appended, Error> {
        let data_len = frame::table(entries, head)?;
        let around = self.around_min;
        let mut padded = frame::padded(head.len(), data_len, writer.offset, around);
        if writer.offset + padded + data_len > writer.segment.len() {
            padded = frame::padded(head.len(), data_len, HEADER_LEN, around);
            self.next_segment(writer, padded + data_len, right)?;
        }
        let encoded = frame::seal(heading, entries.len(), padded, data_len, head);
        let placed = writer.place(entries, heading, padded);
        let data = frame::data(entries);
        let place = (writer.offset, writer.segment.len());
        if let Err(error) = frame::write(&*writer.file, head, &data, place, around) {
            // What a full file system left of the frame, the next one overwrites.
            writer.remains = true;
            return Err(Error::io("append to the log", error));
        }
        writer.remains = false;
        writer.dirty = true;
        writer.pass(&encoded, entries.len());
        self.bytes.fetch_add(encoded.frame_len, Ordering::Relaxed);
        writer
            .segment
            .fill(writer.offset, data_len / BLOCK_SIZE, &placed);
        Ok(placed)
    }

    /// What remains of a frame for which there was no room may have a whole head. The next frame goes
    /// over it; before that goes into another segment, it must be gone for good: a reader or the next
    /// recovery would take it for the next one.
    fn erase_remains(writer: &mut Writer) -> Result<(), Error> {
        let zeroes = [0; ALIGNMENT as usize];
        writer
            .file
            .write_at(&[IoSlice::new(&zeroes)], writer.offset)
            .map_err(|error| Error::io("append to the log", error))?;
        writer
            .file
            .sync()
            .map_err(|error| Error::refused("append to the log", error))?;
        writer.remains = false;
        Ok(())
    }

    fn next_segment(&self, writer: &mut Writer, frame_len: u64, right: Right) -> Result<(), Error> {
        if writer.remains {
            Self::erase_remains(writer)?;
        }
        let header = SegmentHeader {
            store: self.store,
            number: 0,
            kind: SegmentKind::Log,
            before: writer.segment.number,
            first: writer.next,
            chain: writer.chain,
            durable: self.flusher.durable().sequence,
            epoch: writer.epoch,
        };
        let len = self.options.segment_bytes.max(HEADER_LEN + frame_len);
        let begun = self.supply.begin(header, len, right)?;
        let Begun {
            segment,
            file,
            guests,
            written,
        } = begun;
        segment.set_usage(Usage {
            bytes: HEADER_LEN,
            last: Sequence(writer.next.0 - 1),
            ..Usage::default()
        });
        let mut segments = self.segments.write();
        segments.log.insert(segment.number, Arc::clone(&segment));
        drop(segments);
        writer.segment = segment;
        let former = std::mem::replace(&mut writer.file, file);
        if std::mem::take(&mut writer.dirty) {
            writer.unsynced.push(former);
        }
        writer.guests = guests;
        writer.ahead.turn(written);
        writer.offset = HEADER_LEN;
        writer.begun = HEADER_LEN;
        Ok(())
    }

    /// What a flush must sync. A file leaves the list here: if its sync fails, the log is poisoned
    /// and nobody asks again.
    fn take_unsynced(&self) -> Unsynced {
        let mut writer = self.writer.lock();
        let mut files = std::mem::take(&mut writer.unsynced);
        if std::mem::take(&mut writer.dirty) {
            let Writer {
                ahead,
                file,
                offset,
                segment,
                ..
            } = &mut *writer;
            let bytes = self.bytes.load(Ordering::Relaxed);
            ahead.before_flush(&**file, bytes, *offset, segment.len());
            files.push(Arc::clone(file));
        }
        // Published under the writer's lock: nothing behind it has been written.
        Unsynced {
            head: *self.head.lock(),
            files,
        }
    }
}
