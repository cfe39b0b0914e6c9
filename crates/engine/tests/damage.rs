//! Bits that rot under a store: only what lay there is lost, a scrub finds all of it that somebody
//! needs, and another copy repairs it for good.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "damage/newest.rs"]
mod newest;
#[path = "damage/past.rs"]
mod past;
#[path = "damage/shared.rs"]
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Disk, Timestamp};
use firebrick_engine::{
    ErrorKind, Image, MapView, NewImage, NoSource, Retention, Rot, ScrubCursor, ScrubProgress,
    Source, Store, StoreOptions, Write,
};
use firebrick_log::{Checksum, Location};
use firebrick_simulate::{SimulatedClock, SimulatedDisk, seeds};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName, StoreId};
use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use uuid::Uuid;

const BLOCK: usize = 4096;
const BLOCKS: u64 = 400;
const SEEDS: u64 = 12;

/// A block as somebody sees it: of which image, where in it, its name and checksum.
type Seen = (ImageId, u64, Location, u32);

/// All data that was ever written, by its checksum: another site has it.
#[derive(Default)]
struct Elsewhere(BTreeMap<u32, Vec<u8>>);

impl Source for Elsewhere {
    fn fetch(&self, _: ImageId, _: u64, checksum: Checksum) -> Option<Vec<u8>> {
        self.0.get(&checksum.0).cloned()
    }
}

/// A source whose copies are no better.
struct Rotten;

impl Source for Rotten {
    fn fetch(&self, _: ImageId, _: u64, _: Checksum) -> Option<Vec<u8>> {
        Some(vec![0xbb; BLOCK])
    }
}

struct Site {
    disk: SimulatedDisk,
    elsewhere: Elsewhere,
    /// Blocks that were overwritten and nobody needs any more.
    dead: Vec<Location>,
}

fn open(disk: &SimulatedDisk) -> Arc<Store> {
    open_with(disk, Retention::None)
}

fn open_with(disk: &SimulatedDisk, retention: Retention) -> Arc<Store> {
    let options = StoreOptions {
        segment_bytes: MIB,
        cache_bytes: 1 << 20,
        lazy_percent: 0,
        room_patience: Duration::ZERO,
        retention,
        ..StoreOptions::DEFAULT
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    if disk.list("segments").is_err() {
        Store::create(&disk, StoreId(Uuid::from_u128(7)), &options).unwrap();
    }
    Store::open(disk, Arc::new(SimulatedClock::new()), options).unwrap()
}

/// Two images of which one has a snapshot, all of it cold.
fn site(random: &mut StdRng) -> Site {
    let mut site = Site {
        disk: SimulatedDisk::new(),
        elsewhere: Elsewhere::default(),
        dead: Vec::new(),
    };
    let store = open(&site.disk);
    for number in 1..=2 {
        let image = store.create_image(new_image(number)).unwrap();
        for round in 0..60 {
            let first = random.random_range(0..BLOCKS);
            let count = random.random_range(1..=(BLOCKS - first).min(30)) as usize;
            site.write(&store, &image, first, count, random);
            if number == 1 && round == 30 {
                let name = SnapshotName::new("snapshot").unwrap();
                store.create_snapshot(image.id(), name).unwrap();
            }
        }
    }
    let needed: BTreeSet<Location> = needed(&store).iter().map(|seen| seen.2).collect();
    site.dead.retain(|name| !needed.contains(name));
    store.close().unwrap();
    drop(store);
    // Everything before this is behind the checkpoint.
    site.disk = site.disk.crash(0);
    site
}

fn new_image(number: u128) -> NewImage {
    NewImage {
        id: ImageId(Uuid::from_u128(number)),
        name: ImageName::new(format!("image-{number}")).unwrap(),
        size: Bytes(BLOCKS * BLOCK as u64),
        origin: None,
        mirrored: false,
    }
}

impl Site {
    fn write(
        &mut self,
        store: &Store,
        image: &Image,
        first: u64,
        count: usize,
        random: &mut StdRng,
    ) {
        let mut data = Vec::with_capacity(count * BLOCK);
        for _ in 0..count {
            let block = random.random::<u64>().to_le_bytes().repeat(BLOCK / 8);
            data.extend_from_slice(&block);
            self.elsewhere.0.insert(Checksum::of(&block).0, block);
        }
        let write = Write {
            offset: first * BLOCK as u64,
            data: &data,
        };
        image.write(&[write]).unwrap();
        let map = image.map();
        self.dead
            .extend(entries(&map, image.id()).iter().map(|seen| seen.2));
        drop(map);
        drop(store.flush());
    }

    fn flip(&self, name: Location, random: &mut StdRng) {
        let file = format!("segments/{:010}.seg", name.segment);
        let file = self.disk.open(&file).unwrap();
        let at = name.offset() + random.random_range(0..BLOCK as u64);
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        byte[0] ^= 1 << random.random_range(0..8);
        file.write_at(&[IoSlice::new(&byte)], at).unwrap();
    }
}

fn entries(map: &MapView, image: ImageId) -> Vec<Seen> {
    let changed = map.changed_since(None, 0, usize::MAX).unwrap();
    let entry = |changed: &firebrick_engine::Changed| {
        let entry = changed.entry?;
        Some((image, changed.block, entry.at, entry.checksum.0))
    };
    changed.iter().filter_map(entry).collect()
}

/// Every block that somebody sees, in images and snapshots.
fn needed(store: &Store) -> BTreeSet<Seen> {
    let mut needed = BTreeSet::new();
    for image in store.images() {
        let source = store.copy_source(image.id()).unwrap();
        let maps = source.snapshots.iter().map(|snapshot| &snapshot.map);
        for map in maps.chain([&source.head]) {
            needed.extend(entries(map, image.id()));
        }
    }
    needed
}

/// What is read is what was written, or an error; the blocks for which it is one.
fn unreadable(store: &Store, elsewhere: &Elsewhere) -> BTreeSet<Seen> {
    let mut lost = BTreeSet::new();
    for image in store.images() {
        let map = image.map();
        for seen in entries(&map, image.id()) {
            let mut read = vec![0; BLOCK];
            match image.read(seen.1 * BLOCK as u64, &mut read) {
                Ok(()) => assert_eq!(elsewhere.0.get(&seen.3), Some(&read)),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
                    lost.insert(seen);
                }
            }
        }
    }
    lost
}

fn scrub(store: &Store, source: &dyn Source, random: &mut StdRng) -> Vec<Rot> {
    let mut cursor = Some(ScrubCursor::default());
    let mut rot = Vec::new();
    while let Some(at) = cursor {
        let budget = Bytes(random.random_range(1..2 * MIB));
        let scrubbed = store.scrub(at, budget, source).unwrap();
        rot.extend(scrubbed.rot);
        cursor = scrubbed.next;
    }
    rot
}

fn places(rot: &[Rot]) -> Vec<(ImageId, u64)> {
    let mut places: Vec<_> = rot.iter().map(|rot| (rot.image, rot.offset)).collect();
    places.sort();
    places
}

fn places_of(seen: &BTreeSet<Seen>) -> Vec<(ImageId, u64)> {
    let mut places: Vec<_> = seen
        .iter()
        .map(|(image, block, ..)| (*image, block * BLOCK as u64))
        .collect();
    places.sort();
    places
}

#[test]
fn rot_is_found_where_it_is_needed_and_another_copy_repairs_it_for_good() {
    for seed in seeds(SEEDS) {
        let random = &mut StdRng::seed_from_u64(seed);
        let site = site(random);
        let all = needed(&open(&site.disk));
        let hit: BTreeSet<Seen> = all
            .iter()
            .copied()
            .choose_multiple(random, 9)
            .into_iter()
            .collect();
        for (_, _, name, _) in &hit {
            site.flip(*name, random);
        }
        for name in site.dead.iter().choose_multiple(random, 9) {
            // Twice the same bit would be none.
            if hit.iter().all(|hit| hit.2 != *name) {
                site.flip(*name, random);
            }
        }
        let store = open(&site.disk);
        let lost = unreadable(&store, &site.elsewhere);
        assert!(lost.is_subset(&hit), "seed {seed}");
        let found = scrub(&store, &NoSource, random);
        assert_eq!(places(&found), places_of(&hit), "seed {seed}");
        assert!(found.iter().all(|rot| !rot.repaired));
        assert_eq!(store.rot().len(), hit.len());
        // What is no better than what is there is not taken.
        assert!(
            scrub(&store, &Rotten, random)
                .iter()
                .all(|rot| !rot.repaired)
        );
        assert_eq!(unreadable(&store, &site.elsewhere), lost);

        let repaired = scrub(&store, &site.elsewhere, random);
        assert_eq!(places(&repaired), places_of(&hit), "seed {seed}");
        assert!(repaired.iter().all(|rot| rot.repaired));
        assert_eq!(unreadable(&store, &site.elsewhere), BTreeSet::new());
        assert_eq!(scrub(&store, &NoSource, random), Vec::new(), "seed {seed}");
        assert_eq!(store.rot(), Vec::new());
        // Without a checkpoint: a repair is durable by itself.
        let after = site.disk.crash(random.random());
        let store = open(&after);
        assert_eq!(unreadable(&store, &site.elsewhere), BTreeSet::new());
        assert_eq!(scrub(&store, &NoSource, random), Vec::new(), "seed {seed}");
        assert_eq!(needed(&store), all, "no map has changed");
    }
}

#[test]
fn rot_in_the_heads_of_frames_takes_no_data_with_it() {
    for seed in seeds(SEEDS) {
        let random = &mut StdRng::seed_from_u64(seed);
        let site = site(random);
        let all: Vec<Seen> = needed(&open(&site.disk)).into_iter().collect();
        // A start needs the heads of the newest one.
        let newest = all.iter().map(|seen| seen.2.segment).max();
        let is_cold = |seen: &Seen| Some(seen.2.segment) < newest;
        let all: Vec<Seen> = all.into_iter().filter(is_cold).collect();
        for _ in 0..3 {
            // Before a block is another one of its frame, or the frame's head.
            let name = all[random.random_range(0..all.len())].2;
            let taken: BTreeSet<u32> = all
                .iter()
                .filter(|seen| seen.2.segment == name.segment)
                .flat_map(|seen| (0..8).map(move |unit| seen.2.unit + unit))
                .collect();
            let Some(unit) = (1..name.unit).rev().find(|unit| !taken.contains(unit)) else {
                continue;
            };
            let head = Location { unit, ..name };
            let file = format!("segments/{:010}.seg", head.segment);
            let file = site.disk.open(&file).unwrap();
            file.write_at(&[IoSlice::new(&[0x55; 512])], head.offset())
                .unwrap();
        }
        let store = open(&site.disk);
        assert_eq!(
            unreadable(&store, &site.elsewhere),
            BTreeSet::new(),
            "seed {seed}"
        );
        assert_eq!(scrub(&store, &NoSource, random), Vec::new(), "seed {seed}");
    }
}

#[test]
fn the_cleaner_leaves_rot_to_the_scrubber() {
    for seed in seeds(SEEDS) {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut site = site(random);
        let all = needed(&open(&site.disk));
        let hit: BTreeSet<Seen> = all
            .iter()
            .copied()
            .choose_multiple(random, 4)
            .into_iter()
            .collect();
        for (_, _, name, _) in &hit {
            site.flip(*name, random);
        }
        let store = open(&site.disk);
        for image in store.images() {
            for _ in 0..40 {
                let first = random.random_range(0..BLOCKS);
                let count = random.random_range(1..=(BLOCKS - first).min(30)) as usize;
                site.write(&store, &image, first, count, random);
            }
        }
        let mut freed = 0;
        for _ in 0..20 {
            store.checkpoint().unwrap();
            freed += store.clean().unwrap().freed;
        }
        assert!(freed > 0, "seed {seed}: nothing was cleaned");
        let lost = unreadable(&store, &site.elsewhere);
        assert!(lost.is_subset(&hit), "seed {seed}");
        let left: BTreeSet<Seen> = needed(&store).intersection(&hit).copied().collect();
        let repaired = scrub(&store, &site.elsewhere, random);
        assert_eq!(places(&repaired), places_of(&left), "seed {seed}");
        let store = open(&site.disk.crash(random.random()));
        assert_eq!(unreadable(&store, &site.elsewhere), BTreeSet::new());
    }
}

#[test]
fn a_scrub_goes_on_after_a_restart_where_a_checkpoint_knows_it() {
    for seed in seeds(SEEDS) {
        let random = &mut StdRng::seed_from_u64(seed);
        let site = site(random);
        let store = open(&site.disk);
        assert_eq!(store.scrub_progress(), None);
        let first = store.scrub(ScrubCursor::default(), Bytes(MIB + 1), &NoSource);
        let first = first.unwrap();
        let noted = ScrubProgress {
            began: Timestamp(11),
            read: first.bytes,
            next: first.next,
        };
        assert!(noted.next.is_some(), "seed {seed}");
        store.note_scrub(noted);
        store.checkpoint().unwrap();
        // Nobody has written this down when the power goes.
        let next = store.scrub(first.next.unwrap(), Bytes(MIB), &NoSource);
        let next = next.unwrap();
        store.note_scrub(ScrubProgress {
            read: Bytes(first.bytes.0 + next.bytes.0),
            next: next.next,
            ..noted
        });
        let disk = site.disk.crash(random.random());
        let store = open(&disk);
        let known = store.scrub_progress().unwrap();
        assert_eq!((known.began, known.read), (noted.began, noted.read));
        let all = scrubbed_bytes(&store, ScrubCursor::default());
        let rest = scrubbed_bytes(&store, known.next.unwrap());
        assert!(rest < all, "seed {seed}: {rest} of {all}");
        // From the beginning of a segment on, so nothing of the rest is left out.
        assert!(rest + first.bytes.0 >= all, "seed {seed}: {rest} of {all}");
        let done = ScrubProgress {
            next: None,
            ..noted
        };
        store.note_scrub(done);
        store.close().unwrap();
        drop(store);
        let store = open(&disk);
        assert_eq!(store.scrub_progress(), Some(done), "seed {seed}");
    }
}

#[test]
fn what_was_scrubbed_makes_a_checkpoint_due_as_what_was_written_does() {
    let site = site(&mut StdRng::seed_from_u64(1));
    let store = open(&site.disk);
    assert!(!store.checkpoint_due());
    store.note_scrub(ScrubProgress {
        began: Timestamp(11),
        read: Bytes(StoreOptions::DEFAULT.checkpoint_bytes),
        next: None,
    });
    assert!(store.checkpoint_due());
    store.checkpoint().unwrap();
    assert!(!store.checkpoint_due());
}

fn scrubbed_bytes(store: &Store, from: ScrubCursor) -> u64 {
    let scrubbed = store.scrub(from, Bytes(u64::MAX), &NoSource).unwrap();
    assert_eq!(scrubbed.next, None);
    scrubbed.bytes.0
}

/// The smallest budget is less than any frame; each step must get behind one nevertheless.
#[test]
fn a_scrub_ends_however_small_its_steps_are() {
    let random = &mut StdRng::seed_from_u64(11);
    let site = site(random);
    let store = open(&site.disk);
    let mut at = ScrubCursor::default();
    let mut bytes = 0;
    for _ in 0..10_000 {
        let done = store.scrub(at, Bytes(1), &NoSource).unwrap();
        bytes += done.bytes.0;
        let Some(next) = done.next else {
            let whole = store.scrub(ScrubCursor::default(), Bytes(u64::MAX), &NoSource);
            assert_eq!(bytes, whole.unwrap().bytes.0);
            return;
        };
        assert_ne!(at, next, "it is where it was");
        at = next;
    }
    panic!("it does not end");
}

/// Repairs blocks on a disk that lies about some syncs, and cuts the power: how many blocks cannot be
/// read then.
fn lost_after_repairs(seed: u64, lies: fn(&str, &[u8]) -> bool) -> usize {
    let random = &mut StdRng::seed_from_u64(seed);
    let site = site(random);
    let mut all: Vec<Seen> = needed(&open(&site.disk)).into_iter().collect();
    all.shuffle(random);
    let store = open(&site.disk);
    for (i, (_, _, name, _)) in all.iter().take(5).enumerate() {
        site.flip(*name, random);
        let repaired = scrub(&store, &site.elsewhere, random);
        assert!(!repaired.is_empty() && repaired.iter().all(|rot| rot.repaired));
        if i == 0 {
            // The segment that takes them has its name and its header.
            site.disk.ignore_sync_where(lies);
        }
    }
    let store = open(&site.disk.crash(seed));
    let lost = unreadable(&store, &site.elsewhere);
    lost.len() + scrub(&store, &NoSource, random).len()
}

#[test]
fn a_repair_is_durable_before_the_index_says_where_it_is() {
    const PACKED: u8 = 2;
    let is_packed = |name: &str, bytes: &[u8]| {
        name.starts_with("segments/") && bytes.get(56).copied() == Some(PACKED)
    };
    for seed in 0..4 {
        assert_eq!(lost_after_repairs(seed, |_, _| false), 0);
    }
    assert!((0..12).any(|seed| lost_after_repairs(seed, is_packed) > 0));
}
