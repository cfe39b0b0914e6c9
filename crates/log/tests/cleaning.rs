//! Freeing, using again, packing, listing, walking and scrubbing segments, and the room they take.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{BLOCK, IMAGE, Lie, Machine, Wanted, append, blocks_of};
use firebrick_edge::{Disk, DiskFile, DiskLock, DiskSpace, RealDisk, SystemClock};
use firebrick_log::{
    Catalog, Checksum, Error, ErrorKind, FrameRecord, Location, Log, Moved, MovedDiscard,
    OpenOptions, SegmentInfo, SegmentKind, Usage, Walked, WalkedRecord,
};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::Sequence;

const MIB: u64 = 1 << 20;

/// A new store.
fn begin(options: OpenOptions) -> (Machine, Log) {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    let (log, _) = machine.open_at(Sequence(1), options).unwrap();
    (machine, log)
}

/// Records that fill a segment each.
fn fill(log: &Log, from: u64, count: u64) {
    for number in from..from + count {
        append(log, &[Wanted::Data(number, vec![number; 200])]).unwrap();
    }
}

fn numbers(log: &Log) -> Vec<u32> {
    log.segments().iter().map(|info| info.number).collect()
}

fn spares(machine: &Machine) -> usize {
    let names = machine.disk.list("segments").unwrap();
    let spares = names
        .iter()
        .filter(|name| name.strip_suffix(".spare").is_some());
    spares.count()
}

fn is_invalid(result: Result<(), Error>) -> bool {
    result.is_err_and(|error| matches!(error.kind, ErrorKind::Invalid(_)))
}

/// Packs a block for each number, and says where they are.
fn pack(log: &Log, numbers: &[u64]) -> Result<Vec<Location>, Error> {
    let data: Vec<Vec<u8>> = numbers.iter().map(|number| blocks_of(&[*number])).collect();
    let one = |(number, data): (&u64, &'_ Vec<u8>)| (*number, Checksum::of(data));
    let sums: Vec<_> = numbers.iter().zip(&data).map(one).collect();
    let blocks: Vec<Moved<'_>> = sums
        .iter()
        .zip(&data)
        .map(|((number, checksum), data)| Moved {
            name: name_of(*number),
            image: IMAGE,
            block: *number,
            birth: Sequence(number + 1000),
            checksum: *checksum,
            data,
        })
        .collect();
    log.pack(&blocks, &[discard()])
}

fn name_of(number: u64) -> Location {
    Location {
        segment: 1,
        unit: number as u32,
    }
}

const fn discard() -> MovedDiscard {
    MovedDiscard {
        image: IMAGE,
        block: 5,
        blocks: 1 << 40,
        birth: Sequence(77),
    }
}

fn walk(log: &Log, number: u32) -> Vec<Walked> {
    let mut found = Vec::new();
    log.walk(number, &mut |walked| {
        found.push(walked.clone());
        Ok::<_, Error>(())
    })
    .unwrap();
    found
}

#[test]
fn only_what_nobody_reads_in_order_any_more_may_be_freed() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 5);
    assert_eq!(numbers(&log), [1, 2, 3, 4, 5]);
    assert!(is_invalid(log.free(1)), "nothing was trimmed");
    log.trim(Sequence(4));
    assert!(is_invalid(log.free(1)), "nothing is durable");
    log.flush().unwrap();
    log.trim(Sequence(4));
    log.trim(Sequence(2));
    for number in [4, 5, 6, 99] {
        assert!(is_invalid(log.free(number)), "{number}");
    }
    assert_eq!(log.contiguous_from(), Sequence(1));
    log.free(2).unwrap();
    assert_eq!(log.contiguous_from(), Sequence(3));
    assert!(is_invalid(log.free(2)), "it is gone");
    let error = log.reader(Sequence(2)).map(drop).unwrap_err();
    let oldest = Sequence(3);
    assert_eq!(error.kind, ErrorKind::Trimmed { oldest });
    assert!(log.reader(oldest).unwrap().next_frame().unwrap().is_some());
    drop(log);
    // The gap is there after a start too, with a catalog or without.
    let error = machine.open_at(Sequence(1), OpenOptions::default());
    assert_eq!(
        error.map(drop).unwrap_err().kind,
        ErrorKind::Trimmed { oldest }
    );
    let (log, visited) = machine.open_at(oldest, OpenOptions::default()).unwrap();
    assert_eq!((log.contiguous_from(), visited.len()), (oldest, 3));
    assert_eq!(numbers(&log), [1, 3, 4, 5]);
}

#[test]
fn a_reader_in_front_of_a_gap_is_told() {
    let (_machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 4);
    log.flush().unwrap();
    let mut reader = log.reader(Sequence(1)).unwrap();
    reader.next_frame().unwrap().unwrap();
    log.trim(Sequence(4));
    log.free(2).unwrap();
    let error = reader.next_frame().unwrap_err();
    let oldest = Sequence(3);
    assert_eq!(error.kind, ErrorKind::Trimmed { oldest });
}

#[test]
fn a_freed_segment_is_used_again_once_nobody_holds_it() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 4);
    log.flush().unwrap();
    log.trim(Sequence(4));
    let mut reader = log.reader(Sequence(1)).unwrap();
    log.free(1).unwrap();
    log.free(2).unwrap();
    assert_eq!(spares(&machine), 1, "a reader holds the other");
    assert!(reader.next_frame().unwrap().is_some());
    drop(reader);
    log.free(3).unwrap();
    assert_eq!(spares(&machine), 3);
    let taken = machine.disk.space().unwrap().free;
    fill(&log, 4, 3);
    assert_eq!(
        machine.disk.space().unwrap().free,
        taken,
        "nothing new was made"
    );
    assert_eq!((spares(&machine), numbers(&log)), (0, vec![4, 5, 6, 7]));
    log.flush().unwrap();
    drop(log);
    let (log, visited) = machine
        .crash(1)
        .open_at(Sequence(4), OpenOptions::default())
        .unwrap();
    assert_eq!(visited.len(), 4);
    assert_eq!(log.segment_count(), 4);
}

#[test]
fn spares_beyond_the_limit_are_removed() {
    let options = OpenOptions {
        spare_bytes_max: 2 * MIB,
        ..OpenOptions::default()
    };
    let (machine, log) = begin(options.clone());
    fill(&log, 0, 6);
    log.flush().unwrap();
    log.trim(log.next_sequence());
    for number in 1..6 {
        log.free(number).unwrap();
    }
    assert_eq!(spares(&machine), 2);
    let room = log.room().unwrap();
    assert_eq!((room.used, room.spare), (MIB, 2 * MIB));
    drop(log);
    let fewer = OpenOptions {
        spare_bytes_max: MIB,
        ..options
    };
    let (log, _) = machine.open_at(Sequence(6), fewer).unwrap();
    assert_eq!((spares(&machine), log.room().unwrap().spare), (1, MIB));
}

/// A segment made ahead in a file with a former life has the header of that until it is begun.
#[test]
fn a_file_that_was_never_begun_again_is_a_spare() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 3);
    log.flush().unwrap();
    log.trim(Sequence(3));
    log.free(1).unwrap();
    assert!(log.prepare_segment(Duration::ZERO).unwrap());
    assert_eq!(spares(&machine), 0);
    drop(log);
    let (log, visited) = machine
        .open_at(Sequence(2), OpenOptions::default())
        .unwrap();
    assert_eq!((visited.len(), spares(&machine)), (2, 1));
    fill(&log, 3, 1);
    assert_eq!(numbers(&log), [2, 3, 5], "a number is given once");
}

#[test]
fn guests_leave_a_reserve_to_those_who_make_room() {
    let options = OpenOptions {
        capacity: Some(8 * MIB),
        ..OpenOptions::default()
    };
    let (machine, log) = begin(options.clone());
    assert!(log.room().unwrap().free_for_guests > 3 * MIB);
    fill(&log, 0, 4);
    let write = |blocks: usize| append(&log, &[Wanted::Data(0, vec![1; blocks])]);
    let is_full = |result: Result<(), Error>| result.unwrap_err().kind == ErrorKind::NoSpace;
    assert!(is_full(write(200)));
    assert!(log.room().unwrap().free_for_guests < MIB);
    write(10).unwrap();
    // What makes room may go on: it needs a segment, which guests do not get.
    for _ in 0..300 {
        append(
            &log,
            &[Wanted::Note("x".repeat(3000)), Wanted::Discard(1, 2)],
        )
        .unwrap();
    }
    assert_eq!(numbers(&log).len(), 5);
    assert!(is_full(write(1)));
    assert_eq!(log.room().unwrap().free_for_guests, 0);
    pack(&log, &(0..200).collect::<Vec<_>>()).unwrap();
    pack(&log, &(0..200).collect::<Vec<_>>()).unwrap();
    pack(&log, &(0..200).collect::<Vec<_>>()).unwrap();
    assert!(pack(&log, &(0..200).collect::<Vec<_>>()).is_err());
    log.flush().unwrap();
    log.trim(log.next_sequence());
    for number in [1, 2, 3, 4, 6] {
        log.free(number).unwrap();
    }
    write(1).unwrap();
    log.flush().unwrap();
    drop(log);
    let (log, _) = machine.open_at(log_end(&machine), options).unwrap();
    assert!(append(&log, &[Wanted::Data(0, vec![1; 200])]).is_ok());
}

/// Where a store with gaps can be opened: its newest records.
fn log_end(machine: &Machine) -> Sequence {
    let error = machine.open_at(Sequence(1), OpenOptions::default());
    match error.map(drop).unwrap_err().kind {
        ErrorKind::Trimmed { oldest } => oldest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_packed_is_found_by_place_and_by_walk() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 1);
    let places = pack(&log, &[7, 9]).unwrap();
    let more = pack(&log, &(100..340).collect::<Vec<_>>()).unwrap();
    log.sync_packed().unwrap();
    log.flush().unwrap();
    let check = |log: &Log| {
        for (at, number) in places.iter().zip([7, 9]) {
            let mut bytes = vec![0; BLOCK];
            log.read(*at, &mut bytes).unwrap();
            assert_eq!(bytes, blocks_of(&[number]));
        }
        let frames = walk(log, places[0].segment);
        assert_eq!(frames.len(), 2);
        let WalkedRecord::Data { image, blocks } = &frames[0].records[0] else {
            panic!("no data");
        };
        assert_eq!((*image, blocks.len()), (IMAGE, 2));
        assert_eq!((blocks[1].block, blocks[1].at), (9, places[1]));
        assert_eq!(
            (blocks[1].name, blocks[1].birth),
            (name_of(9), Sequence(1009))
        );
        assert_eq!(frames[0].records[1], WalkedRecord::Discard(discard()));
        let usage = log.measure(places[0].segment).unwrap();
        assert_eq!((usage.blocks, usage.last), (242, Sequence(1339)));
        assert!(usage.bytes > 242 * BLOCK as u64);
    };
    assert_eq!(more[0].segment, places[0].segment);
    check(&log);
    assert!(
        is_invalid(log.free(places[0].segment)),
        "it is being written"
    );
    drop(log);
    let (log, _) = machine.crash(1).open().unwrap();
    check(&log);
    let other = pack(&log, &[1]).unwrap();
    assert_ne!(
        other[0].segment, places[0].segment,
        "a start begins a new one"
    );
    log.free(places[0].segment).unwrap();
    assert!(log.read(places[0], &mut vec![0; BLOCK]).is_err());
}

#[test]
fn a_walk_of_the_log_says_names_and_births() {
    let (_machine, log) = begin(OpenOptions::default());
    let records = [
        Wanted::Data(50, vec![1, 2]),
        Wanted::Discard(3, 4),
        Wanted::Note("n".into()),
        Wanted::Data(70, vec![3]),
    ];
    append(&log, &records).unwrap();
    let frames = walk(&log, 1);
    let [
        WalkedRecord::Data { blocks, .. },
        WalkedRecord::Discard(discard),
        WalkedRecord::Change { sequence, .. },
        WalkedRecord::Data { blocks: last, .. },
    ] = &frames[0].records[..]
    else {
        panic!("{frames:?}");
    };
    assert_eq!((blocks[1].block, blocks[1].birth), (51, Sequence(1)));
    assert_eq!(blocks[1].name, blocks[1].at);
    assert_eq!((discard.block, discard.birth), (3, Sequence(2)));
    assert_eq!((*sequence, last[0].birth), (Sequence(3), Sequence(4)));
    let mut bytes = vec![0; BLOCK];
    log.read(last[0].name, &mut bytes).unwrap();
    assert_eq!(bytes, blocks_of(&[3]));
}

#[test]
fn packing_on_a_full_disk_leaves_nothing_and_goes_on_later() {
    for count in [5, 200] {
        for step in 0..4 {
            let (machine, log) = begin(OpenOptions::default());
            pack(&log, &(0..100).collect::<Vec<_>>()).unwrap();
            let full = io::ErrorKind::StorageFull;
            machine.disk.fail_writes_after(step, full);
            let next = (100..100 + count).collect::<Vec<_>>();
            let refused = pack(&log, &next).and_then(|_| pack(&log, &next));
            if let Err(error) = refused {
                assert_eq!(error.kind, ErrorKind::NoSpace, "{error}");
            }
            machine.disk.heal();
            let places = pack(&log, &[1000]).unwrap();
            log.sync_packed().unwrap();
            for machine in [machine.crash(1), machine] {
                let (log, _) = machine.crash(2).open().unwrap();
                for info in log.segments() {
                    let verified = log.verify_segment(info.number, 0, u64::MAX).unwrap();
                    assert_eq!((verified.damaged.len(), verified.broken_at), (0, None));
                }
                let mut bytes = vec![0; BLOCK];
                log.read(places[0], &mut bytes).unwrap();
                assert_eq!(bytes, blocks_of(&[1000]));
            }
        }
    }
}

#[test]
fn freeing_on_a_disk_that_refuses_goes_on_later() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 4);
    log.flush().unwrap();
    log.trim(Sequence(4));
    machine.disk.stop_after(0);
    assert!(log.free(1).is_err());
    machine.disk.restart();
    log.free(2).unwrap();
    // Of the first one nobody knows whether it has its old name; the second one at least is free.
    assert!(spares(&machine) >= 1);
    assert_eq!(numbers(&log), [3, 4]);
}

#[test]
fn a_scrub_finds_flipped_bits_and_says_whose_they_are() {
    let (machine, log) = begin(OpenOptions::default());
    append(&log, &[Wanted::Data(10, vec![1; 3])]).unwrap();
    append(&log, &[Wanted::Data(20, vec![2; 3])]).unwrap();
    let places = pack(&log, &[5, 6]).unwrap();
    log.sync_packed().unwrap();
    log.flush().unwrap();
    let flip = |number: u32, at: u64| {
        let file = machine
            .disk
            .open(&format!("segments/{number:010}.seg"))
            .unwrap();
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        file.write_at(&[IoSlice::new(&[byte[0] ^ 1])], at).unwrap();
    };
    let first = log.verify_segment(1, 0, 1).unwrap();
    assert_eq!((first.damaged.len(), first.next.is_some()), (0, true));
    let second = log.verify_segment(1, first.next.unwrap(), 1).unwrap();
    assert_eq!((second.next, second.broken_at), (None, None));
    let block = walk(&log, 1)[1].records[0].clone();
    let WalkedRecord::Data { blocks, .. } = block else {
        panic!("no data");
    };
    flip(1, blocks[1].at.offset() + 100);
    flip(places[1].segment, places[1].offset());
    let found = log.verify_segment(1, 0, u64::MAX).unwrap();
    assert_eq!(found.damaged.len(), 1);
    assert_eq!(
        (found.damaged[0].block, found.damaged[0].name),
        (21, blocks[1].name)
    );
    let found = log.verify_segment(places[1].segment, 0, u64::MAX).unwrap();
    assert_eq!(
        (found.damaged[0].block, found.damaged[0].name),
        (6, name_of(6))
    );
    assert_eq!(found.damaged[0].at, places[1]);
    let second = first.next.unwrap();
    flip(1, second + 20);
    assert_eq!(
        log.verify_segment(1, 0, u64::MAX).unwrap().broken_at,
        Some(second)
    );
}

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

#[test]
fn a_flush_syncs_only_what_is_new() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 3);
    log.flush().unwrap();
    // Some zeroes ahead come with the first small flush, and last for many.
    append(&log, &[Wanted::Discard(1, 1)]).unwrap();
    log.flush().unwrap();
    let before = machine.disk.operations();
    log.flush().unwrap();
    log.sync_packed().unwrap();
    assert_eq!(machine.disk.operations(), before);
    append(&log, &[Wanted::Discard(1, 1)]).unwrap();
    log.flush().unwrap();
    assert_eq!(machine.disk.operations(), before + 2, "one write, one sync");
    pack(&log, &[1]).unwrap();
    let before = machine.disk.operations();
    log.flush().unwrap();
    assert_eq!(machine.disk.operations(), before);
    log.sync_packed().unwrap();
    log.sync_packed().unwrap();
    assert_eq!(machine.disk.operations(), before + 1);
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

/// Reads frames and their data until `done`, from wherever the log begins by then.
fn read_along(log: &Log, done: &AtomicBool) -> u64 {
    let mut checked = 0;
    let mut buffer = vec![0; BLOCK];
    loop {
        let last = done.load(Ordering::SeqCst);
        let mut reader = match log.reader(log.contiguous_from()) {
            Ok(reader) => reader,
            Err(error) if matches!(error.kind, ErrorKind::Trimmed { .. }) => continue,
            Err(error) => panic!("{error}"),
        };
        loop {
            let frame = match reader.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) if matches!(error.kind, ErrorKind::Trimmed { .. }) => break,
                Err(error) => panic!("{error}"),
            };
            for record in &frame.records {
                if let FrameRecord::Data { at, checksums, .. } = record {
                    // Where it was freed meanwhile there is an error, and never another's bytes.
                    if log.read(*at, &mut buffer).is_ok() {
                        assert_eq!(Checksum::of(&buffer), checksums[0]);
                        checked += 1;
                    } else {
                        assert!(log.segment_info(at.segment).is_none());
                    }
                }
            }
        }
        if last {
            return checked;
        }
    }
}

#[test]
fn guests_cleaner_and_readers_do_not_hinder_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(dir.path()).unwrap());
    Log::create(&disk, common::STORE, common::OPTIONS).unwrap();
    let options = OpenOptions {
        capacity: Some(24 * MIB),
        open_files_max: 3,
        ..OpenOptions::default()
    };
    let clock = Arc::new(SystemClock::new());
    let recovery = Log::open_with(disk, clock, options, || None).unwrap();
    let tail = recovery
        .replay(Sequence(1), &mut |_| Ok::<_, Error>(()))
        .unwrap();
    let log = recovery.finish(&tail).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0..1500 {
                while let Err(error) = common::append(&log, &[Wanted::Data(0, vec![number; 40])]) {
                    assert_eq!(error.kind, ErrorKind::NoSpace);
                    std::thread::yield_now();
                }
                if number % 20 == 0 {
                    log.flush().unwrap();
                    log.trim(log.durable().sequence);
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        threads.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                for info in log.catalog().segments {
                    if log.free(info.number).is_ok() && info.number % 5 == 0 {
                        pack(&log, &[info.number.into()]).unwrap();
                    }
                }
                log.sync_packed().unwrap();
                drop(log.prepare_segment(Duration::ZERO));
                let room = log.room().unwrap();
                assert!(room.used + room.spare <= 24 * MIB, "{room:?}");
            }
        });
        assert!(read_along(&log, &done) > 0);
    });
    log.close().unwrap();
    assert_eq!(pack(&log, &[1]).unwrap_err().kind, ErrorKind::Closed);
}

/// Otherwise frames of a former life would carry the number of the present one.
#[test]
fn the_number_of_a_spare_is_not_given_again() {
    let (machine, log) = begin(OpenOptions::default());
    let former = pack(&log, &[1, 2, 3]).unwrap()[0].segment;
    log.sync_packed().unwrap();
    drop(log);
    let (log, _) = machine.open().unwrap();
    log.free(former).unwrap();
    assert_eq!((numbers(&log), spares(&machine)), (vec![1], 1));
    drop(log);
    let (log, _) = machine.open().unwrap();
    let now = pack(&log, &[4]).unwrap()[0].segment;
    assert_eq!(spares(&machine), 0, "its file is used again");
    assert!(now > former);
    assert_eq!(walk(&log, now).len(), 1);
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
