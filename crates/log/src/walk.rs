//! Walking a segment: what is in it, whoever wrote it.

use std::sync::Arc;

use firebrick_edge::Timestamp;
use firebrick_vocabulary::{Sequence, StoreId};

use crate::catalog::{SegmentKind, Usage};
use crate::entry::{Frame, FrameRecord};
use crate::error::{Error, ErrorKind};
use crate::frame::{FrameHeader, HEADER_LEN};
use crate::log::Log;
use crate::moved::{MovedDiscard, Walked, WalkedBlock, WalkedRecord};
use crate::packed_frame;
use crate::reader::read_head;
use crate::record::Checksum;
use crate::segment::{self, ALIGNMENT, Segment};

const DOING: &str = "walk a segment";
/// How much is read at once where heads are looked for, in bytes.
const CHUNK: usize = 1 << 20;

impl Log {
    /// Visits the frames of a segment in order, up to what is used of it now; heads are verified, data
    /// is not looked at. In a packed segment that was being written when the machine stopped, the
    /// data of frames that were never synced may be missing: check each block.
    pub fn walk<E: From<Error>>(
        &self,
        number: u32,
        visit: &mut dyn FnMut(&Walked) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut walker = Walker::begin(self, number)?;
        while let Some(walked) = walker.next()? {
            visit(&walked)?;
        }
        Ok(())
    }

    /// As [`Self::walk`], for who needs all that is left of a segment that may be damaged: goes on
    /// behind heads that are not whole, with the next one that is. Returns where such heads are.
    pub fn salvage<E: From<Error>>(
        &self,
        number: u32,
        visit: &mut dyn FnMut(&Walked) -> Result<(), E>,
    ) -> Result<Vec<u64>, E> {
        let mut walker = Walker::begin(self, number)?;
        let mut broken = Vec::new();
        loop {
            let ended = match walker.next() {
                Ok(Some(walked)) => {
                    visit(&walked)?;
                    continue;
                }
                Ok(None) => false,
                Err(error) if matches!(error.kind, ErrorKind::Damaged { .. }) => true,
                Err(error) => return Err(error.into()),
            };
            let at = walker.offset;
            let goes_on = walker.resume()?;
            if goes_on || ended {
                broken.push(at);
            }
            if !goes_on {
                return Ok(broken);
            }
        }
    }

    /// How far a segment is used; walks it where that is not known.
    pub fn measure(&self, number: u32) -> Result<Usage, Error> {
        let mut walker = Walker::begin(self, number)?;
        if let Some(usage) = walker.limit {
            return Ok(usage);
        }
        while walker.next()?.is_some() {}
        Ok(walker.usage)
    }

    /// The segment of that number.
    pub(crate) fn find(&self, number: u32, doing: &'static str) -> Result<Arc<Segment>, Error> {
        let segments = self.shared.segments.read();
        let found = segments.get(number).map(Arc::clone);
        found.ok_or_else(|| Error::new(ErrorKind::Invalid("there is no such segment"), doing))
    }
}

/// Reads the frames of one segment, one after the other.
pub(crate) struct Walker {
    pub(crate) segment: Arc<Segment>,
    store: StoreId,
    offset: u64,
    /// What the next frame must say.
    next: Sequence,
    chain: Checksum,
    /// How far the segment is used, as far as is known.
    limit: Option<Usage>,
    /// The first record of the log segment behind, if that was begun right after this one.
    behind: Option<Sequence>,
    usage: Usage,
    bytes: Vec<u8>,
}

impl Walker {
    fn begin(log: &Log, number: u32) -> Result<Self, Error> {
        let segment = log.find(number, DOING)?;
        let segments = log.shared.segments.read();
        let behind = match segment.kind {
            SegmentKind::Log => segments.following(number),
            SegmentKind::Packed => None,
        };
        let behind = behind.filter(|behind| behind.before == number);
        let behind = behind.map(|behind| behind.first);
        drop(segments);
        let (next, last) = match segment.kind {
            SegmentKind::Log => (segment.first, Sequence(segment.first.0.saturating_sub(1))),
            SegmentKind::Packed => (Sequence(number.into()), Sequence::ZERO),
        };
        Ok(Self {
            store: log.shared.store,
            offset: segment::HEADER_LEN,
            next,
            chain: segment.chain,
            limit: segment.usage(),
            behind,
            usage: Usage {
                bytes: segment::HEADER_LEN,
                blocks: 0,
                last,
                time: Timestamp::default(),
            },
            bytes: Vec::new(),
            segment,
        })
    }

    fn next(&mut self) -> Result<Option<Walked>, Error> {
        if self.limit.is_some_and(|usage| self.offset >= usage.bytes) {
            return Ok(None);
        }
        let found = read_head(&self.segment, self.offset, self.store, &mut self.bytes)?;
        let Some(header) = found.filter(|header| self.follows(header)) else {
            return self.end();
        };
        let table = &self.bytes[HEADER_LEN..header.head_len()];
        let Some(records) = records(&header, table, self.segment.number, self.offset) else {
            return Err(self.damaged("the record table makes no sense"));
        };
        let walked = Walked {
            kind: self.segment.kind,
            offset: self.offset,
            len: header.frame_len.into(),
            time: header.time,
            records,
        };
        self.pass(&header, &walked);
        Ok(Some(walked))
    }

    /// Goes to the next whole head of this life of the file; whether there is one.
    fn resume(&mut self) -> Result<bool, Error> {
        let end = match self.limit {
            Some(usage) => usage.bytes,
            None => self.segment.len(),
        };
        let file = self.segment.file()?;
        let mut chunk = vec![0; CHUNK];
        let mut from = self.offset + ALIGNMENT;
        while from < end {
            let len = CHUNK.min((end - from) as usize);
            let chunk = &mut chunk[..len];
            file.read_at(chunk, from)
                .map_err(|error| Error::io(DOING, error))?;
            for at in (0..len).step_by(ALIGNMENT as usize) {
                if !chunk[at..].starts_with(b"FBFR") {
                    continue;
                }
                let offset = from + at as u64;
                let found = read_head(&self.segment, offset, self.store, &mut self.bytes)?;
                if let Some(header) = found.filter(|header| self.may_follow(header)) {
                    self.offset = offset;
                    self.next = header.first;
                    self.chain = header.chain;
                    return Ok(true);
                }
            }
            from += len as u64;
        }
        Ok(false)
    }

    /// Whether a frame is of this life of the file, and behind what has been visited: in a former one
    /// sequences were lower, and so was its number.
    fn may_follow(&self, header: &FrameHeader) -> bool {
        match self.segment.kind {
            SegmentKind::Log => {
                let before = self.behind.is_none_or(|behind| header.first < behind);
                !header.packed && header.first >= self.next && before
            }
            SegmentKind::Packed => header.packed && header.first == self.next,
        }
    }

    fn follows(&self, header: &FrameHeader) -> bool {
        let packed = match self.segment.kind {
            SegmentKind::Log => false,
            SegmentKind::Packed => true,
        };
        header.packed == packed && header.first == self.next && header.chain == self.chain
    }

    fn pass(&mut self, header: &FrameHeader, walked: &Walked) {
        self.offset += walked.len;
        self.chain = header.checksum;
        match walked.kind {
            SegmentKind::Log => {
                self.next = header.next();
                self.usage.last = Sequence(self.next.0 - 1);
            }
            SegmentKind::Packed => {
                let youngest = walked.records.iter().map(youngest).max();
                self.usage.last = self.usage.last.max(youngest.unwrap_or_default());
            }
        }
        let blocks = walked.records.iter().map(|record| match record {
            WalkedRecord::Data { blocks, .. } => blocks.len() as u64,
            WalkedRecord::Discard(_) | WalkedRecord::Change { .. } => 0,
        });
        self.usage.blocks += blocks.sum::<u64>();
        self.usage.bytes = self.offset;
        self.usage.time = header.time;
    }

    /// No frame follows: the end, or damage.
    fn end(&self) -> Result<Option<Walked>, Error> {
        if self.limit.is_some() || self.behind.is_some_and(|behind| behind != self.next) {
            return Err(self.damaged("no frame where one was written"));
        }
        self.segment.set_usage(self.usage);
        Ok(None)
    }

    fn damaged(&self, why: &str) -> Error {
        Error::damaged(DOING, self.segment.number, self.offset, why)
    }
}

/// The records of a frame of either kind; `None` where its table makes no sense.
pub(crate) fn records(
    header: &FrameHeader,
    table: &[u8],
    segment: u32,
    offset: u64,
) -> Option<Vec<WalkedRecord>> {
    if header.packed {
        return packed_frame::decode(header, table, segment, offset);
    }
    header.records(table, segment, offset).map(of_log)
}

/// What a frame of the log says, with the names and births that follow from its place.
fn of_log(frame: Frame) -> Vec<WalkedRecord> {
    let first = frame.first;
    let one = |(i, record)| {
        let birth = first.plus(i);
        match record {
            FrameRecord::Data {
                image,
                block,
                checksums,
                at,
                ..
            } => {
                let blocks = (0..).zip(checksums).map(|(i, checksum)| WalkedBlock {
                    block: block + u64::from(i),
                    name: at.plus_blocks(i),
                    birth,
                    checksum,
                    at: at.plus_blocks(i),
                });
                let blocks = blocks.collect();
                WalkedRecord::Data { image, blocks }
            }
            FrameRecord::Discard {
                image,
                block,
                blocks,
            } => WalkedRecord::Discard(MovedDiscard {
                image,
                block,
                blocks,
                birth,
            }),
            FrameRecord::Change(change) => WalkedRecord::Change {
                sequence: birth,
                change,
            },
        }
    };
    (0..).zip(frame.records).map(one).collect()
}

fn youngest(record: &WalkedRecord) -> Sequence {
    match record {
        WalkedRecord::Data { blocks, .. } => {
            let births = blocks.iter().map(|block| block.birth);
            births.max().unwrap_or_default()
        }
        WalkedRecord::Discard(discard) => discard.birth,
        WalkedRecord::Change { sequence, .. } => *sequence,
    }
}
