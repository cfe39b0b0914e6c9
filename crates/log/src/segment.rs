//! Segment files: where the frames lie.
//!
//! A segment begins with a header block of 512 bytes; frames follow it without a gap. A segment's
//! name and header are durable before a frame is written to it and before the next one is begun. So
//! a file without a header of its own was never begun, unless a frame of its own stands in it or a
//! later segment names it: then it is damaged.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use firebrick_edge::{Disk, DiskFile};
use firebrick_edge::{Mutex, RwLock};
use firebrick_vocabulary::{Epoch, Sequence, StoreId};

use crate::catalog::{SegmentInfo, SegmentKind, Usage};
use crate::entry::Appended;
use crate::error::Error;
use crate::files::Files;
use crate::record::Checksum;

/// The folder of the segments.
pub(crate) const FOLDER: &str = "segments";
/// Everything in a segment begins at a multiple of this, in bytes.
pub(crate) const ALIGNMENT: u64 = 512;
/// The bytes of a segment's header.
pub(crate) const HEADER_LEN: u64 = ALIGNMENT;

const MAGIC: &[u8; 4] = b"FBSG";
const VERSION: u32 = 2;
const DOING: &str = "make a segment";
/// What of a new segment is written, in bytes: a page, as file systems count.
const FIRST_PAGE: usize = 4096;
const CHECKSUM_AT: usize = HEADER_LEN as usize - 4;
const LOG: u8 = 1;
const PACKED: u8 = 2;

/// What a segment's header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentHeader {
    pub(crate) store: StoreId,
    pub(crate) number: u32,
    pub(crate) kind: SegmentKind,
    /// The log segment before it; 0 for none.
    pub(crate) before: u32,
    /// The sequence of the first record in it.
    pub(crate) first: Sequence,
    /// The checksum of the last frame before it.
    pub(crate) chain: Checksum,
    /// What was durable when the segment was begun.
    pub(crate) durable: Sequence,
    /// The store's epoch then.
    pub(crate) epoch: Epoch,
}

/// A segment, whose file is opened when it is needed.
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) kind: SegmentKind,
    pub(crate) before: u32,
    pub(crate) first: Sequence,
    pub(crate) chain: Checksum,
    pub(crate) durable: Sequence,
    pub(crate) epoch: Epoch,
    /// It is not worth a place in the system's cache any more.
    pub(crate) forgotten: AtomicBool,
    len: AtomicU64,
    usage: Mutex<Option<Usage>>,
    files: Arc<Files>,
    file: RwLock<Option<Arc<dyn DiskFile>>>,
    used: AtomicBool,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let mut bytes = [0; HEADER_LEN as usize];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..24].copy_from_slice(self.store.0.as_bytes());
        bytes[24..28].copy_from_slice(&self.number.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.chain.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.durable.0.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.epoch.0.to_le_bytes());
        bytes[56] = match self.kind {
            SegmentKind::Log => LOG,
            SegmentKind::Packed => PACKED,
        };
        bytes[60..64].copy_from_slice(&self.before.to_le_bytes());
        let checksum = Checksum::of(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.0.to_le_bytes());
        bytes
    }

    /// `None` where it is not a whole header of that store and number: a file that is used again
    /// carries that of its former life until it is begun.
    fn decode(bytes: &[u8], store: StoreId, number: u32) -> Option<Self> {
        let kind = match bytes[56] {
            LOG => SegmentKind::Log,
            PACKED => SegmentKind::Packed,
            _ => return None,
        };
        let whole = &bytes[..4] == MAGIC
            && u32_at(bytes, 4) == VERSION
            && Checksum::of(&bytes[..CHECKSUM_AT]).0 == u32_at(bytes, CHECKSUM_AT)
            && &bytes[8..24] == store.0.as_bytes()
            && u32_at(bytes, 24) == number;
        whole.then(|| Self {
            store,
            number,
            kind,
            before: u32_at(bytes, 60),
            chain: Checksum(u32_at(bytes, 28)),
            first: Sequence(u64_at(bytes, 32)),
            durable: Sequence(u64_at(bytes, 40)),
            epoch: Epoch(u64_at(bytes, 48)),
        })
    }

    /// The header of segment `number` as its file has it.
    pub(crate) fn read(
        file: &dyn DiskFile,
        store: StoreId,
        number: u32,
    ) -> Result<Option<Self>, Error> {
        let io = |error| Error::io("open a segment", error);
        if file.len().map_err(io)? < HEADER_LEN {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_LEN as usize];
        file.read_at(&mut bytes, 0).map_err(io)?;
        Ok(Self::decode(&bytes, store, number))
    }

    /// What there is to say about a segment of that header.
    pub(crate) const fn info(&self, len: u64, usage: Option<Usage>) -> SegmentInfo {
        SegmentInfo {
            number: self.number,
            kind: self.kind,
            before: self.before,
            first: self.first,
            chain: self.chain,
            durable: self.durable,
            epoch: self.epoch,
            len,
            usage,
        }
    }
}

impl Segment {
    /// The path of segment `number`.
    pub(crate) fn path(number: u32) -> String {
        format!("{FOLDER}/{number:010}.seg")
    }

    /// The path of the spare that was segment `number`.
    pub(crate) fn spare_path(number: u32) -> String {
        format!("{FOLDER}/{number:010}.spare")
    }

    /// The numbers of the segments and of the spares in the folder, in order.
    pub(crate) fn numbers(disk: &Arc<dyn Disk>) -> Result<(Vec<u32>, Vec<u32>), Error> {
        let names = disk
            .list(FOLDER)
            .map_err(|error| Error::io("list the segments", error))?;
        let with = |suffix: &str| {
            let numbers = names
                .iter()
                .filter_map(|name| name.strip_suffix(suffix)?.parse().ok());
            let mut numbers: Vec<u32> = numbers.collect();
            numbers.sort_unstable();
            numbers
        };
        Ok((with(".seg"), with(".spare")))
    }

    /// Makes a segment of `len` bytes, durable with its name and header.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        header: &SegmentHeader,
        len: u64,
    ) -> Result<(), Error> {
        let file = make_file(disk, header.number, len)?;
        write_header(&*file, header)
    }

    pub(crate) fn new(files: &Arc<Files>, info: &SegmentInfo) -> Arc<Self> {
        Arc::new(Self {
            number: info.number,
            kind: info.kind,
            before: info.before,
            first: info.first,
            chain: info.chain,
            durable: info.durable,
            epoch: info.epoch,
            forgotten: AtomicBool::new(false),
            len: AtomicU64::new(info.len),
            usage: Mutex::new(info.usage),
            files: Arc::clone(files),
            file: RwLock::default(),
            used: AtomicBool::new(false),
        })
    }

    pub(crate) fn info(&self) -> SegmentInfo {
        SegmentInfo {
            number: self.number,
            kind: self.kind,
            before: self.before,
            first: self.first,
            chain: self.chain,
            durable: self.durable,
            epoch: self.epoch,
            len: self.len(),
            usage: self.usage(),
        }
    }

    /// The length of the file.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// The file is not as long as the catalog says.
    pub(crate) fn set_len(&self, len: u64) {
        self.len.store(len, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        *self.usage.lock()
    }

    /// A frame with `blocks` blocks ends at `end`.
    pub(crate) fn fill(&self, end: u64, blocks: u64, appended: &Appended) {
        let mut usage = self.usage.lock();
        *usage = Some(Usage {
            bytes: end,
            blocks: usage.unwrap_or_default().blocks + blocks,
            last: appended.position.sequence,
            time: appended.time,
        });
    }

    pub(crate) fn set_usage(&self, usage: Usage) {
        *self.usage.lock() = Some(usage);
    }

    /// The file, opened where it is not.
    pub(crate) fn file(self: &Arc<Self>) -> Result<Arc<dyn DiskFile>, Error> {
        if let Some(file) = &*self.file.read() {
            if !self.used.load(Ordering::Relaxed) {
                self.used.store(true, Ordering::Relaxed);
            }
            return Ok(Arc::clone(file));
        }
        let opened = self.files.disk.open(&Self::path(self.number));
        let file = opened.map_err(|error| Error::io("open a segment", error))?;
        self.keep(Arc::clone(&file));
        Ok(file)
    }

    /// The file, if it is open.
    pub(crate) fn open_file(&self) -> Option<Arc<dyn DiskFile>> {
        self.file.read().clone()
    }

    /// Keeps an open file for the next that need it.
    pub(crate) fn keep(self: &Arc<Self>, file: Arc<dyn DiskFile>) {
        let former = self.file.write().replace(file);
        if former.is_none() {
            self.files.opened(self);
        }
    }

    /// Whether the file was used since the last question.
    pub(crate) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        *self.file.write() = None;
    }
}

/// Makes the file of segment `number` with `len` bytes, durable with its name. Nothing is left of it
/// where that fails for want of room.
pub(crate) fn make_file(
    disk: &Arc<dyn Disk>,
    number: u32,
    len: u64,
) -> Result<Arc<dyn DiskFile>, Error> {
    let path = Segment::path(number);
    let io = |error| Error::io(DOING, error);
    let file = disk.create(&path).map_err(io)?;
    let fill = || {
        file.allocate(len)?;
        // Written, so that the header that comes later changes no metadata of the file system
        // and is durable without a commit of its journal.
        file.write_at(&[IoSlice::new(&[0; FIRST_PAGE])], 0)
    };
    let keep = || file.sync().and_then(|()| disk.sync_dir(FOLDER));
    let made = fill().map_err(io).and_then(|()| {
        // Even where it failed for want of room: what it left behind nobody knows.
        keep().map_err(|error| Error::refused(DOING, error))
    });
    if let Err(error) = made {
        disk.remove(&path)
            .map_err(|error| Error::refused(DOING, error))?;
        return Err(error);
    }
    Ok(file)
}

/// Gives a file its header, durably: frames may be written to it from now on. Its name must be
/// durable, and until this has returned no other segment may be begun.
pub(crate) fn write_header(file: &dyn DiskFile, header: &SegmentHeader) -> Result<(), Error> {
    file.write_at(&[IoSlice::new(&header.encode())], 0)
        .map_err(|error| Error::io(DOING, error))?;
    file.sync().map_err(|error| Error::refused(DOING, error))
}

/// `value` rounded up to [`ALIGNMENT`].
pub(crate) const fn aligned(value: u64) -> u64 {
    value.next_multiple_of(ALIGNMENT)
}

/// The little-endian number at `at`; the caller has checked the length.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

/// The little-endian number at `at`; the caller has checked the length.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}
