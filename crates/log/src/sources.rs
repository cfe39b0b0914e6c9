//! Reading many blocks that belong together: each segment is looked up once, not for each block.

use std::sync::Arc;

use firebrick_edge::{DiskFile, PAGE, Part};

use crate::error::Error;
use crate::log::Shared;
use crate::record::Location;
use crate::segment::Segment;

const DOING: &str = "read the log";
/// How many segments are remembered besides the last one. Blocks that were written at random lie in
/// about as many segments as a large read has blocks, or in all there are.
const KNOWN: usize = 64;

/// A segment that was found, with its file. While it is held, the file is not used again.
struct Source {
    segment: Arc<Segment>,
    file: Arc<dyn DiskFile>,
}

/// Where one read finds its blocks. Not to be kept: it holds the files of segments that may be freed.
pub struct Sources<'a> {
    shared: &'a Shared,
    last: Option<Source>,
    /// By the last bits of their numbers. Empty as long as one segment is all that is read.
    known: Vec<Option<Source>>,
}

impl<'a> Sources<'a> {
    pub(crate) const fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            last: None,
            known: Vec::new(),
        }
    }

    /// Reads the whole blocks of `buffer` from `at` on; they must lie in one record's data.
    /// The checksums are the caller's to check.
    pub fn read(&mut self, at: Location, buffer: &mut [u8]) -> Result<(), Error> {
        let around = self.goes_around(at, buffer.len());
        let file = self.file(at, buffer.len())?;
        let read = if around {
            file.read_around_at(buffer, at.offset())
        } else {
            file.read_at(buffer, at.offset())
        };
        read.map_err(|error| unreadable(at, error))
    }

    /// As [`Self::read`], but only as far as that needs no wait for the disk; how many bytes that is.
    /// What is missing the disk may begin to read, but for what [`Self::read`] reads past the cache.
    pub fn read_cached(&mut self, at: Location, buffer: &mut [u8]) -> Result<usize, Error> {
        let around = self.goes_around(at, buffer.len());
        let file = self.file(at, buffer.len())?;
        if around && !file.is_cached(at.offset(), buffer.len() as u64) {
            return Ok(0);
        }
        let read = file.read_cached_at(buffer, at.offset());
        read.map_err(|error| unreadable(at, error))
    }

    /// As [`Self::read_cached`], of parts that lie one behind the other from `at` on; how many bytes of all of
    /// them that is. What is of no use may be anything.
    pub fn read_cached_parts(
        &mut self,
        at: Location,
        parts: &mut [Part<'_>],
    ) -> Result<usize, Error> {
        let len = parts.iter().map(Part::len).sum();
        // What lies between is asked for only to save calls.
        let around = parts.iter().any(|part| self.goes_around(at, part.len()));
        let file = self.file(at, len)?;
        if around && !file.is_cached(at.offset(), len as u64) {
            return Ok(0);
        }
        let read = file.read_cached_parts_at(parts, at.offset());
        read.map_err(|error| unreadable(at, error))
    }

    /// Whether this is as much at once as goes past the system's cache when it is written.
    const fn goes_around(&self, at: Location, len: usize) -> bool {
        len as u64 >= self.shared.around_min && at.offset().is_multiple_of(PAGE)
    }

    /// The file that holds `len` bytes from `at` on.
    fn file(&mut self, at: Location, len: usize) -> Result<&dyn DiskFile, Error> {
        let found = match self.take(at.segment) {
            Some(found) => found,
            None => self.find(at)?,
        };
        let found = self.last.insert(found);
        if at.offset() + len as u64 > found.segment.len() {
            return Err(nowhere(at));
        }
        Ok(&*found.file)
    }

    /// Takes what is known of a segment, and puts what was used last with the rest.
    fn take(&mut self, number: u32) -> Option<Source> {
        let last = self.last.take()?;
        if last.segment.number == number {
            return Some(last);
        }
        if self.known.is_empty() {
            self.known.resize_with(KNOWN, || None);
        }
        let place = last.segment.number as usize % KNOWN;
        self.known[place] = Some(last);
        self.known[number as usize % KNOWN].take_if(|known| known.segment.number == number)
    }

    fn find(&self, at: Location) -> Result<Source, Error> {
        let segments = self.shared.segments.read();
        let segment = segments.get(at.segment).map(Arc::clone);
        drop(segments);
        let segment = segment.ok_or_else(|| nowhere(at))?;
        let file = segment.file()?;
        Ok(Source { segment, file })
    }
}

fn nowhere(at: Location) -> Error {
    Error::damaged(DOING, at.segment, at.offset(), "no such place")
}

/// Why data could not be read: where the file ends before, it was cut short.
fn unreadable(at: Location, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::damaged(DOING, at.segment, at.offset(), "the file ends before");
    }
    Error::io(DOING, error)
}
