//! What is overwritten in large pieces gives up its place in the system's cache, and is still there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use firebrick_edge::{Disk, PAGE};
use firebrick_engine::{Image, NewImage, NewOrigin, Store, StoreOptions, Write};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, MIB, SnapshotName, StoreId};

const LEN: usize = 64 << 10;
const SIZE: u64 = 16 * MIB;

const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    around_bytes: 16 << 10,
    ..StoreOptions::DEFAULT
};

fn named(name: &str, origin: Option<NewOrigin>) -> NewImage {
    NewImage {
        id: ImageId::random(),
        name: ImageName::new(name).unwrap(),
        size: Bytes(SIZE),
        origin,
        mirrored: false,
    }
}

fn begin() -> (SimulatedDisk, Arc<Store>, Arc<Image>) {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&shared, StoreId::random(), &OPTIONS).unwrap();
    let store = Store::open(shared, Arc::new(SimulatedClock::new()), OPTIONS).unwrap();
    let image = store.create_image(named("one", None)).unwrap();
    (disk, store, image)
}

fn write(image: &Image, offset: u64, len: usize, byte: u8) {
    let data = &vec![byte; len];
    image.write(&[Write { offset, data }]).unwrap();
}

fn read(image: &Image, offset: u64) -> u8 {
    let mut buffer = [0; 1];
    image.read(offset, &mut buffer).unwrap();
    buffer[0]
}

#[test]
fn a_large_write_drops_what_it_overwrites_and_a_small_one_nothing() {
    let (disk, store, image) = begin();
    write(&image, 0, LEN, 1);
    write(&image, LEN as u64, LEN, 2);
    assert_eq!(disk.given_up(), [], "nothing was overwritten");
    let name = SnapshotName::new("then").unwrap();
    store.create_snapshot(image.id(), name.clone()).unwrap();
    write(&image, 3 * BLOCK_SIZE, BLOCK_SIZE as usize, 3);
    assert_eq!(disk.given_up(), []);

    write(&image, 0, LEN, 4);
    let given_up = disk.given_up();
    let [(file, range)] = &given_up[..] else {
        panic!("{given_up:?}");
    };
    assert!(file.starts_with("segments/"), "{file}");
    // The block in between lies elsewhere; with the page of the frame's head.
    assert_eq!(range.end - range.start, LEN as u64 + PAGE);
    assert_eq!(read(&image, 3 * BLOCK_SIZE), 4);
    assert_eq!(read(&image, LEN as u64), 2);

    write(&image, 0, 2 * LEN, 5);
    assert_eq!(disk.given_up().len(), 2, "they were written one by one");
    store.roll_back(image.id(), &name).unwrap();
    assert_eq!(read(&image, 3 * BLOCK_SIZE), 1);
}

#[test]
fn what_clones_share_is_not_dropped() {
    let (disk, store, image) = begin();
    write(&image, 0, LEN, 1);
    write(&image, LEN as u64, LEN, 2);
    let origin = NewOrigin {
        image: image.id(),
        snapshot: None,
        at: None,
    };
    let clone = store.create_image(named("two", Some(origin))).unwrap();
    write(&clone, 0, LEN, 3);
    write(&image, LEN as u64, LEN, 4);
    assert_eq!(disk.given_up(), [], "the other one reads it");
    write(&clone, 0, LEN, 5);
    assert_eq!(disk.given_up().len(), 1, "that was its own");
    let all = [(&image, [1, 4]), (&clone, [5, 2])];
    for (image, wanted) in all {
        assert_eq!([read(image, 0), read(image, LEN as u64)], wanted);
    }
}
