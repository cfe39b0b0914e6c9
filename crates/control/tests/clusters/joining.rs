//! Services come to clusters and leave them, with volumes and while there is work.

use firebrick_control::ControlOptions;
use firebrick_db::activities;
use firebrick_state::{ReplicationStatus, VolumeStatus};

use crate::common::{A, At, B, HOST, Trouble, World, admin, member, mirrored, sized};
use crate::failover::Given;
use crate::place::{Place, on_both};

use super::CLUSTER;
use super::together::{SECOND, north};

on_both!(
    a_service_brings_its_volumes_along,
    the_last_one_takes_them_home,
    who_has_volumes_elsewhere_is_refused,
    a_service_joins_while_there_is_work,
);

fn alone(options: &mut ControlOptions) {
    options.backends[0].cluster = None;
}

async fn a_service_brings_its_volumes_along(place: Place) {
    let mut world = World::on(place, |_| {}).await;
    let given = Given::new(&world).await;
    world.failed_over(B).await;
    world.restart_with(north).await.unwrap();
    for volume in world.volumes().await {
        let pool = format!("{CLUSTER}#volumes");
        assert_eq!(volume.cluster.as_ref(), Some(&pool));
        assert_eq!(volume.host.unwrap().to_string(), pool);
    }
    given.is_away(&world, "joined").await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let row = world.service_at(SECOND).await;
    assert_eq!(row.active_backend_id.as_deref(), Some(B));
    assert_eq!(row.disabled_reason.as_deref(), Some("failed-over"));
    world.failed_over("default").await;
    given.is_home(&world, "home").await;
    second.kill().await;
}

async fn the_last_one_takes_them_home(place: Place) {
    let mut world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let id = world.made(mirrored(1)).await;
    world.failed_over(B).await;
    second.kill().await;
    let second = world.beside("node2", alone).await.unwrap();
    // Another one is in it still, and keeps the volumes.
    let host = world.volume(id).await.unwrap().host.unwrap();
    assert_eq!(host.without_pool().to_string(), CLUSTER);
    world.restart_with(alone).await.unwrap();
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.host.unwrap().without_pool().to_string(), HOST);
    assert_eq!(volume.cluster, None);
    let row = world.service_at(HOST).await;
    assert_eq!(row.active_backend_id.as_deref(), Some(B));
    assert_eq!(row.replication_status, ReplicationStatus::FailedOver);
    assert!(world.control.clusters(&admin()).await.unwrap().is_empty());
    world.failed_over("default").await;
    assert_eq!(world.statuses(id).await, ("available", "enabled"));
    second.kill().await;
}

async fn who_has_volumes_elsewhere_is_refused(place: Place) {
    let world = World::on(place, |options| {
        north(options);
        options.quotas.volumes = 1000;
    })
    .await;
    world.made(mirrored(1)).await;
    let second = world.beside("node2", alone).await.unwrap();
    let ours = async || {
        let all = world.volumes().await.into_iter();
        all.filter(|volume| volume.cluster.is_none() && volume.status == VolumeStatus::Available)
            .count()
    };
    while ours().await == 0 {
        let made = second.control.create_volume(&member(), mirrored(1)).await;
        world.settled(made.unwrap().volume.id.0).await;
    }
    world.failed_over(B).await;
    second.kill().await;
    let refused = world.beside("node2", |_| {}).await.err().unwrap();
    let text = refused.to_string();
    assert!(
        text.contains("its volumes are at the site default"),
        "{text}"
    );
    world.failed_over("default").await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    assert_eq!(ours().await, 0);
    second.kill().await;
}

async fn a_service_joins_while_there_is_work(place: Place) {
    let mut world = World::on(place, north).await;
    let id = world.made(mirrored(1)).await;
    let trouble = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(A, "extend_image", 1), trouble);
    world
        .control
        .extend_volume(&member(), id, 2, false)
        .await
        .unwrap();
    world.struck().await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let other = world.made(sized(1)).await;
    world.wire.release();
    world.settled(id.0).await;
    assert_eq!(world.volume(id).await.unwrap().size, 2);
    // And one leaves while there is work.
    world
        .wire
        .arm(At::Name(A, "extend_image", 1), Trouble::HangBefore);
    world
        .control
        .extend_volume(&member(), other, 2, false)
        .await
        .unwrap();
    world.struck().await;
    let left = {
        let connection = &mut *world.db.read().await.unwrap();
        let running = activities::running_for(connection, other.0).await;
        running.unwrap().unwrap().node
    };
    if left.as_deref() == Some("node1") {
        world.kill().await;
        world.wire.disarm();
        world.goes_on_as(second);
    } else {
        second.kill().await;
        world.wire.disarm();
    }
    world.settled(other.0).await;
    assert_eq!(world.volume(other).await.unwrap().size, 2);
}
