//! The journal of images: their part of the log, record by record, as far as it is still there.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use firebrick_edge::Timestamp;
use firebrick_log::{Change, Checksum, Frame, FrameRecord, Location, Reader, SegmentKind};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Position, Sequence};

use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::store::Store;

const DOING: &str = "read the journal of an image";
const BLOCK: usize = BLOCK_SIZE as usize;

/// Which part of the log can be read in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogSpan {
    /// The first record from which on nothing is missing.
    pub oldest: Sequence,
    /// The newest record.
    pub head: Position,
    /// The numbers of the segments in between and their first records, oldest first.
    pub segments: Vec<(u32, Sequence)>,
}

impl LogSpan {
    /// The segment that holds a record.
    pub fn segment_of(&self, sequence: Sequence) -> Option<u32> {
        let mut newest_first = self.segments.iter().rev();
        let found = newest_first.find(|(_, first)| *first <= sequence);
        found.map(|(number, _)| *number)
    }
}

/// What a journal says next.
#[derive(Clone, Debug, PartialEq)]
pub enum JournalItem {
    /// A record of an image.
    Record {
        /// Which image.
        image: ImageId,
        /// Its place.
        position: Position,
        /// When it was written.
        time: Timestamp,
        /// What it says, of this image alone.
        record: FrameRecord,
    },
    /// A part of the log cannot be read any more: what it said of the images is not known.
    Broken {
        /// The first record that cannot be read.
        from: Sequence,
        /// Where it should begin: the segment.
        segment: u32,
        /// Where it should begin: the first byte.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
}

/// Where a reader is after a step.
#[derive(Clone, Debug, PartialEq)]
pub enum JournalStep {
    /// There was something.
    Item(Box<JournalItem>),
    /// Many records were about other images; ask again.
    Pause,
    /// That was all.
    End,
}

/// Reads the journal of some images from a record on, up to what was the newest when it was opened.
///
/// It holds nothing back: where the log is cleaned away while it is read, that is an error.
pub struct JournalReader {
    core: Arc<Core>,
    images: BTreeSet<ImageId>,
    reader: Reader,
    next: Sequence,
    upto: Sequence,
    ready: VecDeque<JournalItem>,
}

impl Store {
    /// Which part of the log can be read in order now.
    pub fn log_span(&self) -> LogSpan {
        let oldest = self.core.log.contiguous_from();
        let head = self.core.log.head();
        let all = self.core.log.segments().into_iter();
        let log = all.filter(|segment| segment.kind == SegmentKind::Log);
        let held = log.filter(|segment| segment.first >= oldest && segment.first <= head.sequence);
        LogSpan {
            oldest,
            head,
            segments: held
                .map(|segment| (segment.number, segment.first))
                .collect(),
        }
    }

    /// Reads the journal of images from record `from` on, or from the oldest one that is there.
    pub fn journal(
        &self,
        images: impl IntoIterator<Item = ImageId>,
        from: Sequence,
    ) -> Result<JournalReader, Error> {
        let log = &self.core.log;
        let upto = log.head().sequence;
        let from = from.max(log.contiguous_from());
        Ok(JournalReader {
            core: Arc::clone(&self.core),
            images: images.into_iter().collect(),
            reader: log.reader(from)?,
            next: from,
            upto,
            ready: VecDeque::new(),
        })
    }
}

impl JournalReader {
    /// The next record that is read.
    pub const fn at(&self) -> Sequence {
        self.next
    }

    /// The last record that is read.
    pub const fn upto(&self) -> Sequence {
        self.upto
    }

    /// The next record of the images; looks at so many frames at most, one at least.
    pub fn step(&mut self, frames: usize) -> Result<JournalStep, Error> {
        for _ in 0..frames.max(1) {
            if let Some(item) = self.ready.pop_front() {
                return Ok(JournalStep::Item(Box::new(item)));
            }
            if self.next > self.upto {
                return Ok(JournalStep::End);
            }
            match self.reader.next_frame() {
                Ok(Some(frame)) => self.take(frame),
                Ok(None) => return Ok(JournalStep::End),
                Err(error) => self.pass_damage(error)?,
            }
        }
        let item = self.ready.pop_front();
        Ok(item.map_or(JournalStep::Pause, |item| JournalStep::Item(Box::new(item))))
    }

    /// Reads blocks of a record that this has shown into `buffer`, which holds exactly them; which of them
    /// is the first that is not what was written, if one is.
    pub fn read(
        &self,
        position: Position,
        at: Location,
        checksums: &[Checksum],
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        let read = self.core.read_named(at, buffer);
        let sums = buffer.chunks_exact(BLOCK).zip(checksums);
        let bad = match read {
            Ok(()) => sums
                .map(|(block, checksum)| Checksum::of(block) == *checksum)
                .position(|fits| !fits),
            Err(error) if matches!(error.kind, ErrorKind::Io | ErrorKind::Damaged) => Some(0),
            Err(error) if self.is_gone(position.sequence) => return Err(gone(&error.why)),
            Err(error) => return Err(error),
        };
        if bad.is_some() && self.is_gone(position.sequence) {
            return Err(gone("its segment has been used again"));
        }
        Ok(bad)
    }

    fn is_gone(&self, sequence: Sequence) -> bool {
        self.core.log.contiguous_from() > sequence
    }

    fn take(&mut self, frame: Frame) {
        let first = frame.first;
        for (i, record) in frame.records.into_iter().enumerate() {
            let sequence = first.plus(i as u64);
            if sequence < self.next || sequence > self.upto {
                continue;
            }
            let position = Position {
                epoch: frame.position.epoch,
                sequence,
            };
            for (image, record) in parts(record, &self.images) {
                self.ready.push_back(JournalItem::Record {
                    image,
                    position,
                    time: frame.time,
                    record,
                });
            }
        }
        self.next = frame.position.sequence.next();
    }

    /// Goes on with the segment behind the one that is damaged.
    fn pass_damage(&mut self, error: firebrick_log::Error) -> Result<(), Error> {
        let firebrick_log::ErrorKind::Damaged {
            segment,
            offset,
            why,
        } = error.kind
        else {
            return match error.kind {
                firebrick_log::ErrorKind::Trimmed { .. } => Err(gone("it has been freed")),
                _ => Err(error.into()),
            };
        };
        if self.is_gone(self.next) {
            return Err(gone("its segment has been used again"));
        }
        self.ready.push_back(JournalItem::Broken {
            from: self.next,
            segment,
            offset,
            why,
        });
        let log = &self.core.log;
        let all = log.segments().into_iter();
        let mut behind = all.filter(|it| it.kind == SegmentKind::Log && it.number > segment);
        match behind.next() {
            Some(following) => {
                self.next = following.first;
                self.reader = log.reader(following.first)?;
            }
            None => self.next = self.upto.next(),
        }
        Ok(())
    }
}

fn gone(why: &str) -> Error {
    let why = format!("the part of the log that was to be read next is gone: {why}; begin again");
    Error::new(ErrorKind::Busy, DOING, why)
}

/// What a record says of each of the images.
fn parts(record: FrameRecord, images: &BTreeSet<ImageId>) -> Vec<(ImageId, FrameRecord)> {
    let image = match &record {
        FrameRecord::Data { image, .. } | FrameRecord::Discard { image, .. } => *image,
        FrameRecord::Change(change) => return changes(change, images),
    };
    if images.contains(&image) {
        vec![(image, record)]
    } else {
        Vec::new()
    }
}

fn changes(change: &Change, images: &BTreeSet<ImageId>) -> Vec<(ImageId, FrameRecord)> {
    let wanted = |image: &ImageId| images.contains(image);
    let one = |image: ImageId, change: Change| (image, FrameRecord::Change(change));
    match change {
        Change::Promote { images: all } => {
            let mine = all.iter().filter(|it| wanted(&it.image));
            let part = |it: &firebrick_log::Promotion| {
                let images = vec![*it];
                one(it.image, Change::Promote { images })
            };
            mine.map(part).collect()
        }
        Change::Demote { images: all } => {
            let mine = all.iter().filter(|image| wanted(image));
            let part = |image: &ImageId| {
                let images = vec![*image];
                one(*image, Change::Demote { images })
            };
            mine.map(part).collect()
        }
        Change::FallBack { images: all } => {
            let mine = all.iter().filter(|it| wanted(&it.image));
            let part = |it: &firebrick_log::FallBack| {
                let images = vec![it.clone()];
                one(it.image, Change::FallBack { images })
            };
            mine.map(part).collect()
        }
        Change::Adopt { images: all } => {
            let part = |image: &ImageId| {
                let images = vec![*image];
                one(*image, Change::Adopt { images })
            };
            all.iter().filter(|it| wanted(it)).map(part).collect()
        }
        Change::Create { image, .. }
        | Change::Yield { image, .. }
        | Change::Remove { image }
        | Change::Rename { image, .. }
        | Change::Resize { image, .. }
        | Change::SnapshotCreate { image, .. }
        | Change::SnapshotRemove { image, .. }
        | Change::Rollback { image, .. }
        | Change::Restore { image, .. }
        | Change::Metadata { image, .. }
        | Change::Mirroring { image, .. }
        | Change::Sync { image, .. }
        | Change::Follow { image, .. } => {
            let mine = wanted(image).then(|| one(*image, change.clone()));
            mine.into_iter().collect()
        }
        Change::Base { .. } => Vec::new(),
    }
}

impl std::fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalReader")
            .field("next", &self.next)
            .field("upto", &self.upto)
            .finish_non_exhaustive()
    }
}
