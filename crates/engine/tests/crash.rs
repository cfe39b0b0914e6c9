//! What a store promises about power cuts and kills, on a simulated disk against a model; and that
//! the syncs it leans on are needed: without one, the same check fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod common;
#[path = "crash/history.rs"]
mod history;
#[path = "crash/life.rs"]
mod life;
#[path = "crash/machine.rs"]
mod machine;

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Model, Step};
use firebrick_edge::Disk;
use firebrick_simulate::every_seed;
use history::History;
use machine::{Lie, Machine, Of, Phase, Tally};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How many stories are told.
const STORIES: u64 = 600;
/// In how many of them one at least must miss what was taken away.
const SEEDS: u64 = 300;
const LIVES: usize = 5;
/// How many stories of snapshots there are.
const SNAPSHOTS: u64 = 60;

/// One store through some lives, each ended by a power cut or a kill at some operation. The error is
/// what went wrong.
fn story(seed: u64, lie: Lie, tally: &Arc<Tally>) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut machine = Machine::random(lie, tally, random);
    let mut history = History::new();
    let reach = [40, 150, 1000][random.random_range(0..3)];
    for _ in 0..LIVES {
        tally.lives.fetch_add(1, Ordering::Relaxed);
        machine.disk.stop_after(random.random_range(0..reach));
        if let Some(store) = machine.check(&mut history)? {
            machine.live(&store, &mut history, random)?;
            let look = random.random_bool(0.2);
            if look
                && let Ok(now) = Model::of(&store)
                && now != *history.newest()
            {
                return Err("it was wrong before the crash".into());
            }
        }
        machine.heal();
        if random.random_bool(0.2) {
            machine.disk.restart();
        } else {
            machine = machine.crash(random.random());
        }
    }
    let store = machine.check(&mut history)?;
    match store {
        Some(store) if random.random_bool(0.2) => machine.wind_up(&store),
        _ => Ok(()),
    }
}

/// A store that is overwritten and cleaned, while snapshots are taken that show what the cleaner is just
/// looking for in the index.
fn story_of_snapshots(seed: u64) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let machine = Machine::looking();
    let mut history = History::new();
    let store = machine.check(&mut history)?.ok_or("it is off")?;
    for _ in 0..10 {
        machine.overwrite(&store, &mut history, random)?;
        machine.clean_beside(&store, &mut history, random)?;
    }
    match Model::of(&store) {
        Ok(found) if found == *history.newest() => Ok(()),
        Ok(_) => Err("images or snapshots show something else".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn what_a_snapshot_shows_stays_while_the_cleaner_looks_who_needs_it() {
    every_seed(SNAPSHOTS, story_of_snapshots);
}

/// As [`story`], with an index that is lost now and then and made anew from the segments.
fn story_of_losses(seed: u64, lie: Lie) -> Result<(), String> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut machine = Machine::random(lie, &Arc::default(), random);
    if machine.is_bounded() {
        // There may be no room for another index.
        return Ok(());
    }
    let mut history = History::new();
    for _ in 0..LIVES {
        machine.disk.stop_after(random.random_range(0..600));
        let lost = random.random_bool(0.5);
        let rebuilt = if lost { machine.rebuild()? } else { Some(()) };
        if rebuilt.is_some()
            && let Some(store) = machine.check(&mut history)?
        {
            machine.live(&store, &mut history, random)?;
        }
        machine.heal();
        machine = machine.crash(random.random());
        if rebuilt.is_none() {
            machine.rebuild()?;
        }
    }
    machine.rebuild()?;
    machine.check(&mut history).map(drop)
}

#[test]
fn an_index_that_is_lost_and_made_anew_is_the_same_after_any_crash() {
    every_seed(STORIES / 3, |seed| story_of_losses(seed, Lie::None));
}

#[test]
fn an_index_that_is_made_anew_is_durable_before_the_store_is_opened() {
    for lie in [
        Lie::During(Phase::Rebuild, Of::Index),
        Lie::FolderDuring(Phase::Rebuild, "index"),
    ] {
        let found = (0..SEEDS).find_map(|seed| story_of_losses(seed, lie).err());
        found.unwrap_or_else(|| panic!("nobody misses {lie:?}"));
    }
}

fn some_story_fails(lie: Lie) -> String {
    let found = (0..SEEDS).find_map(|seed| story(seed, lie, &Arc::default()).err());
    found.unwrap_or_else(|| panic!("nobody misses {lie:?}"))
}

#[test]
fn after_any_crash_all_images_are_as_at_one_position_from_the_last_flush_on() {
    let tally: Arc<Tally> = Arc::default();
    every_seed(STORIES, |seed| story(seed, Lie::None, &tally));
    println!("{tally:?}");
}

#[test]
fn a_flush_syncs_the_log() {
    some_story_fails(Lie::During(Phase::Flush, Of::Segments));
}

#[test]
fn the_log_is_durable_before_the_checkpoint() {
    let why = some_story_fails(Lie::During(Phase::Checkpoint, Of::Segments));
    assert!(why.contains("was durable and is missing"), "{why}");
}

#[test]
fn what_was_moved_is_durable_before_the_index_says_where_it_is() {
    some_story_fails(Lie::During(Phase::Clean, Of::Packed));
}

#[test]
fn where_what_was_moved_is_now_is_durable_before_its_segment_is_freed() {
    some_story_fails(Lie::During(Phase::Clean, Of::Index));
}

#[test]
fn a_base_is_durable_before_what_it_replaces_is_freed() {
    some_story_fails(Lie::During(Phase::Clean, Of::Log));
}

/// Whether a store says that its index is not what was written, which is all it may do about that.
fn is_refusal(why: &str) -> bool {
    why.contains("the index") && why.contains("damaged")
}

#[test]
fn an_index_that_was_not_kept_whole_is_refused_and_never_believed() {
    for lie in [
        Lie::During(Phase::Checkpoint, Of::Index),
        Lie::Folder("index"),
    ] {
        for seed in 0..SEEDS {
            match story(seed, lie, &Arc::default()) {
                Err(why) if !is_refusal(&why) => panic!("seed {seed}: {why}"),
                Ok(()) | Err(_) => {}
            }
        }
    }
}

#[test]
fn a_flipped_bit_of_the_index_is_an_error_and_never_something_else() {
    let random = &mut StdRng::seed_from_u64(3);
    let machine = Machine::roomy(Lie::None);
    let store = machine.open().unwrap().unwrap();
    let mut model = Model::default();
    for i in 0..100 {
        let step = Step::random(&model, random);
        step.run(&store).unwrap();
        model = step.states(&model).pop().unwrap();
        if i % 20 == 0 {
            store.checkpoint().unwrap();
        }
    }
    store.checkpoint().unwrap();
    drop(store);
    let mut refused = 0;
    for seed in 0..60 {
        let after = machine.crash(seed);
        let file = after.disk.open("index/leaves").unwrap();
        let at = random.random_range(0..file.len().unwrap().min(256 << 10));
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        byte[0] ^= 1 << random.random_range(0..8);
        file.write_at(&[IoSlice::new(&byte)], at).unwrap();
        let found = after.open().and_then(|store| {
            let found = Model::of(&store.unwrap());
            found.map_err(|error| error.to_string())
        });
        match found {
            Ok(found) => assert!(found == model, "seed {seed}"),
            Err(why) => {
                assert!(is_refusal(&why), "seed {seed}: {why}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no flipped bit was noticed");
}
