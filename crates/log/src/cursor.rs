//! Reading frames while the log is not open yet: each is looked at before it is believed.

use std::sync::Arc;

use firebrick_edge::Timestamp;
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, Sequence, StoreId};

use crate::catalog::Usage;
use crate::entry::{Frame, FrameRecord};
use crate::error::Error;
use crate::frame::{FrameHeader, HEADER_LEN};
use crate::reader::read_head;
use crate::record::{Checksum, Location};
use crate::segment::{self, Segment};

const DOING: &str = "recover the log";
/// How much is read at once where block data is verified, in bytes.
const CHUNK: usize = 1 << 20;

/// The use of a segment of which no frame has been read.
const fn empty(segment: &Segment) -> Usage {
    Usage {
        bytes: segment::HEADER_LEN,
        blocks: 0,
        last: Sequence(segment.first.0.saturating_sub(1)),
        time: Timestamp(0),
    }
}

/// What of a frame's data is verified.
#[derive(Clone, Copy)]
pub(crate) enum Verify {
    Nothing,
    /// The data of frames that hold this record or a later one.
    From(Sequence),
}

/// Reads the frames of a log that is not open yet.
pub(crate) struct Cursor<'a> {
    store: StoreId,
    log: &'a [Arc<Segment>],
    /// Which of them is read.
    pub(crate) index: usize,
    /// Where its next frame begins.
    pub(crate) offset: u64,
    pub(crate) next: Sequence,
    pub(crate) chain: Checksum,
    pub(crate) epoch: Epoch,
    usage: Usage,
    bytes: Vec<u8>,
}

impl<'a> Cursor<'a> {
    /// Begins with the segment that holds record `from`, or would; `None` where there is none.
    pub(crate) fn new(store: StoreId, log: &'a [Arc<Segment>], from: Sequence) -> Option<Self> {
        let behind = log.partition_point(|segment| segment.first <= from);
        let index = behind.checked_sub(1)?;
        let segment = &log[index];
        Some(Self {
            store,
            log,
            index,
            offset: segment::HEADER_LEN,
            next: segment.first,
            chain: segment.chain,
            epoch: segment.epoch,
            usage: empty(segment),
            bytes: Vec::new(),
        })
    }

    /// The next frame if it is whole.
    pub(crate) fn next(&mut self, verify: Verify) -> Result<Option<(FrameHeader, Frame)>, Error> {
        loop {
            let segment = &self.log[self.index];
            if let Some(found) = self.read(segment, self.offset, verify)? {
                self.pass(&found.0, &found.1);
                return Ok(Some(found));
            }
            segment.set_usage(self.usage);
            let Some(following) = self.log.get(self.index + 1) else {
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
            self.usage = empty(following);
        }
    }

    fn pass(&mut self, header: &FrameHeader, frame: &Frame) {
        let blocks = frame.records.iter().map(|record| match record {
            FrameRecord::Data { blocks, .. } => u64::from(*blocks),
            FrameRecord::Discard { .. } | FrameRecord::Change(_) => 0,
        });
        self.usage.blocks += blocks.sum::<u64>();
        self.usage.last = frame.position.sequence;
        self.usage.time = frame.time;
        self.usage.bytes += u64::from(header.frame_len);
        self.offset += u64::from(header.frame_len);
        self.next = header.next();
        self.chain = header.checksum;
        self.epoch = header.epoch;
    }

    fn read(
        &mut self,
        segment: &Arc<Segment>,
        offset: u64,
        verify: Verify,
    ) -> Result<Option<(FrameHeader, Frame)>, Error> {
        let Some(header) = read_head(segment, offset, self.store, &mut self.bytes)? else {
            return Ok(None);
        };
        if header.packed || header.first != self.next || header.chain != self.chain {
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
fn is_whole(segment: &Arc<Segment>, frame: &Frame) -> Result<bool, Error> {
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
    segment: &Arc<Segment>,
    at: Location,
    checksums: &[Checksum],
    buffer: &mut Vec<u8>,
) -> Result<bool, Error> {
    let blocks = CHUNK / BLOCK_SIZE as usize;
    let mut offset = at.offset();
    let file = segment.file()?;
    for some in checksums.chunks(blocks) {
        buffer.resize(some.len() * BLOCK_SIZE as usize, 0);
        file.read_at(buffer, offset)
            .map_err(|error| Error::io(DOING, error))?;
        offset += buffer.len() as u64;
        let mut read = buffer.chunks_exact(BLOCK_SIZE as usize).zip(some);
        if !read.all(|(block, checksum)| Checksum::of(block) == *checksum) {
            return Ok(false);
        }
    }
    Ok(true)
}
