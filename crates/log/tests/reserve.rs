//! Frames that are written side by side, on a simulated disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use firebrick_log::{BatchData, Checksum, Entry, ErrorKind, Frame, Log, OpenOptions, Reserved};
use firebrick_vocabulary::Sequence;

use common::{BLOCK, IMAGE, Lie, Machine, Wanted, append, blocks_of, is_as_wanted};

fn options() -> OpenOptions {
    OpenOptions {
        around_min: 2 * BLOCK as u64,
        ..OpenOptions::default()
    }
}

fn begin() -> (Machine, Log) {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    let (log, _) = machine.open_at(Sequence(1), options()).unwrap();
    (machine, log)
}

/// A frame of one record with three blocks, which are filled with `number`.
struct Large {
    number: u64,
    bytes: Vec<u8>,
    checksums: Vec<Checksum>,
}

impl Large {
    fn new(number: u64) -> Self {
        let bytes = blocks_of(&[number; 3]);
        let checksums = bytes.chunks(BLOCK).map(Checksum::of).collect();
        Self {
            number,
            bytes,
            checksums,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&[Entry<'_>]) -> T) -> T {
        let data = [&self.bytes[..]];
        act(&[Entry::Data(BatchData {
            image: IMAGE,
            block: self.number,
            data: &data,
            checksums: &self.checksums,
        })])
    }

    fn reserve(&self, log: &Log) -> Reserved {
        self.with(|entries| log.reserve(entries)).unwrap().unwrap()
    }

    fn fill(&self, log: &Log, reserved: &Reserved) {
        self.with(|entries| log.fill(reserved, entries)).unwrap();
    }

    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::Data(self.number, vec![self.number; 3])]
    }
}

fn found(machine: &Machine, seed: u64) -> (Log, Vec<Frame>) {
    let machine = machine.crash(seed);
    machine.open_at(Sequence(1), options()).unwrap()
}

fn are_there(log: &Log, frames: &[Frame], wanted: &[Vec<Wanted>]) -> bool {
    let pairs = frames.iter().zip(wanted);
    frames.len() == wanted.len()
        && pairs
            .clone()
            .all(|(frame, wanted)| is_as_wanted(log, frame, wanted))
}

#[test]
fn they_are_there_in_the_order_of_their_places() {
    let (machine, log) = begin();
    let small = vec![Wanted::Data(7, vec![70])];
    append(&log, &small).unwrap();
    let (one, two) = (Large::new(1), Large::new(2));
    let (first, second) = (one.reserve(&log), two.reserve(&log));
    two.fill(&log, &second);
    assert_eq!(log.head().sequence, Sequence(1), "nothing is published");
    one.fill(&log, &first);
    log.publish(first).unwrap();
    log.publish(second).unwrap();
    append(&log, &small).unwrap();
    log.flush().unwrap();
    let wanted = [small.clone(), one.wanted(), two.wanted(), small];
    for seed in 0..20 {
        let (log, frames) = found(&machine, seed);
        assert!(are_there(&log, &frames, &wanted), "seed {seed}");
    }
}

#[test]
fn a_flush_in_between_does_not_leave_one_out() {
    let (machine, log) = begin();
    append(&log, &[Wanted::Data(7, vec![70])]).unwrap();
    let one = Large::new(1);
    let reserved = one.reserve(&log);
    // It takes the segment up, whose new frame is not there yet.
    assert_eq!(log.flush().unwrap().sequence, Sequence(1));
    one.fill(&log, &reserved);
    log.publish(reserved).unwrap();
    assert_eq!(log.flush().unwrap().sequence, Sequence(2));
    for seed in 0..20 {
        let (log, frames) = found(&machine, seed);
        let wanted = [vec![Wanted::Data(7, vec![70])], one.wanted()];
        assert!(are_there(&log, &frames, &wanted), "seed {seed}");
    }
}

#[test]
fn the_log_ends_before_the_first_that_is_missing() {
    let (machine, log) = begin();
    let (one, two) = (Large::new(1), Large::new(2));
    let (_first, second) = (one.reserve(&log), two.reserve(&log));
    two.fill(&log, &second);
    for seed in 0..20 {
        let (log, frames) = found(&machine, seed);
        assert_eq!(frames, [], "seed {seed}");
        append(&log, &[Wanted::Data(7, vec![70])]).unwrap();
        log.flush().unwrap();
    }
}

#[test]
fn what_cannot_be_written_takes_those_behind_it_along() {
    let (machine, log) = begin();
    let (one, two) = (Large::new(1), Large::new(2));
    let (first, second) = (one.reserve(&log), two.reserve(&log));
    two.fill(&log, &second);
    machine
        .disk
        .fail_writes_after(0, std::io::ErrorKind::StorageFull);
    let failed = one.with(|entries| log.fill(&first, entries));
    assert_eq!(failed.unwrap_err().kind, ErrorKind::NoSpace);
    machine.heal();
    log.withdraw(&first);
    log.withdraw(&second);
    let three = Large::new(3);
    let third = three.reserve(&log);
    three.fill(&log, &third);
    log.publish(third).unwrap();
    log.flush().unwrap();
    for seed in 0..20 {
        let (log, frames) = found(&machine, seed);
        assert!(are_there(&log, &frames, &[three.wanted()]), "seed {seed}");
    }
}

#[test]
fn nothing_else_is_appended_meanwhile() {
    let (_machine, log) = begin();
    let one = Large::new(1);
    let reserved = one.reserve(&log);
    let refused = append(&log, &[Wanted::Note("no".into())]);
    assert!(matches!(refused.unwrap_err().kind, ErrorKind::Invalid(_)));
    one.fill(&log, &reserved);
    log.publish(reserved).unwrap();
    append(&log, &[Wanted::Note("yes".into())]).unwrap();
}

#[test]
fn out_of_order_nothing_is_published_any_more() {
    let (_machine, log) = begin();
    let (one, two) = (Large::new(1), Large::new(2));
    let (first, second) = (one.reserve(&log), two.reserve(&log));
    two.fill(&log, &second);
    assert!(log.publish(second).is_err());
    let refused = one.with(|entries| log.fill(&first, entries));
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Poisoned);
}

#[test]
fn what_is_small_or_does_not_fit_is_not_reserved() {
    let (_machine, log) = begin();
    let bytes = blocks_of(&[5]);
    let checksums = [Checksum::of(&bytes)];
    let data = [&bytes[..]];
    let small = Entry::Data(BatchData {
        image: IMAGE,
        block: 0,
        data: &data,
        checksums: &checksums,
    });
    assert!(log.reserve(&[small]).unwrap().is_none());
    let mut count = 0;
    loop {
        let large = Large::new(count);
        let Some(reserved) = large.with(|entries| log.reserve(entries)).unwrap() else {
            break;
        };
        large.fill(&log, &reserved);
        log.publish(reserved).unwrap();
        count += 1;
    }
    assert!(
        (60..70).contains(&count),
        "{count} frames of 16 KiB in 1 MiB"
    );
}
