//! Cleaning: room comes back, and what is needed stays.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::Disk;
use firebrick_engine::{ErrorKind, Image, NewImage, NewOrigin, Store, StoreOptions, Write};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, ImageId, ImageName, MIB, Sequence, SnapshotName, StoreId,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const BLOCK: usize = BLOCK_SIZE as usize;
const CAPACITY: u64 = 64 * MIB;
const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    checkpoint_bytes: 4 * MIB,
    capacity: Some(CAPACITY),
    ..StoreOptions::DEFAULT
};

fn make(disk: &SimulatedDisk) -> Arc<Store> {
    make_with(disk, OPTIONS)
}

fn make_with(disk: &SimulatedDisk, options: StoreOptions) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&disk, StoreId::random(), &options).unwrap();
    open_with(&disk, options)
}

fn open(disk: &Arc<dyn Disk>) -> Arc<Store> {
    open_with(disk, OPTIONS)
}

fn open_with(disk: &Arc<dyn Disk>, options: StoreOptions) -> Arc<Store> {
    Store::open(Arc::clone(disk), Arc::new(SimulatedClock::new()), options).unwrap()
}

fn image(store: &Store, name: &str, size: u64) -> Arc<Image> {
    store
        .create_image(NewImage {
            id: ImageId::random(),
            name: ImageName::new(name).unwrap(),
            size: Bytes(size),
            origin: None,
            mirrored: false,
        })
        .unwrap()
}

fn content(block: u64, version: u32) -> Vec<u8> {
    let mut bytes = vec![version as u8; BLOCK];
    bytes[..8].copy_from_slice(&block.to_le_bytes());
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes
}

/// Writes a block, and lets the background work have its turn.
fn write(store: &Store, image: &Image, block: u64, version: u32) {
    let data = content(block, version);
    let write = Write {
        offset: block * BLOCK_SIZE,
        data: &data,
    };
    image.write(&[write]).unwrap();
    if store.checkpoint_due() {
        store.checkpoint().unwrap();
    }
    if block.is_multiple_of(16) {
        store.clean().unwrap();
    }
}

#[test]
fn overwriting_a_full_store_ten_times_stays_within_its_room() {
    let disk = SimulatedDisk::new();
    let store = make(&disk);
    let blocks = CAPACITY * 8 / 10 / BLOCK_SIZE;
    let volume = image(&store, "volume", blocks * BLOCK_SIZE);
    let mut versions = vec![1; blocks as usize];
    for block in 0..blocks {
        write(&store, &volume, block, 1);
    }
    let random = &mut StdRng::seed_from_u64(7);
    let live = blocks * BLOCK_SIZE;
    let mut most = 0;
    let capacity = CAPACITY / BLOCK_SIZE;
    let before = store.cleaned_bytes().0;
    for version in 2..2 + 10 * capacity as u32 {
        let block = random.random_range(0..blocks);
        versions[block as usize] = version;
        write(&store, &volume, block, version);
        if version.is_multiple_of(1000) {
            most = most.max(store.space().unwrap().used.0);
        }
    }
    let amplification = most as f64 / live as f64;
    let moved = (store.cleaned_bytes().0 - before) as f64;
    let written = (10 * CAPACITY) as f64;
    let rewritten = (written + moved) / written;
    println!("space amplification {amplification:.2}, write amplification {rewritten:.2}");
    assert!(amplification <= 1.3, "{most} used for {live}");
    assert!(rewritten <= 8.0, "{moved} moved for {written}");
    let check = |volume: &Image| {
        let mut found = vec![0; BLOCK];
        for (block, version) in versions.iter().enumerate() {
            volume.read(block as u64 * BLOCK_SIZE, &mut found).unwrap();
            assert!(found == content(block as u64, *version), "block {block}");
        }
    };
    check(&volume);
    store.flush().unwrap();
    let after: Arc<dyn Disk> = Arc::new(disk.crash(1));
    let store = open(&after);
    check(&store.image(volume.id()).unwrap());
}

#[test]
fn where_little_is_dead_in_any_segment_room_is_won_all_the_same() {
    const LARGE: StoreOptions = StoreOptions {
        segment_bytes: 4 * MIB,
        checkpoint_bytes: 256 * MIB,
        pending_bytes: 256 << 20,
        capacity: Some(256 * MIB),
        ..StoreOptions::DEFAULT
    };
    let disk = SimulatedDisk::new();
    let store = make_with(&disk, LARGE);
    let blocks = 256 * MIB * 84 / 100 / BLOCK_SIZE;
    let volume = image(&store, "volume", blocks * BLOCK_SIZE);
    for block in 0..blocks {
        write(&store, &volume, block, 1);
    }
    let random = &mut StdRng::seed_from_u64(7);
    for version in 2..2 + blocks as u32 {
        write(&store, &volume, random.random_range(0..blocks), version);
    }
}

#[test]
fn what_is_discarded_or_removed_comes_back_and_snapshots_stay() {
    let disk = SimulatedDisk::new();
    let store = make(&disk);
    let kept = image(&store, "kept", 8 * MIB);
    for block in 0..2048 {
        write(&store, &kept, block, 1);
    }
    store
        .create_snapshot(kept.id(), SnapshotName::new("s").unwrap())
        .unwrap();
    for block in 0..2048 {
        write(&store, &kept, block, 2);
    }
    kept.discard(0, 4 * MIB).unwrap();
    let gone = image(&store, "gone", 16 * MIB);
    for block in 0..4096 {
        write(&store, &gone, block, 3);
    }
    store.remove_image(gone.id()).unwrap();
    for _ in 0..4 {
        store.checkpoint().unwrap();
        while store.clean().unwrap().freed > 0 {}
    }
    let used = store.space().unwrap().used.0;
    assert!(used < 20 * MIB, "{used} for 12 MiB of data");
    let snapshot = store.copy_source(kept.id()).unwrap();
    let shown = snapshot.snapshots[0]
        .map
        .changed_since(None, 0, usize::MAX)
        .unwrap();
    assert_eq!(shown.len(), 2048);
    for changed in shown {
        let mut found = vec![0; BLOCK];
        store
            .read_log(changed.entry.unwrap().at, &mut found)
            .unwrap();
        assert!(found == content(changed.block, 1));
    }
}

/// Its clone has overwritten all of it, or did not get it.
#[test]
fn what_a_removed_origin_alone_showed_comes_back() {
    let disk = SimulatedDisk::new();
    let store = make(&disk);
    let origin = image(&store, "origin", 16 * MIB);
    for block in 0..4096 {
        write(&store, &origin, block, 1);
    }
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new("clone").unwrap(),
        size: Bytes(12 * MIB),
        origin: Some(NewOrigin {
            image: origin.id(),
            snapshot: None,
            at: None,
        }),
        mirrored: false,
    };
    let clone = store.create_image(new).unwrap();
    // Nobody but the origin shows these.
    for block in 0..1024 {
        write(&store, &origin, block, 2);
    }
    store.remove_image(origin.id()).unwrap();
    for block in 0..2048 {
        write(&store, &clone, block, 3);
    }
    for _ in 0..6 {
        store.checkpoint().unwrap();
        while store.clean().unwrap().freed > 0 {}
    }
    let space = store.space().unwrap();
    let (used, live) = (space.used.0, space.used.0 - space.reclaimable.0);
    assert!(live < 15 * MIB, "{live} for 12 MiB of data");
    assert!(used < 18 * MIB, "{used} for 12 MiB of data");
    let check = |clone: &Image| {
        let mut found = vec![0; BLOCK];
        for block in 0..3072 {
            clone.read(block * BLOCK_SIZE, &mut found).unwrap();
            let version = if block < 2048 { 3 } else { 1 };
            assert!(found == content(block, version), "block {block}");
        }
    };
    check(&clone);
    store.flush().unwrap();
    let after: Arc<dyn Disk> = Arc::new(disk.crash(1));
    let store = open(&after);
    check(&store.image(clone.id()).unwrap());
}

/// Writes until there is no room; how many blocks fitted.
fn fill(store: &Store, image: &Image, from: u64) -> u64 {
    for n in from.. {
        let data = content(n, 1);
        let write = Write {
            offset: n * BLOCK_SIZE,
            data: &data,
        };
        match image.write(&[write]) {
            Ok(()) if store.checkpoint_due() => drop(store.checkpoint().unwrap()),
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::NoSpace, "{error}");
                return n;
            }
        }
    }
    unreachable!()
}

#[test]
fn a_write_waits_for_what_a_peer_has_yet_to_get() {
    waits_for_a_peer_behind_by(Duration::ZERO);
}

#[test]
fn a_write_waits_for_a_peer_that_takes_its_time() {
    waits_for_a_peer_behind_by(Duration::from_millis(500));
}

/// A peer confirms now and then what was there a time ago.
fn waits_for_a_peer_behind_by(behind: Duration) {
    let options = StoreOptions {
        room_patience: Duration::from_secs(600),
        ..OPTIONS
    };
    let store = make_with(&SimulatedDisk::new(), options);
    store.keep_from("peer", Sequence::ZERO);
    let other = image(&store, "other", CAPACITY);
    for block in 0..8 * MIB / BLOCK_SIZE {
        write(&store, &other, block, 0);
    }
    let guest = image(&store, "guest", 2 * CAPACITY);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let had = store.head().sequence;
                std::thread::sleep(behind + Duration::from_millis(20));
                store.keep_from("peer", had);
            }
        });
        let full = fill(&store, &guest, 0);
        drop(other.clone());
        store.remove_image(other.id()).unwrap();
        let more = fill(&store, &guest, full);
        assert!((more - full) * BLOCK_SIZE >= 6 * MIB, "{full} {more}");
        done.store(true, Ordering::Relaxed);
    });
}

/// A write finds the room of what was removed, at whichever step of looking for it the peer begins to confirm.
#[test]
fn a_peer_may_confirm_at_any_moment() {
    let options = StoreOptions {
        capacity: Some(24 * MIB),
        room_patience: Duration::ZERO,
        ..OPTIONS
    };
    for moment in 0.. {
        let disk = SimulatedDisk::new();
        let store = make_with(&disk, options);
        store.keep_from("peer", Sequence::ZERO);
        let other = image(&store, "other", CAPACITY);
        for block in 0..4 * MIB / BLOCK_SIZE {
            write(&store, &other, block, 0);
        }
        let guest = image(&store, "guest", CAPACITY);
        let full = fill(&store, &guest, 0);
        // What the peer has is kept for it until it has got what came behind.
        store.keep_from("peer", store.head().sequence);
        store.checkpoint().unwrap();
        store.remove_image(other.id()).unwrap();
        let removed = store.head().sequence;
        let (syncs, peer) = (AtomicU64::new(0), Arc::downgrade(&store));
        disk.ignore_sync(move |_| {
            if syncs.fetch_add(1, Ordering::Relaxed) >= moment
                && let Some(store) = peer.upgrade()
            {
                store.keep_from("peer", store.head().sequence);
            }
            false
        });
        let more = fill(&store, &guest, full);
        if store.kept_for("peer") < removed {
            assert!(moment > 0, "nothing was tried");
            return;
        }
        assert!(
            (more - full) * BLOCK_SIZE >= 2 * MIB,
            "at {moment}: {full} {more}"
        );
    }
}

#[test]
fn what_a_peer_that_is_away_lacks_is_no_room() {
    let options = StoreOptions {
        room_patience: Duration::from_millis(1),
        ..OPTIONS
    };
    let store = make_with(&SimulatedDisk::new(), options);
    let guest = image(&store, "guest", 2 * CAPACITY);
    store.keep_from("peer", store.head().sequence);
    let full = fill(&store, &guest, 0);
    guest.discard(0, 8 * MIB).unwrap();
    assert_eq!(
        fill(&store, &guest, full),
        full,
        "the peer has not got what was discarded"
    );
    store.keep_from("peer", store.head().sequence);
    let more = fill(&store, &guest, full);
    assert!((more - full) * BLOCK_SIZE >= 6 * MIB, "{full} {more}");
}
