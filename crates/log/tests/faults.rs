//! What the log does on a disk that is full, refuses, or returns other bytes than it got.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::{self, IoSlice};

use common::{Lie, Machine, Wanted, check, frame};
use firebrick_edge::Disk;
use firebrick_log::{ErrorKind, Log};
use rand::SeedableRng;
use rand::rngs::StdRng;

const FIRST: &str = "segments/0000000001.seg";
/// Where the first frame begins in it.
const FIRST_FRAME: u64 = 512;

/// A new store.
fn begin() -> (Machine, Log) {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    let (log, _) = machine.open().unwrap();
    (machine, log)
}

fn data(tag: u64, blocks: usize) -> Vec<Wanted> {
    vec![Wanted::Data(tag, vec![tag; blocks])]
}

/// Appends what fits, whatever does not.
fn append(log: &Log, frames: &mut Vec<Vec<Wanted>>, records: Vec<Wanted>) {
    common::append(log, &records).unwrap();
    frames.push(records);
}

/// Flushes, and expects exactly `frames`: now, and after power cuts.
fn holds(machine: &Machine, log: Log, frames: &[Vec<Wanted>]) {
    log.flush().unwrap();
    let mut reader = log.reader(firebrick_vocabulary::Sequence(1)).unwrap();
    let mut visited = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        visited.push(frame);
    }
    check(&log, &visited, frames, frames.len()).unwrap();
    drop(log);
    for seed in 0..20 {
        let (log, visited) = machine.crash(seed).open().unwrap();
        check(&log, &visited, frames, frames.len()).unwrap();
    }
}

#[test]
fn a_log_that_could_not_get_its_next_segment_takes_what_still_fits() {
    let (machine, log) = begin();
    let mut frames = Vec::new();
    append(&log, &mut frames, data(1, 200));
    machine
        .disk
        .set_capacity(machine.disk.space().unwrap().total - machine.disk.space().unwrap().free);
    let refused = common::append(&log, &data(2, 100)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NoSpace);
    append(&log, &mut frames, data(3, 10));
    log.flush().unwrap();
    assert_eq!(machine.disk.list("segments").unwrap().len(), 1);
    machine.disk.set_capacity(1 << 30);
    append(&log, &mut frames, data(4, 100));
    holds(&machine, log, &frames);
}

#[test]
fn a_write_that_found_no_room_leaves_nothing() {
    for smaller in [1, 4, 30] {
        let (machine, log) = begin();
        let mut frames = Vec::new();
        append(&log, &mut frames, data(1, 10));
        machine
            .disk
            .fail_writes_after(0, io::ErrorKind::StorageFull);
        let refused = common::append(&log, &data(2, 20)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NoSpace);
        machine.disk.heal();
        append(&log, &mut frames, data(3, smaller));
        holds(&machine, log, &frames);
    }
}

/// What is left of a frame that found no room is a whole header, and the log goes on in the next
/// segment: nobody may take the one for the other.
#[test]
fn a_frame_without_room_does_not_hide_the_next_segment() {
    for refused in [
        data(2, 20),
        vec![Wanted::Discard(1, 2)],
        vec![Wanted::Note("x".repeat(300))],
    ] {
        let (machine, log) = begin();
        let mut frames = Vec::new();
        append(&log, &mut frames, data(1, 200));
        machine
            .disk
            .fail_writes_after(0, io::ErrorKind::StorageFull);
        let error = common::append(&log, &refused).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSpace);
        // Not even the remains can be erased.
        let error = common::append(&log, &data(3, 100)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSpace);
        machine.disk.heal();
        append(&log, &mut frames, data(3, 100));
        append(&log, &mut frames, data(4, 1));
        for seed in 0..20 {
            let (log, visited) = machine.crash(seed).open().unwrap();
            check(&log, &visited, &frames, 0).unwrap();
        }
        holds(&machine, log, &frames);
    }
}

#[test]
fn an_empty_segment_does_not_end_the_log() {
    let (machine, log) = begin();
    let mut frames = Vec::new();
    append(&log, &mut frames, data(1, 200));
    // The segment gets its room and its header, and the frame no room.
    machine
        .disk
        .fail_writes_after(3, io::ErrorKind::StorageFull);
    let error = common::append(&log, &data(2, 100)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoSpace);
    machine.disk.heal();
    // Longer than a segment, so that this gets one of its own.
    append(&log, &mut frames, data(3, 300));
    append(&log, &mut frames, data(4, 1));
    assert_eq!(machine.disk.list("segments").unwrap().len(), 4);
    holds(&machine, log, &frames);
}

#[test]
fn a_failed_write_or_sync_poisons_the_log_until_it_is_opened_again() {
    for (failing, blocks) in [
        ("write", 1),
        ("write of a segment", 200),
        ("sync", 1),
        ("sync of a segment", 200),
    ] {
        let (machine, log) = begin();
        let mut frames = Vec::new();
        append(&log, &mut frames, data(1, 100));
        log.flush().unwrap();
        if failing.starts_with("write") {
            machine.disk.fail_writes_after(0, io::ErrorKind::Other);
        } else {
            machine.disk.fail_syncs_after(0, io::ErrorKind::Other);
        }
        let failed = common::append(&log, &data(2, blocks)).and_then(|()| log.flush());
        assert_eq!(failed.unwrap_err().kind, ErrorKind::Io, "{failing}");
        machine.disk.heal();
        let refused = common::append(&log, &data(3, 1)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Poisoned, "{failing}");
        assert_eq!(
            log.flush().unwrap_err().kind,
            ErrorKind::Poisoned,
            "{failing}"
        );
        assert_eq!(log.durable().sequence.0, 1, "{failing}");
        drop(log);
        for seed in 0..20 {
            let after = machine.crash(seed);
            let (log, visited) = after.open().unwrap();
            let both = [frames[0].clone(), data(2, blocks)];
            let found = check(&log, &visited, &both, 1).unwrap();
            append(&log, &mut frames, data(4, 3));
            let mut expected = both[..found].to_vec();
            expected.push(data(4, 3));
            holds(&after, log, &expected);
        }
    }
}

/// After a failed sync the kernel returns what it never wrote, and the next sync succeeds: a restart
/// of the process alone must not take that for durable.
#[test]
fn what_a_failed_sync_lost_is_not_there_after_a_restart_of_the_process() {
    for blocks in [1, 200] {
        let (machine, log) = begin();
        let mut frames = vec![data(1, 100), data(2, blocks)];
        common::append(&log, &frames[0]).unwrap();
        log.flush().unwrap();
        common::append(&log, &frames[1]).unwrap();
        machine.disk.fail_syncs_after(0, io::ErrorKind::Other);
        assert!(log.flush().is_err());
        machine.disk.heal();
        drop(log);
        let (log, visited) = machine.open().unwrap();
        let found = check(&log, &visited, &frames, 1).unwrap();
        frames.truncate(found);
        append(&log, &mut frames, data(3, 3));
        holds(&machine, log, &frames);
    }
}

/// Flips one bit of a file.
fn flip(disk: &dyn Disk, name: &str, at: u64) {
    let file = disk.open(name).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << (at % 8);
    file.write_at(&[IoSlice::new(&byte)], at).unwrap();
    file.sync().unwrap();
}

#[test]
fn a_flipped_bit_in_what_was_durable_makes_no_shorter_log() {
    let random = &mut StdRng::seed_from_u64(1);
    let (machine, log) = begin();
    for _ in 0..5 {
        common::append(&log, &frame(random)).unwrap();
        log.flush().unwrap();
    }
    // Its header says that the others were durable.
    common::append(&log, &data(1, 1)).unwrap();
    log.flush().unwrap();
    let mut reader = log.reader(firebrick_vocabulary::Sequence(1)).unwrap();
    let mut lens = 0;
    while let Some(frame) = reader.next_frame().unwrap() {
        for record in &frame.records {
            if let firebrick_log::FrameRecord::Data { at, blocks, .. } = record
                && frame.position.sequence < log.head().sequence
            {
                lens = at.offset() + u64::from(*blocks) * common::BLOCK as u64;
                let after = machine.crash(1);
                flip(&after.disk, FIRST, lens - 1);
                // Who reads the block finds that it is damaged; what is behind it is there.
                assert_eq!(after.open().unwrap().0.head(), log.head());
            }
        }
    }
    assert!(lens > 0);
    for at in (0..600).chain([FIRST_FRAME + 40, FIRST_FRAME + 110]) {
        let after = machine.crash(1);
        flip(&after.disk, FIRST, at);
        let error = after.open().map(drop);
        let is_damage =
            matches!(&error, Err(error) if matches!(error.kind, ErrorKind::Damaged { .. }));
        assert!(is_damage, "bit in byte {at}: {error:?}");
    }
    for at in 0..512 {
        let after = machine.crash(1);
        flip(&after.disk, "superblock", at);
        assert!(after.open().is_err(), "bit in byte {at} of the superblock");
    }
}
