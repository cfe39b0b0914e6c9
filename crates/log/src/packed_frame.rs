//! How moved blocks and discards are written: the record table of frames in packed segments.

use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Sequence};

use crate::error::{Error, ErrorKind};
use crate::frame::{self, Encoded, FrameHeader, HEADER_LEN, Heading, take, uuid_at};
use crate::moved::{Moved, MovedDiscard, WalkedBlock, WalkedRecord};
use crate::record::{Checksum, Location};
use crate::segment::{u32_at, u64_at};

const MOVED: u8 = 4;
const MOVED_DISCARD: u8 = 5;
const MOVED_LEN: usize = 24;
const BLOCK_LEN: usize = 28;
const DISCARD_LEN: usize = 48;

/// Writes header, table and padding into `head` (cleared before) for a frame that begins at `offset`;
/// the blocks follow it on the disk. Neighbours of one image share a record.
pub(crate) fn encode(
    heading: &Heading,
    blocks: &[Moved<'_>],
    discards: &[MovedDiscard],
    (offset, around_min): (u64, u64),
    head: &mut Vec<u8>,
) -> Result<Encoded, Error> {
    head.clear();
    head.resize(HEADER_LEN, 0);
    let mut records = discards.len();
    for run in blocks.chunk_by(|one, other| one.image == other.image) {
        records += 1;
        head.extend_from_slice(&[MOVED, 0, 0, 0]);
        head.extend_from_slice(&(run.len() as u32).to_le_bytes());
        head.extend_from_slice(run[0].image.0.as_bytes());
        for moved in run {
            if moved.data.len() as u64 != BLOCK_SIZE {
                let why = "what is moved is not one block";
                return Err(Error::new(ErrorKind::Invalid(why), "pack blocks"));
            }
            head.extend_from_slice(&moved.block.to_le_bytes());
            head.extend_from_slice(&moved.birth.0.to_le_bytes());
            head.extend_from_slice(&moved.name.segment.to_le_bytes());
            head.extend_from_slice(&moved.name.unit.to_le_bytes());
            head.extend_from_slice(&moved.checksum.0.to_le_bytes());
        }
    }
    for discard in discards {
        head.extend_from_slice(&[MOVED_DISCARD, 0, 0, 0, 0, 0, 0, 0]);
        head.extend_from_slice(discard.image.0.as_bytes());
        head.extend_from_slice(&discard.block.to_le_bytes());
        head.extend_from_slice(&discard.blocks.to_le_bytes());
        head.extend_from_slice(&discard.birth.0.to_le_bytes());
    }
    let data_len = blocks.len() as u64 * BLOCK_SIZE;
    frame::check(records, head.len(), data_len)?;
    let padded = frame::padded(head.len(), data_len, offset, around_min);
    Ok(frame::seal(heading, records, padded, data_len, head))
}

/// The records of a packed frame that begins at `offset` of `segment`; `None` where its table makes
/// no sense.
pub(crate) fn decode(
    header: &FrameHeader,
    table: &[u8],
    segment: u32,
    offset: u64,
) -> Option<Vec<WalkedRecord>> {
    let mut at = header.data_at(segment, offset, count_blocks(table)?)?;
    let mut rest = table;
    let mut records = Vec::new();
    while !rest.is_empty() {
        records.push(decode_record(&mut rest, &mut at)?);
    }
    (records.len() == header.count as usize).then_some(records)
}

/// The blocks of all records of a table.
fn count_blocks(table: &[u8]) -> Option<u64> {
    let mut rest = table;
    let mut blocks = 0;
    while let Some(kind) = rest.first() {
        match *kind {
            MOVED => {
                let head = take(&mut rest, MOVED_LEN)?;
                take(&mut rest, u32_at(head, 4) as usize * BLOCK_LEN)?;
                blocks += u64::from(u32_at(head, 4));
            }
            MOVED_DISCARD => {
                take(&mut rest, DISCARD_LEN)?;
            }
            _ => return None,
        }
    }
    Some(blocks)
}

fn decode_record(rest: &mut &[u8], at: &mut Location) -> Option<WalkedRecord> {
    match *rest.first()? {
        MOVED => {
            let head = take(rest, MOVED_LEN)?;
            let count = u32_at(head, 4);
            let entries = take(rest, count as usize * BLOCK_LEN)?;
            let from = *at;
            let one = |(i, entry): (usize, &[u8])| WalkedBlock {
                block: u64_at(entry, 0),
                birth: Sequence(u64_at(entry, 8)),
                name: Location {
                    segment: u32_at(entry, 16),
                    unit: u32_at(entry, 20),
                },
                checksum: Checksum(u32_at(entry, 24)),
                at: from.plus_blocks(i as u32),
            };
            *at = at.plus_blocks(count);
            Some(WalkedRecord::Data {
                image: ImageId(uuid_at(head, 8)),
                blocks: entries
                    .chunks_exact(BLOCK_LEN)
                    .enumerate()
                    .map(one)
                    .collect(),
            })
        }
        MOVED_DISCARD => {
            let head = take(rest, DISCARD_LEN)?;
            Some(WalkedRecord::Discard(MovedDiscard {
                image: ImageId(uuid_at(head, 8)),
                block: u64_at(head, 24),
                blocks: u64_at(head, 32),
                birth: Sequence(u64_at(head, 40)),
            }))
        }
        _ => None,
    }
}
