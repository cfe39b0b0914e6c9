//! Power cuts and kills while segments are freed, used again, packed and listed; and that each sync
//! that this leans on is needed: without it, the same check fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::collections::BTreeMap;
use std::io::ErrorKind::StorageFull;
use std::time::Duration;

use common::{BLOCK, IMAGE, Lie, Machine, Phase, Wanted, blocks_of, frame, is_as_wanted};
use firebrick_log::{
    Catalog, Checksum, Error, ErrorKind, Frame, Location, Log, Moved, MovedDiscard, OpenOptions,
    SegmentKind, WalkedRecord,
};
use firebrick_simulate::every_seed;
use firebrick_vocabulary::Sequence;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SEEDS: u64 = 150;
const LIVES: usize = 6;
const CAPACITY: u64 = 14 << 20;

/// What the store must hold.
#[derive(Default)]
struct Model {
    /// Each with the sequence of its first record.
    frames: Vec<(u64, Vec<Wanted>)>,
    /// So many of them are durable.
    durable: usize,
    /// One of these may be there behind so many others, as the last.
    cut: Vec<(usize, Vec<Wanted>)>,
    /// The first record that a replay needs, and what was listed then.
    from: u64,
    catalog: Option<Catalog>,
    /// What was packed where, by segment and unit: the number that fills the block.
    packed: BTreeMap<(u32, u32), Packed>,
    /// What was packed in segments that were freed or never made durable, which may be there still.
    former: BTreeMap<(u32, u32), Vec<u64>>,
    next_number: u64,
}

#[derive(Clone, Copy)]
struct Packed {
    number: u64,
    durable: bool,
}

impl Model {
    fn next(&self) -> u64 {
        self.frames
            .last()
            .map_or(1, |(first, records)| first + records.len() as u64)
    }

    fn known(&self, random: &mut StdRng) -> Option<Catalog> {
        self.catalog.clone().filter(|_| random.random_bool(0.7))
    }

    fn options(random: &mut StdRng) -> OpenOptions {
        OpenOptions {
            around_min: 8 << 10,
            capacity: Some(CAPACITY),
            spare_bytes_max: random.random_range(0..5) << 20,
            open_files_max: random.random_range(1..4),
        }
    }

    fn lose_unsynced(&mut self) {
        for (at, packed) in std::mem::take(&mut self.packed) {
            if packed.durable {
                self.packed.insert(at, packed);
            } else {
                self.former.entry(at).or_default().push(packed.number);
            }
        }
    }
}

/// One store through some lives, each ended by a power cut or a kill at some operation. The error is
/// what went wrong.
fn story(seed: u64, lie: Lie) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut machine = Machine::new(Lie::None);
    machine.create().map_err(|e| e.to_string())?;
    machine = Machine::with(machine.disk, lie);
    let mut model = Model {
        from: 1,
        ..Model::default()
    };
    for _ in 0..LIVES {
        machine.disk.stop_after(random.random_range(0..200));
        if let Some(log) = open(&machine, &mut model, random)? {
            live(&machine, &log, &mut model, random)?;
        }
        machine.heal();
        if random.random_bool(0.3) {
            machine.disk.restart();
        } else {
            machine = machine.crash(random.random());
        }
        model.lose_unsynced();
    }
    open(&machine, &mut model, random)?;
    Ok(())
}

fn open(machine: &Machine, model: &mut Model, random: &mut StdRng) -> Result<Option<Log>, String> {
    let known = model.known(random);
    let options = Model::options(random);
    let (log, visited) = match machine.open_knowing(Sequence(model.from), options, known) {
        Ok(opened) => opened,
        Err(error) if machine.excuses(&error) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !machine.is_on() {
        return Ok(None);
    }
    let mut found = check(&log, &visited, model, &model.frames);
    for (behind, cut) in std::mem::take(&mut model.cut) {
        if found.is_err() && behind >= model.durable {
            let mut frames = model.frames[..behind].to_vec();
            let first = frames
                .last()
                .map_or(1, |(first, cut)| first + cut.len() as u64);
            frames.push((first, cut));
            if let Ok(count) = check(&log, &visited, model, &frames)
                && count == frames.len()
            {
                model.frames = frames;
                found = Ok(count);
            }
        }
    }
    let found = found?;
    model.frames.truncate(found);
    model.durable = found;
    check_packed(&log, model)?;
    check_usage(&log)?;
    Ok(Some(log))
}

/// Whether the log holds `wanted` from where it is contiguous up to what is durable or further. Says
/// how many frames there are.
fn check(
    log: &Log,
    visited: &[Frame],
    model: &Model,
    wanted: &[(u64, Vec<Wanted>)],
) -> Result<usize, String> {
    let oldest = log.contiguous_from();
    if oldest.0 > model.from {
        return Err(format!(
            "the log begins at {oldest}, which is freed too far"
        ));
    }
    let mut reader = log.reader(oldest).map_err(|e| e.to_string())?;
    let mut read = Vec::new();
    while let Some(frame) = reader.next_frame().map_err(|e| e.to_string())? {
        read.push(frame);
    }
    let replayed = read.len() - visited.len().min(read.len());
    if read[replayed..] != *visited {
        return Err("recovery saw other frames than a reader".into());
    }
    let before = wanted.partition_point(|(first, _)| *first < oldest.0);
    let count = before + read.len();
    if count < model.durable || count > wanted.len() {
        let (least, most) = (model.durable, wanted.len());
        return Err(format!("{count} frames are there, not {least} to {most}"));
    }
    for (frame, (first, wanted)) in read.iter().zip(&wanted[before..]) {
        if frame.first.0 != *first || !is_as_wanted(log, frame, wanted) {
            return Err(format!(
                "the frame of record {first} is not what was appended"
            ));
        }
    }
    Ok(count)
}

/// Whether what was packed and synced is where it was put, and nothing else is in the segments.
fn check_packed(log: &Log, model: &Model) -> Result<(), String> {
    for ((segment, unit), packed) in &model.packed {
        let at = Location {
            segment: *segment,
            unit: *unit,
        };
        let mut bytes = vec![0; BLOCK];
        log.read(at, &mut bytes).map_err(|e| e.to_string())?;
        if bytes != blocks_of(&[packed.number]) {
            return Err(format!("a packed block at {at:?} is not what was packed"));
        }
    }
    let mut seen = BTreeMap::new();
    for info in log.segments() {
        let visit = &mut |walked: &firebrick_log::Walked| {
            for record in &walked.records {
                if let WalkedRecord::Data { blocks, .. } = record
                    && info.kind == SegmentKind::Packed
                {
                    for block in blocks {
                        seen.insert((block.at.segment, block.at.unit), block.block);
                    }
                }
            }
            Ok::<_, Error>(())
        };
        log.walk(info.number, visit).map_err(|e| e.to_string())?;
    }
    for at in model.packed.keys() {
        if !seen.contains_key(at) {
            return Err(format!("a walk misses the packed block at {at:?}"));
        }
    }
    for (at, number) in seen {
        let is_now = model
            .packed
            .get(&at)
            .is_some_and(|packed| packed.number == number);
        let former = model.former.get(&at);
        if !is_now && !former.is_some_and(|numbers| numbers.contains(&number)) {
            return Err(format!(
                "a walk finds at {at:?} what was never packed there"
            ));
        }
    }
    Ok(())
}

/// Whether what is known about segments is what a walk finds.
fn check_usage(log: &Log) -> Result<(), String> {
    for info in log.segments() {
        let mut blocks = 0;
        let mut end = 512;
        let visit = &mut |walked: &firebrick_log::Walked| {
            end = walked.offset + walked.len;
            for record in &walked.records {
                if let WalkedRecord::Data { blocks: some, .. } = record {
                    blocks += some.len() as u64;
                }
            }
            Ok::<_, Error>(())
        };
        log.walk(info.number, visit).map_err(|e| e.to_string())?;
        let usage = log.measure(info.number).map_err(|e| e.to_string())?;
        if (usage.blocks, usage.bytes) != (blocks, end) {
            return Err(format!("{info:?} has {blocks} blocks up to {end}"));
        }
    }
    Ok(())
}

fn live(
    machine: &Machine,
    log: &Log,
    model: &mut Model,
    random: &mut StdRng,
) -> Result<(), String> {
    let often = [0.05, 0.2, 0.6][random.random_range(0..3)];
    for _ in 0..random.random_range(1..120) {
        let done = match random.random_range(0..100) {
            0..2 => {
                let after = random.random_range(0..3);
                machine.disk.fail_writes_after(after, StorageFull);
                Ok(())
            }
            2..8 => {
                machine.disk.heal();
                Ok(())
            }
            8..20 => checkpoint(machine, log, model, random),
            20..40 => pack(machine, log, model, random),
            40..48 => sync_packed(machine, log, model),
            48..52 => log.prepare_segment(Duration::ZERO).map(drop),
            _ if random.random_bool(often) => flush(machine, log, model),
            _ => append(machine, log, model, frame(random)),
        };
        match done {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::NoSpace => {}
            Err(error) if machine.excuses(&error) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
        let room = log.room().map_err(|e| e.to_string());
        if let Ok(room) = room
            && room.used + room.spare > CAPACITY
        {
            return Err(format!("{room:?} is more than there may be"));
        }
    }
    Ok(())
}

fn flush(machine: &Machine, log: &Log, model: &mut Model) -> Result<(), Error> {
    machine.flush(log)?;
    model.durable = model.frames.len();
    Ok(())
}

fn append(
    machine: &Machine,
    log: &Log,
    model: &mut Model,
    records: Vec<Wanted>,
) -> Result<(), Error> {
    match machine.append(log, &records) {
        Ok(()) => {
            model.frames.push((model.next(), records));
            Ok(())
        }
        Err(error) => {
            model.cut.push((model.frames.len(), records));
            Err(error)
        }
    }
}

/// Everything is durable elsewhere: the log is needed only from here on.
fn checkpoint(
    machine: &Machine,
    log: &Log,
    model: &mut Model,
    random: &mut StdRng,
) -> Result<(), Error> {
    flush(machine, log, model)?;
    model.from = model.next();
    let catalog = log.catalog();
    model.catalog = Catalog::decode(&catalog.encode());
    assert_eq!(model.catalog.as_ref(), Some(&catalog));
    log.trim(Sequence(model.from));
    for info in log.segments() {
        if random.random_bool(0.6) {
            let at = (info.number, 0)..(info.number + 1, 0);
            let gone: Vec<_> = model
                .packed
                .range(at)
                .map(|(at, packed)| (*at, *packed))
                .collect();
            match machine.during(Phase::Free, || log.free(info.number)) {
                Err(error) if matches!(error.kind, ErrorKind::Invalid(_)) => {}
                freed => {
                    for (at, packed) in gone {
                        model.packed.remove(&at);
                        model.former.entry(at).or_default().push(packed.number);
                    }
                    freed?;
                }
            }
        }
    }
    Ok(())
}

fn pack(machine: &Machine, log: &Log, model: &mut Model, random: &mut StdRng) -> Result<(), Error> {
    let count = random.random_range(1..60);
    let numbers: Vec<u64> = (model.next_number..model.next_number + count).collect();
    model.next_number += count;
    let bytes: Vec<Vec<u8>> = numbers.iter().map(|number| blocks_of(&[*number])).collect();
    let name = Location {
        segment: 1,
        unit: 2,
    };
    let one = |(number, data): (&u64, &Vec<u8>)| (*number, Checksum::of(data));
    let sums: Vec<(u64, Checksum)> = numbers.iter().zip(&bytes).map(one).collect();
    let moved: Vec<Moved<'_>> = sums
        .iter()
        .zip(&bytes)
        .map(|((number, checksum), data)| Moved {
            name,
            image: IMAGE,
            block: *number,
            birth: Sequence(*number),
            checksum: *checksum,
            data,
        })
        .collect();
    let discard = MovedDiscard {
        image: IMAGE,
        block: 1,
        blocks: 2,
        birth: Sequence(3),
    };
    let discards = &[discard][..random.random_range(0..2)];
    let newest = log.segments().last().map_or(0, |info| info.number);
    let packed = machine.during(Phase::Pack, || log.pack(&moved, discards));
    let Ok(places) = &packed else {
        // The disk may have all of it: at the end of the current one, or in one that was being made.
        for info in log.segments() {
            may_be_there(model, info.number, &numbers);
        }
        may_be_there(model, newest + 1, &numbers);
        return packed.map(drop);
    };
    for (at, number) in places.iter().zip(numbers) {
        let packed = Packed {
            number,
            durable: false,
        };
        model.packed.insert((at.segment, at.unit), packed);
    }
    Ok(())
}

/// A frame whose writing was cut may be whole, wherever it was to go.
fn may_be_there(model: &mut Model, segment: u32, numbers: &[u64]) {
    for unit in 0..(1 << 20) / 512 {
        let former = model.former.entry((segment, unit)).or_default();
        former.extend(numbers);
    }
}

fn sync_packed(machine: &Machine, log: &Log, model: &mut Model) -> Result<(), Error> {
    machine.during(Phase::SyncPacked, || log.sync_packed())?;
    for packed in model.packed.values_mut() {
        packed.durable = true;
    }
    Ok(())
}

#[test]
fn after_any_crash_the_store_holds_what_was_made_durable_and_not_freed() {
    every_seed(SEEDS, |seed| story(seed, Lie::None));
}

/// Proves that a sync is needed.
fn some_story_fails_without(lie: Lie) {
    let found = (0..SEEDS).find_map(|seed| story(seed, lie).err());
    assert!(found.is_some(), "nobody misses {lie:?}");
}

#[test]
fn a_file_that_is_used_again_has_its_name_before_its_header() {
    some_story_fails_without(Lie::Folder(Phase::Append, "segments"));
    some_story_fails_without(Lie::Folder(Phase::Pack, "segments"));
}

#[test]
fn a_segment_has_its_header_before_its_frames() {
    some_story_fails_without(Lie::File(Phase::Append, "segments/"));
    some_story_fails_without(Lie::File(Phase::Pack, "segments/"));
}

#[test]
fn what_was_packed_is_durable_when_it_is_said_to_be() {
    some_story_fails_without(Lie::File(Phase::SyncPacked, "segments/"));
}

#[test]
fn a_flush_syncs_segments_that_were_used_before() {
    some_story_fails_without(Lie::File(Phase::Flush, "segments/"));
}
