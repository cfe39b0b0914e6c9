//! At a start: which files there are, and what each of them is.

use std::sync::Arc;

use firebrick_vocabulary::{Epoch, Sequence, StoreId};

use crate::catalog::{Catalog, SegmentInfo, SegmentKind};
use crate::error::Error;
use crate::files::Files;
use crate::reader::read_head;
use crate::record::Checksum;
use crate::recovery::settle;
use crate::segment::{self, Segment, SegmentHeader};
use crate::supply::Spare;

const DOING: &str = "recover the log";
/// How many of the newest files may have a header that was written and never synced: what failed when
/// the log was poisoned, on behalf of the log and of the cleaner.
const UNSETTLED: usize = 4;

/// What lies in the folder of the segments.
pub(crate) struct Found {
    /// The ordered log, oldest first.
    pub(crate) log: Vec<Arc<Segment>>,
    pub(crate) packed: Vec<Arc<Segment>>,
    /// Segments that were made ahead or failed to be made, and never begun.
    pub(crate) blank: Vec<Spare>,
    pub(crate) spares: Vec<Spare>,
    /// No file has this number or a higher one.
    pub(crate) next: u32,
}

impl Found {
    /// Looks at all files whose segments the catalog does not know.
    pub(crate) fn look(
        files: &Arc<Files>,
        store: StoreId,
        catalog: Option<&Catalog>,
    ) -> Result<Self, Error> {
        let (segments, spares) = Segment::numbers(&files.disk)?;
        let known = catalog.map_or(&[][..], |catalog| &catalog.segments);
        let highest = segments.iter().chain(&spares).max();
        let next = highest.map_or(1, |number| number.saturating_add(1));
        let mut found = Self {
            log: Vec::new(),
            packed: Vec::new(),
            blank: Vec::new(),
            spares: Vec::new(),
            next: next.max(catalog.map_or(1, |catalog| catalog.next)),
        };
        let unsettled = segments.len().saturating_sub(UNSETTLED);
        for (i, &number) in segments.iter().enumerate() {
            match known.binary_search_by_key(&number, |segment| segment.number) {
                Ok(at) => found.add(Segment::new(files, &known[at])),
                Err(_) => found.open(files, store, number, i >= unsettled)?,
            }
        }
        found.refuse_lost()?;
        for number in spares {
            let path = Segment::spare_path(number);
            let len = files.disk.open(&path).and_then(|file| file.len());
            let len = len.map_err(|error| Error::io(DOING, error))?;
            found.spares.push(Spare { number, len });
        }
        Ok(found)
    }

    fn add(&mut self, segment: Arc<Segment>) {
        match segment.kind {
            SegmentKind::Log => self.log.push(segment),
            SegmentKind::Packed => self.packed.push(segment),
        }
    }

    /// Reads the header of one file.
    fn open(
        &mut self,
        files: &Arc<Files>,
        store: StoreId,
        number: u32,
        unsettled: bool,
    ) -> Result<(), Error> {
        let io = |error| Error::io(DOING, error);
        let file = files.disk.open(&Segment::path(number)).map_err(io)?;
        if unsettled {
            settle(&*file)?;
        }
        let len = file.len().map_err(io)?;
        if let Some(header) = SegmentHeader::read(&*file, store, number)? {
            let segment = Segment::new(files, &header.info(len, None));
            segment.keep(file);
            self.add(segment);
            return Ok(());
        }
        let unknown = Segment::new(files, &unknown(number, len));
        let newest = self.log.last().map_or(Sequence::ZERO, |last| last.first);
        let first_frame = read_head(&unknown, segment::HEADER_LEN, store, &mut Vec::new())?;
        // Frames of a former life have a lower number, or come before every segment that is there.
        let own = first_frame.is_some_and(|frame| {
            if frame.packed {
                frame.first.0 >= u64::from(number)
            } else {
                frame.first > newest
            }
        });
        if own {
            return Err(not_whole(number));
        }
        self.blank.push(Spare { number, len });
        Ok(())
    }

    /// A segment after which another one was begun has been begun itself.
    fn refuse_lost(&self) -> Result<(), Error> {
        let begun = |blank: &&Spare| self.log.iter().any(|log| log.before == blank.number);
        match self.blank.iter().find(begun) {
            Some(blank) => Err(not_whole(blank.number)),
            None if self.log.is_empty() => {
                Err(Error::damaged(DOING, 1, 0, "the store has no segment"))
            }
            None => Ok(()),
        }
    }
}

fn not_whole(number: u32) -> Error {
    Error::damaged(DOING, number, 0, "its header is not whole")
}

/// A segment of which only the number is known.
const fn unknown(number: u32, len: u64) -> SegmentInfo {
    SegmentInfo {
        number,
        kind: SegmentKind::Log,
        before: 0,
        first: Sequence::ZERO,
        chain: Checksum(0),
        durable: Sequence::ZERO,
        epoch: Epoch::FIRST,
        len,
        usage: None,
    }
}
