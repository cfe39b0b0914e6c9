//! A third site, while the primary moves from one site to another.

use std::collections::BTreeMap;
use std::time::Duration;

use firebrick_engine::ImageInfo;
use firebrick_mirror::{Rate, Traffic};
use firebrick_vocabulary::ImageId;

use crate::acts::{Story, Switch, create_mirrored, write_first};
use crate::limits;
use crate::mood;
use crate::site::{Lie, store_id};
use crate::world::World;

/// Three sites that have an image of the first one; the last of them does not get what was written last. Then
/// the second one is primary.
fn moved() -> (Story, ImageId) {
    let mut story = Story::new(World::new(4, 3, Lie::None), mood(4));
    let world = &mut story.world;
    let id = create_mirrored(world, 0).unwrap();
    world.pass(Duration::from_secs(2)).unwrap();
    let nothing = Traffic {
        bandwidth: Rate::NOTHING,
        ..Traffic::default()
    };
    let running = world.sites[0].running.as_ref().unwrap();
    assert!(running.mirror.set_traffic("2", &nothing));
    write_first(world, 0, id).unwrap();
    story.switch = Some(Switch {
        images: vec![id],
        from: 0,
        to: 1,
        demoted: None,
        epochs: BTreeMap::new(),
        tries: 0,
    });
    story.operate().unwrap();
    story.world.pass(Duration::from_secs(1)).unwrap();
    story.operate().unwrap();
    assert!(story.world.is_primary(1, id));
    (story, id)
}

fn last(story: &Story, id: ImageId) -> ImageInfo {
    story.world.info(2, id).unwrap()
}

#[test]
fn the_last_records_of_a_former_primary_are_waited_for_while_they_can_be_read() {
    let (mut story, id) = moved();
    story.world.pass(Duration::from_secs(3)).unwrap();
    let upstream = last(&story, id).upstream;
    assert_eq!(upstream, Some(store_id(0)), "the rest of that is not here");
    limits::lift(&story.world, 0);
    write_first(&mut story.world, 1, id).unwrap();
    story.world.pass(Duration::from_secs(2)).unwrap();
    let info = last(&story, id);
    assert_eq!(info.upstream, Some(store_id(1)));
    assert!(info.sync.is_consistent());
    let store = story.world.store(2).unwrap();
    assert_eq!(store.images().len(), 1, "nothing was kept aside");
    assert!(store.snapshots(id).unwrap().is_empty());
    story.settle().unwrap();
}

#[test]
fn where_they_cannot_be_read_any_more_the_new_primary_brings_what_differs() {
    let (mut story, id) = moved();
    story.world.crash(0, 1);
    write_first(&mut story.world, 1, id).unwrap();
    story.world.pass(Duration::from_secs(30)).unwrap();
    let info = last(&story, id);
    assert_eq!(info.upstream, Some(store_id(1)));
    assert!(info.sync.is_consistent());
    story.settle().unwrap();
}
