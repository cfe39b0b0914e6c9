//! What a store that cannot be opened says about that: which kind of thing it is, and what to do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_engine::{Error, ErrorKind, NewImage, Store, StoreOptions, Write};
use firebrick_log::Checksum;
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, StoreId};
use uuid::Uuid;

const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    ..StoreOptions::DEFAULT
};
const IMAGE: ImageId = ImageId(Uuid::from_u128(1));
const SIZE: usize = 4 << 20;

fn open(disk: &SimulatedDisk) -> Result<Arc<Store>, Error> {
    let clock = Arc::new(SimulatedClock::new());
    Store::open(Arc::new(disk.clone()), clock, OPTIONS)
}

/// The disk of a store with some full segments and an image of nines.
fn lived() -> SimulatedDisk {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    Store::create(&disk, StoreId(Uuid::from_u128(7)), &OPTIONS).unwrap();
    let store = open(&simulated).unwrap();
    let new = NewImage {
        id: IMAGE,
        name: ImageName::new("image").unwrap(),
        size: Bytes(SIZE as u64),
        origin: None,
        mirrored: false,
    };
    let image = store.create_image(new).unwrap();
    for offset in (0..SIZE).step_by(1 << 18) {
        let data = vec![9; 1 << 18];
        let offset = offset as u64;
        image
            .write(&[Write {
                offset,
                data: &data,
            }])
            .unwrap();
    }
    store.close().unwrap();
    drop((image, store));
    simulated.crash(0)
}

fn refusal(disk: &SimulatedDisk) -> (ErrorKind, String) {
    let error = open(disk).map(drop).unwrap_err();
    (error.kind, error.to_string())
}

/// Changes the superblock and makes its checksum right again.
fn change_superblock(disk: &SimulatedDisk, change: impl FnOnce(&mut [u8])) {
    let file = disk.open("superblock").unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    change(&mut bytes);
    let end = bytes.len() - 4;
    let sum = Checksum::of(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.0.to_le_bytes());
    file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
}

fn says(disk: &SimulatedDisk, kind: ErrorKind, words: &[&str]) {
    let (found, text) = refusal(disk);
    assert_eq!(found, kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_store_is_open_once() {
    let disk = lived();
    let store = open(&disk).unwrap();
    says(&disk, ErrorKind::Locked, &["another process", "stop it"]);
    drop(store);
    open(&disk).unwrap();
}

#[test]
fn a_folder_without_a_store_is_said_to_be_one() {
    let disk = SimulatedDisk::new();
    says(&disk, ErrorKind::NotFound, &["no store"]);
}

#[test]
fn a_superblock_of_something_else_is_left_alone() {
    let disk = lived();
    change_superblock(&disk, |bytes| bytes[..8].copy_from_slice(b"SOMEBODY"));
    says(&disk, ErrorKind::Invalid, &["not one of Firebrick's"]);
}

#[test]
fn a_newer_and_an_older_format_say_which_release_reads_them() {
    let disk = lived();
    change_superblock(&disk, |bytes| {
        bytes[8..12].copy_from_slice(&99_u32.to_le_bytes());
    });
    says(&disk, ErrorKind::Invalid, &["format 99", "newer release"]);
    change_superblock(&disk, |bytes| {
        bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
    });
    says(
        &disk,
        ErrorKind::Invalid,
        &["format 1", "release that made it"],
    );
}

#[test]
fn a_damaged_superblock_is_damage() {
    let disk = lived();
    let file = disk.open("superblock").unwrap();
    file.write_at(&[IoSlice::new(&[1])], 40).unwrap();
    says(&disk, ErrorKind::Damaged, &["superblock is damaged"]);
}

#[test]
fn a_missing_and_a_foreign_index_say_how_to_make_a_new_one() {
    let disk = lived();
    let file = disk.open("index/leaves").unwrap();
    file.truncate(0).unwrap();
    file.write_at(&[IoSlice::new(&vec![0x55; 100_000])], 0)
        .unwrap();
    says(&disk, ErrorKind::DamagedIndex, &["rebuild-index"]);
    disk.remove("index/leaves").unwrap();
    says(&disk, ErrorKind::NoIndex, &["rebuild-index"]);
}

#[test]
fn an_index_of_an_older_format_says_how_to_make_a_new_one() {
    const SECTOR: usize = 512;
    let disk = lived();
    let file = disk.open("index/leaves").unwrap();
    // Both copies of the header say it.
    for at in [4096, 4096 + 2048] {
        let mut sector = [0; SECTOR];
        file.read_at(&mut sector, at).unwrap();
        sector[SECTOR - 5] = 1;
        let sum = firebrick_log::Checksum::of(&sector[..SECTOR - 4]).0;
        sector[SECTOR - 4..].copy_from_slice(&sum.to_be_bytes());
        file.write_at(&[IoSlice::new(&sector)], at).unwrap();
    }
    says(
        &disk,
        ErrorKind::DamagedIndex,
        &["format 1", "rebuild-index"],
    );
}

/// What was durable is gone: the store refuses, or opens and says of each range what it has lost.
fn is_damage(disk: &SimulatedDisk) {
    let store = match open(disk) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
            assert!(error.to_string().contains("segment"), "{error}");
            return;
        }
    };
    let image = store.image(IMAGE).unwrap();
    let mut lost = 0;
    for offset in (0..SIZE).step_by(4096) {
        let mut read = vec![0; 4096];
        match image.read(offset as u64, &mut read) {
            Ok(()) => assert!(read.iter().all(|byte| *byte == 9), "{offset}"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
                assert!(error.to_string().contains("segment"), "{error}");
                lost += 1;
            }
        }
    }
    assert!(lost > 0 && lost < SIZE / 4096, "{lost} blocks are lost");
}

#[test]
fn a_segment_that_was_cut_short_or_is_gone_is_damage() {
    let names = lived().list("segments").unwrap();
    // Spares have other names.
    let names = names.iter().filter(|name| name.contains(".seg"));
    let names: Vec<_> = names.map(|name| format!("segments/{name}")).collect();
    assert!(names.len() > 4);
    for name in &names[..4] {
        for len in [0, 100, 512, 500_000] {
            let disk = lived();
            disk.open(name).unwrap().truncate(len).unwrap();
            is_damage(&disk);
        }
        let disk = lived();
        disk.remove(name).unwrap();
        is_damage(&disk);
    }
}

#[test]
fn a_segment_of_something_else_is_damage() {
    let disk = lived();
    let file = disk.open("segments/0000000002.seg").unwrap();
    let len = file.len().unwrap() as usize;
    file.write_at(&[IoSlice::new(&vec![0x55; len])], 0).unwrap();
    is_damage(&disk);
}
