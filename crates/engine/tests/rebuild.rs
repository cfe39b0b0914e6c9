//! The index is made anew from the segments alone, whatever the cleaner did to them: images,
//! snapshots, clones and rollbacks are as before, and the store goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{Model, Step};
use firebrick_edge::Disk;
use firebrick_engine::{
    ErrorKind, NewImage, NewOrigin, RebuildPhase, RebuildReport, Retention, Store, StoreOptions,
    Write,
};
use firebrick_simulate::{SimulatedClock, SimulatedDisk, every_seed, seeds};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, ImageId, ImageName, Sequence, SnapshotName, StoreId,
};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

const BLOCK: usize = BLOCK_SIZE as usize;
const SEEDS: u64 = 40;
/// The most images before no earlier state is cloned any more.
const IMAGES_MAX: usize = 7;
/// So that rebuilds sort in files and commit in pieces.
const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: 1 << 20,
    checkpoint_bytes: 64 << 20,
    pending_bytes: 1 << 20,
    cache_bytes: 1 << 20,
    lazy_percent: 0,
    room_patience: Duration::ZERO,
    ..StoreOptions::DEFAULT
};

struct Life {
    disk: SimulatedDisk,
    options: StoreOptions,
    random: StdRng,
    model: Model,
    /// What images were at some records.
    past: Vec<(Sequence, ImageId, Vec<u8>)>,
    freed: u32,
}

impl Life {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let retention = if seed % 2 == 1 {
            Retention::Log(Bytes(3 << 20))
        } else {
            Retention::None
        };
        let options = StoreOptions {
            retention,
            ..OPTIONS
        };
        Store::create(&shared, StoreId::random(), &options).unwrap();
        Self {
            disk,
            options,
            random: StdRng::seed_from_u64(seed),
            model: Model::default(),
            past: Vec::new(),
            freed: 0,
        }
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    fn open(&self) -> Arc<Store> {
        let clock = Arc::new(SimulatedClock::new());
        Store::open(self.disk(), clock, self.options).unwrap()
    }

    fn rebuild(&self) -> Result<RebuildReport, firebrick_engine::Error> {
        let clock = Arc::new(SimulatedClock::new());
        Store::rebuild_index(self.disk(), clock, self.options, &mut |_| {})
    }

    fn live(&mut self, store: &Store, steps: usize) {
        for _ in 0..steps {
            match self.random.random_range(0..40) {
                0 => drop(store.checkpoint().unwrap()),
                1 => self.clean(store),
                2 | 3 => self.remember(store),
                4 => self.go_back(store),
                _ => self.step(store),
            }
        }
    }

    fn step(&mut self, store: &Store) {
        let step = Step::random(&self.model, &mut self.random);
        step.run(store).unwrap();
        self.model = step.states(&self.model).pop().unwrap();
    }

    fn clean(&mut self, store: &Store) {
        store.checkpoint().unwrap();
        for _ in 0..20 {
            let cleaned = store.clean().unwrap();
            self.freed += cleaned.freed;
            if cleaned.freed == 0 {
                break;
            }
        }
    }

    fn remember(&mut self, store: &Store) {
        let images = store.images();
        if let Some(image) = images.iter().choose(&mut self.random) {
            let mut content = vec![0; image.size().0 as usize];
            image.read(0, &mut content).unwrap();
            self.past.push((store.head().sequence, image.id(), content));
        }
    }

    /// Clones an earlier state, or returns to it, where that is still to be had.
    fn go_back(&mut self, store: &Store) {
        let Some((at, id, content)) = self.past.iter().choose(&mut self.random).cloned() else {
            return;
        };
        let Ok(Some((oldest, _))) = store.window(id) else {
            return;
        };
        if at < oldest.sequence {
            return;
        }
        let back = if self.random.random_bool(0.5) {
            store.roll_back_to(id, at).unwrap();
            id
        } else {
            if store.images().len() >= IMAGES_MAX {
                return;
            }
            let clone = uuid::Builder::from_random_bytes(self.random.random());
            let clone = ImageId(clone.into_uuid());
            let origin = NewOrigin {
                image: id,
                snapshot: None,
                at: Some(at),
            };
            let new = NewImage {
                id: clone,
                name: ImageName::new(format!("c{clone}")).unwrap(),
                size: Bytes(content.len() as u64),
                origin: Some(origin),
                mirrored: false,
            };
            store.create_image(new).unwrap();
            clone
        };
        let mut found = vec![0; content.len()];
        store.image(back).unwrap().read(0, &mut found).unwrap();
        assert!(found == content, "{id} is not what it was at {at}");
        self.model = Model::of(store).unwrap();
    }

    fn check(&self, store: &Store) {
        let found = Model::of(store).unwrap();
        if found == self.model {
            return;
        }
        for ((id, found), (_, model)) in found.contents().zip(self.model.contents()) {
            let blocks = found.chunks(BLOCK).zip(model.chunks(BLOCK));
            let wrong = (0..)
                .zip(blocks)
                .filter(|(_, (found, model))| found != model);
            let wrong: Vec<u64> = wrong.map(|(block, _)| block).collect();
            assert!(wrong.is_empty(), "blocks {wrong:?} of {id} are wrong");
        }
        panic!("snapshots, sizes or names are wrong");
    }
}

/// Ends the life of a store, in one of the ways in which that happens.
fn end(life: &mut Life, store: Arc<Store>, how: u64) {
    match how % 3 {
        0 => store.close().unwrap(),
        1 => drop(store.flush().unwrap()),
        _ => {
            store.flush().unwrap();
            life.disk = life.disk.crash(how);
        }
    }
    drop(store);
    if how % 3 == 1 {
        life.disk.restart();
    }
}

fn story(seed: u64) -> u32 {
    let mut life = Life::new(seed);
    for round in 0..3 {
        let store = life.open();
        life.check(&store);
        life.live(&store, 150);
        life.check(&store);
        end(&mut life, store, seed / 2 + round);
        if round != 1 || !seed.is_multiple_of(3) {
            life.disk.remove("index/leaves").unwrap();
        }
        let report = life.rebuild().unwrap();
        assert!(report.damaged.is_empty(), "{report:?}");
        // What was to be had of the window is not in the log.
        life.past.clear();
    }
    let store = life.open();
    life.check(&store);
    life.clean(&store);
    life.check(&store);
    life.freed
}

#[test]
fn an_index_that_is_lost_is_made_anew_from_the_segments() {
    let freed = AtomicU32::new(0);
    every_seed(SEEDS, |seed| {
        freed.fetch_add(story(seed), Ordering::Relaxed);
        Ok(())
    });
    let (freed, rounds) = (freed.into_inner(), seeds(SEEDS).count());
    assert!(
        freed as usize > rounds,
        "hardly anything was cleaned: {freed}"
    );
}

#[test]
fn a_rebuild_that_is_cut_short_can_be_done_again() {
    for seed in 0..3 {
        let mut life = Life::new(seed);
        let store = life.open();
        life.live(&store, 200);
        end(&mut life, store, 1);
        life.disk.remove("index/leaves").unwrap();
        let mut ends = 0;
        for operation in 0.. {
            let mut cut = Life {
                disk: life.disk.crash(operation),
                options: life.options,
                random: StdRng::seed_from_u64(seed),
                model: life.model.clone(),
                past: Vec::new(),
                freed: 0,
            };
            cut.disk.stop_after(operation * (20 + seed));
            let done = cut.rebuild();
            cut.disk = cut.disk.crash(seed + operation);
            if done.is_err() {
                ends += 1;
                cut.rebuild().unwrap();
            }
            let left = cut.disk.list("index").unwrap();
            assert_eq!(left.len(), 1, "{left:?}");
            cut.check(&cut.open());
            if done.is_ok() {
                break;
            }
        }
        assert!(ends > 3, "{ends}");
    }
}

#[test]
fn who_opens_a_store_without_an_index_is_told_what_to_do() {
    let life = Life::new(0);
    life.disk.remove("index/leaves").unwrap();
    let clock = Arc::new(SimulatedClock::new());
    let error = Store::open(life.disk(), clock, life.options).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoIndex);
    let text = error.to_string();
    assert!(
        text.contains("firebrick rbd rebuild-index --conf FILE"),
        "{text}"
    );
    life.rebuild().unwrap();
    life.check(&life.open());
}

#[test]
fn an_open_store_is_not_rebuilt() {
    let life = Life::new(0);
    let store = life.open();
    assert_eq!(life.rebuild().unwrap_err().kind, ErrorKind::Locked);
    drop(store);
    life.rebuild().unwrap();
}

fn one_image(store: &Store, blocks: usize) -> ImageId {
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: ImageName::new(format!("i{id}")).unwrap(),
        size: Bytes((blocks * BLOCK) as u64),
        origin: None,
        mirrored: false,
    };
    store.create_image(new).unwrap();
    id
}

fn fill(store: &Store, id: ImageId, blocks: std::ops::Range<usize>, with: u8) {
    let image = store.image(id).unwrap();
    for block in blocks {
        let write = Write {
            offset: (block * BLOCK) as u64,
            data: &[with; BLOCK],
        };
        image.write(&[write]).unwrap();
    }
}

/// Writes and cleans until the log has been through several segments.
fn churn(life: &mut Life, store: &Store, id: ImageId, rounds: usize) {
    for round in 0..rounds {
        fill(store, id, 0..250, round as u8);
        life.clean(store);
    }
}

#[test]
fn the_times_of_images_and_snapshots_come_back() {
    let mut life = Life::new(0);
    let store = life.open();
    let id = one_image(&store, 20);
    let name = SnapshotName::new("snapshot").unwrap();
    store.create_snapshot(id, name).unwrap();
    let times = |store: &Store| {
        let taken = store.snapshots(id).unwrap();
        let created = store.image(id).unwrap().info().created;
        (created, taken[0].time)
    };
    let before = times(&store);
    assert!(before.0.0 > 0 && before.1.0 > 0);
    end(&mut life, store, 0);
    life.disk.remove("index/leaves").unwrap();
    life.rebuild().unwrap();
    assert_eq!(times(&life.open()), before);
}

#[test]
fn what_a_smaller_size_cut_off_does_not_come_back() {
    let mut life = Life::new(0);
    let store = life.open();
    let id = one_image(&store, 700);
    let other = one_image(&store, 300);
    // What is cut off lies among blocks that stay, in a segment that is not worth cleaning.
    fill(&store, id, 650..658, 7);
    fill(&store, id, 0..650, 7);
    store.resize_image(id, Bytes((650 * BLOCK) as u64)).unwrap();
    churn(&mut life, &store, other, 8);
    assert!(life.freed > 4, "{}", life.freed);
    store.resize_image(id, Bytes((700 * BLOCK) as u64)).unwrap();
    life.model = Model::of(&store).unwrap();
    end(&mut life, store, 0);
    life.disk.remove("index/leaves").unwrap();
    life.rebuild().unwrap();
    let store = life.open();
    life.check(&store);
    let mut cut = vec![1; 50 * BLOCK];
    let image = store.image(id).unwrap();
    image.read((650 * BLOCK) as u64, &mut cut).unwrap();
    assert!(cut.iter().all(|byte| *byte == 0));
}

#[test]
fn dead_blocks_are_known_after_a_rebuild_and_their_room_comes_back() {
    let mut life = Life::new(0);
    let store = life.open();
    let id = one_image(&store, 300);
    for round in 0..20 {
        fill(&store, id, 0..300, round);
    }
    end(&mut life, store, 0);
    life.disk.remove("index/leaves").unwrap();
    let report = life.rebuild().unwrap();
    assert_eq!((report.blocks, report.images), (300, 1));
    let store = life.open();
    let before = store.space().unwrap().used;
    life.clean(&store);
    let after = store.space().unwrap().used;
    assert!(after.0 * 3 < before.0, "{before} {after}");
}

#[test]
fn what_does_not_fit_into_memory_is_sorted_in_files() {
    const BLOCKS: usize = 12_000;
    let mut life = Life::new(0);
    life.options.cache_bytes = 64 << 10;
    life.options.pending_bytes = 64 << 10;
    let store = life.open();
    let id = one_image(&store, BLOCKS);
    let image = store.image(id).unwrap();
    let mut model = vec![0; BLOCKS * BLOCK];
    for n in 0..BLOCKS {
        let block = n.wrapping_mul(7919) % BLOCKS * BLOCK;
        let data = [n as u8; BLOCK];
        model[block..block + BLOCK].copy_from_slice(&data);
        let offset = block as u64;
        image
            .write(&[Write {
                offset,
                data: &data,
            }])
            .unwrap();
        if store.checkpoint_due() {
            store.checkpoint().unwrap();
        }
    }
    drop(image);
    end(&mut life, store, 0);
    life.disk.remove("index/leaves").unwrap();
    let mut files = 0;
    let clock = Arc::new(SimulatedClock::new());
    let rebuilt = Store::rebuild_index(life.disk(), clock, life.options, &mut |_| {
        files = files.max(life.disk.list("index").unwrap().len());
    });
    assert_eq!(rebuilt.unwrap().blocks, BLOCKS as u64);
    assert!(files > 8, "{files}");
    assert_eq!(life.disk.list("index").unwrap().len(), 1);
    let store = life.open();
    let mut found = vec![0; model.len()];
    store.image(id).unwrap().read(0, &mut found).unwrap();
    assert!(found == model);
}

#[test]
fn a_head_that_is_damaged_costs_what_it_said_and_no_more() {
    let mut life = Life::new(0);
    let store = life.open();
    let id = one_image(&store, 300);
    let other = one_image(&store, 300);
    fill(&store, id, 0..300, 1);
    churn(&mut life, &store, other, 12);
    assert!(life.freed > 4, "{}", life.freed);
    store.checkpoint().unwrap();
    end(&mut life, store, 0);
    // Not in the part of the log that has to be whole.
    let mut segments = life.disk.list("segments").unwrap();
    segments.sort();
    let first = life
        .disk
        .open(&format!("segments/{}", segments[0]))
        .unwrap();
    let mut head = vec![0; 64 << 10];
    first.read_at(&mut head, 4096).unwrap();
    let frames = head.chunks(512).skip(1);
    let second = (1u64..)
        .zip(frames)
        .find(|(_, bytes)| bytes.starts_with(b"FBFR"));
    let at = 4096 + 512 * second.unwrap().0 + 40;
    let mut byte = [0];
    first.read_at(&mut byte, at).unwrap();
    byte[0] ^= 1;
    first.write_at(&[IoSlice::new(&byte)], at).unwrap();
    life.disk.remove("index/leaves").unwrap();
    let report = life.rebuild().unwrap();
    assert_eq!(report.damaged.len(), 1);
    let store = life.open();
    let mut found = vec![0; 300 * BLOCK];
    store.image(id).unwrap().read(0, &mut found).unwrap();
    let lost = found.chunks(BLOCK).filter(|block| block[0] != 1).count();
    assert!((1..100).contains(&lost), "{lost}");
}

#[test]
fn a_log_that_lost_its_beginning_is_refused() {
    let mut life = Life::new(0);
    let store = life.open();
    let id = one_image(&store, 300);
    fill(&store, id, 0..300, 1);
    fill(&store, id, 0..300, 2);
    end(&mut life, store, 0);
    let segments = life.disk.list("segments").unwrap();
    let first = segments.iter().min().unwrap();
    life.disk.remove(&format!("segments/{first}")).unwrap();
    let error = life.rebuild().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Damaged);
    assert!(error.to_string().contains("records from 1 to"), "{error}");
}

#[test]
fn progress_goes_through_all_phases() {
    let mut life = Life::new(4);
    let store = life.open();
    let id = one_image(&store, 30);
    fill(&store, id, 0..30, 1);
    let name = SnapshotName::new("s").unwrap();
    store.create_snapshot(id, name).unwrap();
    end(&mut life, store, 0);
    let mut phases = Vec::new();
    let clock = Arc::new(SimulatedClock::new());
    let report = Store::rebuild_index(life.disk(), clock, life.options, &mut |progress| {
        phases.push(progress.phase);
    });
    phases.dedup();
    let all = [
        RebuildPhase::Log,
        RebuildPhase::Segments,
        RebuildPhase::Leaves,
        RebuildPhase::Places,
    ];
    assert_eq!(phases, all);
    assert_eq!(report.unwrap().snapshots, 1);
}

/// The record that made it smaller went with its segment; what it cut off lies in an older one.
#[test]
fn what_a_smaller_size_cut_off_does_not_come_back_with_a_new_index() {
    let mut life = Life::new(0);
    let store = life.open();
    let (old, new) = (ImageId::random(), ImageId::random());
    for (id, name) in [(old, "old"), (new, "new")] {
        let image = NewImage {
            id,
            name: ImageName::new(name).unwrap(),
            size: Bytes(200 * BLOCK_SIZE),
            origin: None,
            mirrored: false,
        };
        store.create_image(image).unwrap();
    }
    let write = |id, first: u64, count: usize| {
        let data = vec![7; count * BLOCK];
        let offset = first * BLOCK_SIZE;
        let write = Write {
            offset,
            data: &data,
        };
        store.image(id).unwrap().write(&[write]).unwrap();
    };
    // The first segment stays, as most of it is needed.
    write(old, 0, 200);
    write(new, 0, 100);
    store.resize_image(old, Bytes(190 * BLOCK_SIZE)).unwrap();
    store.resize_image(old, Bytes(200 * BLOCK_SIZE)).unwrap();
    write(new, 0, 100);
    write(new, 0, 100);
    write(new, 0, 100);
    life.clean(&store);
    assert!(life.freed > 0);
    end(&mut life, store, 0);
    life.rebuild().unwrap();
    let store = life.open();
    let mut found = vec![1; 200 * BLOCK];
    store.image(old).unwrap().read(0, &mut found).unwrap();
    let (kept, cut) = found.split_at(190 * BLOCK);
    assert!(kept.iter().all(|byte| *byte == 7));
    assert!(cut.iter().all(|byte| *byte == 0), "it came back");
}
