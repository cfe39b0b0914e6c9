//! A machine with a store, whose power is cut and whose disk lies.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::Disk;
use firebrick_engine::{Error, ErrorKind, MapView, Retention, Store, StoreOptions};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageId, MIB, Sequence, StoreId};
use rand::Rng;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::common::Model;
use crate::history::History;

const STORE: StoreId = StoreId(Uuid::from_u128(7));
pub(crate) const PEER: &str = "peer";
pub(crate) const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    checkpoint_bytes: 64 * MIB,
    cache_bytes: 1 << 20,
    around_bytes: 8 << 10,
    lazy_percent: 0,
    room_patience: Duration::ZERO,
    ..StoreOptions::DEFAULT
};

/// So that lookups read the disk.
const CACHE_SMALL: usize = 64 << 10;

/// What the program is doing: lies about a sync are told in one of these.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Phase {
    Other,
    Checkpoint,
    Flush,
    Clean,
    Scrub,
    Rebuild,
}

/// Which files a lie is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Of {
    /// The index.
    Index,
    /// All segments.
    Segments,
    /// The segments of the log.
    Log,
    /// The segments of the cleaner.
    Packed,
}

/// Which syncs do nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lie {
    None,
    /// Those of some files while something is done.
    During(Phase, Of),
    /// Of a folder.
    Folder(&'static str),
    /// Of a folder while something is done.
    FolderDuring(Phase, &'static str),
}

/// What room there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    None,
    Store,
    Disk,
}

/// What somebody looks at while others write.
pub(crate) struct Held {
    pub(crate) map: MapView,
    pub(crate) content: Arc<Vec<u8>>,
}

pub(crate) struct Machine {
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) options: StoreOptions,
    pub(crate) limit: Limit,
    pub(crate) lie: Lie,
    phase: Arc<AtomicU8>,
    /// Up to where a peer has got the log.
    pub(crate) peer: Cell<Option<Sequence>>,
    /// The last checkpoint.
    pub(crate) checkpointed: Cell<Option<Sequence>>,
    /// A checkpoint is kept that the peer has reached, so that an image can fall back.
    pub(crate) based: Cell<bool>,
    /// When images fell back: no peer comes back to what was before, as it followed on from there.
    pub(crate) fallen: RefCell<BTreeMap<ImageId, Sequence>>,
    /// Syncs fail.
    pub(crate) failing: Cell<bool>,
    /// Writes fail for want of room.
    pub(crate) full: Cell<bool>,
    pub(crate) held: RefCell<Vec<Held>>,
    /// The most operations of a life.
    pub(crate) most: u32,
    /// What happened in all lives.
    pub(crate) tally: Arc<Tally>,
}

/// How often something happened that a simulation must not miss.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lives: AtomicU64,
    pub(crate) freed: AtomicU64,
    pub(crate) moved: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) returns: AtomicU64,
    pub(crate) looks: AtomicU64,
    pub(crate) fallen: AtomicU64,
    pub(crate) beside: AtomicU64,
}

impl Of {
    /// Whether a file is one of these, by its name and the kind in its header.
    fn is(self, name: &str, bytes: &[u8]) -> bool {
        let kind = || bytes.get(56).copied();
        match self {
            Self::Index => name.starts_with("index/"),
            Self::Segments => name.starts_with("segments/"),
            Self::Log => name.starts_with("segments/") && kind() == Some(1),
            Self::Packed => name.starts_with("segments/") && kind() == Some(2),
        }
    }
}

pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl Machine {
    /// A machine with an empty store, and limits as chance wants it.
    pub(crate) fn random(lie: Lie, tally: &Arc<Tally>, random: &mut StdRng) -> Self {
        let disk = SimulatedDisk::new();
        let mut options = OPTIONS;
        options.checkpoint_bytes = [MIB, 4 * MIB, 64 * MIB][random.random_range(0..3)];
        options.retention = match random.random_range(0..5) {
            0 => Retention::Time(Duration::from_secs(random.random_range(1..100))),
            1 => Retention::Log(Bytes(random.random_range(1..6 * MIB))),
            _ => Retention::None,
        };
        let room = random.random_range(11..24) * MIB;
        let limit = match random.random_range(0..6) {
            0 | 1 => Limit::Store,
            2 => Limit::Disk,
            _ => Limit::None,
        };
        match limit {
            Limit::None => {}
            Limit::Store => options.capacity = Some(room),
            Limit::Disk => disk.set_capacity(room + 4 * MIB),
        }
        let peer = random.random_bool(0.3).then_some(Sequence::ZERO);
        // An index that hardly keeps anything in memory cannot be opened again on a disk that is full.
        if limit == Limit::None && random.random() {
            options.cache_bytes = CACHE_SMALL;
        }
        let machine = Self::made(disk, options, limit, peer, lie);
        Self {
            most: [20, 80, 400][random.random_range(0..3)],
            tally: Arc::clone(tally),
            ..machine
        }
    }

    /// A machine with an empty store, room enough and hardly any memory for the index.
    pub(crate) fn looking() -> Self {
        let options = StoreOptions {
            cache_bytes: CACHE_SMALL,
            ..OPTIONS
        };
        let disk = SimulatedDisk::new();
        Self::made(disk, options, Limit::None, None, Lie::None)
    }

    /// A machine with an empty store and room enough.
    pub(crate) fn roomy(lie: Lie) -> Self {
        Self::made(SimulatedDisk::new(), OPTIONS, Limit::None, None, lie)
    }

    fn made(
        disk: SimulatedDisk,
        options: StoreOptions,
        limit: Limit,
        peer: Option<Sequence>,
        lie: Lie,
    ) -> Self {
        let made: Arc<dyn Disk> = Arc::new(disk.clone());
        Store::create(&made, STORE, &options).unwrap();
        let machine = Self {
            disk,
            clock: Arc::default(),
            options,
            limit,
            lie,
            phase: Arc::new(AtomicU8::new(0)),
            peer: Cell::new(peer),
            checkpointed: Cell::new(None),
            based: Cell::new(false),
            fallen: RefCell::default(),
            failing: Cell::new(false),
            full: Cell::new(false),
            held: RefCell::default(),
            most: 80,
            tally: Arc::default(),
        };
        machine.lied()
    }

    fn lied(self) -> Self {
        let now = Arc::clone(&self.phase);
        match self.lie {
            Lie::None => {}
            Lie::During(phase, of) => self.disk.ignore_sync_where(move |name, bytes| {
                now.load(Ordering::SeqCst) == phase as u8 && of.is(name, bytes)
            }),
            Lie::Folder(folder) => self.disk.ignore_sync_dir(move |name| name == folder),
            Lie::FolderDuring(phase, folder) => self.disk.ignore_sync_dir(move |name| {
                now.load(Ordering::SeqCst) == phase as u8 && name == folder
            }),
        }
        self
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.disk.space().is_ok()
    }

    /// The machine after a power cut.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        let after = Self {
            disk: self.disk.crash(seed),
            clock: Arc::clone(&self.clock),
            phase: Arc::clone(&self.phase),
            peer: self.peer.clone(),
            checkpointed: self.checkpointed.clone(),
            based: self.based.clone(),
            fallen: self.fallen.clone(),
            failing: self.failing.clone(),
            full: self.full.clone(),
            held: RefCell::default(),
            tally: Arc::clone(&self.tally),
            ..*self
        };
        after.lied()
    }

    /// Everything that was injected is over.
    pub(crate) fn heal(&self) {
        self.disk.heal();
        self.failing.set(false);
        self.full.set(false);
    }

    /// Does something in which the disk may lie.
    pub(crate) fn during<T>(&self, phase: Phase, act: impl FnOnce() -> T) -> T {
        self.phase.store(phase as u8, Ordering::SeqCst);
        let done = act();
        self.phase.store(Phase::Other as u8, Ordering::SeqCst);
        done
    }

    /// The error, unless the power being off or a failed sync explains it.
    pub(crate) fn blame<T>(&self, done: Result<T, Error>) -> Result<Option<T>, String> {
        match done {
            Ok(value) => Ok(Some(value)),
            Err(_) if !self.is_on() => Ok(None),
            // The index may be read again meanwhile, from a file that takes nothing; the next start
            // has to find it whole.
            Err(error)
                if self.failing.get()
                    && matches!(
                        error.kind,
                        ErrorKind::Io | ErrorKind::Poisoned | ErrorKind::DamagedIndex
                    ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// As [`Self::blame`]; and that the disk is full is no matter where it may be.
    pub(crate) fn blame_room(&self, done: Result<(), Error>) -> Result<Option<()>, String> {
        let full = self.full.get() || self.limit == Limit::Disk;
        match done {
            Err(error) if error.kind == ErrorKind::NoSpace && full => Ok(Some(())),
            done => self.blame(done),
        }
    }

    pub(crate) fn open(&self) -> Result<Option<Arc<Store>>, String> {
        let clock = Arc::clone(&self.clock);
        let opened = Store::open(self.disk(), clock, self.options);
        if let (Err(error), Limit::Disk) = (&opened, self.limit)
            && error.kind == ErrorKind::NoSpace
        {
            return Err(format!("a full disk cannot be opened: {error}"));
        }
        let store = self.blame(opened)?;
        if let (Some(store), Some(peer)) = (&store, self.peer.get()) {
            store.keep_from(PEER, peer);
        }
        Ok(store)
    }

    /// Loses the index and makes it anew; `None` where the power went out meanwhile, or there is no
    /// room for it.
    pub(crate) fn rebuild(&self) -> Result<Option<()>, String> {
        match self.disk.remove("index/leaves") {
            // It went before, and what was to take its place did not come.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => {
                if self.blame_io(done)?.is_none() {
                    return Ok(None);
                }
            }
        }
        // What could be had of earlier times is lost with it.
        self.checkpointed.set(None);
        self.based.set(false);
        let clock = Arc::clone(&self.clock);
        let done = self.during(Phase::Rebuild, || {
            Store::rebuild_index(self.disk(), clock, self.options, &mut |_| {})
        });
        self.blame_room(done.map(drop))
    }

    /// As [`Self::blame`], of the disk.
    pub(crate) fn blame_io(&self, done: std::io::Result<()>) -> Result<Option<()>, String> {
        match done {
            Ok(()) => Ok(Some(())),
            Err(_) if !self.is_on() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether lookups read the disk mostly.
    pub(crate) fn has_small_cache(&self) -> bool {
        self.options.cache_bytes == CACHE_SMALL
    }

    /// Whether the disk has room for anything.
    pub(crate) fn is_bounded(&self) -> bool {
        self.limit == Limit::Disk
    }

    /// Opens the store and compares; `None` where the power went out meanwhile.
    pub(crate) fn check(&self, history: &mut History) -> Result<Option<Arc<Store>>, String> {
        let Some(store) = self.open()? else {
            return Ok(None);
        };
        let Some(found) = self.blame(Model::of(&store))? else {
            return Ok(None);
        };
        history.accept(store.head().sequence, &found)?;
        Ok(self.lead(&store, history)?.map(|()| store))
    }
}
