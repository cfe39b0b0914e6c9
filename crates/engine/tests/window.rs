//! Earlier states, where a checkpoint did not go well.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::ErrorKind::StorageFull;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_engine::{NewImage, Retention, Store, StoreOptions};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, StoreId};

const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    retention: Retention::Log(Bytes(1 << 30)),
    ..StoreOptions::DEFAULT
};

fn open(disk: &SimulatedDisk) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::open(disk, Arc::new(SimulatedClock::new()), OPTIONS).unwrap()
}

/// It is kept from the moment on at which it was begun: what images were then must be known also
/// where it could not be written.
#[test]
fn what_an_image_was_at_a_checkpoint_that_failed_is_remembered() {
    let disk = SimulatedDisk::new();
    let made: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&made, StoreId::random(), &OPTIONS).unwrap();
    let store = open(&disk);
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: ImageName::new("volume").unwrap(),
        size: Bytes(MIB),
        origin: None,
        mirrored: false,
    };
    store.create_image(new).unwrap();
    let first = store.checkpoint().unwrap().sequence;
    store.resize_image(id, Bytes(2 * MIB)).unwrap();
    store.flush().unwrap();
    disk.fail_writes_after(0, StorageFull);
    store.checkpoint().unwrap_err();
    let failed = store.head().sequence;
    let size = |store: &Store, at| store.size_at(id, at).unwrap().0 / MIB;
    disk.heal();
    assert_eq!(size(&store, failed), 2, "while it is not written");
    store.resize_image(id, Bytes(3 * MIB)).unwrap();
    store.checkpoint().unwrap();
    store.resize_image(id, Bytes(4 * MIB)).unwrap();
    let check = |store: &Store| {
        assert_eq!([first, failed].map(|at| size(store, at)), [1, 2]);
        assert_eq!(size(store, store.head().sequence), 4);
    };
    check(&store);
    store.flush().unwrap();
    check(&open(&disk.crash(1)));
}
