//! Several changes as one frame, and keys of metadata that mean something, also after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{
    ErrorKind, FLATTENED_KEY, Image, NewImage, NewOrigin, SNAPSHOT_LIMIT_KEY, Store, StoreOptions,
    Write,
};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName, StoreId};
use tempfile::TempDir;

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: 4 * MIB,
        ..StoreOptions::default()
    }
}

fn disk(folder: &TempDir) -> Arc<dyn Disk> {
    Arc::new(RealDisk::new(folder.path()).unwrap())
}

fn open(folder: &TempDir) -> Arc<Store> {
    Store::open(disk(folder), Arc::new(SystemClock::new()), options()).unwrap()
}

fn new() -> (TempDir, Arc<Store>) {
    let folder = tempfile::tempdir().unwrap();
    Store::create(&disk(&folder), StoreId::random(), &options()).unwrap();
    let store = open(&folder);
    (folder, store)
}

fn image(name: &str) -> ImageName {
    ImageName::new(name).unwrap()
}

fn snapshot(name: &str) -> SnapshotName {
    SnapshotName::new(name).unwrap()
}

fn make(store: &Store, name: &str) -> Arc<Image> {
    let new = NewImage {
        id: ImageId::random(),
        name: image(name),
        size: Bytes(MIB),
        origin: None,
        mirrored: false,
    };
    store.create_image(new).unwrap()
}

fn fill(image: &Image, byte: u8) {
    let data = [byte; 4096];
    image
        .write(&[Write {
            offset: 0,
            data: &data,
        }])
        .unwrap();
}

fn first(image: &Image) -> u8 {
    let mut bytes = [0; 1];
    image.read(0, &mut bytes).unwrap();
    bytes[0]
}

#[test]
fn all_of_an_alteration_happens_or_nothing() {
    let (folder, store) = new();
    let (one, two) = (make(&store, "one"), make(&store, "two"));
    let before = store.head();
    let refused = store.alter("test", |alteration| {
        alteration.rename(one.id(), image("other"))?;
        alteration.rename(two.id(), image("one"))
    });
    // What is looked at is what was there before.
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(store.head(), before);

    let shared = snapshot("together");
    let ids = store.alter("test", |alteration| {
        let first = alteration.take_snapshot(one.id(), &shared)?;
        let second = alteration.take_snapshot(two.id(), &shared)?;
        alteration.set(one.id(), "key", Some("value"))?;
        alteration.create(ImageId::random(), image(".kind/thing"), false)?;
        Ok((first, second))
    });
    let (first_id, second_id) = ids.unwrap();
    assert!(first_id < second_id);
    fill(&one, 1);
    fill(&two, 2);
    drop((one, two));
    store.flush().unwrap();
    drop(store);

    let store = open(&folder);
    assert!(store.image_named(&image(".kind/thing")).is_some());
    let (one, two) = ["one", "two"]
        .map(|name| store.image_named(&image(name)).unwrap())
        .into();
    assert_eq!(store.snapshots(one.id()).unwrap()[0].id, first_id);
    assert_eq!(one.info().metadata["key"], "value");
    store
        .alter("test", |alteration| {
            alteration.roll_back(one.id(), &shared)?;
            alteration.roll_back(two.id(), &shared)
        })
        .unwrap();
    assert_eq!((first(&one), first(&two)), (0, 0));
}

#[test]
fn names_within_a_namespace_are_found() {
    let (_folder, store) = new();
    for name in ["plain", "a/x", "a/y", "ab/z", "a/b/c"] {
        make(&store, name);
    }
    let names = store.alter("test", |alteration| {
        let names = alteration.within("a").map(ToString::to_string);
        Ok(names.collect::<Vec<_>>())
    });
    assert_eq!(names.unwrap(), ["a/x", "a/y"]);
}

#[test]
fn snapshots_are_renamed_protected_and_limited() {
    let (folder, store) = new();
    let disk = make(&store, "disk");
    let id = disk.id();
    let taken = store.create_snapshot(id, snapshot("monday")).unwrap();
    store.create_snapshot(id, snapshot("tuesday")).unwrap();
    let rename = |store: &Store, from: &str, to: &str| {
        store.alter("test", |alteration| {
            alteration.rename_snapshot(id, &snapshot(from), &snapshot(to))
        })
    };
    let kind = |result: Result<(), firebrick_engine::Error>| result.unwrap_err().kind;
    assert_eq!(kind(rename(&store, "monday", "tuesday")), ErrorKind::Exists);
    assert_eq!(
        kind(rename(&store, "sunday", "friday")),
        ErrorKind::NotFound
    );
    rename(&store, "monday", "first").unwrap();
    store
        .protect_snapshot(id, &snapshot("first"), true)
        .unwrap();
    store
        .set_metadata(id, SNAPSHOT_LIMIT_KEY, Some("2"))
        .unwrap();
    store.flush().unwrap();
    drop(disk);
    drop(store);

    let check = |store: &Store| {
        let all = store.snapshots(id).unwrap();
        let names: Vec<&str> = all.iter().map(|taken| taken.name.as_str()).collect();
        assert_eq!(names, ["first", "tuesday"]);
        assert_eq!((all[0].id, all[0].protected), (taken.id, true));
        let removed = store.remove_snapshot(id, &snapshot("first"));
        assert_eq!(removed.unwrap_err().kind, ErrorKind::Busy);
        let more = store.create_snapshot(id, snapshot("third"));
        assert_eq!(more.unwrap_err().kind, ErrorKind::Limit);
    };
    // From the log, and then from a checkpoint.
    let store = open(&folder);
    check(&store);
    store.checkpoint().unwrap();
    drop(store);
    let store = open(&folder);
    check(&store);
    store
        .protect_snapshot(id, &snapshot("first"), false)
        .unwrap();
    store.remove_snapshot(id, &snapshot("first")).unwrap();
    let metadata = store.image(id).unwrap().info().metadata;
    assert_eq!(metadata.keys().collect::<Vec<_>>(), [SNAPSHOT_LIMIT_KEY]);
}

#[test]
fn what_is_flattened_has_no_parent() {
    let (_folder, store) = new();
    let disk = make(&store, "disk");
    fill(&disk, 7);
    let clone = store
        .create_image(NewImage {
            id: ImageId::random(),
            name: image("clone"),
            size: Bytes(MIB),
            origin: Some(NewOrigin {
                image: disk.id(),
                snapshot: None,
                at: None,
            }),
            mirrored: false,
        })
        .unwrap();
    assert!(clone.info().parent.is_some());
    store
        .set_metadata(clone.id(), FLATTENED_KEY, Some("yes"))
        .unwrap();
    assert_eq!(clone.info().parent, None);
    assert_eq!(first(&clone), 7);
}
