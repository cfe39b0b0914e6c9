//! What rows there are, and how long.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB};

use super::*;
use crate::{NewImage, NewOrigin, Store, StoreOptions};

const PEER: &str = "peer";

fn store() -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let options = StoreOptions {
        segment_bytes: MIB,
        ..StoreOptions::DEFAULT
    };
    Store::create(&disk, StoreId::random(), &options).unwrap();
    Store::open(disk, Arc::new(SimulatedClock::new()), options).unwrap()
}

fn image(store: &Store, name: &str, origin: Option<NewOrigin>) -> ImageId {
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new(name).unwrap(),
        size: Bytes(MIB),
        origin,
        mirrored: false,
    };
    store.create_image(new).unwrap().id()
}

/// A checkpoint once the peer has everything.
fn checkpoint(store: &Store) {
    store.flush().unwrap();
    store.keep_from(PEER, store.durable().sequence);
    store.checkpoint().unwrap();
}

/// The images of which there are rows about earlier times, once for each.
fn rows_about_then(store: &Store) -> Vec<ImageId> {
    let mut found = Vec::new();
    let index = &store.core.index;
    index
        .rows(THEN.as_bytes(), &mut |key, _| {
            found.push(image_of(key)?);
            Ok::<(), Error>(())
        })
        .unwrap();
    found
}

#[test]
fn what_a_removed_image_was_is_forgotten_once_nobody_can_ask() {
    let store = store();
    let (kept, gone) = (image(&store, "kept", None), image(&store, "gone", None));
    checkpoint(&store);
    let mut both = vec![kept, gone];
    both.sort();
    let mut rows = rows_about_then(&store);
    rows.dedup();
    assert_eq!(rows, both);
    store.remove_image(gone).unwrap();
    store.checkpoint().unwrap();
    assert!(
        rows_about_then(&store).contains(&gone),
        "the peer may still ask for what it was"
    );
    for _ in 0..3 {
        store.resize_image(kept, Bytes(2 * MIB)).unwrap();
        store.resize_image(kept, Bytes(MIB)).unwrap();
        checkpoint(&store);
    }
    assert!(!rows_about_then(&store).contains(&gone));
    assert!(rows_about_then(&store).contains(&kept));
}

#[test]
fn many_images_that_come_and_go_leave_no_rows() {
    let store = store();
    store.keep_from(PEER, Sequence::ZERO);
    let source = image(&store, "source", None);
    for round in 0..20 {
        let origin = NewOrigin {
            image: source,
            snapshot: None,
            at: None,
        };
        let clone = image(&store, &format!("clone-{round}"), Some(origin));
        checkpoint(&store);
        store.remove_image(clone).unwrap();
        checkpoint(&store);
    }
    let rows = rows_about_then(&store).len();
    assert!(rows <= 4, "{rows} rows of one image");
}
