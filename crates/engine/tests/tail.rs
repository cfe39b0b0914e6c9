//! What recovery has to read is bounded, whatever guests do and however often the machine stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::Disk;
use firebrick_engine::{Image, NewImage, Store, StoreOptions, Write};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, MIB, StoreId};

const CHECKPOINT: u64 = 2 * MIB;
const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    checkpoint_bytes: CHECKPOINT,
    ..StoreOptions::DEFAULT
};
/// One more write may be on its way, with the head of its frame.
const MOST: u64 = 2 * CHECKPOINT + 16 * BLOCK_SIZE;

fn open(disk: &SimulatedDisk) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::open(disk, Arc::new(SimulatedClock::new()), OPTIONS).unwrap()
}

fn make(disk: &SimulatedDisk) -> (Arc<Store>, Arc<Image>) {
    let on: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&on, StoreId::random(), &OPTIONS).unwrap();
    let store = open(disk);
    let image = store.create_image(NewImage {
        id: ImageId::random(),
        name: ImageName::new("volume").unwrap(),
        size: Bytes(8 * MIB),
        origin: None,
        mirrored: false,
    });
    (store, image.unwrap())
}

fn write(image: &Image, n: u64) {
    let data = vec![n as u8; BLOCK_SIZE as usize];
    let offset = n * BLOCK_SIZE % (8 * MIB);
    let data = &data;
    image.write(&[Write { offset, data }]).unwrap();
}

#[test]
fn guests_that_write_without_a_pause_wait_for_checkpoints() {
    let (store, image) = make(&SimulatedDisk::new());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                store.wait_for_checkpoint(Duration::from_millis(1));
                if store.checkpoint_due() {
                    store.checkpoint().unwrap();
                }
            }
        });
        for n in 0..20 * CHECKPOINT / BLOCK_SIZE {
            write(&image, n);
            assert!(store.tail().0 <= MOST, "{} after {n} writes", store.tail());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_store_that_is_killed_again_and_again_takes_its_checkpoint_all_the_same() {
    let mut disk = SimulatedDisk::new();
    let (mut store, mut image) = make(&disk);
    let id = image.id();
    let mut checkpoints = 0;
    for life in 0..40 {
        // Less than a checkpoint is due for.
        for n in 0..CHECKPOINT / BLOCK_SIZE / 4 {
            write(&image, n);
            if store.checkpoint_due() {
                store.checkpoint().unwrap();
                checkpoints += 1;
            }
        }
        store.flush().unwrap();
        let before = store.tail();
        drop(image);
        drop(store);
        disk = disk.crash(life);
        store = open(&disk);
        assert_eq!(store.tail(), before, "what was replayed counts");
        assert!(before.0 <= MOST, "{before} before crash {life}");
        image = store.image(id).unwrap();
    }
    assert!(checkpoints >= 8, "{checkpoints}");
}
