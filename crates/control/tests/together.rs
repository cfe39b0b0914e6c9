//! Requests that meet an operation under way.

use firebrick_control::{DeleteVolume, Rename};
use firebrick_state::VolumeStatus;

use crate::common::{A, At, Trouble, World, admin, member, sized, snapshot_of, until};

fn renamed() -> Rename {
    Rename {
        name: Some(Some("new".to_owned())),
        ..Rename::default()
    }
}

const FORCE: DeleteVolume = DeleteVolume {
    cascade: false,
    force: true,
};

/// What a user changes while a story runs is not taken back by its end.
#[tokio::test]
async fn names_given_meanwhile_stay() {
    let mut world = World::new().await;
    let context = member();
    world
        .wire
        .arm(At::Name(A, "create_image", 1), Trouble::HangAfterRelease);
    let control = world.handle();
    let id = control
        .create_volume(&context, sized(1))
        .await
        .unwrap()
        .volume
        .id;
    world.struck().await;
    control
        .update_volume(&context, id, renamed())
        .await
        .unwrap();
    world.wire.release();
    world.settled(id.0).await;
    let name = world.volume(id).await.unwrap().name;
    assert_eq!(name.as_deref(), Some("new"), "after creating");

    let id = world.made(sized(1)).await;
    world
        .wire
        .arm(At::Name(A, "extend_image", 1), Trouble::HangAfterRelease);
    control.extend_volume(&context, id, 2, false).await.unwrap();
    world.struck().await;
    control
        .update_volume(&context, id, renamed())
        .await
        .unwrap();
    world.wire.release();
    world.settled(id.0).await;
    let name = world.volume(id).await.unwrap().name;
    assert_eq!(name.as_deref(), Some("new"), "after extending");

    world
        .wire
        .arm(At::Name(A, "create_snapshot", 1), Trouble::HangAfterRelease);
    let made = control.create_snapshot(&context, snapshot_of(id)).await;
    let snapshot = made.unwrap().snapshot.id;
    world.struck().await;
    control
        .update_snapshot(&context, snapshot, renamed())
        .await
        .unwrap();
    world.wire.release();
    world.settled(snapshot.0).await;
    let name = world.snapshot(snapshot).await.unwrap().name;
    assert_eq!(name.as_deref(), Some("new"), "after a snapshot");
    world.consistent("after all").await;
    world.kill().await;
}

/// An image that is made late does not outlive the volume that was removed meanwhile.
#[tokio::test]
async fn a_volume_deleted_while_it_is_made_leaves_nothing() {
    for (trouble, killed) in [
        (Trouble::HangBeforeRelease, false),
        (Trouble::HangAfterRelease, false),
        (Trouble::HangBefore, true),
        (Trouble::HangAfter, true),
    ] {
        let mut world = World::new().await;
        world.wire.arm(At::Name(A, "create_image", 1), trouble);
        let control = world.handle();
        let made = control.create_volume(&member(), sized(1)).await;
        let id = made.unwrap().volume.id;
        world.struck().await;
        control.delete_volume(&admin(), id, FORCE).await.unwrap();
        world.breathe().await;
        if killed {
            world.restart().await;
        } else {
            world.wire.release();
        }
        world.settled(id.0).await;
        assert_eq!(world.status(id).await, None);
        world
            .consistent(&format!("{trouble:?}, killed: {killed}"))
            .await;
    }
}

#[tokio::test]
async fn a_snapshot_deleted_while_it_is_made_leaves_nothing() {
    for trouble in [Trouble::HangBeforeRelease, Trouble::HangAfterRelease] {
        let world = World::new().await;
        let id = world.made(sized(1)).await;
        world.wire.arm(At::Name(A, "create_snapshot", 1), trouble);
        let made = world
            .control
            .create_snapshot(&member(), snapshot_of(id))
            .await;
        let snapshot = made.unwrap().snapshot.id;
        world.struck().await;
        world
            .control
            .delete_snapshot(&admin(), snapshot, true)
            .await
            .unwrap();
        world.breathe().await;
        world.wire.release();
        world.settled(snapshot.0).await;
        assert!(world.snapshot(snapshot).await.is_none());
        world.consistent(&format!("{trouble:?}")).await;
    }
}

/// Stories that wait for their site leave the database to the others.
#[tokio::test]
async fn requests_go_on_while_twenty_stories_hang() {
    let world = World::with(|options| {
        options.quotas.volumes = -1;
        options.runner.workers = 20;
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.made(sized(1)).await);
    }
    world
        .wire
        .arm(At::Name(A, "image", 20), Trouble::HangBefore);
    for id in &ids {
        let how = DeleteVolume::default();
        world
            .control
            .delete_volume(&member(), *id, how)
            .await
            .unwrap();
    }
    until("all hang", || async { world.wire.struck() == 20 }).await;
    assert_eq!(world.volumes().await.len(), 20);
}

/// Many volumes at once, more than there are workers.
#[tokio::test]
async fn forty_volumes_go_at_once() {
    let world = World::with(|options| {
        options.quotas.volumes = -1;
        options.runner.workers = 20;
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        let made = world.control.create_volume(&member(), sized(1)).await;
        ids.push(made.unwrap().volume.id);
    }
    for id in &ids {
        world.settled(id.0).await;
        assert_eq!(world.status(*id).await, Some(VolumeStatus::Available));
    }
    for id in &ids {
        let how = DeleteVolume::default();
        world
            .control
            .delete_volume(&member(), *id, how)
            .await
            .unwrap();
    }
    for id in &ids {
        world.settled(id.0).await;
    }
    assert!(world.volumes().await.is_empty());
    world.consistent("after forty deletions").await;
}
