//! Writing packed segments: what the cleaner moves goes there, beside the log and without its locks.

use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::DiskFile;
use firebrick_vocabulary::{Epoch, Sequence};

use crate::catalog::{SegmentKind, Usage};
use crate::error::{Error, ErrorKind};
use crate::frame::{self, Encoded, Heading};
use crate::log::{Log, Shared};
use crate::moved::{Moved, MovedDiscard};
use crate::packed_frame;
use crate::record::{Checksum, Location};
use crate::segment::{ALIGNMENT, HEADER_LEN, Segment, SegmentHeader};
use crate::supply::Right;

const DOING: &str = "pack blocks";

/// The end of the newest packed segment. A start begins a new one.
#[derive(Default)]
pub(crate) struct Packer {
    current: Option<Current>,
    /// Older segments with frames that have not been synced.
    unsynced: Vec<(u32, Arc<dyn DiskFile>)>,
    /// Reused for the head of each frame.
    head: Vec<u8>,
    closed: bool,
}

struct Current {
    segment: Arc<Segment>,
    file: Arc<dyn DiskFile>,
    offset: u64,
    chain: Checksum,
    /// Up to where its frames are durable.
    synced: u64,
    /// Something of a frame that was refused may lie at `offset`.
    remains: bool,
}

impl Packer {
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The segment being written.
    pub(crate) fn current(&self) -> Option<u32> {
        self.current.as_ref().map(|current| current.segment.number)
    }

    /// What is left in it, in bytes.
    pub(crate) fn left(&self) -> u64 {
        let left = |current: &Current| current.segment.len().saturating_sub(current.offset);
        self.current.as_ref().map_or(0, left)
    }

    /// Up to where the frames of a segment are durable.
    pub(crate) fn synced(&self, number: u32) -> u64 {
        let current = self.current.as_ref();
        match current.filter(|current| current.segment.number == number) {
            Some(current) => current.synced,
            None if self.is_synced(number) => u64::MAX,
            None => 0,
        }
    }

    /// Whether that segment is full and durable.
    pub(crate) fn is_synced(&self, number: u32) -> bool {
        let waits = self.unsynced.iter().any(|(waits, _)| *waits == number);
        !waits && self.current() != Some(number)
    }
}

impl Log {
    /// Appends moved blocks and discards to the current packed segment as one frame, and says where
    /// each block lies now. Durable after a later [`Self::sync_packed`]. May use the reserve. Where
    /// there is no room ([`ErrorKind::NoSpace`]) nothing was appended.
    pub fn pack(
        &self,
        blocks: &[Moved<'_>],
        discards: &[MovedDiscard],
    ) -> Result<Vec<Location>, Error> {
        let shared = &*self.shared;
        let mut packer = shared.packer.lock();
        if packer.closed {
            return Err(Error::new(ErrorKind::Closed, DOING));
        }
        shared.refuse_poisoned(DOING)?;
        let mut head = std::mem::take(&mut packer.head);
        let packed = shared.pack_frame(&mut packer, blocks, discards, &mut head);
        packer.head = head;
        packed.inspect_err(|error| {
            if error.kind == ErrorKind::Io {
                shared.flusher.poison();
            }
        })
    }

    /// Makes everything durable that was packed before the call.
    pub fn sync_packed(&self) -> Result<(), Error> {
        let shared = &*self.shared;
        // One at a time, so that nobody returns while another still syncs what one waits for.
        let _one = shared.packed_sync.lock();
        shared.refuse_poisoned(DOING)?;
        let (older, current) = {
            let packer = shared.packer.lock();
            let current = packer.current.as_ref().filter(|it| it.is_dirty());
            let current = current.map(|it| (Arc::clone(&it.file), it.segment.number, it.offset));
            (packer.unsynced.clone(), current)
        };
        let newest = current.iter().map(|(file, ..)| file);
        let files = older.iter().map(|(_, file)| file).chain(newest);
        let synced = files.into_iter().try_for_each(|file| file.sync());
        synced.map_err(|error| {
            shared.flusher.poison();
            Error::refused(DOING, error)
        })?;
        let mut packer = shared.packer.lock();
        let done = |number: u32| older.iter().any(|(synced, _)| *synced == number);
        packer.unsynced.retain(|(number, _)| !done(*number));
        if let (Some((_, number, end)), Some(now)) = (current, &mut packer.current)
            && now.segment.number == number
        {
            now.synced = end;
        }
        Ok(())
    }
}

impl Shared {
    fn pack_frame(
        &self,
        packer: &mut Packer,
        blocks: &[Moved<'_>],
        discards: &[MovedDiscard],
        head: &mut Vec<u8>,
    ) -> Result<Vec<Location>, Error> {
        let current = packer.current.as_ref();
        let mut heading = Heading {
            store: self.store,
            epoch: Epoch::FIRST,
            first: Sequence(current.map_or(0, |current| current.segment.number.into())),
            chain: current.map_or(Checksum(0), |current| current.chain),
            time: self.clock.now(),
            applied: None,
            durable: self.flusher.durable().sequence,
            packed: true,
        };
        let offset = current.map_or(HEADER_LEN, |current| current.offset);
        let mut encoded =
            packed_frame::encode(&heading, blocks, discards, (offset, self.around_min), head)?;
        let fits = current
            .is_some_and(|current| current.offset + encoded.frame_len <= current.segment.len());
        if !fits {
            self.next_packed(packer, encoded.frame_len)?;
        }
        let Some(current) = &mut packer.current else {
            return Err(Error::new(ErrorKind::Io, DOING));
        };
        if !fits {
            heading.first = Sequence(current.segment.number.into());
            heading.chain = current.chain;
            let offset = (current.offset, self.around_min);
            encoded = packed_frame::encode(&heading, blocks, discards, offset, head)?;
        }
        current.write(
            (head, self.around_min),
            blocks,
            discards,
            &heading,
            &encoded,
        )
    }

    fn next_packed(&self, packer: &mut Packer, frame_len: u64) -> Result<(), Error> {
        if let Some(current) = &mut packer.current
            && current.remains
        {
            current.erase_remains()?;
        }
        let header = SegmentHeader {
            store: self.store,
            number: 0,
            kind: SegmentKind::Packed,
            before: 0,
            first: Sequence::ZERO,
            chain: Checksum(0),
            durable: self.flusher.durable().sequence,
            epoch: Epoch::FIRST,
        };
        let len = self.options.segment_bytes.max(HEADER_LEN + frame_len);
        let begun = self.supply.begin(header, len, Right::Reserve)?;
        begun.segment.set_usage(Usage {
            bytes: HEADER_LEN,
            ..Usage::default()
        });
        let mut segments = self.segments.write();
        let number = begun.segment.number;
        segments.packed.insert(number, Arc::clone(&begun.segment));
        drop(segments);
        let next = Current {
            segment: begun.segment,
            file: begun.file,
            offset: HEADER_LEN,
            chain: Checksum(0),
            synced: HEADER_LEN,
            remains: false,
        };
        if let Some(former) = packer.current.replace(next)
            && former.is_dirty()
        {
            let number = former.segment.number;
            packer.unsynced.push((number, former.file));
        }
        Ok(())
    }
}

impl Current {
    /// Whether it has frames that are not durable; also while a sync is on its way.
    fn is_dirty(&self) -> bool {
        self.synced < self.offset
    }

    fn write(
        &mut self,
        (head, around_min): (&[u8], u64),
        blocks: &[Moved<'_>],
        discards: &[MovedDiscard],
        heading: &Heading,
        encoded: &Encoded,
    ) -> Result<Vec<Location>, Error> {
        let data: Vec<_> = blocks
            .iter()
            .map(|moved| IoSlice::new(moved.data))
            .collect();
        let place = (self.offset, self.segment.len());
        if let Err(error) = frame::write(&*self.file, head, &data, place, around_min) {
            self.remains = true;
            return Err(Error::io(DOING, error));
        }
        self.remains = false;
        let first = Location {
            segment: self.segment.number,
            unit: ((self.offset + head.len() as u64) / ALIGNMENT) as u32,
        };
        self.offset += encoded.frame_len;
        self.chain = encoded.checksum;
        let usage = self.segment.usage().unwrap_or_default();
        let births = blocks.iter().map(|moved| moved.birth);
        let births = births.chain(discards.iter().map(|discard| discard.birth));
        self.segment.set_usage(Usage {
            bytes: self.offset,
            blocks: usage.blocks + blocks.len() as u64,
            last: births.fold(usage.last, Sequence::max),
            time: heading.time,
        });
        let places = (0..blocks.len() as u32).map(|i| first.plus_blocks(i));
        Ok(places.collect())
    }

    /// A refused frame may have left a whole head: it must be gone before another segment is begun,
    /// or a later walk would take it for a frame.
    fn erase_remains(&mut self) -> Result<(), Error> {
        let zeroes = [0; ALIGNMENT as usize];
        self.file
            .write_at(&[IoSlice::new(&zeroes)], self.offset)
            .map_err(|error| Error::io(DOING, error))?;
        self.file
            .sync()
            .map_err(|error| Error::refused(DOING, error))?;
        self.remains = false;
        Ok(())
    }
}
