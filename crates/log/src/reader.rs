//! Reading frames in order.

use std::io;
use std::sync::Arc;

use firebrick_vocabulary::{Sequence, StoreId};

use crate::entry::Frame;
use crate::error::{Error, ErrorKind};
use crate::frame::{FrameHeader, HEADER_LEN};
use crate::log::Shared;
use crate::record::Checksum;
use crate::segment::{self, Segment};

const DOING: &str = "read the log";
/// How much is read at once in the hope that it holds header and table.
const GUESS: usize = 1024;

/// Reads frames in order, as they are appended.
pub struct Reader {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    offset: u64,
    next: Sequence,
    chain: Checksum,
    bytes: Vec<u8>,
}

impl Reader {
    pub(crate) fn begin(shared: Arc<Shared>, from: Sequence) -> Result<Self, Error> {
        let segment = {
            let segments = shared.segments.read();
            let oldest = segments.contiguous;
            if from < oldest {
                return Err(Error::new(ErrorKind::Trimmed { oldest }, DOING));
            }
            segments.holding(from).map(Arc::clone)
        };
        let Some(segment) = segment else {
            return Err(Error::damaged(DOING, 1, 0, "the log has no segment"));
        };
        let mut reader = Self {
            next: segment.first,
            chain: segment.chain,
            offset: segment::HEADER_LEN,
            bytes: Vec::new(),
            shared,
            segment,
        };
        while reader.next <= from {
            let Some(header) = reader.peek()? else { break };
            if header.next() > from {
                break;
            }
            reader.pass(&header);
        }
        Ok(reader)
    }

    /// The next frame, without its data; `None` at the head (ask again later).
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let Some(header) = self.peek()? else {
            return Ok(None);
        };
        let table = &self.bytes[HEADER_LEN..header.head_len()];
        let Some(frame) = header.records(table, self.segment.number, self.offset) else {
            return Err(self.damaged("the record table makes no sense"));
        };
        self.pass(&header);
        Ok(Some(frame))
    }

    fn pass(&mut self, header: &FrameHeader) {
        self.offset += u64::from(header.frame_len);
        self.next = header.next();
        self.chain = header.checksum;
    }

    /// The header of the next frame, with header and table in `bytes`; `None` at the head.
    fn peek(&mut self) -> Result<Option<FrameHeader>, Error> {
        if self.shared.head.lock().sequence < self.next {
            return Ok(None);
        }
        let store = self.shared.store;
        loop {
            let found = read_head(&self.segment, self.offset, store, &mut self.bytes)?;
            match found {
                Some(header) if self.follows(&header) => return Ok(Some(header)),
                // The segment ends here, or is empty.
                Some(_) | None => self.turn()?,
            }
        }
    }

    fn follows(&self, header: &FrameHeader) -> bool {
        !header.packed && header.first == self.next && header.chain == self.chain
    }

    /// Goes on to the following segment, if that begins with the next record.
    fn turn(&mut self) -> Result<(), Error> {
        let segments = self.shared.segments.read();
        let following = segments.following(self.segment.number).map(Arc::clone);
        let oldest = segments.contiguous;
        drop(segments);
        match following {
            Some(segment) if segment.first == self.next => {
                self.segment = segment;
                self.offset = segment::HEADER_LEN;
                Ok(())
            }
            Some(_) if self.next < oldest => Err(Error::new(ErrorKind::Trimmed { oldest }, DOING)),
            Some(_) | None => Err(self.damaged("no frame where one was written")),
        }
    }

    fn damaged(&self, why: &str) -> Error {
        Error::damaged(DOING, self.segment.number, self.offset, why)
    }
}

/// Reads header and table of the frame at `offset` into `bytes`; `None` where there is none whose
/// checksum fits.
pub(crate) fn read_head(
    segment: &Arc<Segment>,
    offset: u64,
    store: StoreId,
    bytes: &mut Vec<u8>,
) -> Result<Option<FrameHeader>, Error> {
    let room = segment.len().saturating_sub(offset) as usize;
    if room < HEADER_LEN {
        return Ok(None);
    }
    fill(segment, offset, bytes, 0, room.min(GUESS))?;
    let mut start = [0; HEADER_LEN];
    start.copy_from_slice(&bytes[..HEADER_LEN]);
    let Some(header) = FrameHeader::decode(&start, store) else {
        return Ok(None);
    };
    if header.frame_len as usize > room {
        return Ok(None);
    }
    let head_len = header.head_len();
    if head_len > bytes.len() {
        fill(segment, offset, bytes, bytes.len(), head_len)?;
    }
    Ok(header.fits(&bytes[..head_len]).then_some(header))
}

/// Reads what `bytes` lacks of the `len` bytes from `offset` on; it has `have` already.
fn fill(
    segment: &Arc<Segment>,
    offset: u64,
    bytes: &mut Vec<u8>,
    have: usize,
    len: usize,
) -> Result<(), Error> {
    bytes.resize(len, 0);
    let read = segment
        .file()?
        .read_at(&mut bytes[have..], offset + have as u64);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::damaged(DOING, segment.number, offset, "the file is too short")
        }
        _ => Error::io(DOING, error),
    })
}
