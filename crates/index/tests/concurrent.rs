//! Lookups while commits run: nobody sees a block go back, and snapshots stay what they were.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{HEAD, OPTIONS};
use firebrick_edge::Disk;
use firebrick_index::{
    Batch, BranchId, Entry, Fold, Index, IndexOptions, Points, Step, View, Weight,
};
use firebrick_log::{Checksum, Location};
use firebrick_simulate::SimulatedDisk;
use firebrick_vocabulary::Sequence;

const BRANCH: BranchId = BranchId(1);
const BLOCKS: u64 = 700;
const POINT: u64 = 1;
const ROUNDS: u32 = 60;

/// One branch with a head, and a snapshot.
struct One;

impl Points for One {
    fn below(&self, _: BranchId) -> Option<View> {
        Some(View::new([]))
    }

    fn any(&self, _: BranchId, behind: Sequence, upto: Sequence) -> bool {
        (behind.0 < POINT && POINT <= upto.0) || upto.0 == HEAD
    }
}

fn view(before: u64) -> View {
    View::new([Step {
        branch: BRANCH,
        before: Sequence(before),
        blocks: u64::MAX,
    }])
}

fn entry(round: u32) -> Entry {
    Entry {
        at: Location {
            segment: round,
            unit: 0,
        },
        checksum: Checksum(round),
    }
}

fn put(index: &Index, tag: u64, round: u32) {
    for block in 0..BLOCKS {
        index.put(BRANCH, Sequence(tag), block, &[entry(round)]);
    }
}

fn commit(index: &Index) {
    let frozen = index.freeze();
    index.commit(frozen, &One, &Batch::default()).unwrap();
}

fn watch(index: &Index, over: &AtomicBool) {
    let mut seen = vec![0; BLOCKS as usize];
    while !over.load(Ordering::SeqCst) {
        for (block, seen) in (0..).zip(&mut seen) {
            let mut found = Vec::new();
            if !index.get_cached(&view(HEAD), block, 1, &mut found) {
                index.get(&view(HEAD), block, 1, &mut found).unwrap();
            }
            let round = found[0].at.segment;
            assert!(round >= *seen, "block {block} went from {seen} to {round}");
            *seen = round;
        }
        let mut found = Vec::new();
        index
            .get(&view(POINT), 0, BLOCKS as usize, &mut found)
            .unwrap();
        assert!(found.iter().all(|found| *found == entry(1)));
        let changed = index.changed(&view(HEAD), Some(&view(POINT)), 0, usize::MAX);
        assert_eq!(changed.unwrap().len() as u64, BLOCKS);
    }
}

fn race(options: IndexOptions) {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Index::create(&disk).unwrap();
    let index = Index::open(&disk, options).unwrap();
    put(&index, 0, 1);
    put(&index, POINT, 2);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| scope.spawn(|| watch(&index, &over)));
        for round in 3..ROUNDS {
            put(&index, POINT, round);
            commit(&index);
        }
        over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn lookups_never_see_a_block_go_back() {
    race(OPTIONS);
}

#[test]
fn lookups_that_find_nothing_cached_never_see_a_block_go_back() {
    race(IndexOptions {
        cache_bytes: 0,
        ..OPTIONS
    });
}

#[test]
fn lookups_that_find_all_cached_never_see_a_block_go_back() {
    race(IndexOptions {
        cache_bytes: 1 << 20,
        ..OPTIONS
    });
}

#[test]
fn who_still_holds_a_closed_index_leaves_the_file_alone() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Index::create(&disk).unwrap();
    let former = Index::open(&disk, OPTIONS).unwrap();
    put(&former, 0, 1);
    commit(&former);
    former.close();
    let index = Index::open(&disk, OPTIONS).unwrap();
    for round in 2..20 {
        put(&index, 0, round);
        commit(&index);
    }
    // A commit that comes too late, and the end.
    put(&former, 0, 100);
    let late = former.commit(former.freeze(), &One, &Batch::default());
    assert!(late.is_err());
    drop(former);
    index.close();
    let index = Index::open(&disk, OPTIONS).unwrap();
    let mut found = Vec::new();
    index
        .get(&view(HEAD), 0, BLOCKS as usize, &mut found)
        .unwrap();
    assert!(found.iter().all(|found| *found == entry(19)));
}

/// A branch that ended, and its only child; below them another one.
struct Chain;

const CHAIN: [BranchId; 3] = [BranchId(1), BranchId(2), BranchId(3)];

impl Points for Chain {
    fn below(&self, branch: BranchId) -> Option<View> {
        let below = CHAIN.iter().rev().filter(|it| **it < branch);
        let steps: Vec<Step> = below.map(|it| step(*it)).collect();
        Some(View::new(steps))
    }

    fn any(&self, branch: BranchId, behind: Sequence, upto: Sequence) -> bool {
        match branch {
            BranchId(3) => upto.0 == HEAD,
            BranchId(its) => behind.0 < its * 10 && its * 10 <= upto.0,
        }
    }
}

fn step(branch: BranchId) -> Step {
    let before = if branch == CHAIN[2] {
        HEAD
    } else {
        branch.0 * 10
    };
    Step {
        branch,
        before: Sequence(before),
        blocks: u64::MAX,
    }
}

/// Lookups through a child while it is given the leaves of its parent, one at a time.
#[test]
fn lookups_never_see_through_a_branch_that_is_folded() {
    const LEAVES: u64 = 300;
    const WIDTH: u64 = 256;
    let options = IndexOptions {
        cache_bytes: 8 << 20,
        ..OPTIONS
    };
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    Index::create(&disk).unwrap();
    let index = Index::open(&disk, options).unwrap();
    let put = |branch: BranchId, leaf: u64, slot: u64, what| {
        let tag = Sequence(branch.0 * 10 - 4);
        index.put(branch, tag, leaf * WIDTH + slot, &[entry(what)]);
    };
    let commit = |batch: &Batch| drop(index.commit(index.freeze(), &Chain, batch).unwrap());
    for leaf in 0..LEAVES {
        put(CHAIN[0], leaf, 0, 1);
        put(CHAIN[1], leaf, 0, 2);
    }
    commit(&Batch::default());
    let head = View::new([step(CHAIN[2]), step(CHAIN[1]), step(CHAIN[0])]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let look = || {
            while !over.load(Ordering::SeqCst) {
                for leaf in 0..LEAVES {
                    let mut found = Vec::new();
                    if !index.get_cached(&head, leaf * WIDTH, 1, &mut found) {
                        index.get(&head, leaf * WIDTH, 1, &mut found).unwrap();
                    }
                    assert_eq!(found[0], entry(2), "leaf {leaf}");
                }
                let mapped = index.mapped(&head).unwrap();
                assert!((LEAVES..=2 * LEAVES).contains(&mapped), "{mapped}");
            }
        };
        let readers = [(); 2].map(|()| scope.spawn(look));
        let batch = Batch {
            folds: vec![Fold {
                from: CHAIN[1],
                into: CHAIN[2],
                before: Sequence(20),
                blocks: u64::MAX,
                tag: Sequence(25),
                at_most: 1,
            }],
            ..Batch::default()
        };
        let mut leaf = 0;
        while index.weigh(CHAIN[1], CHAIN[2]).unwrap() != Weight::Empty {
            // The child gets a version of its own in the very same commit.
            put(CHAIN[2], leaf, 1, 3);
            leaf += 1;
            commit(&batch);
        }
        over.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
