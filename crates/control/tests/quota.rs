//! Quotas hold exactly, whoever comes at the same time.

use firebrick_backend::FaultKind;
use firebrick_control::{ControlOptions, ErrorKind};
use firebrick_vocabulary::VolumeId;
use futures_util::future::join_all;

use crate::common::{A, At, Trouble, World, member, sized, snapshot_of};
use crate::place::{Place, on_both};

fn gigabytes(limit: i64) -> impl FnOnce(&mut ControlOptions) {
    move |options| {
        options.quotas.gigabytes = limit;
        options.quotas.volumes = -1;
        options.quotas.snapshots = -1;
    }
}

async fn used(world: &World) -> (i64, i64, i64) {
    let limits = world.control.limits(&member()).await.unwrap();
    (
        limits.volumes_used,
        limits.snapshots_used,
        limits.gigabytes_used,
    )
}

on_both!(two_hundred_at_once_get_fifty_and_give_them_back);

async fn two_hundred_at_once_get_fifty_and_give_them_back(place: Place) {
    let world = World::on(place, |options| options.quotas.volumes = 50).await;
    let (control, context) = (world.handle(), member());
    let creates = (0..200).map(|_| {
        let (control, context) = (control.clone(), context.clone());
        tokio::spawn(async move { control.create_volume(&context, sized(1)).await })
    });
    let mut made: Vec<VolumeId> = Vec::new();
    for result in join_all(creates).await {
        match result.unwrap() {
            Ok(detail) => made.push(detail.volume.id),
            Err(error) => assert_eq!(error.kind, ErrorKind::OverQuota, "{error}"),
        }
    }
    assert_eq!(made.len(), 50);
    for id in &made {
        world.settled(id.0).await;
    }
    assert_eq!(used(&world).await, (50, 0, 50));
    world.consistent("after two hundred creations").await;
    world.deleted(made[0]).await;
    let again = world.made(sized(1)).await;
    for id in made.into_iter().skip(1).chain([again]) {
        world.deleted(id).await;
    }
    assert_eq!(used(&world).await, (0, 0, 0));
    world.consistent("after all are deleted").await;
}

#[tokio::test]
async fn gigabytes_count_volumes_and_snapshots() {
    let world = World::with(gigabytes(5)).await;
    let (control, context) = (world.handle(), member());
    let id = world.made(sized(2)).await;
    let snapshot = world.snapped(id).await;
    let over = control.create_volume(&context, sized(2)).await.unwrap_err();
    assert_eq!(over.kind, ErrorKind::OverQuota);
    let over = control.create_snapshot(&context, snapshot_of(id)).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
    let over = control.extend_volume(&context, id, 4, false).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
    control
        .delete_snapshot(&context, snapshot, false)
        .await
        .unwrap();
    world.settled(snapshot.0).await;
    control.extend_volume(&context, id, 5, false).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(used(&world).await, (1, 0, 5));
    world.consistent("after extending").await;
}

/// What an extension was promised is taken until it has ended, one way or the other.
#[tokio::test]
async fn extensions_that_run_count() {
    let mut world = World::with(gigabytes(10)).await;
    let (control, context) = (world.handle(), member());
    let (first, second) = (world.made(sized(1)).await, world.made(sized(1)).await);
    world
        .wire
        .arm(At::Name(A, "extend_image", 1), Trouble::HangBefore);
    control
        .extend_volume(&context, first, 9, false)
        .await
        .unwrap();
    world.struck().await;
    let over = control.extend_volume(&context, second, 9, false).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
    let over = control.create_volume(&context, sized(1)).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
    world.restart().await;
    world.settled(first.0).await;
    world.consistent("after a restart").await;
    assert_eq!(used(&world).await, (2, 0, 10));

    world.deleted(first).await;
    let refused = Trouble::Refuse(FaultKind::NoSpace);
    world.wire.arm(At::Name(A, "extend_image", 9), refused);
    let control = world.handle();
    control
        .extend_volume(&context, second, 9, false)
        .await
        .unwrap();
    world.settled(second.0).await;
    assert_eq!(used(&world).await, (1, 0, 1));
}

#[tokio::test]
async fn no_volume_is_larger_than_any_may_be() {
    let world = World::with(|options| options.quotas.per_volume_gigabytes = 3).await;
    let (control, context) = (world.handle(), member());
    let over = control.create_volume(&context, sized(4)).await.unwrap_err();
    assert_eq!(over.kind, ErrorKind::OverQuota);
    let id = world.made(sized(3)).await;
    let over = control.extend_volume(&context, id, 4, false).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
    assert_eq!(used(&world).await, (1, 0, 3));
}
