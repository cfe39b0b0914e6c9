//! An open store: its life, its flushes, its room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::{Clock, Disk, Timestamp};
use firebrick_edge::{Condvar, Mutex};
use firebrick_index::{Index, IndexOptions};
use firebrick_log::{Location, Log, LogOptions, OpenOptions, Reader, Recovery};
use firebrick_vocabulary::{Bytes, ImageId, MIB, Position, Role, Sequence, StoreId};

use crate::apply::Target;
use crate::checkpoint::Progress;
use crate::clean::Cleaning;
use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::lanes::Lanes;
use crate::past::LogPast;
use crate::peer::SentRecords;
use crate::rows;
use crate::scrub::Noted;
use crate::state::{Cell, State};
use crate::window::Retention;

/// How a store is laid out and kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreOptions {
    /// The size of a segment file in bytes; that with which a store was made holds.
    pub segment_bytes: u64,
    /// How many bytes the log may grow before a checkpoint is due: what recovery may have to read.
    pub checkpoint_bytes: u64,
    /// The memory for what has changed since the last checkpoint, in bytes; writers wait beyond.
    pub pending_bytes: usize,
    /// The memory for the part of the index that is in use, in bytes.
    pub cache_bytes: usize,
    /// How far back images can be had.
    pub retention: Retention,
    /// The most that the log may take, in bytes; `None` for what the file system has.
    pub capacity: Option<u64>,
    /// Writes of that many bytes and more go past the system's cache, side by side.
    pub around_bytes: u64,
    /// How much of the room that is left beyond a quarter dead data may take, in percent, besides what
    /// it always may: the later a segment is cleaned, the less of it has to be moved.
    pub lazy_percent: u8,
    /// How long a write for which there is no room waits for peers that have yet to get what died.
    pub room_patience: Duration,
    /// How many mirror snapshots of an image stay, the newest included.
    pub mirror_snapshots: usize,
}

impl StoreOptions {
    /// What suits a machine of its own.
    pub const DEFAULT: Self = Self {
        segment_bytes: 64 * MIB,
        checkpoint_bytes: 1024 * MIB,
        pending_bytes: 96 << 20,
        cache_bytes: 160 << 20,
        retention: Retention::None,
        capacity: None,
        around_bytes: 256 << 10,
        lazy_percent: 50,
        room_patience: Duration::from_secs(5),
        mirror_snapshots: 5,
    };
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The room of a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    /// What it may take, at most the size of the file system.
    pub total: Bytes,
    /// What guests can still write before they are told that there is no space.
    pub free: Bytes,
    /// Sum of the sizes of all images.
    pub provisioned: Bytes,
    /// What the log takes.
    pub used: Bytes,
    /// What of that cleaning can win back, as far as is known.
    pub reclaimable: Bytes,
}

/// An open store. All methods may be called from any thread and may block.
pub struct Store {
    pub(crate) core: Arc<Core>,
}

impl Store {
    /// Makes an empty store in the folder of `disk`, durably;
    /// [`ErrorKind::Exists`](crate::ErrorKind::Exists) where there is one.
    pub fn create(disk: &Arc<dyn Disk>, id: StoreId, options: &StoreOptions) -> Result<(), Error> {
        if !Log::exists(disk)? {
            // First, as the superblock of the log says that all the rest is there.
            match Index::create(disk) {
                // Of an attempt that ended before the log was made.
                Err(error) if error.kind == firebrick_index::ErrorKind::Exists => {}
                made => made?,
            }
        }
        let options = LogOptions {
            segment_bytes: options.segment_bytes,
        };
        Ok(Log::create(disk, id, options)?)
    }

    /// Opens the store: the index as of its last checkpoint, and the log behind that.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: StoreOptions,
    ) -> Result<Arc<Self>, Error> {
        let (recovery, index) = open(&disk, &clock, &options)?;
        let mut state = rows::load(&index)?;
        state.pin_loaded(clock.now());
        let from = state.sequence.next();
        let mut past = LogPast {
            index: &index,
            frames: &recovery,
        };
        let mut target = Target {
            state: &mut state,
            blocks: &index,
            past: &mut past,
        };
        let tail = recovery.replay(from, &mut |frame| target.frame(frame, from))?;
        let log = recovery.finish(&tail)?;
        // What was chosen when it was made holds.
        let options = StoreOptions {
            segment_bytes: log.segment_size(),
            ..options
        };
        let dead = rows::dead(&index)?;
        let scrubbed = Noted::loaded(rows::scrubbed(&index)?);
        let progress = Progress::opened(Sequence(from.0 - 1), state.bytes);
        let keep = state.keep.clone();
        let core = Core {
            disk,
            clock,
            log,
            index,
            options,
            fenced: AtomicBool::new(false),
            state: Mutex::new(state),
            lanes: Lanes::default(),
            keep: Mutex::new(keep),
            confirmed: Condvar::new(),
            unheld: Mutex::new(Vec::new()),
            progress,
            cleaning: Cleaning::load(dead),
            bury: Mutex::default(),
            rot: Mutex::default(),
            scrubbed: Mutex::new(scrubbed),
        };
        Ok(Arc::new(Self {
            core: Arc::new(core),
        }))
    }

    /// The time, as new records get it.
    pub fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// The id of the store.
    pub fn id(&self) -> StoreId {
        self.core.log.store()
    }

    /// The newest record.
    pub fn head(&self) -> Position {
        self.core.log.head()
    }

    /// Up to which record everything is durable.
    pub fn durable(&self) -> Position {
        self.core.log.durable()
    }

    /// Makes everything durable that was acknowledged before the call, and says up to where.
    pub fn flush(&self) -> Result<Position, Error> {
        Ok(self.core.log.flush()?)
    }

    /// While fenced, mirrored images that are primary here take no write: after a start it is not
    /// known whether a peer has been promoted meanwhile.
    pub fn set_fenced(&self, fenced: bool) {
        self.core.fenced.store(fenced, Ordering::Release);
    }

    /// Whether that is so now.
    pub fn is_fenced(&self) -> bool {
        self.core.fenced.load(Ordering::Acquire)
    }

    /// Whether an image is mirrored and primary here, so that a fence makes sense.
    pub fn has_mirrored_primaries(&self) -> bool {
        let images = self.core.lock().images.clone();
        images.values().any(|cell| {
            let meta = &cell.read().meta;
            meta.mirrored && meta.role == Role::Primary
        })
    }

    /// A reader of the log whose first frame is the one that holds record `from`.
    pub fn reader(&self, from: Sequence) -> Result<Reader, Error> {
        Ok(self.core.log.reader(from)?)
    }

    /// Reads whole blocks from a place of the log. The checksums are the caller's to check.
    pub fn read_log(&self, at: Location, buffer: &mut [u8]) -> Result<(), Error> {
        self.core.read_named(at, buffer)
    }

    /// Waits until the head is beyond `sequence`, at most `timeout`; whether it is.
    pub fn wait_beyond(&self, sequence: Sequence, timeout: Duration) -> bool {
        self.core.log.wait_beyond(sequence, timeout)
    }

    /// Whether record `sequence` of the own log, which is about `image`, is one that peers get:
    /// one of a time in which the image was primary here and mirrored.
    pub fn sends(&self, image: ImageId, sequence: Sequence) -> bool {
        self.sent(image).has(sequence)
    }

    /// The records about `image` that peers get, as of now. Of a record that is there already the
    /// answer stays the same: who has many asks once.
    pub fn sent(&self, image: ImageId) -> SentRecords {
        SentRecords(self.core.glance().sent(image))
    }

    /// The records about `image` that those get who read here what this site follows itself: all since it was last
    /// complete here, whoever was primary.
    pub fn told(&self, image: ImageId) -> SentRecords {
        SentRecords(self.core.glance().told(image))
    }

    /// From which record on the log says all that happened to the image; `None` where that is not here, or not complete.
    pub fn steady(&self, image: ImageId) -> Option<Sequence> {
        let state = self.core.glance();
        let cell = state.cell(image)?.read();
        cell.meta.steady
    }

    /// Whose logs are held here, as far as anything of them is.
    pub fn sources(&self) -> Vec<StoreId> {
        self.core.glance().applied.keys().copied().collect()
    }

    /// Makes room at the end of the log ahead of its use, so that guests need not wait for it: waits
    /// until there is something to make, at most `timeout`. Whether there was.
    pub fn prepare_segment(&self, timeout: Duration) -> Result<bool, Error> {
        Ok(self.core.log.prepare_segment(timeout)?)
    }

    /// The room of the store.
    pub fn space(&self) -> Result<Space, Error> {
        let core = &*self.core;
        let disk = core.disk.space();
        let disk = disk.map_err(|error| Error::io("look at the room of the store", &error))?;
        let room = core.log.room()?;
        let live = core.live_bytes()?;
        let images = core.glance().images.clone();
        let provisioned: u64 = images.values().map(|cell| cell.read().meta.size.0).sum();
        Ok(Space {
            total: Bytes(core.options.capacity.unwrap_or(disk.total).min(disk.total)),
            free: Bytes(room.free_for_guests),
            provisioned: Bytes(provisioned),
            used: Bytes(room.used),
            reclaimable: Bytes(room.used.saturating_sub(live)),
        })
    }

    /// Takes a checkpoint and lets others open the store. Every later change fails.
    pub fn close(&self) -> Result<(), Error> {
        let checkpoint = self.checkpoint();
        // Before the lock is let go of: who opens the store next must be alone with its files.
        self.core.index.close();
        self.core.log.close()?;
        checkpoint.map(drop)
    }

    pub(crate) fn handle(&self, id: ImageId, cell: &Cell) -> Arc<Image> {
        Arc::new(Image {
            core: Arc::clone(&self.core),
            id,
            cell: Arc::clone(cell),
        })
    }
}

/// Opens log and index.
fn open(
    disk: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
    options: &StoreOptions,
) -> Result<(Recovery, Index), Error> {
    let mut index = None;
    // Two processes must not have it open: only once the log is locked.
    let catalog = || {
        let options = IndexOptions {
            cache_bytes: options.cache_bytes / 4 * 3,
            pages_bytes: options.cache_bytes / 4,
        };
        let opened = Index::open(disk, options).map_err(Error::from);
        let read = opened.and_then(|index| Ok((rows::catalog(&index)?, index)));
        let (catalog, opened) = match read {
            Ok((catalog, index)) => (catalog, Ok(index)),
            Err(error) => (None, Err(error)),
        };
        index = Some(opened);
        catalog
    };
    let open = OpenOptions {
        capacity: options.capacity,
        around_min: options.around_bytes,
        ..OpenOptions::default()
    };
    let recovery = Log::open_with(Arc::clone(disk), Arc::clone(clock), open, catalog)?;
    match index {
        Some(index) => Ok((recovery, index?)),
        None => Err(Error::new(
            ErrorKind::NoIndex,
            "open the store",
            "it was not looked for",
        )),
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
