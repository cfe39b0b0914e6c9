//! What must hold of a store however large it is: small versions of what `bench/scale` measures.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{Image, NewImage, NewOrigin, Store, StoreOptions, Write};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, GIB, ImageId, ImageName, MIB, SnapshotName, StoreId,
};

const BLOCK: usize = BLOCK_SIZE as usize;

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: 4 * MIB,
        ..StoreOptions::DEFAULT
    }
}

fn disk(folder: &Path) -> Arc<dyn Disk> {
    Arc::new(RealDisk::new(folder).unwrap())
}

fn create(folder: &Path) -> Arc<Store> {
    Store::create(&disk(folder), StoreId::random(), &options()).unwrap();
    open(folder)
}

fn open(folder: &Path) -> Arc<Store> {
    Store::open(disk(folder), Arc::new(SystemClock::new()), options()).unwrap()
}

fn image(store: &Store, name: &str, size: u64, origin: Option<NewOrigin>) -> Arc<Image> {
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new(name).unwrap(),
        size: Bytes(size),
        origin,
        mirrored: false,
    };
    store.create_image(new).unwrap()
}

fn write(image: &Image, block: u64, value: u8) {
    let data = [value; BLOCK];
    let offset = block * BLOCK_SIZE;
    image
        .write(&[Write {
            offset,
            data: &data,
        }])
        .unwrap();
}

fn read(image: &Image, block: u64) -> u8 {
    let mut buffer = [0; BLOCK];
    image.read(block * BLOCK_SIZE, &mut buffer).unwrap();
    assert!(buffer.iter().all(|byte| *byte == buffer[0]));
    buffer[0]
}

fn named(number: u64) -> SnapshotName {
    SnapshotName::new(format!("s{number}")).unwrap()
}

fn at(image: &Image, number: u64) -> NewOrigin {
    NewOrigin {
        image: image.id(),
        snapshot: Some(named(number)),
        at: None,
    }
}

#[test]
fn a_checkpoint_remembers_the_last_change_of_each_image() {
    let folder = tempfile::tempdir().unwrap();
    let store = create(folder.path());
    let (one, other) = (
        image(&store, "one", MIB, None),
        image(&store, "other", MIB, None),
    );
    store.checkpoint().unwrap();
    write(&one, 0, 1);
    other.discard(0, BLOCK_SIZE).unwrap();
    let was = [one.info().last_change, other.info().last_change];
    store.close().unwrap();
    drop((store, one, other));
    let store = open(folder.path());
    let now = ["one", "other"].map(|name| {
        let image = store.image_named(&ImageName::new(name).unwrap());
        image.unwrap().info().last_change
    });
    assert_eq!(now, was);
}

#[test]
fn many_snapshots_of_one_image_each_show_their_time() {
    const COUNT: u64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let store = create(folder.path());
    let guest = image(&store, "guest", GIB, None);
    for number in 0..COUNT {
        write(&guest, 7, number as u8);
        write(&guest, 1000 + number, 1);
        store.create_snapshot(guest.id(), named(number)).unwrap();
        if number % 100 == 50 {
            store.checkpoint().unwrap();
        }
    }
    store.close().unwrap();
    drop(store);
    let id = guest.id();
    drop(guest);
    let store = open(folder.path());
    assert_eq!(store.snapshots(id).unwrap().len() as u64, COUNT);
    let guest = store.image(id).unwrap();
    for number in [0, 1, 250, COUNT - 1] {
        let name = format!("clone{number}");
        let clone = image(&store, &name, GIB, Some(at(&guest, number)));
        assert_eq!(read(&clone, 7), number as u8);
        assert_eq!(read(&clone, 1000 + number), 1);
        assert_eq!(read(&clone, 1001 + number), 0);
        store.remove_image(clone.id()).unwrap();
    }
    for number in 0..COUNT {
        store.remove_snapshot(id, &named(number)).unwrap();
    }
    assert!(store.remove_snapshot(id, &named(3)).is_err());
    assert!(store.snapshots(id).unwrap().is_empty());
    store.create_snapshot(id, named(3)).unwrap();
    assert_eq!(store.snapshots(id).unwrap().len(), 1);
    assert_eq!(read(&guest, 7), (COUNT - 1) as u8);
    store.close().unwrap();
}

#[test]
fn a_chain_of_64_clones_shows_what_each_wrote() {
    const DEPTH: u64 = 64;
    let folder = tempfile::tempdir().unwrap();
    let store = create(folder.path());
    let mut chain = vec![image(&store, "c0", GIB, None)];
    for number in 1..=DEPTH {
        let last = Arc::clone(&chain[chain.len() - 1]);
        write(&last, number, number as u8);
        store.create_snapshot(last.id(), named(0)).unwrap();
        // The next one does not see it.
        write(&last, number, 255);
        chain.push(image(
            &store,
            &format!("c{number}"),
            GIB,
            Some(at(&last, 0)),
        ));
        if number % 10 == 0 {
            store.checkpoint().unwrap();
        }
    }
    let youngest = &chain[chain.len() - 1];
    for _ in 0..2 {
        for number in 1..=DEPTH {
            assert_eq!(read(youngest, number), number as u8);
        }
        store.checkpoint().unwrap();
    }
    store.close().unwrap();
}
