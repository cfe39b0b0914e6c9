//! Freeing, using again, packing, listing, walking and scrubbing segments, and the room they take.
//!
//! One program for all subjects, so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "../common/mod.rs"]
mod common;
mod freeing;
mod opening;
mod packing;
mod together;

use common::{IMAGE, Lie, Machine, Wanted, append, blocks_of};
use firebrick_edge::Disk;
use firebrick_log::{
    Checksum, Error, ErrorKind, Location, Log, Moved, MovedDiscard, OpenOptions, Walked,
};
use firebrick_vocabulary::Sequence;

pub(crate) const MIB: u64 = 1 << 20;

/// A new store.
pub(crate) fn begin(options: OpenOptions) -> (Machine, Log) {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    let (log, _) = machine.open_at(Sequence(1), options).unwrap();
    (machine, log)
}

/// Records that fill a segment each.
pub(crate) fn fill(log: &Log, from: u64, count: u64) {
    for number in from..from + count {
        append(log, &[Wanted::Data(number, vec![number; 200])]).unwrap();
    }
}

pub(crate) fn numbers(log: &Log) -> Vec<u32> {
    log.segments().iter().map(|info| info.number).collect()
}

pub(crate) fn spares(machine: &Machine) -> usize {
    let names = machine.disk.list("segments").unwrap();
    let spares = names
        .iter()
        .filter(|name| name.strip_suffix(".spare").is_some());
    spares.count()
}

pub(crate) fn is_invalid(result: Result<(), Error>) -> bool {
    result.is_err_and(|error| matches!(error.kind, ErrorKind::Invalid(_)))
}

/// Packs a block for each number, and says where they are.
pub(crate) fn pack(log: &Log, numbers: &[u64]) -> Result<Vec<Location>, Error> {
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

pub(crate) fn name_of(number: u64) -> Location {
    Location {
        segment: 1,
        unit: number as u32,
    }
}

pub(crate) const fn discard() -> MovedDiscard {
    MovedDiscard {
        image: IMAGE,
        block: 5,
        blocks: 1 << 40,
        birth: Sequence(77),
    }
}

pub(crate) fn walk(log: &Log, number: u32) -> Vec<Walked> {
    let mut found = Vec::new();
    log.walk(number, &mut |walked| {
        found.push(walked.clone());
        Ok::<_, Error>(())
    })
    .unwrap();
    found
}
