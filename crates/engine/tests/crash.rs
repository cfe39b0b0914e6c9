//! What a store promises about power cuts and kills, on a simulated disk against a model; and that
//! the syncs it leans on are needed: without one, the same check fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::cell::Cell;
use std::io::ErrorKind::{Other, StorageFull};
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Model, Step};
use firebrick_edge::Disk;
use firebrick_engine::{ErrorKind, Store, StoreOptions};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Sequence, StoreId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SEEDS: u64 = 300;
const LIVES: usize = 5;
/// The most records of one operation.
const RECORDS_MAX: u64 = 3;
const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: 1 << 20,
    checkpoint_bytes: 64 << 20,
    ..StoreOptions::DEFAULT
};

/// During what syncs do nothing, and of which files and folders.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    None,
    /// Of files in the folder, while a checkpoint is taken.
    Checkpoint(&'static str),
    /// Of files in the folder, while somebody flushes.
    Flush(&'static str),
    /// Of the folder itself.
    Folder(&'static str),
}

/// What may be found after a crash: one of the states from the last durable one on.
struct History {
    /// Each with the last record when it had been reached. An operation of several records adds
    /// several, all with its last one.
    states: Vec<(Sequence, Model)>,
    durable: Sequence,
    /// Operations that were cut by the crash, or refused for want of room: the last record before
    /// each, and its states. One of them may be the last thing that is there.
    cut: Vec<(Sequence, Vec<Model>)>,
}

impl History {
    fn newest(&self) -> &Model {
        &self.states.last().unwrap().1
    }

    /// Whether a store may be so, with `head` as its last record; what comes then follows on that.
    fn accept(&mut self, head: Sequence, found: &Model) -> Result<(), String> {
        if head < self.durable {
            return Err(format!("it ends at {head}, before {}", self.durable));
        }
        let before = self.states.partition_point(|(at, _)| *at < head);
        // The first at or behind `head` is the same, or its operation was cut in two.
        let until = self.states.get(before).map(|(at, _)| *at);
        let same = self.states[before..]
            .iter()
            .take_while(|(at, _)| Some(*at) == until)
            .map(|(_, model)| model);
        // Only the last of them has all of its records.
        let first = if until == Some(head) {
            same.clone().count() - 1
        } else {
            0
        };
        let durable = self.durable;
        let cut = self
            .cut
            .iter()
            .filter(|(at, _)| durable < head && *at < head && head <= at.plus(RECORDS_MAX));
        let mut possible = same.skip(first).chain(cut.flat_map(|(_, states)| states));
        let fits = possible.any(|model| model == found);
        if !fits {
            return Err(format!("at record {head} it is something else"));
        }
        *self = Self {
            states: vec![(head, found.clone())],
            durable: head,
            cut: Vec::new(),
        };
        Ok(())
    }
}

struct Machine {
    disk: SimulatedDisk,
    lie: Lie,
    lying: Arc<AtomicBool>,
    /// Syncs fail.
    failing: Cell<bool>,
}

impl Machine {
    fn with(disk: SimulatedDisk, lie: Lie) -> Self {
        let lying = Arc::new(AtomicBool::new(false));
        let now = Arc::clone(&lying);
        match lie {
            Lie::None => {}
            Lie::Checkpoint(folder) | Lie::Flush(folder) => {
                disk.ignore_sync(move |name| {
                    now.load(Ordering::SeqCst) && name.starts_with(folder)
                });
            }
            Lie::Folder(folder) => disk.ignore_sync_dir(move |name| name == folder),
        }
        Self {
            disk,
            lie,
            lying,
            failing: Cell::new(false),
        }
    }

    fn new(lie: Lie) -> Self {
        let machine = Self::with(SimulatedDisk::new(), Lie::None);
        Store::create(&machine.disk(), StoreId::random(), &OPTIONS).unwrap();
        Self::with(machine.disk, lie)
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    fn is_on(&self) -> bool {
        self.disk.space().is_ok()
    }

    fn crash(&self, seed: u64) -> Self {
        Self::with(self.disk.crash(seed), self.lie)
    }

    /// The error, unless the power being off or a failed sync explains it.
    fn blame<T>(&self, done: Result<T, firebrick_engine::Error>) -> Result<Option<T>, String> {
        match done {
            Ok(value) => Ok(Some(value)),
            Err(_) if !self.is_on() => Ok(None),
            Err(error)
                if self.failing.get()
                    && matches!(error.kind, ErrorKind::Io | ErrorKind::Poisoned) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn open(&self) -> Result<Option<Arc<Store>>, String> {
        let clock = Arc::new(SimulatedClock::new());
        self.blame(Store::open(self.disk(), clock, OPTIONS))
    }

    /// Opens the store and compares; `None` where the power went out meanwhile.
    fn check(&self, history: &mut History) -> Result<Option<Arc<Store>>, String> {
        let Some(store) = self.open()? else {
            return Ok(None);
        };
        let Some(found) = self.blame(Model::of(&store))? else {
            return Ok(None);
        };
        history.accept(store.head().sequence, &found)?;
        Ok(Some(store))
    }

    fn flush(&self, store: &Store, random: &mut StdRng) -> Result<(), firebrick_engine::Error> {
        self.lying
            .store(matches!(self.lie, Lie::Flush(_)), Ordering::SeqCst);
        let image = store.images().pop().filter(|_| random.random());
        let done = match image {
            Some(image) => image.flush(),
            None => store.flush().map(drop),
        };
        self.lying.store(false, Ordering::SeqCst);
        done
    }

    /// `None` where the power went out; that the disk is full is no matter.
    fn checkpoint(&self, store: &Store) -> Result<Option<()>, String> {
        let lies = matches!(self.lie, Lie::Checkpoint(_));
        self.lying.store(lies, Ordering::SeqCst);
        let done = store.checkpoint().map(drop);
        self.lying.store(false, Ordering::SeqCst);
        match done {
            Err(error) if error.kind == ErrorKind::NoSpace => Ok(Some(())),
            done => self.blame(done),
        }
    }

    /// Operations until the power goes out or it has been enough.
    fn live(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<(), String> {
        let often = [2, 10, 40][random.random_range(0..3)];
        for _ in 0..random.random_range(1..60) {
            let done = match random.random_range(0..100) {
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
                    Some(())
                }
                94 => {
                    self.disk.fail_syncs_after(random.random_range(0..3), Other);
                    self.failing.set(true);
                    Some(())
                }
                91..94 => {
                    if !self.failing.get() {
                        self.disk.heal();
                    }
                    Some(())
                }
                96.. => self.checkpoint(store)?,
                _ => self.step(store, history, random)?,
            };
            if done.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn step(
        &self,
        store: &Store,
        history: &mut History,
        random: &mut StdRng,
    ) -> Result<Option<()>, String> {
        let step = Step::random(history.newest(), random);
        let states = step.states(history.newest());
        let before = store.head().sequence;
        match step.run(store) {
            Ok(()) => {
                let head = store.head().sequence;
                if head > before {
                    let reached = states.into_iter().map(|model| (head, model));
                    history.states.extend(reached);
                }
                Ok(Some(()))
            }
            Err(error) if error.kind == ErrorKind::NoSpace => {
                let Some(now) = self.blame(Model::of(store))? else {
                    history.cut.push((before, states));
                    return Ok(None);
                };
                let head = store.head().sequence;
                if now != *history.newest() && (head == before || !states.contains(&now)) {
                    return Err("an operation that was refused did something else".into());
                }
                history.states.push((head, now));
                history.cut.push((before, states));
                Ok(Some(()))
            }
            failed => {
                history.cut.push((before, states));
                self.blame(failed)
            }
        }
    }
}

/// One store through some lives, each ended by a power cut or a kill at some operation. The error is
/// what went wrong.
fn story(seed: u64, lie: Lie) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut machine = Machine::new(lie);
    let mut history = History {
        states: vec![(Sequence::ZERO, Model::default())],
        durable: Sequence::ZERO,
        cut: Vec::new(),
    };
    for _ in 0..LIVES {
        machine.disk.stop_after(random.random_range(0..60));
        if let Some(store) = machine.check(&mut history)? {
            machine.live(&store, &mut history, random)?;
            let look = random.random_bool(0.2);
            if look && let Some(now) = machine.blame(Model::of(&store))? {
                assert!(now == *history.newest(), "it was wrong before the crash");
            }
        }
        machine.disk.heal();
        machine.failing.set(false);
        if random.random_bool(0.2) {
            machine.disk.restart();
        } else {
            machine = machine.crash(random.random());
        }
    }
    machine.check(&mut history).map(drop)
}

fn all_stories_hold(lie: Lie) {
    for seed in 0..SEEDS {
        if let Err(why) = story(seed, lie) {
            panic!("seed {seed}: {why}");
        }
    }
}

fn some_story_fails(lie: Lie) -> String {
    let found = (0..SEEDS).find_map(|seed| story(seed, lie).err());
    found.unwrap_or_else(|| panic!("nobody misses {lie:?}"))
}

#[test]
fn after_any_crash_all_images_are_as_at_one_position_from_the_last_flush_on() {
    all_stories_hold(Lie::None);
}

#[test]
fn a_flush_syncs_the_log() {
    some_story_fails(Lie::Flush("segments/"));
}

#[test]
fn the_log_is_durable_before_the_checkpoint() {
    let why = some_story_fails(Lie::Checkpoint("segments/"));
    assert!(why.contains("was durable and is missing"), "{why}");
}

/// Whether a store says that its index is not what was written, which is all it may do about that.
fn is_refusal(why: &str) -> bool {
    why.contains("the index") && why.contains("damaged")
}

#[test]
fn an_index_that_was_not_kept_whole_is_refused_and_never_believed() {
    for lie in [Lie::Checkpoint("index/"), Lie::Folder("index")] {
        for seed in 0..SEEDS {
            match story(seed, lie) {
                Err(why) if !is_refusal(&why) => panic!("seed {seed}: {why}"),
                Ok(()) | Err(_) => {}
            }
        }
    }
}

#[test]
fn a_flipped_bit_of_the_index_is_an_error_and_never_something_else() {
    let random = &mut StdRng::seed_from_u64(3);
    let machine = Machine::new(Lie::None);
    let store = machine.open().unwrap().unwrap();
    let mut model = Model::default();
    for i in 0..100 {
        let step = Step::random(&model, random);
        step.run(&store).unwrap();
        model = step.states(&model).pop().unwrap();
        if i % 20 == 0 {
            store.checkpoint().unwrap();
        }
    }
    store.checkpoint().unwrap();
    drop(store);
    let mut refused = 0;
    for seed in 0..60 {
        let after = machine.crash(seed);
        let file = after.disk.open("index/leaves").unwrap();
        let at = random.random_range(0..file.len().unwrap().min(256 << 10));
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        byte[0] ^= 1 << random.random_range(0..8);
        file.write_at(&[IoSlice::new(&byte)], at).unwrap();
        let found = after.open().and_then(|store| {
            let found = Model::of(&store.unwrap());
            found.map_err(|error| error.to_string())
        });
        match found {
            Ok(found) => assert!(found == model, "seed {seed}"),
            Err(why) => {
                assert!(is_refusal(&why), "seed {seed}: {why}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no flipped bit was noticed");
}
