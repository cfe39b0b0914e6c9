//! A store from its making to its recovery, on a real folder.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{ErrorKind, Image, NewImage, NewOrigin, Store, StoreOptions, Write};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName, StoreId};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        Store::create(&place.disk(), StoreId::random(), &options()).unwrap();
        place
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(RealDisk::new(self.folder.path()).unwrap())
    }

    fn open(&self) -> Arc<Store> {
        Store::open(self.disk(), Arc::new(SystemClock::new()), options()).unwrap()
    }
}

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: 4 * MIB,
        checkpoint_bytes: 64 * MIB,
        ..StoreOptions::default()
    }
}

fn make(store: &Store, name: &str, origin: Option<NewOrigin>) -> Arc<Image> {
    let id = ImageId::random();
    let name = ImageName::new(name).unwrap();
    let new = NewImage {
        id,
        name,
        size: Bytes(64 * MIB),
        origin,
        mirrored: false,
    };
    store.create_image(new).unwrap()
}

fn write(image: &Image, offset: u64, data: &[u8]) {
    image.write(&[Write { offset, data }]).unwrap();
}

fn read(image: &Image, offset: u64, len: usize) -> Vec<u8> {
    let mut buffer = vec![0xee; len];
    image.read(offset, &mut buffer).unwrap();
    buffer
}

#[test]
fn what_was_written_is_read_whatever_its_alignment() {
    let place = Place::new();
    let store = place.open();
    let image = make(&store, "one", None);
    let mut model = vec![0; 1 << 20];
    for (i, (offset, len)) in [
        (0, 4096),
        (100, 10),
        (4000, 200),
        (8192, 12_288),
        (5000, 70_000),
        (1_000_000, 48_576),
    ]
    .into_iter()
    .enumerate()
    {
        let data = vec![i as u8 + 1; len];
        write(&image, offset as u64, &data);
        model[offset..offset + len].copy_from_slice(&data);
        assert!(read(&image, 0, model.len()) == model, "after write {i}");
    }
    image.discard(6000, 30_000).unwrap();
    model[6000..36_000].fill(0);
    assert!(read(&image, 0, model.len()) == model, "after a discard");
    drop((image, store));
    let image = place
        .open()
        .image_named(&ImageName::new("one").unwrap())
        .unwrap();
    assert!(read(&image, 0, model.len()) == model, "after a restart");
}

#[test]
fn a_discard_beyond_the_end_changes_nothing() {
    let place = Place::new();
    let image = make(&place.open(), "one", None);
    let size = image.size().0;
    write(&image, size - 4096, &[1; 4096]);
    for (offset, len) in [(size - 100, 200), (u64::MAX - 10, 5)] {
        let refused = image.discard(offset, len).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::OutOfRange);
    }
    assert_eq!(read(&image, size - 4096, 4096), [1; 4096]);
}

#[test]
fn snapshots_and_clones_share_and_do_not_mix() {
    let place = Place::new();
    let store = place.open();
    let image = make(&store, "base", None);
    write(&image, 0, &[1; 8192]);
    let name = SnapshotName::new("first").unwrap();
    let before = store.space().unwrap().used;
    store.create_snapshot(image.id(), name.clone()).unwrap();
    write(&image, 0, &[2; 4096]);
    let origin = NewOrigin {
        image: image.id(),
        snapshot: Some(name.clone()),
        at: None,
    };
    let clone = make(&store, "clone", Some(origin));
    assert_eq!(store.space().unwrap().used, before);
    write(&clone, 4096, &[3; 4096]);
    assert_eq!(
        read(&image, 0, 8192),
        [vec![2; 4096], vec![1; 4096]].concat()
    );
    assert_eq!(
        read(&clone, 0, 8192),
        [vec![1; 4096], vec![3; 4096]].concat()
    );
    let refused = store.remove_image(image.id()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Busy);
    store.roll_back(image.id(), &name).unwrap();
    assert_eq!(read(&image, 0, 8192), vec![1; 8192]);
    store.remove_snapshot(image.id(), &name).unwrap();
    store.remove_image(image.id()).unwrap();
    assert!(image.is_removed());
    assert_eq!(
        read(&clone, 0, 8192),
        [vec![1; 4096], vec![3; 4096]].concat()
    );
    store.close().unwrap();
    let store = place.open();
    let clone = store.image(clone.id()).unwrap();
    assert_eq!(
        read(&clone, 0, 8192),
        [vec![1; 4096], vec![3; 4096]].concat()
    );
    assert!(store.image(image.id()).is_err());
}

#[test]
fn what_lies_beyond_a_smaller_clone_is_not_part_of_it() {
    let place = Place::new();
    let store = place.open();
    let origin = make(&store, "grown", None);
    write(&origin, 0, &[1; 4096]);
    write(&origin, 8 * MIB, &[2; 4096]);
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new("as-it-was").unwrap(),
        size: Bytes(8 * MIB),
        origin: Some(NewOrigin {
            image: origin.id(),
            snapshot: None,
            at: None,
        }),
        mirrored: false,
    };
    let clone = store.create_image(new).unwrap();
    store.resize_image(clone.id(), Bytes(16 * MIB)).unwrap();
    let check = |clone: &Image| {
        assert_eq!(read(clone, 0, 4096), [1; 4096]);
        assert_eq!(read(clone, 8 * MIB, 4096), [0; 4096]);
    };
    check(&clone);
    store.close().unwrap();
    let store = place.open();
    check(&store.image(clone.id()).unwrap());
}

#[test]
fn a_checkpoint_and_the_log_behind_it_are_one_state() {
    let place = Place::new();
    let store = place.open();
    let image = make(&store, "one", None);
    for round in 0..5_u8 {
        for block in 0..600_u64 {
            write(&image, block * 4096, &[round + 1; 4096]);
        }
        store.checkpoint().unwrap();
        write(&image, u64::from(round) * 4096, &[0xaa; 4096]);
    }
    let expected = read(&image, 0, 600 * 4096);
    let id = image.id();
    drop((image, store));
    for _ in 0..2 {
        let store = place.open();
        let image = store.image(id).unwrap();
        assert!(read(&image, 0, 600 * 4096) == expected);
        assert!(store.space().unwrap().used.0 >= 600 * 5 * 4096);
    }
}

#[test]
fn a_store_is_open_once() {
    let place = Place::new();
    let store = place.open();
    let second = Store::open(place.disk(), Arc::new(SystemClock::new()), options()).unwrap_err();
    assert_eq!(second.kind, ErrorKind::Locked);
    store.close().unwrap();
    let image = make(&place.open(), "one", None);
    assert!(!image.is_removed());
}
