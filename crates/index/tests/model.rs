//! Random histories of images against maps of their blocks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io;
use std::sync::Arc;

use common::{Model, apply, check, commit, fresh, open, step};
use firebrick_edge::Disk;
use firebrick_index::Index;
use firebrick_simulate::SimulatedDisk;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn reopen(index: Index, disk: &Arc<dyn Disk>, model: &Model) -> Index {
    drop(index);
    let index = open(disk);
    for edit in &model.edits {
        apply(&index, edit);
    }
    index
}

fn live(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let simulated = SimulatedDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
    let mut index = fresh(&disk);
    let mut model = Model::new();
    for _ in 0..random.random_range(2..8) {
        for _ in 0..random.random_range(1..25) {
            step(&mut model, &index, &mut random);
        }
        match random.random_range(0..10) {
            0 | 1 => check(&model, &index, &mut random).unwrap(),
            2 => index = reopen(index, &disk, &model),
            3 => {
                let after = random.random_range(0..12);
                if random.random() {
                    simulated.fail_writes_after(after, io::ErrorKind::StorageFull);
                } else {
                    simulated.fail_syncs_after(after % 3, io::ErrorKind::Other);
                }
                let done = commit(&mut model, &index);
                simulated.heal();
                drop(done);
                check(&model, &index, &mut random).unwrap();
            }
            4 => drop(index.freeze()),
            _ => {
                commit(&mut model, &index).unwrap();
                check(&model, &index, &mut random).unwrap();
            }
        }
    }
    commit(&mut model, &index).unwrap();
    assert_eq!(index.pending(), 0);
    let index = reopen(index, &disk, &model);
    check(&model, &index, &mut random).unwrap();
    assert!(!index.is_unfinished().unwrap());
}

#[test]
fn an_index_is_what_was_done_to_it() {
    for seed in firebrick_simulate::seeds(40) {
        let lived = std::panic::catch_unwind(|| live(seed));
        assert!(lived.is_ok(), "FIREBRICK_SEED={seed}");
    }
}
