//! Reads of blocks that lie scattered over the log, of which the system has all, some or none in
//! memory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_engine::{ErrorKind, Image, NewImage, Store, StoreOptions, Write};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, StoreId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

const BLOCK: usize = 4096;
const BLOCKS: usize = 700;

/// An image of which most was written at random, over several segments; and what it holds.
fn scattered(disk: &SimulatedDisk, random: &mut StdRng) -> (Arc<Store>, Arc<Image>, Vec<u8>) {
    let options = StoreOptions {
        segment_bytes: MIB,
        ..StoreOptions::DEFAULT
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&shared, StoreId(Uuid::from_u128(7)), &options).unwrap();
    let store = Store::open(shared, Arc::new(SimulatedClock::new()), options).unwrap();
    let image = store
        .create_image(NewImage {
            id: ImageId(Uuid::from_u128(1)),
            name: ImageName::new("scattered").unwrap(),
            size: Bytes((BLOCKS * BLOCK) as u64),
            origin: None,
            mirrored: false,
        })
        .unwrap();
    let mut content = vec![0; BLOCKS * BLOCK];
    for _ in 0..BLOCKS {
        let blocks = if random.random_ratio(1, 20) { 16 } else { 1 };
        let at = random.random_range(0..=BLOCKS - blocks) * BLOCK;
        let mut data = vec![0; blocks * BLOCK];
        random.fill(&mut data[..]);
        content[at..at + data.len()].copy_from_slice(&data);
        let offset = at as u64;
        let data = &data[..];
        image.write(&[Write { offset, data }]).unwrap();
    }
    (store, image, content)
}

#[test]
fn a_read_gets_what_was_written_whatever_is_cached() {
    let mut random = StdRng::seed_from_u64(3);
    let disk = SimulatedDisk::new();
    let (_store, image, content) = scattered(&disk, &mut random);
    // So that the index is in memory.
    let mut all = vec![0; content.len()];
    image.read(0, &mut all).unwrap();
    assert!(all == content);
    for cached in [usize::MAX, 0, 100, BLOCK, 3 * BLOCK + 1] {
        disk.cache_at_most(cached);
        for round in 0..60 {
            let unit = if round % 2 == 0 { BLOCK } else { 1 };
            let start = random.random_range(0..BLOCKS * BLOCK) / unit * unit;
            let end = random.random_range(start..=BLOCKS * BLOCK) / unit * unit;
            let mut buffer = vec![0xaa; end - start];
            let offset = start as u64;
            let read = image.read_cached(offset, &mut buffer).unwrap();
            assert!(buffer[..read] == content[start..start + read]);
            assert!(read == buffer.len() || cached < 16 * BLOCK);
            assert!(read == buffer.len() || (start + read).is_multiple_of(BLOCK) || read == 0);
            // What is there need not be read again.
            image
                .read(offset + read as u64, &mut buffer[read..])
                .unwrap();
            assert!(buffer == content[start..end]);
            buffer.fill(0xbb);
            image.read(offset, &mut buffer).unwrap();
            assert!(buffer == content[start..end]);
        }
    }
}

#[test]
fn what_is_damaged_is_no_part_of_a_read() {
    let mut random = StdRng::seed_from_u64(4);
    let disk = SimulatedDisk::new();
    let (_store, image, content) = scattered(&disk, &mut random);
    let bad = content.chunks(BLOCK).rposition(|block| block != [0; BLOCK]);
    let bad = bad.unwrap();
    let block = &content[bad * BLOCK..(bad + 1) * BLOCK];
    for name in disk.list("segments").unwrap() {
        let file = disk.open(&format!("segments/{name}")).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        if let Some(at) = bytes.windows(BLOCK).position(|window| window == block) {
            let flipped = [!block[9]];
            let flipped = [IoSlice::new(&flipped)];
            file.write_at(&flipped, at as u64 + 9).unwrap();
        }
    }
    for cached in [usize::MAX, 0, BLOCK] {
        disk.cache_at_most(cached);
        let mut buffer = vec![0; content.len()];
        let read = image.read_cached(0, &mut buffer).unwrap();
        assert!(read <= bad * BLOCK);
        assert!(buffer[..read] == content[..read]);
        let error = image.read(0, &mut buffer).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Damaged);
        image.read(0, &mut buffer[..bad * BLOCK]).unwrap();
        assert!(buffer[..bad * BLOCK] == content[..bad * BLOCK]);
    }
}
