//! Segment files: where the frames lie.
//!
//! A segment begins with a header block of 512 bytes; frames follow it without a gap. A segment's
//! name and header are durable before a frame is written to it and before the next one is made, so
//! that of all segments only the last one can lack a whole header after a crash.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use firebrick_edge::{Disk, DiskFile};
use firebrick_vocabulary::{Epoch, Sequence, StoreId};

use crate::error::Error;
use crate::record::Checksum;

/// The folder of the segments.
pub(crate) const FOLDER: &str = "segments";
/// Everything in a segment begins at a multiple of this, in bytes.
pub(crate) const ALIGNMENT: u64 = 512;
/// The bytes of a segment's header.
pub(crate) const HEADER_LEN: u64 = ALIGNMENT;

const MAGIC: &[u8; 4] = b"FBSG";
const VERSION: u32 = 1;
const DOING: &str = "make a segment";
/// What of a new segment is written, in bytes: a page, as file systems count.
const FIRST_PAGE: usize = 4096;
const CHECKSUM_AT: usize = HEADER_LEN as usize - 4;

/// What a segment's header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentHeader {
    pub(crate) store: StoreId,
    pub(crate) number: u32,
    /// The sequence of the first record in it.
    pub(crate) first: Sequence,
    /// The checksum of the last frame before it.
    pub(crate) chain: Checksum,
    /// What was durable when the segment was made.
    pub(crate) durable: Sequence,
    /// The store's epoch then.
    pub(crate) epoch: Epoch,
}

/// An open segment.
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) first: Sequence,
    pub(crate) chain: Checksum,
    pub(crate) durable: Sequence,
    pub(crate) epoch: Epoch,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) len: u64,
    /// It is not worth a place in the system's cache any more.
    pub(crate) forgotten: AtomicBool,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let mut bytes = [0; HEADER_LEN as usize];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..24].copy_from_slice(self.store.0.as_bytes());
        bytes[24..28].copy_from_slice(&self.number.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.chain.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.durable.0.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.epoch.0.to_le_bytes());
        let checksum = Checksum::of(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.0.to_le_bytes());
        bytes
    }

    /// `None` where it is not a whole header of that store and number.
    fn decode(bytes: &[u8], store: StoreId, number: u32) -> Option<Self> {
        let whole = &bytes[..4] == MAGIC
            && u32_at(bytes, 4) == VERSION
            && Checksum::of(&bytes[..CHECKSUM_AT]).0 == u32_at(bytes, CHECKSUM_AT)
            && &bytes[8..24] == store.0.as_bytes()
            && u32_at(bytes, 24) == number;
        whole.then(|| Self {
            store,
            number,
            chain: Checksum(u32_at(bytes, 28)),
            first: Sequence(u64_at(bytes, 32)),
            durable: Sequence(u64_at(bytes, 40)),
            epoch: Epoch(u64_at(bytes, 48)),
        })
    }
}

impl Segment {
    /// The path of segment `number`.
    pub(crate) fn path(number: u32) -> String {
        format!("{FOLDER}/{number:010}.seg")
    }

    /// The numbers of the segments in the folder, in order.
    pub(crate) fn numbers(disk: &Arc<dyn Disk>) -> Result<Vec<u32>, Error> {
        let names = disk
            .list(FOLDER)
            .map_err(|error| Error::io("list the segments", error))?;
        let mut numbers: Vec<u32> = names
            .iter()
            .filter_map(|name| name.strip_suffix(".seg")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes a segment of `len` bytes, durable with its name and header. Nothing is left of it where
    /// that fails for want of room.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        header: &SegmentHeader,
        len: u64,
    ) -> Result<Self, Error> {
        Spare::make(disk, header.number, len)?.begin(header, len)
    }

    /// Opens segment `number`; `None` where its header is not whole.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        store: StoreId,
        number: u32,
    ) -> Result<Option<Self>, Error> {
        let io = |error| Error::io("open a segment", error);
        let file = disk.open(&Self::path(number)).map_err(io)?;
        let len = file.len().map_err(io)?;
        if len < HEADER_LEN {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_LEN as usize];
        file.read_at(&mut bytes, 0).map_err(io)?;
        Ok(SegmentHeader::decode(&bytes, store, number).map(|header| {
            let SegmentHeader {
                first,
                chain,
                durable,
                epoch,
                ..
            } = header;
            Self {
                number,
                first,
                chain,
                durable,
                epoch,
                file,
                len,
                forgotten: AtomicBool::new(false),
            }
        }))
    }
}

/// A segment that has its name and its room, but no header yet: recovery takes it for one that was
/// never used.
pub(crate) struct Spare {
    pub(crate) number: u32,
    file: Arc<dyn DiskFile>,
    len: u64,
}

impl Spare {
    /// Makes the file of segment `number` with `len` bytes, durable with its name. Nothing is left of
    /// it where that fails for want of room.
    pub(crate) fn make(disk: &Arc<dyn Disk>, number: u32, len: u64) -> Result<Self, Error> {
        let path = Segment::path(number);
        let io = |error| Error::io(DOING, error);
        let file = match disk.create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                // What an attempt left behind that failed; nothing was ever in it.
                disk.remove(&path).map_err(io)?;
                disk.create(&path).map_err(io)?
            }
            made => made.map_err(io)?,
        };
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
            drop(disk.remove(&path));
            return Err(error);
        }
        Ok(Self { number, file, len })
    }

    /// Gives it its header, durably, and at least `len` bytes: frames may be written to it from now
    /// on. Until then no other may be made, as only the last segment may lack a header.
    pub(crate) fn begin(self, header: &SegmentHeader, len: u64) -> Result<Segment, Error> {
        let Self {
            number,
            file,
            len: room,
        } = self;
        if room < len {
            file.allocate(len)
                .map_err(|error| Error::io(DOING, error))?;
        }
        file.write_at(&[IoSlice::new(&header.encode())], 0)
            .map_err(|error| Error::io(DOING, error))?;
        file.sync().map_err(|error| Error::refused(DOING, error))?;
        let SegmentHeader {
            first,
            chain,
            durable,
            epoch,
            ..
        } = *header;
        Ok(Segment {
            number,
            first,
            chain,
            durable,
            epoch,
            file,
            len: room.max(len),
            forgotten: AtomicBool::new(false),
        })
    }
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
