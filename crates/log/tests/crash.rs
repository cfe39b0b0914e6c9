//! What the log promises about power cuts and kills, on a simulated disk; and that each sync it
//! leans on is needed: without it, the same check fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::ErrorKind::{Other, StorageFull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Lie, Machine, Phase, Wanted, check, frame};
use firebrick_log::{Error, ErrorKind, Log};
use firebrick_simulate::every_seed;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SEEDS: u64 = 250;
const LIVES: usize = 5;

/// What the log must hold: at least the first `durable` frames.
#[derive(Default)]
struct Model {
    frames: Vec<Vec<Wanted>>,
    durable: usize,
    /// One of these may be there behind so many others, as the last: appending it was cut, or
    /// refused for want of room.
    cut: Vec<(usize, Vec<Wanted>)>,
}

/// One store through some lives, each ended by a power cut or a kill at some operation. The error is
/// what went wrong.
fn story(seed: u64, lie: Lie) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut machine = Machine::new(Lie::None);
    machine.create().map_err(|e| e.to_string())?;
    machine = Machine::with(machine.disk, lie);
    let mut model = Model::default();
    for _ in 0..LIVES {
        machine.disk.stop_after(random.random_range(0..40));
        if let Some(log) = open(&machine, &mut model)? {
            live(&machine, &log, &mut model, random)?;
        }
        machine.heal();
        if random.random_bool(0.3) {
            machine.disk.restart();
        } else {
            machine = machine.crash(random.random());
        }
    }
    open(&machine, &mut model)?;
    Ok(())
}

/// Opens and checks; `None` where the power went out meanwhile.
fn open(machine: &Machine, model: &mut Model) -> Result<Option<Log>, String> {
    let (log, visited) = match machine.open() {
        Ok(opened) => opened,
        Err(error) if machine.excuses(&error) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !machine.is_on() {
        return Ok(None);
    }
    let mut found = check(&log, &visited, &model.frames, model.durable);
    for (behind, cut) in std::mem::take(&mut model.cut) {
        if found.is_err() && behind >= model.durable {
            let with_it = [&model.frames[..behind], &[cut]].concat();
            if let Ok(count) = check(&log, &visited, &with_it, with_it.len()) {
                model.frames = with_it;
                found = Ok(count);
            }
        }
    }
    let found = found?;
    model.frames.truncate(found);
    model.durable = found;
    Ok(Some(log))
}

/// Appends and flushes until the power goes out or it has been enough.
fn live(
    machine: &Machine,
    log: &Log,
    model: &mut Model,
    random: &mut StdRng,
) -> Result<(), String> {
    let often = [0.02, 0.2, 0.6][random.random_range(0..3)];
    for _ in 0..random.random_range(1..60) {
        let done = match random.random_range(0..100) {
            0 => {
                machine
                    .disk
                    .fail_syncs_after(random.random_range(0..3), Other);
                machine.failing.set(true);
                Ok(())
            }
            1..4 => {
                machine
                    .disk
                    .fail_writes_after(random.random_range(0..3), StorageFull);
                Ok(())
            }
            4..7 if !machine.failing.get() => {
                machine.disk.heal();
                Ok(())
            }
            _ if random.random_bool(often) => flush(machine, log, model),
            _ => append(machine, log, model, frame(random)),
        };
        match done {
            Ok(()) => {}
            Err(error) if machine.excuses(&error) => return Ok(()),
            Err(error) => return Err(error.to_string()),
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
    if model.frames.len().is_multiple_of(3) {
        // Where that fails, the append makes the segment itself, or fails too.
        let _ = log.prepare_segment(std::time::Duration::ZERO);
    }
    match machine.append(log, &records) {
        Ok(()) => {
            model.frames.push(records);
            Ok(())
        }
        Err(error) => {
            model.cut.push((model.frames.len(), records));
            if error.kind == ErrorKind::NoSpace {
                return Ok(());
            }
            Err(error)
        }
    }
}

#[test]
fn after_any_crash_the_log_is_a_prefix_that_holds_all_that_was_flushed() {
    every_seed(SEEDS, |seed| story(seed, Lie::None));
}

/// Proves that a sync is needed.
fn some_story_fails_without(lie: Lie) {
    let found = (0..SEEDS).find_map(|seed| story(seed, lie).err());
    assert!(found.is_some(), "nobody misses {lie:?}");
}

#[test]
fn a_flush_syncs_the_segments() {
    some_story_fails_without(Lie::File(Phase::Flush, "segments/"));
}

#[test]
fn the_header_of_a_new_segment_is_durable_before_its_successor() {
    some_story_fails_without(Lie::File(Phase::Append, "segments/"));
}

#[test]
fn the_name_of_a_new_segment_is_durable_before_its_frames() {
    some_story_fails_without(Lie::Folder(Phase::Append, "segments"));
}

#[test]
fn what_recovery_visited_is_durable_before_anybody_is_told() {
    some_story_fails_without(Lie::File(Phase::Open, "segments/"));
}

/// Many segments of which nothing was flushed, a power cut, and another one during recovery.
fn recovery_is_cut(seed: u64, lie: Lie) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    let mut model = Model::default();
    let log = open(&machine, &mut model)?.unwrap();
    for _ in 0..50 {
        let records = frame(random);
        machine.append(&log, &records).unwrap();
        model.frames.push(records);
    }
    drop(log);
    let machine = Machine::with(machine.disk.crash(random.random()), lie);
    machine.disk.stop_after(random.random_range(0..8));
    drop(open(&machine, &mut model)?);
    let machine = machine.crash(random.random());
    let Some(log) = open(&machine, &mut model)? else {
        return Err("the power is on and nothing opens".into());
    };
    let records = frame(random);
    machine.append(&log, &records).unwrap();
    machine.flush(&log).unwrap();
    model.frames.push(records);
    model.durable = model.frames.len();
    drop(log);
    open(&machine.crash(random.random()), &mut model).map(drop)
}

#[test]
fn a_crash_while_recovery_removes_segments_leaves_no_hole() {
    for seed in 0..100 {
        recovery_is_cut(seed, Lie::None).unwrap();
    }
    let lie = Lie::Folder(Phase::Open, "segments");
    let found = (0..100).find_map(|seed| recovery_is_cut(seed, lie).err());
    assert!(found.unwrap().contains("has been freed"));
}

/// A new segment that lost its only frame, and a power cut while recovery clears it: it may stay as
/// short as its header.
#[test]
fn a_segment_that_recovery_left_short_does_not_end_the_log() {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    let (log, _) = machine.open().unwrap();
    let frames = [200, 100].map(|blocks| vec![Wanted::Data(0, vec![1; blocks])]);
    machine.append(&log, &frames[0]).unwrap();
    machine.flush(&log).unwrap();
    machine.append(&log, &frames[1]).unwrap();
    drop(log);
    for seed in 0..100 {
        let machine = machine.crash(seed);
        machine.disk.stop_after(seed % 8);
        drop(machine.open());
        let machine = machine.crash(seed);
        let (log, visited) = machine.open().unwrap();
        let found = check(&log, &visited, &frames, 1).unwrap();
        let mut expected = frames[..found].to_vec();
        for number in 0..3 {
            expected.push(vec![Wanted::Data(0, vec![number; 150])]);
            machine
                .append(&log, &expected[found + number as usize])
                .unwrap();
        }
        machine.flush(&log).unwrap();
        drop(log);
        let (log, visited) = machine.crash(seed).open().unwrap();
        check(&log, &visited, &expected, expected.len()).unwrap();
    }
}

/// Frames of which the first is torn, and the same frames again up to that one: what lay behind it
/// then must not follow it now.
fn old_frames_follow(seed: u64, lie: Lie) -> Result<(), String> {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    // With so many records the first one ends with a page; behind one that does not, zeroes are written.
    let discards = [const { Wanted::Discard(100, 1) }; 80];
    let frame = |i| [&[Wanted::Data(i, vec![i; 4])], &discards[..]].concat();
    let frames: Vec<Vec<Wanted>> = (0..4).map(frame).collect();
    let (log, _) = machine.open().unwrap();
    for records in &frames {
        machine.append(&log, records).unwrap();
    }
    drop(log);
    let machine = Machine::with(machine.disk.crash(seed), lie);
    let (log, visited) = machine.open().map_err(|e| e.to_string())?;
    let found = check(&log, &visited, &frames, 0)?;
    let Some(again) = frames.get(found) else {
        return Ok(());
    };
    machine.append(&log, again).unwrap();
    drop(log);
    let (log, visited) = machine.crash(seed + 1).open().map_err(|e| e.to_string())?;
    check(&log, &visited, &frames[..=found], found).map(drop)
}

#[test]
fn what_lay_behind_the_end_is_gone_for_good() {
    for seed in 0..200 {
        old_frames_follow(seed, Lie::None).unwrap();
    }
    let lie = Lie::File(Phase::Open, "segments/");
    assert!((0..200).any(|seed| old_frames_follow(seed, lie).is_err()));
}

/// Makes a store, which is cut at operation `stop`, and looks what is there after a power cut, or
/// (without a seed) a kill.
fn creation_is_cut(stop: u64, seed: Option<u64>, lie: Lie) -> Result<(), String> {
    let machine = Machine::new(lie);
    machine.disk.stop_after(stop);
    let created = machine.create().is_ok();
    let after = if let Some(seed) = seed {
        Machine::with(machine.disk.crash(seed), Lie::None)
    } else {
        machine.disk.restart();
        machine
    };
    match after.open() {
        Ok((log, visited)) => {
            check(&log, &visited, &[], 0)?;
            goes_on(&after, log)
        }
        Err(error) if error.kind == ErrorKind::NotFound && !created => {
            after.create().map_err(|e| e.to_string())?;
            let (log, _) = after.open().map_err(|e| e.to_string())?;
            goes_on(&after, log)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// A new store keeps what is flushed.
fn goes_on(machine: &Machine, log: Log) -> Result<(), String> {
    let records = vec![Wanted::Data(0, vec![1, 2, 3])];
    machine.append(&log, &records).map_err(|e| e.to_string())?;
    machine.flush(&log).map_err(|e| e.to_string())?;
    drop(log);
    for seed in 0..5 {
        let (log, visited) = machine.crash(seed).open().map_err(|e| e.to_string())?;
        check(&log, &visited, std::slice::from_ref(&records), 1)?;
    }
    Ok(())
}

fn operations_of_create() -> u64 {
    let machine = Machine::new(Lie::None);
    machine.create().unwrap();
    machine.disk.operations()
}

#[test]
fn a_store_is_made_whole_or_not_at_all() {
    for stop in 0..=operations_of_create() {
        for seed in (0..30).map(Some).chain([None]) {
            if let Err(why) = creation_is_cut(stop, seed, Lie::None) {
                panic!("stop after {stop}, seed {seed:?}: {why}");
            }
        }
    }
}

#[test]
fn each_sync_of_a_creation_is_needed() {
    for lie in [
        Lie::File(Phase::Create, "segments/"),
        Lie::Folder(Phase::Create, "segments"),
        Lie::File(Phase::Create, "superblock"),
        Lie::Folder(Phase::Create, ""),
    ] {
        let found = (0..=operations_of_create()).any(|stop| {
            let mut seeds = 0..30;
            seeds.any(|seed| creation_is_cut(stop, Some(seed), lie).is_err())
        });
        assert!(found, "nobody misses {lie:?}");
    }
}

#[test]
fn a_superblock_whose_maker_was_killed_is_durable_once_the_store_is_open() {
    let lie = Lie::Folder(Phase::Open, "");
    let mut stops = 0..=operations_of_create();
    assert!(stops.any(|stop| creation_is_cut(stop, None, lie).is_err()));
}

#[test]
fn the_folder_of_segments_is_durable_before_the_superblock() {
    let found = (0..=operations_of_create()).any(|stop| {
        (0..30).any(|seed| {
            let machine = Machine::new(Lie::None);
            let syncs = Arc::new(AtomicU32::new(0));
            let lie =
                move |name: &str| name.is_empty() && syncs.fetch_add(1, Ordering::SeqCst) == 0;
            machine.disk.ignore_sync_dir(lie);
            machine.disk.stop_after(stop);
            drop(machine.create());
            let opened = machine.crash(seed).open();
            opened.is_err_and(|error| error.kind != ErrorKind::NotFound)
        })
    });
    assert!(found);
}
