//! Segment files: where the frames lie.
//!
//! A segment begins with a header block of 512 bytes; frames follow it without a gap. A segment's
//! header and name are durable before a frame is written to it, so that of all segments only the
//! last one can lack a whole header after a crash.

use std::io::IoSlice;
use std::sync::Arc;

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

    /// Makes a segment of at least `len` bytes, durable with its name. Nothing is left of it where
    /// that fails for want of room.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        header: &SegmentHeader,
        len: u64,
    ) -> Result<Self, Error> {
        const DOING: &str = "make a segment";
        let path = Self::path(header.number);
        let file = disk
            .create(&path)
            .map_err(|error| Error::io(DOING, error))?;
        let fill = || {
            file.allocate(len)?;
            file.write_at(&[IoSlice::new(&header.encode())], 0)
        };
        // The header before the name, the name before any frame: recovery trusts both.
        let keep = || file.sync().and_then(|()| disk.sync_dir(FOLDER));
        let made = fill()
            .map_err(|error| Error::io(DOING, error))
            // Even where it failed for want of room: what it left behind nobody knows.
            .and_then(|()| keep().map_err(|error| Error::refused(DOING, error)));
        if let Err(error) = made {
            drop(disk.remove(&path));
            return Err(error);
        }
        let SegmentHeader {
            number,
            first,
            chain,
            durable,
            epoch,
            ..
        } = *header;
        Ok(Self {
            number,
            first,
            chain,
            durable,
            epoch,
            file,
            len,
        })
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
            }
        }))
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
