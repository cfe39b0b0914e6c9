//! The journal of images, read record by record: whose records, from where, and past damage.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{
    ErrorKind, Image, JournalItem, JournalStep, NewImage, Store, StoreOptions, Write,
};
use firebrick_log::{Change, FrameRecord};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, Sequence, StoreId};
use tempfile::TempDir;

fn open(folder: &TempDir) -> Arc<Store> {
    let options = StoreOptions {
        segment_bytes: MIB,
        ..StoreOptions::default()
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()).unwrap());
    if let Err(error) = Store::create(&disk, StoreId::random(), &options) {
        assert_eq!(error.kind, ErrorKind::Exists);
    }
    Store::open(disk, Arc::new(SystemClock::new()), options).unwrap()
}

fn make(store: &Store, name: &str) -> Arc<Image> {
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new(name).unwrap(),
        size: Bytes(64 * MIB),
        origin: None,
        mirrored: true,
    };
    store.create_image(new).unwrap()
}

fn write(image: &Image, block: u64, byte: u8) {
    let write = Write {
        offset: block * 4096,
        data: &[byte; 4096],
    };
    image.write(&[write]).unwrap();
}

fn items(store: &Store, images: &[ImageId], from: Sequence) -> Vec<JournalItem> {
    let mut reader = store.journal(images.iter().copied(), from).unwrap();
    let mut items = Vec::new();
    loop {
        match reader.step(1).unwrap() {
            JournalStep::Item(item) => items.push(*item),
            JournalStep::Pause => {}
            JournalStep::End => return items,
        }
    }
}

fn sequences(items: &[JournalItem]) -> Vec<u64> {
    let of = |item: &JournalItem| match item {
        JournalItem::Record { position, .. } => position.sequence.0,
        JournalItem::Broken { .. } => panic!("a part is broken"),
    };
    items.iter().map(of).collect()
}

#[test]
fn only_records_of_the_images_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (one, other) = (make(&store, "one"), make(&store, "other"));
    write(&one, 1, 7);
    write(&other, 2, 8);
    write(&one, 3, 9);
    store.demote(&[one.id(), other.id()]).unwrap();
    assert_eq!(
        sequences(&items(&store, &[one.id()], Sequence::ZERO)),
        [1, 3, 5, 6]
    );
    let both = [one.id(), other.id()];
    assert_eq!(
        sequences(&items(&store, &both, Sequence::ZERO)),
        [1, 2, 3, 4, 5, 6, 6]
    );
    assert_eq!(sequences(&items(&store, &both, Sequence(5))), [5, 6, 6]);
    // Of what is about both, each gets its part.
    let last = items(&store, &[other.id()], Sequence(6));
    let [JournalItem::Record { record, .. }] = last.as_slice() else {
        panic!("one record");
    };
    let images = vec![other.id()];
    assert_eq!(*record, FrameRecord::Change(Change::Demote { images }));
    // What is written later does not belong to what is read already.
    let mut reader = store.journal([one.id()], Sequence(6)).unwrap();
    store.promote(&[one.id()], true).unwrap();
    assert!(matches!(reader.step(1).unwrap(), JournalStep::Item(_)));
    assert_eq!(reader.step(1).unwrap(), JournalStep::End);
}

#[test]
fn the_bytes_of_a_record_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = make(&store, "one");
    write(&image, 1, 7);
    store.flush().unwrap();
    let last = items(&store, &[image.id()], Sequence(2));
    let [
        JournalItem::Record {
            position,
            record: FrameRecord::Data { at, checksums, .. },
            ..
        },
    ] = last.as_slice()
    else {
        panic!("one write");
    };
    let reader = store.journal([image.id()], Sequence(2)).unwrap();
    let mut bytes = vec![0; 4096];
    assert_eq!(
        reader.read(*position, *at, checksums, &mut bytes).unwrap(),
        None
    );
    assert!(bytes.iter().all(|byte| *byte == 7));
    let segments = folder.path().join("segments");
    let path = fs::read_dir(segments)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .min();
    let file = File::options().write(true).open(path.unwrap()).unwrap();
    file.write_all_at(&[1], at.offset() + 99).unwrap();
    assert_eq!(
        reader.read(*position, *at, checksums, &mut bytes).unwrap(),
        Some(0)
    );
}

#[test]
fn behind_a_broken_part_it_goes_on_with_the_next_segment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let image = make(&store, "one");
    for n in 0..600 {
        write(&image, n % 16, n as u8);
    }
    store.flush().unwrap();
    let span = store.log_span();
    assert!(span.segments.len() > 2, "{span:?}");
    let (number, first) = span.segments[0];
    let behind = span.segments[1].1;
    assert_eq!(span.segment_of(first), Some(number));
    assert_eq!(span.segment_of(behind), Some(span.segments[1].0));
    // The third frame loses its head.
    let path = folder.path().join(format!("segments/{number:010}.seg"));
    let bytes = fs::read(&path).unwrap();
    let mut heads = (0..bytes.len())
        .step_by(512)
        .filter(|at| bytes[*at..].starts_with(b"FBFR"));
    let at = heads.nth(2).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"X", at as u64).unwrap();
    let found = items(&store, &[image.id()], Sequence::ZERO);
    assert_eq!(sequences(&found[..2]), [1, 2]);
    let JournalItem::Broken {
        from,
        segment,
        offset,
        ..
    } = &found[2]
    else {
        panic!("{:?}", found[2]);
    };
    assert_eq!((from.0, *segment, *offset), (3, number, at as u64));
    let rest = sequences(&found[3..]);
    assert_eq!(rest.first(), Some(&behind.0));
    assert_eq!(rest.last(), Some(&span.head.sequence.0));
    assert_eq!(rest.len() as u64, span.head.sequence.0 - behind.0 + 1);
}
