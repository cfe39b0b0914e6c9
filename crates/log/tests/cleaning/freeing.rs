//! Freeing segments, using their files again, and the room that is kept for those who make room.

use std::time::Duration;

use firebrick_edge::Disk;
use firebrick_log::{Error, ErrorKind, OpenOptions};
use firebrick_vocabulary::Sequence;

use crate::common::{Lie, Machine, Phase, Wanted, append};
use crate::{MIB, begin, fill, is_invalid, numbers, pack, spares, walk};

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

/// A freed file gets one name and then another. A power cut that kept only the second change would
/// leave it with its first name as well, and what is written by the one is read by the other.
#[test]
fn a_file_that_is_used_again_never_has_two_names() {
    let two_names = |lie: Lie| {
        (0..6).any(|stop| {
            let (machine, log) = begin(OpenOptions::default());
            fill(&log, 0, 3);
            log.flush().unwrap();
            log.trim(Sequence(3));
            let machine = Machine::with(machine.disk, lie);
            let files = machine.disk.list("segments").unwrap().len();
            machine.during(Phase::Free, || log.free(2)).unwrap();
            machine.disk.stop_after(stop);
            drop(log.prepare_segment(Duration::ZERO));
            let names = |seed| machine.disk.crash(seed).list("segments").unwrap().len();
            (0..20).any(|seed| names(seed) > files)
        })
    };
    assert!(!two_names(Lie::None));
    assert!(two_names(Lie::Folder(Phase::Free, "segments")));
}
