//! Requests at once, and groups whose backend moves too.

use firebrick_backend::ExportKey;
use firebrick_control::{CreateType, CreateVolume, Error, ErrorKind};
use firebrick_vocabulary::GroupId;
use tokio::task::JoinSet;

use super::{refused, replicating, to};
use crate::common::{A, At, B, HOST, Trouble, World, admin, member, mirrored, sized, until};
use crate::place::{Place, on_both};

on_both!(
    one_failover_of_a_group_wins,
    one_of_different_changes_wins,
    snapshots_meet_a_failover,
    a_backend_takes_its_groups_along,
    a_group_and_its_backend_move_at_once,
);

async fn world_on(place: Place) -> World {
    let world = World::on(place, |options| options.runner.workers = 8).await;
    replicating(&world).await;
    world
}

/// How many won; the others were told that the state does not allow it, or that others were first.
async fn winners(mut all: JoinSet<Result<(), Error>>) -> usize {
    let mut won = 0;
    while let Some(answer) = all.join_next().await {
        match answer.unwrap() {
            Ok(()) => won += 1,
            Err(error) => {
                let right = matches!(error.kind, ErrorKind::Invalid | ErrorKind::Conflict);
                assert!(right, "{error:?}");
            }
        }
    }
    won
}

async fn one_failover_of_a_group_wins(place: Place) {
    let world = world_on(place).await;
    let (group, [one, other]) = world.replicated().await;
    // It does not end before the last has asked.
    let wait = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(B, "promote", 1), wait);
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let control = world.handle();
        all.spawn(async move { control.failover_group(&member(), group, to(B)).await });
    }
    assert_eq!(winners(all).await, 1);
    world.struck().await;
    world.wire.release();
    world.settled(group.0).await;
    world.is_at(B, one);
    world.is_at(B, other);
    world.consistent("after eight requests").await;
}

async fn one_of_different_changes_wins(place: Place) {
    let world = world_on(place).await;
    let (group, _) = world.replicated().await;
    for trouble in [(A, "demote"), (A, "set_mirroring")] {
        world.wire.arm(
            At::All(A, &["demote", "set_mirroring"]),
            Trouble::HangAfterRelease,
        );
        let mut all = JoinSet::new();
        for number in 0..9 {
            let control = world.handle();
            all.spawn(async move {
                let context = member();
                match number % 3 {
                    0 => control.enable_group_replication(&context, group).await,
                    1 => control.disable_group_replication(&context, group).await,
                    _ => control.failover_group(&context, group, to(B)).await,
                }
            });
        }
        assert_eq!(winners(all).await, 1, "{trouble:?}");
        world.struck().await;
        world.wire.disarm();
        world.wire.release();
        world.settled(group.0).await;
        home_and_on(&world, group).await;
    }
    world.consistent("after all").await;
}

/// Whatever won, the group is enabled at home again.
async fn home_and_on(world: &World, group: GroupId) {
    match world.replication(group).await.0 {
        "failed-over" => world.sent(group, to("default")).await.unwrap(),
        "disabled" => world.enabled(group).await,
        "enabled" => {}
        other => panic!("it is {other}"),
    }
    assert_eq!(world.replication(group).await, ("enabled", None));
}

/// What is asked of volumes while their group moves waits, and is done where it has gone.
async fn snapshots_meet_a_failover(place: Place) {
    let world = world_on(place).await;
    let (group, [one, other]) = world.replicated().await;
    let wait = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(B, "promote", 1), wait);
    let control = &world.control;
    control
        .failover_group(&member(), group, to(B))
        .await
        .unwrap();
    world.struck().await;
    let taken = world.begin_snapshot(group).await.unwrap();
    let request = crate::common::snapshot_of(one);
    let single = control.create_snapshot(&member(), request).await;
    let single = single.unwrap().snapshot.id;
    control
        .extend_volume(&member(), other, 7, false)
        .await
        .unwrap();
    world.breathe().await;
    assert!(!world.rests(taken.0).await && !world.rests(single.0).await);
    world.wire.release();
    for id in [group.0, taken.0, single.0, other.0] {
        world.settled(id).await;
    }
    world.is_at(B, one);
    assert_eq!(world.volume(other).await.unwrap().size, 7);
    world.consistent("away").await;
}

/// A group that is there already stays, one that is not goes along; and they come home together.
async fn a_backend_takes_its_groups_along(place: Place) {
    let world = world_on(place).await;
    let (gone, [one, _]) = world.replicated().await;
    let (rest, [other, _]) = world.replicated().await;
    let stranger = world.made(mirrored(1)).await;
    world.sent(gone, to(B)).await.unwrap();
    let epoch = |id: firebrick_vocabulary::VolumeId| {
        world.site(B, |site| site.images[&id.image_id()].epoch)
    };
    let before = epoch(one);
    world.failed_over(B).await;
    assert_eq!(epoch(one), before, "it was not promoted again");
    for group in [gone, rest] {
        assert_eq!(world.replication(group).await, ("failed-over", None));
    }
    for volume in [one, other, stranger] {
        world.is_at(B, volume);
    }
    world.consistent("all away").await;
    // One of them comes home alone.
    world.sent(rest, to("default")).await.unwrap();
    let home = Some("default".to_owned());
    assert_eq!(world.replication(rest).await, ("enabled", home));
    world.is_at(A, other);
    world.is_at(B, stranger);
    world.consistent("one home").await;
    world.failed_over("default").await;
    for group in [gone, rest] {
        assert_eq!(world.replication(group).await, ("enabled", None));
    }
    for volume in [one, other, stranger] {
        world.is_at(A, volume);
    }
    world.consistent("all home").await;
    // While the backend moves, its groups do not.
    let wait = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(B, "promote", 1), wait);
    let control = &world.control;
    control.failover(&admin(), HOST, Some(B)).await.unwrap();
    world.struck().await;
    let (_, text) = refused(control.failover_group(&member(), gone, to(B)).await);
    assert!(text.contains("A failover is moving the backend"), "{text}");
    world.wire.release();
    world.moved().await;
    let (_, text) = refused(control.disable_group_replication(&member(), gone).await);
    assert!(text.contains("['enabled', 'error']"), "{text}");
    world.consistent("away again").await;
}

/// The operator moves the backend while a group is on its way; both arrive, whoever is first.
async fn a_group_and_its_backend_move_at_once(place: Place) {
    let world = world_on(place).await;
    let (group, [one, other]) = world.replicated().await;
    let stranger = world.made(mirrored(1)).await;
    let control = world.handle();
    for (site, call) in [(B, "promote"), (A, "demote")] {
        world
            .wire
            .arm(At::Name(site, call, 1), Trouble::HangAfterRelease);
        control
            .failover_group(&member(), group, to(B))
            .await
            .unwrap();
        world.struck().await;
        control.failover(&admin(), HOST, Some(B)).await.unwrap();
        world.moved().await;
        world.is_at(B, stranger);
        world.wire.release();
        world.settled(group.0).await;
        assert_eq!(world.replication(group).await, ("failed-over", None));
        for volume in [one, other, stranger] {
            world.is_at(B, volume);
        }
        world.consistent("away").await;
        world.failed_over("default").await;
        assert_eq!(world.replication(group).await, ("enabled", None));
        for volume in [one, other, stranger] {
            world.is_at(A, volume);
        }
        world.consistent("home").await;
    }
    // A group whose failover fails meanwhile stays where it was.
    world
        .wire
        .arm(At::Name(A, "demote", 1), Trouble::HangBeforeRelease);
    control
        .failover_group(&member(), group, to(B))
        .await
        .unwrap();
    world.struck().await;
    control.failover(&admin(), HOST, Some(B)).await.unwrap();
    world.moved().await;
    world.set_linked(false);
    world.wire.release();
    world.settled(group.0).await;
    let home = Some("default".to_owned());
    assert_eq!(world.replication(group).await, ("enabled", home));
    world.set_linked(true);
    world.is_at(A, one);
    world.is_at(B, stranger);
    world.consistent("the group stayed").await;
}

/// The site to which a group goes is the first one of another backend, whose servers never notice.
#[tokio::test]
async fn a_site_that_serves_another_backend_keeps_its_exports() {
    let world = World::of_two(Place::asked_for(), |options| {
        let (_, shared) = options.backends[0].targets[0].clone();
        options.backends[1].primary = shared;
    })
    .await;
    replicating(&world).await;
    let kind = CreateType {
        name: "stony".to_owned(),
        description: None,
        is_public: true,
        extra_specs: [("volume_backend_name".to_owned(), "stones".to_owned())].into(),
    };
    world.control.create_type(&admin(), kind).await.unwrap();
    let stony = CreateVolume {
        volume_type: Some("stony".to_owned()),
        ..sized(1)
    };
    let stranger = world.made(stony).await;
    let key = ExportKey(world.attached(stranger).await.to_string());
    let (group, [one, _]) = world.replicated().await;
    world.sent(group, to(B)).await.unwrap();
    world.is_at(B, one);
    // What nobody wants there is ended, and nothing else.
    let lost = (one.image_id(), ExportKey(uuid::Uuid::new_v4().to_string()));
    world.site(B, |site| site.exports.insert(lost.clone()));
    world.sent(group, to("default")).await.unwrap();
    world.sent(group, to(B)).await.unwrap();
    let ended = || async { !world.site(B, |site| site.exports.contains(&lost)) };
    until("the export of nobody is ended", ended).await;
    let kept = world.site(B, |site| site.exports.clone());
    assert!(kept.contains(&(stranger.image_id(), key)), "{kept:?}");
}
