//! Folds: which branches, and that chains stay short.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::Disk;
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, MIB, Sequence, StoreId};

use super::*;
use crate::{Image, NewImage, NewOrigin, Retention, Store, StoreOptions, Write};

const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    retention: Retention::None,
    lazy_percent: 0,
    room_patience: Duration::ZERO,
    ..StoreOptions::DEFAULT
};

fn at(sequence: u64) -> Sequence {
    Sequence(sequence)
}

fn begin(branches: &mut Branches, since: u64, from: Option<(BranchId, u64, u64)>) -> BranchId {
    let fork = from.map(|(branch, sequence, blocks)| Fork {
        branch,
        at: at(sequence),
        blocks,
    });
    branches.begin(ImageId::random(), at(since), fork, Vec::new())
}

/// Two checkpoints: one begins all folds, and the next one ends them.
fn fold_all(branches: &mut Branches, inherited: bool) {
    for candidate in branches.candidates() {
        branches.fold_next(candidate, false);
    }
    for fold in branches.folds() {
        branches.folded(fold.from, inherited, true);
    }
    branches.folds();
    branches.shorten();
}

fn steps(branches: &Branches, id: BranchId) -> Vec<(u64, u64)> {
    let view = branches.view(id);
    let steps = view.steps().iter();
    steps.map(|step| (step.branch.0, step.blocks)).collect()
}

#[test]
fn the_only_child_takes_the_place_of_a_branch_that_ended() {
    let mut branches = Branches::default();
    let one = begin(&mut branches, 1, None);
    branches.hold(one, at(3));
    let two = begin(&mut branches, 5, Some((one, 3, 70)));
    branches.tag_change(two);
    let three = begin(&mut branches, 9, Some((two, 8, 60)));
    let four = begin(&mut branches, 12, Some((three, 11, 100)));
    let image = branches.get(two).unwrap().image;
    fold_all(&mut branches, true);
    assert_eq!(branches.ids().count(), 4, "nothing has ended");
    branches.end(two, at(10));
    fold_all(&mut branches, true);
    assert!(branches.get(two).is_none());
    assert_eq!(steps(&branches, three), [(3, u64::MAX), (1, 60)]);
    assert_eq!(steps(&branches, four), [(4, u64::MAX), (3, 100), (1, 60)]);
    assert_eq!(
        branches.view(four),
        branches.view_of_new(four, branches.get(four).unwrap().parent.as_ref())
    );
    // What was written before the fork is the child's now, what came behind it nobody's.
    let shows = |birth| branches.witnesses(image, at(birth));
    assert_eq!(shows(7), [branches.view_at(three, at(11))]);
    assert_eq!(shows(8), [branches.view_at(three, at(11))]);
    assert_eq!(shows(9), []);
    assert_eq!(branches.get(three).unwrap().takes.len(), 1);
    // The place where the parent began is held once, and goes with the child.
    branches.end(four, at(20));
    branches.end(three, at(21));
    assert!(branches.get(three).is_none());
    assert_eq!(branches.tag_of(one, at(30)), at(3), "the snapshot");
    branches.release(one, at(3));
    branches.end(one, at(22));
    assert_eq!(branches.ids().count(), 0);
    assert!(branches.children.is_empty() && branches.takers.is_empty());
}

#[test]
fn what_others_look_at_is_not_folded() {
    let mut branches = Branches::default();
    let one = begin(&mut branches, 1, None);
    branches.hold(one, at(3));
    let two = begin(&mut branches, 5, Some((one, 5, 9)));
    let three = begin(&mut branches, 6, Some((one, 5, 9)));
    branches.end(one, at(7));
    fold_all(&mut branches, true);
    assert!(branches.get(one).is_some(), "a snapshot, and two children");
    branches.end(three, at(8));
    fold_all(&mut branches, true);
    assert!(branches.get(one).is_some(), "a snapshot");
    branches.keep(vec![at(6)], Sequence::ZERO);
    branches.release(one, at(3));
    fold_all(&mut branches, true);
    assert!(branches.get(one).is_some(), "a kept checkpoint");
    branches.keep(vec![at(8)], Sequence::ZERO);
    for _ in 0..=AGAIN {
        fold_all(&mut branches, false);
    }
    assert!(branches.get(one).is_none());
    assert_eq!(steps(&branches, two), [(2, u64::MAX)]);
    assert!(
        branches.get(two).unwrap().takes.is_empty(),
        "nothing is left of it"
    );
}

#[test]
fn who_begins_to_look_at_a_branch_before_its_fold_begins_prevents_it() {
    let mut branches = Branches::default();
    let one = begin(&mut branches, 1, None);
    begin(&mut branches, 5, Some((one, 5, 9)));
    branches.end(one, at(7));
    for candidate in branches.candidates() {
        branches.fold_next(candidate, false);
    }
    branches.hold(one, at(5));
    assert_eq!(branches.folds(), []);
    assert!(!branches.is_folding(one));
    branches.release(one, at(5));
    fold_all(&mut branches, true);
    assert!(branches.get(one).is_none());
}

fn image(store: &Store, blocks: u64, origin: Option<ImageId>) -> Arc<Image> {
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: ImageName::new(format!("i{id}")).unwrap(),
        size: Bytes(blocks * BLOCK_SIZE),
        origin: origin.map(|image| NewOrigin {
            image,
            snapshot: None,
            at: None,
        }),
        mirrored: false,
    };
    store.create_image(new).unwrap()
}

fn write(image: &Image, block: u64, value: u8) {
    let write = Write {
        offset: block * BLOCK_SIZE,
        data: &[value; BLOCK_SIZE as usize],
    };
    image.write(&[write]).unwrap();
}

fn read(image: &Image, block: u64) -> u8 {
    let mut bytes = [0; BLOCK_SIZE as usize];
    image.read(block * BLOCK_SIZE, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == bytes[0]));
    bytes[0]
}

/// A clone of a clone, and so on, whose origins are removed.
#[test]
fn a_chain_of_clones_whose_origins_are_removed_stays_short() {
    const LONG: u64 = 2000;
    const WIDE: u64 = 1000;
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Store::create(&disk, StoreId::random(), &OPTIONS).unwrap();
    let open = || Store::open(Arc::clone(&disk), Arc::new(SimulatedClock::new()), OPTIONS).unwrap();
    let mut store = open();
    let mut last = image(&store, WIDE, None);
    for block in 0..WIDE {
        write(&last, block, 1);
    }
    let mut expected = vec![1; WIDE as usize];
    let (mut deepest, mut most) = (0, 0);
    for round in 0..LONG {
        let next = image(&store, WIDE, Some(last.id()));
        store.remove_image(last.id()).unwrap();
        let (block, value) = (round * 7 % 50, round as u8);
        if round % 10 == 0 {
            write(&next, block, value);
            expected[block as usize] = value;
        }
        last = next;
        if round % 20 == 0 || store.checkpoint_due() {
            store.checkpoint().unwrap();
            store.clean().unwrap();
        }
        if round % 700 == 699 {
            let id = last.id();
            drop(last);
            store.flush().unwrap();
            drop(store);
            store = open();
            last = store.image(id).unwrap();
        }
        let state = store.core.lock();
        deepest = deepest.max(last.cell.read().view.steps().len());
        most = most.max(state.branches.ids().count());
    }
    assert!(
        deepest < 100 && most < 100,
        "{deepest} steps, {most} branches"
    );
    while store.checkpoint_due() {
        store.checkpoint().unwrap();
    }
    for _ in 0..10 {
        store.checkpoint().unwrap();
        while store.clean().unwrap().freed > 0 {}
    }
    for (block, expected) in (0..).zip(&expected) {
        assert_eq!(read(&last, block), *expected, "block {block}");
    }
    let branches = store.core.lock().branches.ids().count();
    assert!(branches <= 3, "{branches} branches");
    let takes = store
        .core
        .lock()
        .branches
        .get(last.cell.read().branch)
        .unwrap()
        .takes
        .len();
    // One for each that wrote something.
    assert!(takes as u64 <= LONG / 10 + 1, "{takes} takes");
    let reclaimable = store.space().unwrap().reclaimable;
    assert!(reclaimable.0 < 4 * MIB, "{reclaimable:?}");
}

#[test]
fn what_all_clones_of_a_removed_origin_have_overwritten_comes_back() {
    const WIDE: u64 = 2048;
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Store::create(&disk, StoreId::random(), &OPTIONS).unwrap();
    let store = Store::open(disk, Arc::new(SimulatedClock::new()), OPTIONS).unwrap();
    let origin = image(&store, WIDE, None);
    for block in 0..WIDE {
        write(&origin, block, 1);
    }
    let clones = [0; 3].map(|_| image(&store, WIDE, Some(origin.id())));
    for block in 0..WIDE / 2 {
        write(&origin, block, 2);
    }
    let late = image(&store, WIDE, Some(origin.id()));
    store.remove_image(origin.id()).unwrap();
    for block in 0..WIDE / 2 {
        for clone in clones.iter().chain([&late]) {
            // None of them overwrites the same part.
            if block % 256 < 192 || clone.id() == late.id() {
                write(clone, block, 3);
            }
        }
    }
    let mapped = || store.space().unwrap().used.0 - store.space().unwrap().reclaimable.0;
    for _ in 0..8 {
        store.checkpoint().unwrap();
        while store.clean().unwrap().freed > 0 {}
    }
    // What each wrote, the half that nobody did, and what the three first have left of the other.
    let own = 3 * WIDE / 2 / 4 * 3 + WIDE / 2;
    let expected = (own + WIDE / 2 + WIDE / 2 / 4) * BLOCK_SIZE;
    let live = mapped();
    assert!(live <= expected + 2 * MIB, "{live}, not {expected}");
    for clone in clones.iter().chain([&late]) {
        for block in 0..WIDE {
            let is_late = clone.id() == late.id();
            let own = block < WIDE / 2 && (block % 256 < 192 || is_late);
            let expected = if own { 3 } else { 1 };
            assert_eq!(read(clone, block), expected, "block {block}");
        }
    }
}
