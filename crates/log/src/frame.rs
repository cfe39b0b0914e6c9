//! How a frame is written: header, record table, padding, block data.
//!
//! The data ends with the frame, so how much padding there is follows from the lengths; that of much
//! data reaches to the next page of the file, as only whole pages can be written past the system's
//! cache.
//!
//! The header's checksum covers header and table, the table holds a checksum for each block, so a
//! frame is whole exactly if all of them fit. Each header repeats the checksum of the frame before
//! it: a frame that an earlier life of the log left behind never fits into the chain.

use std::io::{self, IoSlice};

use firebrick_edge::{DiskFile, PAGE, Timestamp};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, ImageId, Position, Sequence, StoreId};
use uuid::Uuid;

use crate::entry::{Entry, Frame, FrameRecord};
use crate::error::{Error, ErrorKind};
use crate::record::{Applied, Change, Checksum, Location};
use crate::segment::{ALIGNMENT, aligned, u32_at, u64_at};

/// The bytes of a frame's header.
pub(crate) const HEADER_LEN: usize = 104;
/// The longest frame, in bytes.
pub(crate) const FRAME_MAX: u64 = 128 << 20;
/// The longest record table, in bytes.
pub(crate) const TABLE_MAX: u32 = 16 << 20;

const MAGIC: &[u8; 4] = b"FBFR";
const VERSION: u16 = 1;
const FLAG_APPLIED: u16 = 1;
/// The frame lies in a packed segment: it has no place in the order of the log, and `first` is the
/// number of its segment.
const FLAG_PACKED: u16 = 2;
const CHECKSUM_AT: usize = HEADER_LEN - 4;
const DATA: u8 = 1;
const DISCARD: u8 = 2;
const CHANGE: u8 = 3;
const DATA_LEN: usize = 32;
const DISCARD_LEN: usize = 40;
const CHANGE_LEN: usize = 8;

/// A frame's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameHeader {
    pub(crate) table_len: u32,
    pub(crate) frame_len: u32,
    pub(crate) store: StoreId,
    pub(crate) epoch: Epoch,
    pub(crate) first: Sequence,
    pub(crate) count: u32,
    pub(crate) chain: Checksum,
    pub(crate) time: Timestamp,
    pub(crate) applied: Option<Applied>,
    pub(crate) durable: Sequence,
    pub(crate) checksum: Checksum,
    pub(crate) packed: bool,
}

/// What a frame's header says besides its lengths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heading {
    pub(crate) store: StoreId,
    pub(crate) epoch: Epoch,
    pub(crate) first: Sequence,
    pub(crate) chain: Checksum,
    pub(crate) time: Timestamp,
    pub(crate) applied: Option<Applied>,
    pub(crate) durable: Sequence,
    pub(crate) packed: bool,
}

/// What [`encode`] made.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// The checksum of header and table, the next link of the chain.
    pub(crate) checksum: Checksum,
    /// The bytes of the whole frame, data included.
    pub(crate) frame_len: u64,
}

/// Writes the table into `head` (cleared before), behind the place of the header; returns the bytes of
/// the data that follow the head on the disk.
pub(crate) fn table(entries: &[Entry<'_>], head: &mut Vec<u8>) -> Result<u64, Error> {
    head.clear();
    head.resize(HEADER_LEN, 0);
    let mut data_len = 0;
    for entry in entries {
        data_len += encode_entry(entry, head)?;
    }
    check(entries.len(), head.len(), data_len)?;
    Ok(data_len)
}

/// What every frame keeps to, by its records, the length of header and table, and that of the data.
pub(crate) fn check(records: usize, len: usize, data_len: u64) -> Result<(), Error> {
    let invalid = |why| Err(Error::new(ErrorKind::Invalid(why), "append to the log"));
    let table_len = len - HEADER_LEN;
    if records == 0 {
        return invalid("a frame without records says nothing");
    }
    let frame_len = (len as u64).next_multiple_of(PAGE) + PAGE + data_len;
    if frame_len > FRAME_MAX || table_len as u64 > u64::from(TABLE_MAX) {
        return invalid("the frame is too long");
    }
    Ok(())
}

/// How long a head with `len` bytes of header and table is with its padding, in a frame that begins
/// at `offset` and has `data_len` bytes of data, which go past the cache from `around_min` on.
pub(crate) const fn padded(len: usize, data_len: u64, offset: u64, around_min: u64) -> u64 {
    if data_len < around_min {
        aligned(len as u64)
    } else {
        (offset + len as u64).next_multiple_of(PAGE) - offset
    }
}

/// Completes a head whose table has been written behind the place of the header; `padded` is its
/// length with padding.
pub(crate) fn seal(
    heading: &Heading,
    records: usize,
    padded: u64,
    data_len: u64,
    head: &mut Vec<u8>,
) -> Encoded {
    let table_len = head.len() - HEADER_LEN;
    head.resize(padded as usize, 0);
    let frame_len = head.len() as u64 + data_len;
    head[..4].copy_from_slice(MAGIC);
    head[4..6].copy_from_slice(&VERSION.to_le_bytes());
    head[8..12].copy_from_slice(&(table_len as u32).to_le_bytes());
    head[12..16].copy_from_slice(&(frame_len as u32).to_le_bytes());
    head[16..32].copy_from_slice(heading.store.0.as_bytes());
    head[32..40].copy_from_slice(&heading.epoch.0.to_le_bytes());
    head[40..48].copy_from_slice(&heading.first.0.to_le_bytes());
    head[48..52].copy_from_slice(&(records as u32).to_le_bytes());
    head[52..56].copy_from_slice(&heading.chain.0.to_le_bytes());
    head[56..64].copy_from_slice(&heading.time.0.to_le_bytes());
    let mut flags = if heading.packed { FLAG_PACKED } else { 0 };
    if let Some(applied) = heading.applied {
        flags |= FLAG_APPLIED;
        head[64..80].copy_from_slice(applied.peer.0.as_bytes());
        head[80..88].copy_from_slice(&applied.sequence.0.to_le_bytes());
    }
    head[6..8].copy_from_slice(&flags.to_le_bytes());
    head[88..96].copy_from_slice(&heading.durable.0.to_le_bytes());
    let checksum = sum(&head[..HEADER_LEN + table_len]);
    head[CHECKSUM_AT..HEADER_LEN].copy_from_slice(&checksum.0.to_le_bytes());
    Encoded {
        checksum,
        frame_len,
    }
}

/// The data of a frame.
pub(crate) fn data<'a>(entries: &'a [Entry<'_>]) -> Vec<IoSlice<'a>> {
    let batches = entries.iter().filter_map(|entry| match entry {
        Entry::Data(batch) => Some(batch.data),
        Entry::Discard { .. } | Entry::Change(_) => None,
    });
    batches.flatten().map(|slice| IoSlice::new(slice)).collect()
}

/// Writes a frame at `offset` of a file of `len` bytes, its data past the system's cache from
/// `around_min` bytes on.
pub(crate) fn write(
    file: &dyn DiskFile,
    head: &[u8],
    data: &[IoSlice<'_>],
    (offset, len): (u64, u64),
    around_min: u64,
) -> io::Result<()> {
    const ZEROES: [u8; PAGE as usize] = [0; PAGE as usize];
    let data_at = offset + head.len() as u64;
    let data_len: usize = data.iter().map(|slice| slice.len()).sum();
    let around = data_len as u64 >= around_min && data_at.is_multiple_of(PAGE);
    if !around || offset.is_multiple_of(PAGE) {
        let mut parts = Vec::with_capacity(2 + data.len());
        parts.push(IoSlice::new(head));
        parts.extend_from_slice(data);
        if around {
            return file.write_around_at(&parts, offset);
        }
        // In a segment that is used again, what is left of a page would have to be read before a part of
        // it is written.
        let end = data_at + data_len as u64;
        let rest = end.next_multiple_of(PAGE).min(len).saturating_sub(end);
        let enters = offset.is_multiple_of(PAGE) || offset / PAGE != end / PAGE;
        if enters && rest > 0 {
            parts.push(IoSlice::new(&ZEROES[..rest as usize]));
        }
        return file.write_at(&parts, offset);
    }
    // Pages written past the cache must not be shared with what goes through it: the data ends at
    // the end of a page, as it is whole blocks. The head comes last, so that after the death of the
    // process alone the data of a frame that is there is there, too.
    file.write_around_at(data, data_at)?;
    file.write_at(&[IoSlice::new(head)], offset)
}

/// The checksum of header and table, whose own place is left out.
fn sum(head_and_table: &[u8]) -> Checksum {
    Checksum::of(&head_and_table[..CHECKSUM_AT]).and(&head_and_table[HEADER_LEN..])
}

/// Appends one record to the table; returns the bytes of its data.
fn encode_entry(entry: &Entry<'_>, table: &mut Vec<u8>) -> Result<u64, Error> {
    const DOING: &str = "append to the log";
    match entry {
        Entry::Data(batch) => {
            let len: u64 = batch.data.iter().map(|slice| slice.len() as u64).sum();
            let blocks = batch.checksums.len();
            if blocks == 0 || len != blocks as u64 * BLOCK_SIZE {
                let why = "the data are not whole blocks with a checksum each";
                return Err(Error::new(ErrorKind::Invalid(why), DOING));
            }
            table.extend_from_slice(&[DATA, 0, 0, 0]);
            table.extend_from_slice(&(blocks as u32).to_le_bytes());
            table.extend_from_slice(batch.image.0.as_bytes());
            table.extend_from_slice(&batch.block.to_le_bytes());
            for checksum in batch.checksums {
                table.extend_from_slice(&checksum.0.to_le_bytes());
            }
            Ok(len)
        }
        Entry::Discard {
            image,
            block,
            blocks,
        } => {
            table.extend_from_slice(&[DISCARD, 0, 0, 0, 0, 0, 0, 0]);
            table.extend_from_slice(image.0.as_bytes());
            table.extend_from_slice(&block.to_le_bytes());
            table.extend_from_slice(&blocks.to_le_bytes());
            Ok(0)
        }
        Entry::Change(change) => {
            let payload = serde_json::to_vec(change)
                .map_err(|_| Error::new(ErrorKind::Invalid("a change is no JSON"), DOING))?;
            table.extend_from_slice(&[CHANGE, 0, 0, 0]);
            table.extend_from_slice(&(payload.len() as u32).to_le_bytes());
            table.extend_from_slice(&payload);
            Ok(0)
        }
    }
}

impl FrameHeader {
    /// Understands the first [`HEADER_LEN`] bytes of a frame; `None` where they cannot be a header
    /// of that store. Whether it is true says [`Self::fits`].
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN], store: StoreId) -> Option<Self> {
        let table_len = u32_at(bytes, 8);
        let frame_len = u32_at(bytes, 12);
        let least = aligned(HEADER_LEN as u64 + u64::from(table_len));
        let possible = &bytes[..4] == MAGIC
            && bytes[4..6] == VERSION.to_le_bytes()
            && &bytes[16..32] == store.0.as_bytes()
            && table_len <= TABLE_MAX
            && u64::from(frame_len) <= FRAME_MAX
            && u64::from(frame_len) >= least
            && u64::from(frame_len) % ALIGNMENT == 0;
        let flags = u16::from_le_bytes([bytes[6], bytes[7]]);
        possible.then(|| Self {
            table_len,
            frame_len,
            store,
            epoch: Epoch(u64_at(bytes, 32)),
            first: Sequence(u64_at(bytes, 40)),
            count: u32_at(bytes, 48),
            chain: Checksum(u32_at(bytes, 52)),
            time: Timestamp(u64_at(bytes, 56)),
            applied: (flags & FLAG_APPLIED != 0).then(|| Applied {
                peer: StoreId(uuid_at(bytes, 64)),
                sequence: Sequence(u64_at(bytes, 80)),
            }),
            durable: Sequence(u64_at(bytes, 88)),
            checksum: Checksum(u32_at(bytes, CHECKSUM_AT)),
            packed: flags & FLAG_PACKED != 0,
        })
    }

    /// Whether header and table are as they were written.
    pub(crate) fn fits(&self, head_and_table: &[u8]) -> bool {
        sum(head_and_table) == self.checksum
    }

    /// The bytes of header and table.
    pub(crate) const fn head_len(&self) -> usize {
        HEADER_LEN + self.table_len as usize
    }

    /// The sequence behind the last record.
    pub(crate) const fn next(&self) -> Sequence {
        self.first.plus(self.count as u64)
    }

    /// Where the data begins, `blocks` long, of a frame at `offset` of `segment`; `None` where that
    /// does not fit the lengths in the header.
    pub(crate) fn data_at(&self, segment: u32, offset: u64, blocks: u64) -> Option<Location> {
        let frame_len = u64::from(self.frame_len);
        let head_len = frame_len.checked_sub(blocks.checked_mul(BLOCK_SIZE)?)?;
        let least = aligned(self.head_len() as u64);
        let fits = head_len >= least && head_len - least < PAGE;
        fits.then(|| Location {
            segment,
            unit: ((offset + head_len) / ALIGNMENT) as u32,
        })
    }

    /// The records of a frame that begins at `offset` of `segment`; `None` where the table makes no
    /// sense (which a fitting checksum rules out, short of a newer release's records).
    pub(crate) fn records(&self, table: &[u8], segment: u32, offset: u64) -> Option<Frame> {
        let blocks = count_blocks(table)?;
        let mut at = self.data_at(segment, offset, blocks)?;
        let mut rest = table;
        let mut records = Vec::with_capacity((self.count as usize).min(table.len() / CHANGE_LEN));
        while !rest.is_empty() {
            records.push(decode_record(&mut rest, &mut at)?);
        }
        (records.len() == self.count as usize).then(|| Frame {
            first: self.first,
            position: Position {
                epoch: self.epoch,
                sequence: Sequence(self.next().0.saturating_sub(1)),
            },
            time: self.time,
            applied: self.applied,
            records,
        })
    }
}

/// The blocks of all records of a table.
fn count_blocks(table: &[u8]) -> Option<u64> {
    let mut rest = table;
    let mut blocks = 0;
    while let Some(kind) = rest.first() {
        match *kind {
            DATA => {
                let head = take(&mut rest, DATA_LEN)?;
                take(&mut rest, u32_at(head, 4) as usize * 4)?;
                blocks += u64::from(u32_at(head, 4));
            }
            DISCARD => {
                take(&mut rest, DISCARD_LEN)?;
            }
            CHANGE => {
                let head = take(&mut rest, CHANGE_LEN)?;
                take(&mut rest, u32_at(head, 4) as usize)?;
            }
            _ => return None,
        }
    }
    Some(blocks)
}

fn decode_record(rest: &mut &[u8], at: &mut Location) -> Option<FrameRecord> {
    match *rest.first()? {
        DATA => {
            let head = take(rest, DATA_LEN)?;
            let blocks = u32_at(head, 4);
            let sums = take(rest, blocks as usize * 4)?;
            let record = FrameRecord::Data {
                image: ImageId(uuid_at(head, 8)),
                block: u64_at(head, 24),
                blocks,
                checksums: (0..blocks as usize)
                    .map(|i| Checksum(u32_at(sums, i * 4)))
                    .collect(),
                at: *at,
            };
            *at = at.plus_blocks(blocks);
            Some(record)
        }
        DISCARD => {
            let head = take(rest, DISCARD_LEN)?;
            Some(FrameRecord::Discard {
                image: ImageId(uuid_at(head, 8)),
                block: u64_at(head, 24),
                blocks: u64_at(head, 32),
            })
        }
        CHANGE => {
            let head = take(rest, CHANGE_LEN)?;
            let payload = take(rest, u32_at(head, 4) as usize)?;
            serde_json::from_slice::<Change>(payload)
                .ok()
                .map(FrameRecord::Change)
        }
        _ => None,
    }
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

pub(crate) fn uuid_at(bytes: &[u8], at: usize) -> Uuid {
    let mut raw = [0; 16];
    raw.copy_from_slice(&bytes[at..at + 16]);
    Uuid::from_bytes(raw)
}
