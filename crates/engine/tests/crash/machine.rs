//! A machine with a store, whose power is cut and whose disk lies.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind::{Other, StorageFull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::Disk;
use firebrick_engine::{
    Error, ErrorKind, MapView, NoSource, Retention, ScrubCursor, Store, StoreOptions,
};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, MIB, Sequence, StoreId};
use rand::Rng;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::common::{Model, Step, read_map};
use crate::history::History;

const STORE: StoreId = StoreId(Uuid::from_u128(7));
const PEER: &str = "peer";
pub(crate) const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    checkpoint_bytes: 64 * MIB,
    cache_bytes: 1 << 20,
    ..StoreOptions::DEFAULT
};

/// What the program is doing: lies about a sync are told in one of these.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Phase {
    Other,
    Checkpoint,
    Flush,
    Clean,
    Scrub,
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
}

/// What room there is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    None,
    Store,
    Disk,
}

/// What somebody looks at while others write.
struct Held {
    map: MapView,
    content: Arc<Vec<u8>>,
}

pub(crate) struct Machine {
    pub(crate) disk: SimulatedDisk,
    clock: Arc<SimulatedClock>,
    options: StoreOptions,
    limit: Limit,
    lie: Lie,
    phase: Arc<AtomicU8>,
    /// Up to where a peer has got the log.
    peer: Cell<Option<Sequence>>,
    /// Syncs fail.
    failing: Cell<bool>,
    /// Writes fail for want of room.
    full: Cell<bool>,
    held: RefCell<Vec<Held>>,
    /// The most operations of a life.
    most: u32,
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

fn add(count: &AtomicU64, more: u64) {
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
        let machine = Self::made(disk, options, limit, peer, lie);
        Self {
            most: [20, 80, 400][random.random_range(0..3)],
            tally: Arc::clone(tally),
            ..machine
        }
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
        }
        self
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    fn is_on(&self) -> bool {
        self.disk.space().is_ok()
    }

    /// The machine after a power cut.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        let after = Self {
            disk: self.disk.crash(seed),
            clock: Arc::clone(&self.clock),
            phase: Arc::clone(&self.phase),
            peer: self.peer.clone(),
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
    fn during<T>(&self, phase: Phase, act: impl FnOnce() -> T) -> T {
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
    fn blame_room(&self, done: Result<(), Error>) -> Result<Option<()>, String> {
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
        let clock = Arc::clone(&self.clock);
        let done = Store::rebuild_index(self.disk(), clock, self.options, &mut |_| {});
        self.blame_room(done.map(drop))
    }

    /// As [`Self::blame`], of the disk.
    fn blame_io(&self, done: std::io::Result<()>) -> Result<Option<()>, String> {
        match done {
            Ok(()) => Ok(Some(())),
            Err(_) if !self.is_on() => Ok(None),
            Err(error) => Err(error.to_string()),
        }
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
        Ok(Some(store))
    }

    fn flush(&self, store: &Store, random: &mut StdRng) -> Result<(), Error> {
        let image = store.images().pop().filter(|_| random.random());
        self.during(Phase::Flush, || match image {
            Some(image) => image.flush(),
            None => store.flush().map(drop),
        })
    }

    pub(crate) fn checkpoint(&self, store: &Store) -> Result<Option<()>, String> {
        let done = self.during(Phase::Checkpoint, || store.checkpoint());
        self.blame_room(done.map(drop))
    }

    /// A step of cleaning.
    pub(crate) fn clean(&self, store: &Store, history: &mut History) -> Result<Option<()>, String> {
        let before = store.head().sequence;
        let done = self.during(Phase::Clean, || store.clean());
        if let Ok(cleaned) = &done {
            add(&self.tally.freed, u64::from(cleaned.freed));
            add(&self.tally.moved, cleaned.moved.0 / BLOCK_SIZE);
        }
        let done = self.blame_room(done.map(drop))?;
        if done.is_some() {
            history.same(store.head().sequence);
        } else {
            history.cut(before, Vec::new());
        }
        Ok(done)
    }

    /// Everything is read and is right.
    fn scrub(&self, store: &Store) -> Result<Option<()>, String> {
        let (mut cursor, budget) = (ScrubCursor::default(), Bytes(3 * MIB));
        loop {
            let done = self.during(Phase::Scrub, || store.scrub(cursor, budget, &NoSource));
            let Some(done) = self.blame(done)? else {
                return Ok(None);
            };
            if let Some(rot) = done.rot.first() {
                return Err(format!("a scrub found {rot:?}"));
            }
            match done.next {
                Some(next) => cursor = next,
                None => return Ok(Some(())),
            }
        }
    }

    /// Operations until the power goes out or it has been enough.
    pub(crate) fn live(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<(), String> {
        let often = [2, 10, 40][random.random_range(0..3)];
        for _ in 0..random.random_range(1..self.most) {
            if store.checkpoint_due()
                && random.random_bool(0.7)
                && self.checkpoint(store)?.is_none()
            {
                break;
            }
            let done = match random.random_range(0..120) {
                chance if chance < often => {
                    let head = store.head().sequence;
                    let flushed = self.blame(self.flush(store, random))?;
                    if flushed.is_some() {
                        history.durable = head;
                    }
                    flushed
                }
                95 => {
                    self.disk
                        .fail_writes_after(random.random_range(0..4), StorageFull);
                    self.full.set(true);
                    Some(())
                }
                94 if random.random() => {
                    self.disk.fail_syncs_after(random.random_range(0..3), Other);
                    self.failing.set(true);
                    Some(())
                }
                91..=94 => {
                    if !self.failing.get() {
                        self.heal();
                    }
                    Some(())
                }
                96..100 => self.checkpoint(store)?,
                100..106 => self.clean(store, history)?,
                106..109 => self.look(store, history, random)?,
                109..112 => self.follow(store, random)?,
                112..115 => self.pass(store, random)?,
                115..118 => self.back(store, history, random)?,
                _ => self.step(store, history, random)?,
            };
            if done.is_none() {
                break;
            }
        }
        self.compare_held(store)?;
        self.held.take();
        if random.random_bool(0.1) && !self.failing.get() && !self.full.get() {
            // After this the store is closed, and only that is known.
            self.blame_room(store.close())?;
        }
        Ok(())
    }

    /// Time passes, and segments are made ahead.
    fn pass(&self, store: &Store, random: &mut StdRng) -> Result<Option<()>, String> {
        match random.random_range(0..3) {
            0 => match store.prepare_segment(Duration::ZERO) {
                Err(error) if error.kind == ErrorKind::NoSpace && self.limit != Limit::None => {
                    Ok(Some(()))
                }
                done => self.blame_room(done.map(drop)),
            },
            1 if !self.full.get() => self.scrub(store),
            _ => {
                let seconds = random.random_range(1..60);
                self.clock.advance(Duration::from_secs(seconds));
                Ok(Some(()))
            }
        }
    }

    /// Somebody begins to look at what is there now, or ends it.
    fn look(
        &self,
        store: &Store,
        history: &History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let mut held = self.held.borrow_mut();
        if held.len() > 3 || random.random_bool(0.2) && !held.is_empty() {
            let at = random.random_range(0..held.len());
            let gone = held.swap_remove(at);
            drop(held);
            return self.compare(store, &gone);
        }
        let images: Vec<_> = history.newest().contents().collect();
        if images.is_empty() {
            return Ok(Some(()));
        }
        let (id, content) = images[random.random_range(0..images.len())].clone();
        if random.random() {
            let image = store.image(id).map_err(|error| error.to_string())?;
            let map = image.map();
            held.push(Held { map, content });
            return Ok(Some(()));
        }
        let Some(source) = self.blame(store.copy_source(id))? else {
            return Ok(None);
        };
        let snapshots = history.newest().snapshots(id);
        for (name, content) in snapshots {
            let mut taken = source.snapshots.iter();
            let taken = taken.position(|taken| taken.name.as_str() == name);
            if taken.is_none() {
                return Err(format!(
                    "snapshot {name} is missing ({} bytes)",
                    content.len()
                ));
            }
        }
        let map = source.head;
        held.push(Held { map, content });
        Ok(Some(()))
    }

    fn compare_held(&self, store: &Store) -> Result<Option<()>, String> {
        for held in self.held.borrow().iter() {
            if self.compare(store, held)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    fn compare(&self, store: &Store, held: &Held) -> Result<Option<()>, String> {
        add(&self.tally.looks, 1);
        let read = self.blame(read_map(store, &held.map, held.content.len()))?;
        match read {
            Some(read) if read != *held.content => {
                Err("what somebody looked at has changed".into())
            }
            read => Ok(read.map(drop)),
        }
    }

    /// A peer gets some of the log.
    fn follow(&self, store: &Store, random: &mut StdRng) -> Result<Option<()>, String> {
        let Some(peer) = self.peer.get() else {
            return Ok(Some(()));
        };
        let read = Self::read_log(store, peer.next());
        if self.blame(read)?.is_none() {
            return Ok(None);
        }
        let durable = store.durable().sequence;
        if durable > peer {
            let upto = if random.random_bool(0.6) {
                durable
            } else {
                Sequence(random.random_range(peer.0..=durable.0))
            };
            self.peer.set(Some(upto));
            store.keep_from(PEER, upto);
        }
        Ok(Some(()))
    }

    /// Whether everything from a record on can be read.
    fn read_log(store: &Store, from: Sequence) -> Result<(), Error> {
        let mut next = None;
        let mut reader = store.reader(from)?;
        while let Some(frame) = reader.next_frame()? {
            let follows = next.map_or(frame.first <= from, |next| next == frame.first);
            assert!(follows, "the log has a gap at {}", frame.first);
            next = Some(frame.first.plus(frame.records.len() as u64));
        }
        Ok(())
    }

    /// Back to an earlier state, or a clone of it.
    fn back(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let past = history.past();
        match Step::back(store, history.newest(), &past, random) {
            Some(step) => {
                add(&self.tally.returns, 1);
                self.carry_out(store, history, &step)
            }
            None => Ok(Some(())),
        }
    }

    fn step(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let step = Step::random(history.newest(), random);
        self.carry_out(store, history, &step)
    }

    fn carry_out(
        &self,
        store: &Store,
        history: &mut History,
        step: &Step,
    ) -> Result<Option<()>, String> {
        let states = step.states(history.newest());
        let before = store.head().sequence;
        match step.run(store) {
            Ok(()) => {
                let head = store.head().sequence;
                if head > before {
                    history.reached(head, states);
                }
                Ok(Some(()))
            }
            Err(error) if error.kind == ErrorKind::NoSpace => {
                add(&self.tally.refused, 1);
                if self.limit == Limit::None && !self.full.get() {
                    return Err(format!("there is room enough: {error}"));
                }
                if step.frees() && !self.full.get() && self.limit == Limit::Store {
                    return Err(format!("what wins room was refused: {error}"));
                }
                let Some(now) = self.blame(Model::of(store))? else {
                    history.cut(before, states);
                    return Ok(None);
                };
                let head = store.head().sequence;
                if now != *history.newest() && (head == before || !states.contains(&now)) {
                    return Err("an operation that was refused did something else".into());
                }
                history.refused(before, head, states);
                history.reached(head, vec![now]);
                Ok(Some(()))
            }
            failed => {
                history.cut(before, states);
                self.blame(failed)
            }
        }
    }

    /// Removes everything; the room comes back.
    pub(crate) fn wind_up(&self, store: &Store) -> Result<(), String> {
        let text = |error: Error| error.to_string();
        for image in store.images() {
            for snapshot in store.snapshots(image.id()).map_err(text)? {
                let removed = store.remove_snapshot(image.id(), &snapshot.name);
                removed.map_err(text)?;
            }
            store.remove_image(image.id()).map_err(text)?;
        }
        for _ in 0..8 {
            self.clock.advance(Duration::from_secs(1000));
            store.flush().map_err(text)?;
            if self.peer.get().is_some() {
                store.keep_from(PEER, store.durable().sequence);
            }
            store.checkpoint().map_err(text)?;
            while store.clean().map_err(text)?.freed > 0 {}
        }
        let window = match self.options.retention {
            Retention::Log(bytes) => bytes.0.next_multiple_of(MIB) + MIB,
            Retention::Time(_) | Retention::None => 0,
        };
        let used = store.space().map_err(text)?.used.0;
        let expected = window + 5 * MIB;
        if used > expected {
            return Err(format!(
                "an empty store takes {used} bytes, not at most {expected}"
            ));
        }
        Ok(())
    }
}
