//! Power cuts, full disks, failing syncs and flipped bits, at every operation of a commit.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::{self, IoSlice};
use std::sync::Arc;

use common::{Model, POSITION, apply, check, commit, fresh, open, step};
use firebrick_edge::Disk;
use firebrick_index::{Batch, Entry, ErrorKind, Index, Moved, View};
use firebrick_log::{Checksum, Location};
use firebrick_simulate::SimulatedDisk;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const FILE: &str = "index/leaves";

fn disk_of(simulated: &SimulatedDisk) -> Arc<dyn Disk> {
    Arc::new(simulated.clone())
}

/// A disk with some history, all of it committed, and what is there.
fn lived(seed: u64) -> (SimulatedDisk, Model) {
    let mut random = StdRng::seed_from_u64(seed);
    let simulated = SimulatedDisk::new();
    let disk = disk_of(&simulated);
    let index = fresh(&disk);
    let mut model = Model::new();
    for _ in 0..3 {
        for _ in 0..15 {
            step(&mut model, &index, &mut random);
        }
        commit(&mut model, &index).unwrap();
    }
    (simulated, model)
}

fn position(index: &Index) -> u64 {
    let row = index.row(POSITION).unwrap().unwrap();
    u64::from_be_bytes(row.try_into().unwrap())
}

/// The same disk, index and model again, with some more steps that are not committed.
fn again(base: &SimulatedDisk, model: &Model, seed: u64) -> (SimulatedDisk, Index, Model) {
    let simulated = base.crash(0);
    let index = open(&disk_of(&simulated));
    let mut model = model.clone();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..20 {
        step(&mut model, &index, &mut random);
    }
    (simulated, index, model)
}

/// The state `before` with only those views that `after` has too: what a commit throws out is what
/// nobody looks at any more.
fn kept(before: &Model, after: &Model) -> Model {
    let mut kept = before.clone();
    kept.branches
        .retain(|id, _| after.branches.contains_key(id));
    for (id, branch) in &mut kept.branches {
        let now = &after.branches[id];
        branch
            .points
            .retain(|point, _| now.points.contains_key(point));
        branch.live = now.live;
    }
    kept
}

/// What a crash leaves is what some commit made, and the last one that returned is not lost.
fn check_crashed(
    simulated: &SimulatedDisk,
    seed: u64,
    before: &Model,
    after: &Model,
    done: bool,
) -> bool {
    let crashed = simulated.crash(seed);
    let index = open(&disk_of(&crashed));
    let is_new = position(&index) == after.position;
    assert!(is_new || position(&index) == before.position);
    assert!(
        is_new || !done,
        "seed {seed}: a commit that returned is lost"
    );
    let mut random = StdRng::seed_from_u64(seed);
    if is_new {
        check(after, &index, &mut random).unwrap();
    } else {
        let kept = kept(before, after);
        if !kept.views().is_empty() {
            check(&kept, &index, &mut random).unwrap();
        }
        // The engine replays its log, and goes on.
        let mut after = after.clone();
        for edit in &after.edits {
            apply(&index, edit);
        }
        commit(&mut after, &index).unwrap();
        check(&after, &index, &mut random).unwrap();
    }
    is_new
}

#[test]
fn a_power_cut_at_any_operation_leaves_a_commit() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..2 {
        let (base, before) = lived(seed);
        for operations in 0.. {
            let (simulated, index, mut after) = again(&base, &before, seed + 100);
            let batch = after.batch();
            let frozen = index.freeze();
            simulated.stop_after(operations);
            let done = index.commit(frozen, &after, &batch).is_ok();
            if check_crashed(&simulated, operations, &before, &after, done) {
                new += 1;
            } else {
                old += 1;
            }
            drop(index);
            if done {
                break;
            }
        }
    }
    assert!(old > 20 && new > 1, "{old} old and {new} new");
}

/// Without the syncs of a commit the same check fails.
#[test]
fn a_commit_leans_on_its_syncs() {
    let broken = (0..20).any(|seed| {
        let (base, before) = lived(1);
        let (simulated, index, mut after) = again(&base, &before, 101);
        let batch = after.batch();
        let frozen = index.freeze();
        simulated.ignore_sync(|name| name == FILE);
        let done = index.commit(frozen, &after, &batch).is_ok();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check_crashed(&simulated, seed, &before, &after, done);
        }));
        checked.is_err()
    });
    assert!(broken);
}

/// A commit fails at its n-th write or sync: lookups go on, and the next commit brings everything.
fn fail(begin: impl Fn(&SimulatedDisk, u64), end: impl Fn(&SimulatedDisk)) {
    let (base, before) = lived(5);
    let mut failed = 0;
    for operations in 0.. {
        let (simulated, index, mut model) = again(&base, &before, 105);
        let mut random = StdRng::seed_from_u64(operations);
        begin(&simulated, operations);
        let done = commit(&mut model, &index);
        end(&simulated);
        check(&model, &index, &mut random).unwrap();
        step(&mut model, &index, &mut random);
        if done.is_err() {
            failed += 1;
            commit(&mut model, &index).unwrap();
            check(&model, &index, &mut random).unwrap();
        }
        drop(index);
        let restarted = simulated.crash(operations);
        let index = open(&disk_of(&restarted));
        for edit in &model.edits {
            apply(&index, edit);
        }
        check(&model, &index, &mut random).unwrap();
        if done.is_ok() {
            break;
        }
    }
    assert!(failed > 0);
}

#[test]
fn a_full_disk_loses_nothing() {
    fail(
        |disk, count| disk.fail_writes_after(count, io::ErrorKind::StorageFull),
        SimulatedDisk::heal,
    );
}

#[test]
fn a_failed_sync_loses_nothing() {
    fail(
        |disk, count| disk.fail_syncs_after(count, io::ErrorKind::Other),
        SimulatedDisk::heal,
    );
}

#[test]
fn an_index_is_read_while_the_disk_is_full() {
    let (base, before) = lived(5);
    let (simulated, index, mut model) = again(&base, &before, 105);
    let mut random = StdRng::seed_from_u64(5);
    simulated.fail_writes_after(0, io::ErrorKind::StorageFull);
    for _ in 0..3 {
        let error = commit(&mut model, &index).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSpace);
    }
    simulated.heal();
    commit(&mut model, &index).unwrap();
    check(&model, &index, &mut random).unwrap();
}

#[test]
fn a_power_cut_while_an_index_is_made_leaves_a_whole_one_or_none() {
    for operations in 0.. {
        let simulated = SimulatedDisk::new();
        simulated.stop_after(operations);
        let done = Index::create(&disk_of(&simulated)).is_ok();
        let disk = disk_of(&simulated.crash(operations));
        match Index::open(&disk, common::OPTIONS) {
            Ok(_) => {}
            Err(error) => {
                assert!(!done, "{error}");
                assert_eq!(error.kind, ErrorKind::NotFound);
                fresh(&disk);
            }
        }
        if done {
            break;
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_does_not_matter() {
    let (base, mut model) = lived(7);
    let len = disk_of(&base).open(FILE).unwrap().len().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let mut damaged = 0;
    for round in 0..100 {
        let simulated = base.crash(0);
        let disk = disk_of(&simulated);
        let file = disk.open(FILE).unwrap();
        // Most of the file is free. What was used is in front.
        let at = if round % 2 == 0 {
            random.random_range(0..len)
        } else {
            random.random_range(0..len.min(40 * 4096))
        };
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        byte[0] ^= 1 << random.random_range(0..8);
        file.write_at(&[IoSlice::new(&byte)], at).unwrap();
        let seen = Index::open(&disk, common::OPTIONS)
            .and_then(|index| check(&model, &index, &mut random).map(|()| index))
            .and_then(|index| commit(&mut model, &index).map(drop));
        if let Err(error) = seen {
            assert!(matches!(error.kind, ErrorKind::Damaged(_)), "{error}");
            damaged += 1;
        }
    }
    assert!(damaged > 10, "{damaged} were noticed");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let (base, _) = lived(8);
    let len = disk_of(&base).open(FILE).unwrap().len().unwrap();
    let mut random = StdRng::seed_from_u64(8);
    for kind in 0..12 {
        let simulated = base.crash(0);
        let disk = disk_of(&simulated);
        let file = disk.open(FILE).unwrap();
        match kind % 3 {
            0 => file.truncate(random.random_range(0..len)).unwrap(),
            1 => file
                .truncate(len + random.random_range(1..100_000))
                .unwrap(),
            _ => {
                let mut bytes = vec![0; 40_000];
                random.fill(&mut bytes[..]);
                file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
            }
        }
        let opened = Index::open(&disk, common::OPTIONS);
        if let Err(error) = opened {
            assert!(matches!(error.kind, ErrorKind::Damaged(_)), "{error}");
        } else {
            assert_eq!(kind % 3, 1, "a file that lacks something is taken");
        }
    }
}

#[test]
fn moves_are_found_and_forgotten() {
    let simulated = SimulatedDisk::new();
    let disk = disk_of(&simulated);
    let index = fresh(&disk);
    let at = |segment, unit| Location { segment, unit };
    let moved = |unit, place| Moved {
        name: at(3, unit),
        place: at(place, 8),
    };
    index
        .apply_moves(&[moved(16, 9), moved(8, 7)], &[])
        .unwrap();
    let batch = Batch {
        moves: vec![moved(16, 10), moved(24, 11)],
        ..Batch::default()
    };
    assert_eq!(index.place(at(3, 16)).unwrap(), at(9, 8));
    let frozen = index.freeze();
    index.commit(frozen, &Model::new(), &batch).unwrap();
    let index = open(&disk_of(&simulated.crash(1)));
    assert_eq!(index.place(at(3, 16)).unwrap(), at(10, 8));
    assert_eq!(index.place(at(3, 32)).unwrap(), at(3, 32));
    assert_eq!(index.place(at(4, 16)).unwrap(), at(4, 16));
    let entry = |segment, unit| Entry {
        at: at(segment, unit),
        checksum: Checksum(0),
    };
    let still = [entry(4, 16), Entry::NONE, entry(5, 16)];
    let places = [Some(at(4, 16)), None, Some(at(5, 16))];
    assert_eq!(index.places(&still).unwrap(), places);
    let some = [entry(4, 16), entry(3, 16), Entry::NONE, entry(3, 32)];
    let places = [Some(at(4, 16)), Some(at(10, 8)), None, Some(at(3, 32))];
    assert_eq!(index.places(&some).unwrap(), places);
    let all = [moved(8, 7), moved(16, 10), moved(24, 11)];
    assert_eq!(index.moved_from(3).unwrap(), all);
    index.apply_moves(&[], &[at(3, 16)]).unwrap();
    assert_eq!(index.place(at(3, 16)).unwrap(), at(3, 16));
    assert_eq!(index.moved_from(3).unwrap(), [moved(8, 7), moved(24, 11)]);
    assert!(index.has_moved(3));
    index.apply_moves(&[], &[at(3, 8), at(3, 24)]).unwrap();
    assert_eq!(index.moved_from(3).unwrap(), []);
    assert!(!index.has_moved(3));
}

#[test]
fn what_is_cached_needs_no_disk() {
    let (base, model) = lived(9);
    let simulated = base.crash(0);
    let index = open(&disk_of(&simulated));
    let (view, content) = model.views().pop().unwrap();
    let first = *content.keys().next().unwrap_or(&0);
    let (mut cold, mut read, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    assert!(!index.get_cached(&view, first, 1, &mut cold) && cold.is_empty());
    index.get(&view, first, 1, &mut read).unwrap();
    assert!(index.get_cached(&view, first, 1, &mut warm));
    assert_eq!(read, warm);
    assert!(index.get_cached(&View::new([]), first, 1, &mut cold));
    assert_eq!(cold, [Entry::NONE]);
}
