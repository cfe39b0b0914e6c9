//! Where segments come from and where they go: numbers, the segment that is made ahead, spares, and
//! how much room all of them may take.
//!
//! To make a segment costs a commit of the file system's journal, which takes long where the disk is
//! busy. Made ahead, only its header has to become durable before frames go into it. A segment that
//! was freed becomes a spare: its extents are allocated and its pages warm, so it is used again as
//! it is. Nothing erases what it holds from its former life. That is never taken for new, because
//! - its new name is durable before its new header, and that before any frame in it;
//! - every former life had a lower number (a spare keeps its number in its name), and packed frames
//!   carry the number of their segment;
//! - frames of the log in it have lower sequences than any that is written from now on, as only
//!   durable ones are freed, and recovery removes what lay behind the end instead of keeping it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::{Condvar, Mutex, MutexGuard};
use firebrick_edge::{Disk, DiskFile};

use crate::catalog::SegmentKind;
use crate::entry::Room;
use crate::error::{Error, ErrorKind};
use crate::files::Files;
use crate::segment::{self, FOLDER, Segment, SegmentHeader};

const DOING: &str = "make a segment";
/// How many segments guests leave to those who make room.
const RESERVE_SEGMENTS: u64 = 4;

/// Who wants room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Right {
    /// Data of guests, which leave the reserve alone.
    Guest,
    /// Discards, changes and the cleaner, by which room comes back.
    Reserve,
}

/// The limits of a supply, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) segment: u64,
    pub(crate) capacity: Option<u64>,
    pub(crate) spare: u64,
}

/// Segments to come. Those of the log are begun under the writer's lock and packed ones under the
/// packer's, so that the header of each is durable before the next one of its kind is begun.
pub(crate) struct Supply {
    files: Arc<Files>,
    limits: Limits,
    /// Held while a file is made, which takes its time: whoever takes the one that was made ahead
    /// does without it.
    making: Mutex<()>,
    /// Never held while the disk works.
    state: Mutex<State>,
    /// The segment made ahead is in use.
    taken: Condvar,
    used: AtomicU64,
    spare: AtomicU64,
}

struct State {
    /// The number of the next file.
    next: u32,
    ahead: Option<Blank>,
    spares: Vec<Spare>,
    /// Freed, and perhaps still held by readers.
    retired: Vec<Arc<Segment>>,
}

/// A file that has its number and its room, but no header of its own yet: recovery takes it for one
/// that was never begun.
struct Blank {
    number: u32,
    file: Arc<dyn DiskFile>,
    len: u64,
    /// Up to where its blocks have been written before.
    written: u64,
}

/// A file that waits to be used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spare {
    pub(crate) number: u32,
    pub(crate) len: u64,
}

/// A segment that can be written to.
pub(crate) struct Begun {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Up to where its blocks have been written before.
    pub(crate) written: u64,
    /// Whether guests may fill it.
    pub(crate) guests: bool,
}

impl Supply {
    pub(crate) fn new(
        files: Arc<Files>,
        limits: Limits,
        next: u32,
        used: u64,
        spares: Vec<Spare>,
    ) -> Self {
        let spare = spares.iter().map(|spare| spare.len).sum();
        let state = State {
            next,
            ahead: None,
            spares,
            retired: Vec::new(),
        };
        Self {
            files,
            limits,
            making: Mutex::new(()),
            state: Mutex::new(state),
            taken: Condvar::new(),
            used: AtomicU64::new(used),
            spare: AtomicU64::new(spare),
        }
    }

    /// No segment has had this number or a higher one.
    pub(crate) fn next_number(&self) -> u32 {
        self.state.lock().next
    }

    /// Makes a segment ahead where there is none.
    pub(crate) fn prepare(&self, timeout: Duration) -> Result<bool, Error> {
        self.recycle()?;
        {
            let mut state = self.state.lock();
            if state.ahead.is_some() {
                state = self.taken.wait_for(state, timeout);
            }
            if state.ahead.is_some() {
                return Ok(false);
            }
        }
        let making = self.making.lock();
        if self.state.lock().ahead.is_some() {
            return Ok(false);
        }
        let len = self.limits.segment;
        self.grant(len, Right::Guest)?;
        let blank = self.blank(&making, len)?;
        self.state.lock().ahead = Some(blank);
        Ok(true)
    }

    /// Begins a segment of at least `len` bytes. The number in the header is chosen here.
    pub(crate) fn begin(
        &self,
        mut header: SegmentHeader,
        len: u64,
        right: Right,
    ) -> Result<Begun, Error> {
        let (blank, guests) = match header.kind {
            SegmentKind::Log => match self.take_ahead(len) {
                Some(ahead) => (ahead, true),
                None => self.next_log(len, right)?,
            },
            SegmentKind::Packed => self.make(&self.making.lock(), len, right)?,
        };
        header.number = blank.number;
        if let Err(error) = segment::write_header(&*blank.file, &header) {
            // Half a header may be there. As it never had a frame, recovery does not mind.
            self.discard(&blank)?;
            return Err(error);
        }
        if header.kind == SegmentKind::Log {
            self.taken.notify_all();
        }
        let segment = Segment::new(&self.files, &header.info(blank.len, None));
        segment.keep(Arc::clone(&blank.file));
        Ok(Begun {
            segment,
            file: blank.file,
            guests,
            written: blank.written,
        })
    }

    /// The segment made ahead, where it has so much room.
    fn take_ahead(&self, len: u64) -> Option<Blank> {
        self.state.lock().ahead.take_if(|ahead| ahead.len >= len)
    }

    /// A segment for the log where none that would do was made ahead.
    fn next_log(&self, len: u64, right: Right) -> Result<(Blank, bool), Error> {
        let making = self.making.lock();
        // Nothing else will do: segments of the log are begun in the order of their numbers. It may
        // have been made just now.
        let Some(mut ahead) = self.state.lock().ahead.take() else {
            return self.make(&making, len, right);
        };
        if let Err(error) = self.extend(&mut ahead, len, right) {
            self.state.lock().ahead = Some(ahead);
            return Err(error);
        }
        Ok((ahead, true))
    }

    /// Makes a segment, and says whether guests may fill it.
    fn make(
        &self,
        making: &MutexGuard<'_, ()>,
        len: u64,
        right: Right,
    ) -> Result<(Blank, bool), Error> {
        self.recycle_for_use();
        let guests = self.fits(len, Right::Guest)?;
        self.grant(len, right)?;
        Ok((self.blank(making, len)?, guests))
    }

    /// Takes back a segment that nobody can find any more.
    pub(crate) fn retire(&self, segment: Arc<Segment>) -> Result<(), Error> {
        self.state.lock().retired.push(segment);
        self.recycle()
    }

    /// Turns retired segments that nobody holds any more into spares, or removes them. Should a crash
    /// undo it, a segment to which nothing refers is back.
    fn recycle(&self) -> Result<(), Error> {
        loop {
            let mut state = self.state.lock();
            // They cannot be found any more, so whoever holds one got it before.
            let free = |segment: &Arc<Segment>| Arc::strong_count(segment) == 1;
            let Some(index) = state.retired.iter().position(free) else {
                return Ok(());
            };
            let taken = Arc::try_unwrap(state.retired.swap_remove(index));
            let segment = match taken {
                Ok(segment) => segment,
                Err(segment) => {
                    // Its file is just being closed.
                    state.retired.push(segment);
                    return Ok(());
                }
            };
            drop(state);
            let (number, len) = (segment.number, segment.len());
            drop(segment);
            let keeps = len == self.limits.segment
                && self.spare.load(Ordering::Relaxed) + len <= self.limits.spare;
            let path = Segment::path(number);
            let done = if keeps {
                let disk = &self.files.disk;
                let renamed = disk.rename(&path, &Segment::spare_path(number));
                // Durable before it gets its next name: of two changes that are not, a crash may keep
                // only the second, and then the file has the first name as well.
                renamed.and_then(|()| disk.sync_dir(FOLDER))
            } else {
                self.files.disk.remove(&path)
            };
            // Where that fails, nobody knows which name the file has: the next start finds it, and until
            // then it counts as used.
            done.map_err(|error| Error::io("free a segment", error))?;
            self.used.fetch_sub(len, Ordering::Relaxed);
            if keeps {
                self.spare.fetch_add(len, Ordering::Relaxed);
                self.state.lock().spares.push(Spare { number, len });
            }
        }
    }

    /// Takes note of readers that have let go meanwhile, where that helps.
    fn recycle_for_use(&self) {
        let helps = {
            let state = self.state.lock();
            state.spares.is_empty() && !state.retired.is_empty()
        };
        if helps && let Err(error) = self.recycle() {
            // No reason to refuse what needs a segment: it gets a new one.
            tracing::warn!(%error, "a freed segment could not be made a spare");
        }
    }

    /// How much room there is; `current` is what is left in the segment that guests fill now,
    /// `left_to_pack` in the one that is packed.
    pub(crate) fn room(&self, current: u64, left_to_pack: u64) -> Result<Room, Error> {
        let used = self.used.load(Ordering::Relaxed);
        let spare = self.spare.load(Ordering::Relaxed);
        let reserve = self.reserve();
        let ahead = self
            .state
            .lock()
            .ahead
            .as_ref()
            .map_or(0, |blank| blank.len);
        let free = self.left()?.saturating_sub(reserve);
        Ok(Room {
            used,
            spare,
            free_for_guests: free + current + ahead,
            left_to_pack,
        })
    }

    /// Whether guests may write although the reserve was used.
    pub(crate) fn guests_fit(&self) -> Result<bool, Error> {
        self.fits(0, Right::Guest)
    }

    const fn reserve(&self) -> u64 {
        RESERVE_SEGMENTS * self.limits.segment
    }

    /// What new segments can still take.
    fn left(&self) -> Result<u64, Error> {
        if let Some(capacity) = self.limits.capacity {
            return Ok(capacity.saturating_sub(self.used.load(Ordering::Relaxed)));
        }
        let space = self.files.disk.space();
        let space = space.map_err(|error| Error::io("ask for free space", error))?;
        Ok(space.free + self.spare.load(Ordering::Relaxed))
    }

    fn fits(&self, len: u64, right: Right) -> Result<bool, Error> {
        let reserve = match right {
            Right::Guest => self.reserve(),
            Right::Reserve => 0,
        };
        Ok(self.left()? >= len + reserve)
    }

    fn grant(&self, len: u64, right: Right) -> Result<(), Error> {
        if self.fits(len, right)? {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::NoSpace, DOING))
        }
    }

    /// Makes a segment that was made ahead longer, where a frame needs that.
    fn extend(&self, blank: &mut Blank, len: u64, right: Right) -> Result<(), Error> {
        let Some(more) = len.checked_sub(blank.len).filter(|more| *more > 0) else {
            return Ok(());
        };
        self.grant(more, right)?;
        blank
            .file
            .allocate(len)
            .map_err(|error| Error::io(DOING, error))?;
        blank.len = len;
        self.used.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// A file of at least `len` bytes under the next number: a spare, or a new one. Its name is
    /// durable when this returns, so that its header may follow.
    fn blank(&self, making: &MutexGuard<'_, ()>, len: u64) -> Result<Blank, Error> {
        let (number, spare) = {
            let mut state = self.state.lock();
            let number = state.next;
            let none_left = Error::new(
                ErrorKind::Invalid("there are no segment numbers left"),
                DOING,
            );
            state.next = number.checked_add(1).ok_or(none_left)?;
            let fits = |spare: &Spare| spare.len >= len;
            let index = state.spares.iter().position(fits);
            (number, index.map(|index| state.spares.swap_remove(index)))
        };
        let blank = if let Some(spare) = spare {
            let revived = self.revive(spare, number);
            let file = revived.inspect_err(|_| self.state.lock().spares.push(spare))?;
            self.spare.fetch_sub(spare.len, Ordering::Relaxed);
            let len = spare.len;
            Blank {
                number,
                file,
                len,
                written: len,
            }
        } else {
            self.shed(making, len)?;
            let file = segment::make_file(&self.files.disk, number, len)?;
            Blank {
                number,
                file,
                len,
                written: 0,
            }
        };
        self.used.fetch_add(blank.len, Ordering::Relaxed);
        Ok(blank)
    }

    /// Gives a spare its new number.
    fn revive(&self, spare: Spare, number: u32) -> Result<Arc<dyn DiskFile>, Error> {
        let io = |error| Error::io(DOING, error);
        let disk = &self.files.disk;
        let path = Segment::path(number);
        disk.rename(&Segment::spare_path(spare.number), &path)
            .map_err(io)?;
        // Durable before anything in the file changes: a crash must not leave new content under the
        // old name.
        disk.sync_dir(FOLDER)
            .map_err(|error| Error::refused(DOING, error))?;
        disk.open(&path)
            .map_err(|error| Error::refused(DOING, error))
    }

    /// Removes spares that are too short for what is needed where both do not fit.
    fn shed(&self, _making: &MutexGuard<'_, ()>, len: u64) -> Result<(), Error> {
        let Some(capacity) = self.limits.capacity else {
            return Ok(());
        };
        let taken = || self.used.load(Ordering::Relaxed) + self.spare.load(Ordering::Relaxed) + len;
        while taken() > capacity {
            let Some(spare) = self.state.lock().spares.pop() else {
                break;
            };
            let path = Segment::spare_path(spare.number);
            let removed = self.files.disk.remove(&path);
            removed.map_err(|error| Error::io(DOING, error))?;
            self.spare.fetch_sub(spare.len, Ordering::Relaxed);
        }
        Ok(())
    }

    fn discard(&self, blank: &Blank) -> Result<(), Error> {
        let removed = self.files.disk.remove(&Segment::path(blank.number));
        removed.map_err(|error| Error::refused(DOING, error))?;
        self.used.fetch_sub(blank.len, Ordering::Relaxed);
        Ok(())
    }
}

/// At a start: what was never begun becomes a spare, and spares for which there is no room go. What
/// a crash undoes of that, the next start does again.
pub(crate) fn sort_spares(
    disk: &Arc<dyn Disk>,
    limits: &Limits,
    used: u64,
    blank: Vec<Spare>,
    spares: Vec<Spare>,
) -> Result<Vec<Spare>, Error> {
    let io = |error| Error::io("recover the log", error);
    let room = limits
        .capacity
        .map_or(u64::MAX, |all| all.saturating_sub(used));
    let mut left = room.min(limits.spare);
    let mut kept = Vec::new();
    let mut renamed = false;
    let spares = spares.into_iter().map(|spare| (spare, true));
    for (spare, has_name) in spares.chain(blank.into_iter().map(|spare| (spare, false))) {
        let name = Segment::spare_path(spare.number);
        let path = Segment::path(spare.number);
        if spare.len == limits.segment && spare.len <= left {
            if !has_name {
                disk.rename(&path, &name).map_err(io)?;
                renamed = true;
            }
            left -= spare.len;
            kept.push(spare);
        } else {
            let gone = if has_name { &name } else { &path };
            disk.remove(gone).map_err(io)?;
        }
    }
    if renamed {
        // Before one of them gets its next name.
        disk.sync_dir(FOLDER).map_err(io)?;
    }
    Ok(kept)
}
