//! Opening a store with many segments, and what a catalog says of them.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firebrick_edge::{Disk, DiskFile, DiskLock, DiskSpace};
use firebrick_log::{Catalog, Error, ErrorKind, Log, OpenOptions, SegmentInfo, SegmentKind, Usage};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::Sequence;

use crate::{MIB, begin, fill, numbers, pack, walk};

#[test]
fn a_store_of_the_first_format_is_refused() {
    let (machine, log) = begin(OpenOptions::default());
    drop(log);
    let file = machine.disk.open("superblock").unwrap();
    file.write_at(&[IoSlice::new(&[1])], 8).unwrap();
    let error = machine.open().map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::OlderVersion { found: 1 });
    assert!(error.to_string().contains("format 1"), "{error}");
}

/// Counts the files that are opened.
struct Counting {
    inner: SimulatedDisk,
    opened: AtomicU64,
}

impl Disk for Counting {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.inner.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.inner.open(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }
    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.create_dir(dir)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>> {
        self.inner.lock(name)
    }
    fn space(&self) -> io::Result<DiskSpace> {
        self.inner.space()
    }
}

#[test]
fn a_large_store_with_a_catalog_opens_few_files() {
    const MANY: u32 = 16_384;
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 2);
    log.flush().unwrap();
    let mut catalog = log.catalog();
    assert_eq!(catalog.segments.len(), 1);
    drop(log);
    for number in 3..MANY {
        drop(
            machine
                .disk
                .create(&format!("segments/{number:010}.seg"))
                .unwrap(),
        );
        catalog.segments.push(SegmentInfo {
            number,
            kind: SegmentKind::Packed,
            before: 0,
            len: MIB,
            usage: Some(Usage::default()),
            ..catalog.segments[0]
        });
    }
    catalog.next = MANY;
    let disk = Arc::new(Counting {
        inner: machine.disk.clone(),
        opened: AtomicU64::new(0),
    });
    let known = || Catalog::decode(&catalog.encode());
    let clock = Arc::new(SimulatedClock::new());
    let options = OpenOptions::default();
    let recovery = Log::open_with(Arc::clone(&disk) as _, clock, options, known).unwrap();
    let tail = recovery
        .replay(Sequence(3), &mut |_| Ok::<_, Error>(()))
        .unwrap();
    let log = recovery.finish(&tail).unwrap();
    assert_eq!(log.segment_count(), MANY as usize - 1);
    let opened = disk.opened.load(Ordering::Relaxed);
    assert!(opened < 10, "{opened} files were opened");
    fill(&log, 2, 1);
    let newest = log.segments().last().map(|info| info.number);
    assert_eq!(newest, Some(MANY));
}

#[test]
fn few_files_stay_open_and_all_can_be_read() {
    let options = OpenOptions {
        open_files_max: 2,
        ..OpenOptions::default()
    };
    let (machine, log) = begin(options);
    fill(&log, 0, 6);
    log.flush().unwrap();
    for _ in 0..3 {
        for number in 1..=6 {
            let frames = walk(&log, number);
            assert_eq!(frames.len(), 1);
        }
    }
    let mut reader = log.reader(Sequence(1)).unwrap();
    let mut count = 0;
    while reader.next_frame().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 6);
    drop(machine);
}

/// What a crash may take away must not be believed afterwards, when its number has another segment.
#[test]
fn a_catalog_lists_what_is_full_and_durable() {
    let (_machine, log) = begin(OpenOptions::default());
    let listed = || {
        let segments = log.catalog().segments;
        segments.iter().map(|info| info.number).collect::<Vec<_>>()
    };
    fill(&log, 0, 3);
    pack(&log, &(0..200).collect::<Vec<_>>()).unwrap();
    pack(&log, &(0..200).collect::<Vec<_>>()).unwrap();
    assert_eq!(numbers(&log), [1, 2, 3, 4, 5]);
    assert!(listed().is_empty());
    log.flush().unwrap();
    assert_eq!(listed(), [1, 2]);
    log.sync_packed().unwrap();
    assert_eq!(listed(), [1, 2, 4]);
    assert_eq!(log.catalog().next, 6);
}
