//! Reads that go from segment to segment and back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_log::{BatchData, Checksum, Entry, ErrorKind, Location, Log, LogOptions};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{ImageId, MIB, Sequence, StoreId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

const BLOCK: usize = 4096;
/// More segments than are remembered at once.
const FRAMES: u64 = 150;

#[test]
fn blocks_are_found_in_whatever_order() {
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let options = LogOptions { segment_bytes: MIB };
    Log::create(&disk, StoreId(Uuid::from_u128(1)), options).unwrap();
    let recovery = Log::open(disk, Arc::new(SimulatedClock::new())).unwrap();
    let tail = recovery.replay(Sequence(1), &mut |_| Ok::<_, firebrick_log::Error>(()));
    let log = recovery.finish(&tail.unwrap()).unwrap();
    let frame = |number: u64| {
        let mut data = vec![number as u8; 160 * BLOCK];
        data[9 * BLOCK..10 * BLOCK].fill(!(number as u8));
        let checksums: Vec<_> = data.chunks(BLOCK).map(Checksum::of).collect();
        let entry = Entry::Data(BatchData {
            image: ImageId(Uuid::from_u128(2)),
            block: 0,
            data: &[&data],
            checksums: &checksums,
        });
        log.append(&[entry], None).unwrap().locations[0]
    };
    let places: Vec<Location> = (0..FRAMES).map(frame).collect();
    assert!(places.last().unwrap().segment > 128);
    let mut random = StdRng::seed_from_u64(1);
    let mut sources = log.sources();
    for _ in 0..2000 {
        let number = random.random_range(0..FRAMES);
        let mut buffer = vec![0; 2 * BLOCK];
        let at = places[number as usize].plus_blocks(8);
        if random.random() {
            sources.read(at, &mut buffer).unwrap();
        } else {
            let read = sources.read_cached(at, &mut buffer).unwrap();
            assert_eq!(read, buffer.len());
        }
        assert!(buffer[..BLOCK] == [number as u8; BLOCK]);
        assert!(buffer[BLOCK..] == [!(number as u8); BLOCK]);
    }
    for nowhere in [
        Location {
            segment: 9999,
            unit: 8,
        },
        Location {
            unit: (MIB / 512) as u32,
            ..places[3]
        },
    ] {
        let error = sources.read(nowhere, &mut [0; BLOCK]).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Damaged { .. }));
        // And it goes on.
        sources.read(places[3], &mut [0; BLOCK]).unwrap();
    }
}
