//! Large writes that go to the disk side by side.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::io;
use std::sync::Arc;
use std::thread;

use firebrick_edge::Disk;
use firebrick_engine::{ErrorKind, Image, NewImage, Store, StoreOptions, Write};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName, StoreId};

const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    around_bytes: 16 << 10,
    ..StoreOptions::DEFAULT
};
const LEN: usize = 64 << 10;
const THREADS: u64 = 4;

fn open(disk: &SimulatedDisk) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::open(disk, Arc::new(SimulatedClock::new()), OPTIONS).unwrap()
}

fn begin() -> (SimulatedDisk, Arc<Store>, Arc<Image>) {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&shared, StoreId::random(), &OPTIONS).unwrap();
    let store = open(&disk);
    let new = NewImage {
        id: ImageId::random(),
        name: ImageName::new("one").unwrap(),
        size: Bytes(64 * MIB),
        origin: None,
        mirrored: false,
    };
    let image = store.create_image(new).unwrap();
    (disk, store, image)
}

fn read(image: &Image, offset: u64) -> Vec<u8> {
    let mut buffer = vec![0xee; LEN];
    image.read(offset, &mut buffer).unwrap();
    buffer
}

/// Threads that write to places of their own and to one that they share, while others write a little
/// and take snapshots: what is read is what a restart finds, and nothing is torn.
#[test]
fn all_of_them_are_there_and_none_is_torn() {
    let (disk, store, image) = begin();
    thread::scope(|scope| {
        for me in 1..=THREADS {
            let image = &image;
            scope.spawn(move || {
                for round in 0..60u64 {
                    let data = vec![(me * 60 + round) as u8; LEN];
                    let own = me * 4 * MIB + (round % 5) * LEN as u64;
                    image
                        .write(&[Write {
                            offset: own,
                            data: &data,
                        }])
                        .unwrap();
                    assert!(read(image, own) == data);
                    image
                        .write(&[Write {
                            offset: 0,
                            data: &data,
                        }])
                        .unwrap();
                    let shared = read(image, 0);
                    assert!(shared.iter().all(|byte| *byte == shared[0]), "torn");
                }
            });
        }
        scope.spawn(|| {
            for round in 0..100u64 {
                let data = [round as u8 | 1; 512];
                let offset = 32 * MIB + 7 * round;
                image
                    .write(&[Write {
                        offset,
                        data: &data,
                    }])
                    .unwrap();
                let name = SnapshotName::new(format!("s{round}")).unwrap();
                if round % 10 == 0 {
                    store.create_snapshot(image.id(), name).unwrap();
                    image.flush().unwrap();
                }
            }
        });
    });
    image.flush().unwrap();
    let places = (0..5 * THREADS).map(|i| (1 + i / 5) * 4 * MIB + (i % 5) * LEN as u64);
    let places: Vec<u64> = places.chain([0, 32 * MIB]).collect();
    let before: Vec<_> = places.iter().map(|at| read(&image, *at)).collect();
    let id = image.id();
    drop((image, store));
    let disk = disk.crash(3);
    let store = open(&disk);
    let image = store.image(id).unwrap();
    let after: Vec<_> = places.iter().map(|at| read(&image, *at)).collect();
    assert!(before == after);
}

/// Where there is no room for a while, each writer is told, nothing of it is seen, and all goes on
/// afterwards.
#[test]
fn who_finds_no_room_leaves_nothing_behind() {
    let (disk, store, image) = begin();
    image
        .write(&[Write {
            offset: 0,
            data: &vec![1; LEN],
        }])
        .unwrap();
    disk.fail_writes_after(3, io::ErrorKind::StorageFull);
    let failed: usize = thread::scope(|scope| {
        let writers: Vec<_> = (1..=THREADS)
            .map(|me| {
                let image = &image;
                scope.spawn(move || {
                    let data = vec![me as u8; LEN];
                    let writes = (0..5).map(|_| {
                        image.write(&[Write {
                            offset: me * MIB,
                            data: &data,
                        }])
                    });
                    let errors = writes.filter_map(Result::err);
                    errors
                        .inspect(|error| assert_eq!(error.kind, ErrorKind::NoSpace, "{error}"))
                        .count()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert!(failed > 0);
    disk.heal();
    for me in 1..=THREADS {
        let data = read(&image, me * MIB);
        assert!(data.iter().all(|byte| *byte == data[0]), "torn");
        image
            .write(&[Write {
                offset: me * MIB,
                data: &vec![9; LEN],
            }])
            .unwrap();
    }
    image.flush().unwrap();
    let id = image.id();
    drop((image, store));
    let disk = disk.crash(5);
    let store = open(&disk);
    let image = store.image(id).unwrap();
    assert!(read(&image, 0) == vec![1; LEN]);
    assert!((1..=THREADS).all(|me| read(&image, me * MIB) == vec![9; LEN]));
}
