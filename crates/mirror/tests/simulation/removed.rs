//! An image that is removed at one site while the other one, which has not heard of that, took it for its own.

use std::time::Duration;

use crate::acts::{create_mirrored, write_first};
use crate::site::Lie;
use crate::world::World;

/// The image is removed at the first site, which was forced last; the second one was forced before. The first one
/// hears of the time before only then, from whom hears of the removal in the same moment.
#[test]
fn what_its_primary_removed_does_not_come_back() {
    let mut world = World::new(5, 2, Lie::None);
    let id = create_mirrored(&mut world, 0).unwrap();
    world.pass(Duration::from_secs(2)).unwrap();
    world.cables.block((0, 1), true);
    world.cables.block((1, 0), true);
    let force = |world: &World, site: usize| {
        let done = world.store(site).unwrap().promote(&[id], true).unwrap();
        done[0].1.unwrap()
    };
    let second = force(&world, 1);
    write_first(&mut world, 1, id).unwrap();
    world.store(1).unwrap().demote(&[id]).unwrap();
    assert!(force(&world, 0) > second);
    world.store(0).unwrap().remove_image(id).unwrap();
    world.cables.heal(2);
    world.scheduler.run_for(Duration::from_secs(30));
    for site in 0..2 {
        let info = world.info(site, id);
        assert!(info.is_none(), "at {site}: {info:?}");
    }
}

/// The image is removed at the second site, which took it over. The log that says so is not kept for the first one,
/// which goes on writing, and gets the difference.
#[test]
fn who_gets_the_difference_hears_of_what_was_taken_over_and_has_ended() {
    let mut world = World::new(6, 2, Lie::None);
    let id = create_mirrored(&mut world, 0).unwrap();
    let other = create_mirrored(&mut world, 1).unwrap();
    world.pass(Duration::from_secs(2)).unwrap();
    world.cables.block((0, 1), true);
    world.cables.block((1, 0), true);
    world.pass(Duration::from_secs(10)).unwrap();
    let store = world.store(1).unwrap();
    store.promote(&[id], true).unwrap()[0].1.unwrap();
    store.remove_image(id).unwrap();
    write_first(&mut world, 0, id).unwrap();
    let running = world.sites[1].running.as_ref().unwrap();
    let confirmed = running.mirror.peers()[0].confirmed.sequence;
    assert!(running.mirror.let_go("0").unwrap());
    // More than a few segments, so that some can go; and a start, so that nothing is remembered by chance.
    for _ in 0..4 {
        for _ in 0..300 {
            write_first(&mut world, 1, other).unwrap();
        }
        store.checkpoint().unwrap();
        store.clean().unwrap();
    }
    assert!(!store.log_reaches(confirmed.next()), "it would get the log");
    drop(store);
    world.kill(1);
    world.start(1).unwrap();
    world.cables.heal(2);
    world.scheduler.run_for(Duration::from_secs(30));
    for site in 0..2 {
        let info = world.info(site, id);
        assert!(info.is_none(), "at {site}: {info:?}");
        assert!(world.info(site, other).is_some());
    }
}
