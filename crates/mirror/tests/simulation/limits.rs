//! What may go to a peer, over hours that pass in a moment.

use std::time::Duration;

use firebrick_engine::{NewImage, Write};
use firebrick_mirror::{Compression, PeerState, Rate, Traffic};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName};
use rand::Rng as _;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::site::Lie;
use crate::world::World;

/// What an operator may say of a peer: little, nothing, or any amount.
pub(crate) fn some(random: &mut StdRng) -> Traffic {
    let bandwidth = match random.random_range(0..3) {
        0 => Rate::NOTHING,
        1 => Rate::of(1 << random.random_range(10..20)).unwrap(),
        _ => Rate::UNLIMITED,
    };
    let packs = random.random_bool(0.5);
    Traffic {
        bandwidth,
        compression: if packs {
            Compression::Lz4
        } else {
            Compression::None
        },
        ..Traffic::default()
    }
}

/// Any amount may go again from a site.
pub(crate) fn lift(world: &World, site: usize) {
    if let Some(running) = &world.sites[site].running {
        for peer in running.mirror.peers() {
            running.mirror.set_traffic(&peer.name, &Traffic::default());
        }
    }
}

/// What may go in a second.
const RATE: u64 = 64 << 10;
/// The largest frame there is here: what a batch is filled with where so little may go, and one record more.
const FRAME: u64 = 64 << 10;
const BLOCKS: u64 = 256;
const TICK: Duration = Duration::from_millis(100);

fn image(world: &mut World) -> ImageId {
    let id = ImageId(Uuid::from_u128(7));
    let new = NewImage {
        id,
        name: ImageName::new("disk").unwrap(),
        size: Bytes(BLOCKS * BLOCK_SIZE),
        origin: None,
        mirrored: true,
    };
    world.store(0).unwrap().create_image(new).unwrap();
    world.note(0, id).unwrap();
    world.pass(Duration::from_secs(2)).unwrap();
    id
}

/// Writes every block of the image, one by one.
fn write_all(world: &mut World, id: ImageId) {
    for block in 0..BLOCKS {
        world.number += 1;
        let data = world.number.to_le_bytes().repeat(BLOCK_SIZE as usize / 8);
        let image = world.store(0).unwrap().image(id).unwrap();
        let write = Write {
            offset: block * BLOCK_SIZE,
            data: &data,
        };
        image.write(&[write]).unwrap();
        world.note(0, id).unwrap();
    }
}

/// What a site knows of the other one.
fn peer(world: &World, site: usize) -> PeerState {
    let running = world.sites[site].running.as_ref().unwrap();
    running.mirror.peers().remove(0)
}

fn limit(world: &World, traffic: &Traffic) {
    let running = world.sites[0].running.as_ref().unwrap();
    assert!(running.mirror.set_traffic("1", traffic));
}

fn at_most(bytes: u64) -> Traffic {
    Traffic {
        bandwidth: Rate::of(bytes).unwrap(),
        ..Traffic::default()
    }
}

/// Lets time pass until the other site has all, and holds what came against what may; how long it took.
fn catch_up(world: &mut World, before: u64) -> Duration {
    let begun = world.scheduler.elapsed();
    loop {
        world.pass(TICK).unwrap();
        let since = world.scheduler.elapsed().saturating_sub(begun);
        let came = peer(world, 1).received.0 - before;
        let may = since.as_secs_f64() * RATE as f64 + (RATE + FRAME) as f64;
        assert!(came as f64 <= may, "{came} bytes within {since:?}");
        let here = peer(world, 0);
        let lag = here.lag;
        if lag.records == 0 && !here.by_difference {
            return since;
        }
        assert!(since < Duration::from_secs(60), "it stays {lag:?} behind");
    }
}

/// How long so many bytes take at least.
fn least(bytes: u64) -> Duration {
    Duration::from_secs_f64((bytes - RATE - FRAME) as f64 / RATE as f64)
}

#[test]
fn no_more_goes_in_a_second_than_may_and_the_lag_says_so() {
    let mut world = World::new(1, 2, Lie::None);
    let id = image(&mut world);
    limit(&world, &at_most(RATE));
    let before = peer(&world, 1).received.0;
    write_all(&mut world, id);
    world.pass(Duration::from_secs(3)).unwrap();
    let lag = peer(&world, 0).lag;
    let sent = peer(&world, 1).received.0 - before;
    assert!(lag.bytes.0 + sent >= BLOCKS * BLOCK_SIZE, "{lag:?}, {sent}");
    assert!(lag.seconds >= 2.9, "nothing was written since: {lag:?}");
    let running = world.sites[1].running.as_ref().unwrap();
    let told = running.mirror.upstream(id, crate::site::store_id(0));
    let (told, ago) = told.unwrap().told.unwrap();
    assert!(ago <= Duration::from_secs(2), "the other site hears of it");
    assert!(told.records > 0 && told.seconds + ago.as_secs_f64() >= 2.9);
    let took = Duration::from_secs(3) + catch_up(&mut world, before + RATE * 3);
    let needs = least(BLOCKS * BLOCK_SIZE);
    assert!(took >= needs, "{took:?} of {needs:?}");
    world.check(true).unwrap();
}

#[test]
fn nothing_goes_in_quiet_hours_and_the_connection_stays() {
    // Time begins at 22:13:20.
    let mut world = World::new(2, 2, Lie::None);
    let id = image(&mut world);
    let quiet = Traffic {
        quiet_hours: "22:15-23:30".parse().unwrap(),
        ..Traffic::default()
    };
    limit(&world, &quiet);
    write_all(&mut world, id);
    world.pass(Duration::from_secs(10)).unwrap();
    assert_eq!(peer(&world, 0).lag.records, 0);
    // Now it is 22:16 at least, whatever the clock of the site.
    world.pass(Duration::from_secs(150)).unwrap();
    assert!(peer(&world, 0).allowed.quiet);
    let before = peer(&world, 0).confirmed;
    write_all(&mut world, id);
    for minute in 1..60 {
        world.pass(Duration::from_secs(60)).unwrap();
        let (here, there) = (peer(&world, 0), peer(&world, 1));
        assert_eq!(here.confirmed, before, "minute {minute}");
        assert!(here.reading && there.following, "minute {minute}");
        let heard = there.last_heard.unwrap();
        assert!(heard < Duration::from_secs(2), "{heard:?} of silence");
        assert!(here.lag.seconds >= f64::from(minute * 60), "{:?}", here.lag);
    }
    // It is 23:15. What may go can be changed in the middle of it.
    limit(&world, &at_most(RATE));
    let received = peer(&world, 1).received.0;
    let took = catch_up(&mut world, received);
    assert!(took >= least(BLOCKS * BLOCK_SIZE), "{took:?}");
    // And the hours end by themselves.
    limit(&world, &quiet);
    write_all(&mut world, id);
    world.pass(Duration::from_secs(60)).unwrap();
    assert!(peer(&world, 0).lag.records > 0);
    world.pass(Duration::from_secs(20 * 60)).unwrap();
    assert!(!peer(&world, 0).allowed.quiet);
    assert_eq!(peer(&world, 0).lag.records, 0);
    world.check(true).unwrap();
}

#[test]
fn a_difference_goes_no_faster_than_the_log() {
    let mut world = World::new(3, 2, Lie::None);
    let id = image(&mut world);
    world.cables.block((0, 1), true);
    world.cables.block((1, 0), true);
    world.pass(Duration::from_secs(30)).unwrap();
    assert!(!peer(&world, 0).reading);
    let store = world.store(0).unwrap();
    for _ in 0..8 {
        write_all(&mut world, id);
        store.checkpoint().unwrap();
    }
    let running = world.sites[0].running.as_ref().unwrap();
    assert!(running.mirror.let_go("1").unwrap());
    store.checkpoint().unwrap();
    while store.clean().unwrap().freed > 0 {}
    assert!(peer(&world, 0).by_difference);
    limit(&world, &at_most(RATE));
    let before = peer(&world, 1).received.0;
    world.cables.heal(2);
    let took = catch_up(&mut world, before);
    assert!(took >= least(BLOCKS * BLOCK_SIZE), "{took:?}");
    world.check(true).unwrap();
}
