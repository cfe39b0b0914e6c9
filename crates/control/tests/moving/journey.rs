//! Migrations that arrive, and those that do not.

use firebrick_backend::FaultKind;
use firebrick_control::{Context, Query};
use firebrick_db::{Activity, Column, activities};
use firebrick_state::{ActivityKind, ActivityStatus, VolumeStatus};

use super::*;
use crate::common::{At as Where, C, Trouble, member};

async fn activity(world: &World, id: VolumeId) -> Activity {
    let connection = &mut *world.db.read().await.unwrap();
    let listing = Listing::of(Column::Resource, &id);
    let kinds = Test::OneOf(vec![ActivityKind::MigrateVolume.as_str().to_owned()]);
    let listing = listing.and(Column::Kind, kinds);
    let found = activities::list(connection, &listing).await.unwrap();
    found.unwrap().pop().unwrap()
}

async fn migrate(world: &World, id: VolumeId, lock: bool) {
    let asked = world
        .control
        .migrate_volume(&admin(), id, to_far(lock))
        .await;
    asked.unwrap();
}

fn status(volume: &Volume) -> Option<&str> {
    volume.migration_status.as_deref()
}

#[tokio::test]
async fn a_volume_goes_to_another_backend_with_all_its_bytes() {
    let world = two().await;
    for lock in [false, true] {
        let id = filled(&world).await;
        migrate(&world, id, lock).await;
        let begun = world.volume(id).await.unwrap();
        assert!(status(&begun).is_some());
        if lock {
            // Nobody gets at it meanwhile.
            assert_ne!(begun.status, VolumeStatus::InUse);
        }
        world.settled(id.0).await;
        assert!(rests_in_one_place(&world, id, "after the migration").await);
        let volume = world.volume(id).await.unwrap();
        assert_eq!(status(&volume), Some("success"));
        assert_eq!(far_bytes(&world, volume.image()), [(0, 1), (9, 2)]);
        let done = activity(&world, id).await;
        assert_eq!(done.status, ActivityStatus::Done);
        // And it is used and goes as any other.
        world.attached(id).await;
        let force = firebrick_control::DeleteVolume {
            cascade: false,
            force: true,
        };
        world
            .control
            .delete_volume(&admin(), id, force)
            .await
            .unwrap();
        world.settled(id.0).await;
        assert!(world.far(|site| site.images.is_empty()));
    }
}

#[tokio::test]
async fn a_volume_on_its_way_counts_once_and_is_listed_once() {
    let world = two().await;
    let id = filled(&world).await;
    world
        .wire
        .arm(Where::Name(C, "write", 1), Trouble::HangBeforeRelease);
    migrate(&world, id, false).await;
    world.struck().await;
    assert_eq!(hidden(&world).await.len(), 1);
    let target = hidden(&world).await.pop().unwrap();
    assert_eq!(status(&target), Some(format!("target:{id}").as_str()));
    assert_eq!(world.volumes().await.len(), 1);
    let everything = Query {
        all_projects: true,
        ..Query::default()
    };
    let listed = world.control.volumes(&admin(), everything).await.unwrap();
    assert_eq!(listed.len(), 1);
    let used = world.control.limits(&member()).await.unwrap().used.unwrap();
    assert_eq!((used.volumes, used.gigabytes), (1, 1));
    assert_eq!(status(&world.volume(id).await.unwrap()), Some("migrating"));

    // What is written meanwhile follows.
    write(&world, id, 9, 7);
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    assert!(rests_in_one_place(&world, id, "after it was followed").await);
    let volume = world.volume(id).await.unwrap();
    assert_eq!(far_bytes(&world, volume.image()), [(0, 1), (9, 7)]);
}

#[tokio::test]
async fn a_volume_that_is_used_meanwhile_stays() {
    let world = two().await;
    let id = filled(&world).await;
    world
        .wire
        .arm(Where::Name(C, "write", 1), Trouble::HangBeforeRelease);
    migrate(&world, id, false).await;
    world.struck().await;
    world.attached(id).await;
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    tidied(&world).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(
        (volume.status, status(&volume)),
        (VolumeStatus::InUse, Some("error"))
    );
    assert_eq!(volume.image(), id.image_id());
    assert!(world.far(|site| site.images.is_empty()));
    let failed = activity(&world, id).await;
    assert_eq!(failed.status, ActivityStatus::Failed);
    assert!(failed.error.unwrap().contains("attached"));
}

#[tokio::test]
async fn a_migration_is_cancelled_before_it_arrives() {
    let world = two().await;
    let id = filled(&world).await;
    world
        .wire
        .arm(Where::Name(C, "flush", 1), Trouble::HangBeforeRelease);
    migrate(&world, id, true).await;
    world.struck().await;
    let running = activity(&world, id).await;
    let context: Context = admin();
    world
        .control
        .cancel_activity(&context, running.id)
        .await
        .unwrap();
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    assert!(!rests_in_one_place(&world, id, "after it was cancelled").await);
    let volume = world.volume(id).await.unwrap();
    assert_eq!(status(&volume), Some("error"));
    assert_eq!(activity(&world, id).await.status, ActivityStatus::Cancelled);
    // It may try again.
    migrate(&world, id, false).await;
    world.settled(id.0).await;
    assert!(rests_in_one_place(&world, id, "at the second try").await);
}

#[tokio::test]
async fn nova_may_say_that_it_failed() {
    let world = two().await;
    let id = filled(&world).await;
    world
        .wire
        .arm(Where::Name(C, "flush", 1), Trouble::HangBeforeRelease);
    migrate(&world, id, true).await;
    world.struck().await;
    let target = hidden(&world).await.pop().unwrap().id;
    let control = &world.control;
    let saved = control
        .complete_migration(&admin(), id, target, false)
        .await;
    assert_eq!(saved.unwrap(), id);
    let saved = control.complete_migration(&admin(), id, target, true).await;
    assert_eq!(saved.unwrap(), id);
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    assert!(!rests_in_one_place(&world, id, "after the word of Nova").await);
    let other = world.made(sized(1)).await;
    let saved = control
        .complete_migration(&admin(), other, other, true)
        .await;
    assert_eq!(saved.unwrap(), other);
    let refused = control.complete_migration(&admin(), id, other, false).await;
    assert!(
        refused
            .unwrap_err()
            .message
            .ends_with("Destination volume not mid-migration.")
    );
}

#[tokio::test]
async fn a_backend_that_refuses_leaves_the_volume_where_it_was() {
    let world = two().await;
    for call in [
        "create_image",
        "set_limits",
        "writer",
        "write",
        "flush",
        "rename_image",
    ] {
        for trouble in [
            Trouble::Refuse(FaultKind::NoSpace),
            Trouble::LoseAnswer(FaultKind::Invalid),
        ] {
            let id = filled(&world).await;
            world.wire.arm(Where::Name(C, call, 100), trouble);
            migrate(&world, id, false).await;
            world.settled(id.0).await;
            let struck = world.wire.struck();
            world.wire.disarm();
            let far = rests_in_one_place(&world, id, call).await;
            assert_eq!(far, struck == 0, "{call}");
            world.deleted(id).await;
        }
    }
}

#[tokio::test]
async fn a_migration_survives_a_death_before_a_call() {
    survives(Trouble::HangBefore).await;
}

#[tokio::test]
async fn a_migration_survives_a_death_behind_a_call() {
    survives(Trouble::HangAfter).await;
}

/// Whichever call the process dies at. What is locked makes fewer of the same.
async fn survives(trouble: Trouble) {
    for (lock, step) in [(false, 1), (true, 4)] {
        for call in (0..).step_by(step) {
            let mut world = two().await;
            let id = filled(&world).await;
            world.wire.arm(Where::Index(call), trouble);
            migrate(&world, id, lock).await;
            until("it is over or in trouble", || async {
                world.wire.struck() > 0
                    || world.rests(id.0).await && hidden(&world).await.is_empty()
            })
            .await;
            let over = world.wire.struck() == 0;
            world.restart().await;
            world.both_looked_at().await;
            world.settled(id.0).await;
            let when = format!("{trouble:?} at {call}, locked {lock}");
            assert!(rests_in_one_place(&world, id, &when).await, "{when}");
            let image = world.volume(id).await.unwrap().image();
            assert_eq!(far_bytes(&world, image), [(0, 1), (9, 2)], "{when}");
            if over {
                assert!(call > 8, "only {call} calls");
                break;
            }
        }
    }
}
