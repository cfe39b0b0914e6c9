//! Whole sites in one thread, over a network and on disks that fail, from a seed; and that the rules which
//! the mirror leans on are needed: without one, the same checks fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

#[path = "simulation/acts.rs"]
mod acts;
#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/groups.rs"]
mod groups;
#[path = "simulation/limits.rs"]
mod limits;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/once.rs"]
mod once;
#[path = "simulation/operators.rs"]
mod operators;
#[path = "simulation/peers.rs"]
mod peers;
#[path = "simulation/promised.rs"]
mod promised;
#[path = "simulation/removed.rs"]
mod removed;
#[path = "simulation/rot.rs"]
mod rot;
#[path = "simulation/site.rs"]
mod site;
#[path = "simulation/starts.rs"]
mod starts;
#[path = "simulation/sync.rs"]
mod sync;
#[path = "simulation/three.rs"]
mod three;
#[path = "simulation/truth.rs"]
mod truth;
#[path = "simulation/world.rs"]
mod world;

use std::io::ErrorKind::Other;
use std::time::Duration;

use acts::{Mood, Story};
use firebrick_simulate::every_seed;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use site::Lie;
use world::{Shape, World};

/// How many stories are told.
const STORIES: u64 = 1000;

/// What a story is about, by chance.
fn mood(seed: u64) -> Mood {
    let random = &mut StdRng::seed_from_u64(seed ^ 0x300d);
    Mood {
        acts: [15, 40, 120][random.random_range(0..3)],
        network: [0, 4, 15][random.random_range(0..3)],
        machines: [0, 4, 12][random.random_range(0..3)],
        operators: [2, 8, 20][random.random_range(0..3)],
        write_max: [3, 3, 64][random.random_range(0..3)],
        snapshots: false,
        sync: false,
    }
}

/// Some sites with guests, users, operators and accidents; then all heals. The error is what went wrong.
fn story(seed: u64, sites: usize, lie: Lie) -> Result<u64, String> {
    story_of(seed, sites, lie, mood(seed))
}

fn story_of(seed: u64, sites: usize, lie: Lie, mood: Mood) -> Result<u64, String> {
    let world = || World::new(seed, sites, lie);
    story_in(world, mood)
}

fn story_in(world: impl FnOnce() -> World, mood: Mood) -> Result<u64, String> {
    if world::is_told() {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        // Another seed may have set it.
        drop(log.without_time().with_ansi(false).try_init());
    }
    let world = world();
    let world = if mood.sync {
        world.synchronous()
    } else {
        world
    };
    let mut story = Story::new(world, mood);
    let told = (|| {
        for _ in 0..story.mood.acts {
            story.act()?;
        }
        story.settle()?;
        story.all_in_sync()
    })();
    match told {
        Ok(()) => Ok(story.world.digest()),
        Err(why) => Err(format!("{why}\n{}\n{why}", story.world.trace())),
    }
}

#[test]
fn two_sites_agree_whatever_happens_to_them() {
    every_seed(STORIES, |seed| story(seed, 2, Lie::None).map(drop));
}

#[test]
fn three_sites_agree_whatever_happens_to_them() {
    every_seed(STORIES, |seed| story(seed, 3, Lie::None).map(drop));
}

/// The first site and the last one know only the one between them, which hands on what it follows.
#[test]
fn a_chain_of_sites_agrees_whatever_happens_to_it() {
    every_seed(STORIES, |seed| in_a_chain(seed).map(drop));
}

fn in_a_chain(seed: u64) -> Result<u64, String> {
    let world = || World::shaped(seed, length(seed), Shape::Chain, Lie::None);
    story_in(world, mood(seed))
}

/// How many sites a chain has.
const fn length(seed: u64) -> usize {
    if seed.is_multiple_of(5) { 4 } else { 3 }
}

/// Stories in which an image is removed, or mirrored no more, while a peer is sent what differs of it.
#[test]
fn what_ends_while_it_is_compared_does_not_come_back() -> Result<(), String> {
    story(1_882_630_058_415_149, 3, Lie::None)?;
    in_a_chain(1_882_630_058_415_467).map(drop)
}

/// Images go over to snapshot mode and back, and forced promotions return to mirror snapshots.
#[test]
fn sites_agree_on_images_in_snapshot_mode() {
    every_seed(STORIES / 3, |seed| by_snapshots(seed).map(drop));
}

fn by_snapshots(seed: u64) -> Result<u64, String> {
    let mood = Mood {
        snapshots: true,
        ..mood(seed)
    };
    let sites = if seed.is_multiple_of(4) { 3 } else { 2 };
    story_of(seed, sites, Lie::None, mood)
}

fn synchronous(seed: u64, lie: Lie) -> Result<u64, String> {
    let mood = Mood {
        sync: true,
        ..mood(seed)
    };
    let sites = if seed.is_multiple_of(3) { 3 } else { 2 };
    story_of(seed, sites, lie, mood)
}

/// Wherever a peer begins a line that a flush waited for, that line holds what it acknowledged; and one that blocks never
/// ceases to wait for a peer that it waited for once.
#[test]
fn what_a_flush_in_sync_mode_acknowledged_is_at_the_peers() {
    every_seed(STORIES, |seed| synchronous(seed, Lie::None).map(drop));
}

fn synchronous_chain(seed: u64, lie: Lie) -> Result<u64, String> {
    let world = || World::shaped(seed, length(seed), Shape::Chain, lie);
    let mood = Mood {
        sync: true,
        ..mood(seed)
    };
    story_in(world, mood)
}

/// The same in a chain, where flushes wait for the neighbours alone: those behind them have the image by way of these.
#[test]
fn what_a_flush_acknowledged_in_a_chain_is_at_the_neighbours() {
    every_seed(STORIES / 2, |seed| {
        synchronous_chain(seed, Lie::None).map(drop)
    });
}

/// The end of this chain says that it passed an image over, and turns to its neighbour with it only then, as that is promoted.
#[test]
fn who_turns_to_the_primary_behind_what_it_passed_over_is_waited_for() {
    synchronous_chain(627, Lie::None).unwrap();
}

#[test]
fn a_seed_is_told_the_same_way_twice() {
    for seed in 0..5 {
        let once = story(seed, 2, Lie::None);
        assert_eq!(once, story(seed, 2, Lie::None), "seed {seed}");
    }
}

#[test]
fn whoever_reads_again_names_only_what_is_durable_there() {
    let mut story = Story::new(World::new(3, 2, Lie::None), mood(3));
    let world = &mut story.world;
    let id = acts::create_mirrored(world, 0).unwrap();
    world.pass(Duration::from_millis(500)).unwrap();
    world.sites[1].disk.fail_syncs_after(0, Other);
    world.sites[1].ill = true;
    let written = acts::write_first(world, 0, id);
    written.unwrap();
    // Long enough to break the connection and to come again.
    world.pass(Duration::from_secs(5)).unwrap();
    world.crash(1, 7);
    // Here it is compared what the server has been told.
    world.start(1).unwrap();
    story.settle().unwrap();
}

/// In how many stories one at least must miss what was taken away.
const SEEDS: u64 = 300;

fn some_story_fails(lie: Lie) -> String {
    let found = (0..SEEDS).find_map(|seed| story(seed, 2, lie).err());
    found.unwrap_or_else(|| panic!("nobody misses {lie:?}"))
}

#[test]
fn what_is_confirmed_or_acknowledged_has_been_synced() {
    some_story_fails(Lie::Syncs);
}

#[test]
fn a_flush_is_not_acknowledged_before_it_is_confirmed() {
    for told in [synchronous, synchronous_chain] {
        let mut found = (0..SEEDS).filter_map(|seed| told(seed, Lie::Unconfirmed).err());
        let why = found.next().unwrap();
        assert!(why.contains("was acknowledged"), "{why}");
    }
}

#[test]
fn whoever_starts_waits_for_the_word_of_its_peers() {
    let why = some_story_fails(Lie::NoFence);
    assert!(why.contains("after a start behind the promotion"), "{why}");
}
