//! Several services of one cluster at work.

use firebrick_control::{ControlOptions, ErrorKind, PoolQuery};
use firebrick_db::{activities, services};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::{Role, VolumeId};

use crate::common::{
    A, At, B, HOST, Trouble, World, admin, attach_to, member, mirrored, sized, until,
};
use crate::place::{Place, on_both};

use super::CLUSTER;

on_both!(
    two_services_share_the_volumes,
    an_attachment_asked_of_one_node_is_made_by_another,
    work_goes_to_who_is_left,
    a_service_that_is_disabled_leaves_the_work_to_others,
    freezing_one_freezes_the_cluster,
    work_for_the_backend_of_another_node_is_left_to_it,
);

pub(super) const SECOND: &str = "node2@blocks";

pub(super) fn north(options: &mut ControlOptions) {
    options.backends[0].cluster = Some("north".to_owned());
    options.runner.lease = std::time::Duration::from_millis(600);
}

async fn two_services_share_the_volumes(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let of_first = world.made(mirrored(1)).await;
    until("the second node has seen its backend", || async {
        let asked = second.control.pools(&admin(), PoolQuery::default()).await;
        !asked.unwrap().is_empty()
    })
    .await;
    let made = second.control.create_volume(&member(), mirrored(1)).await;
    let of_second = made.unwrap().volume.id;
    world.settled(of_second.0).await;
    for id in [of_first, of_second] {
        let volume = world.volume(id).await.unwrap();
        assert_eq!(volume.status, VolumeStatus::Available);
        assert_eq!(
            volume.host.unwrap().to_string(),
            format!("{CLUSTER}#volumes")
        );
    }
    // Whoever made it, either serves it.
    second
        .control
        .extend_volume(&member(), of_first, 2, false)
        .await
        .unwrap();
    world.settled(of_first.0).await;
    assert_eq!(world.volume(of_first).await.unwrap().size, 2);
    world.deleted(of_second).await;
    let cluster = world
        .control
        .cluster(&admin(), CLUSTER, "cinder-volume")
        .await;
    let cluster = cluster.unwrap();
    let hosts: Vec<String> = (cluster.services.iter())
        .map(|it| it.service.host.to_string())
        .collect();
    assert_eq!(hosts, [HOST, SECOND]);
    assert_eq!((cluster.is_up(), cluster.down_hosts()), (true, 0));
    second.kill().await;
}

/// The process that was asked is not the one that does it: that is no restart.
async fn an_attachment_asked_of_one_node_is_made_by_another(place: Place) {
    let world = World::on(place, |options| {
        north(options);
        options.runner.workers = 1;
    })
    .await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let busy = world.made(sized(1)).await;
    let id = world.made(sized(1)).await;
    // The only worker of the node that is asked has something else to do.
    let trouble = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(A, "extend_image", 1), trouble);
    let control = second.control.clone();
    control
        .extend_volume(&member(), busy, 2, false)
        .await
        .unwrap();
    world.struck().await;
    for control in [&world.control, &second.control] {
        let made = control
            .create_attachment(&member(), attach_to(id, true))
            .await;
        let attachment = made.unwrap().attachment;
        assert!(attachment.connection_info.is_some());
        control
            .delete_attachment(&member(), attachment.id)
            .await
            .unwrap();
    }
    world.wire.release();
    world.settled(busy.0).await;
    second.kill().await;
}

/// A node dies at the site; its peer ends what it was at.
async fn work_goes_to_who_is_left(place: Place) {
    let mut world = World::on(place, north).await;
    let id = world.made(sized(1)).await;
    for (call, trouble) in [
        ("extend_image", Trouble::HangBefore),
        ("extend_image", Trouble::HangAfter),
    ] {
        let size = world.volume(id).await.unwrap().size + 1;
        world.wire.arm(At::Name(A, call, 1), trouble);
        world
            .control
            .extend_volume(&member(), id, size, false)
            .await
            .unwrap();
        world.struck().await;
        world.kill().await;
        world.wire.disarm();
        let node = if size % 2 == 0 { "node2" } else { "node1" };
        let second = world.beside(node, |_| {}).await.unwrap();
        world.goes_on_as(second);
        world.settled(id.0).await;
        let volume = world.volume(id).await.unwrap();
        assert_eq!(
            (volume.status, volume.size),
            (VolumeStatus::Available, size)
        );
    }
}

async fn a_service_that_is_disabled_leaves_the_work_to_others(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let control = world.handle();
    let binary = "cinder-volume";
    let why = Some("a new disk");
    control
        .disable_service(&admin(), binary, HOST, why)
        .await
        .unwrap();
    world.made(mirrored(1)).await;
    control
        .disable_service(&admin(), binary, SECOND, why)
        .await
        .unwrap();
    let made = control
        .create_volume(&member(), mirrored(1))
        .await
        .unwrap()
        .volume
        .id;
    world.settled(made.0).await;
    assert_eq!(world.status(made).await, Some(VolumeStatus::Error));
    control
        .enable_service(&admin(), binary, SECOND)
        .await
        .unwrap();
    world.made(mirrored(1)).await;
    // What an operator says of one service outlives what the cluster does.
    for to in [B, "default"] {
        world.failed_over(to).await;
        let first = world.service_at(HOST).await;
        assert!(first.disabled);
        assert_eq!(first.disabled_reason.as_deref(), why);
    }
    let second_row = world.service_at(SECOND).await;
    assert_eq!(
        (second_row.disabled, second_row.disabled_reason),
        (false, None)
    );
    // The row of the cluster is no service.
    let refused = control
        .disable_service(&admin(), binary, CLUSTER, None)
        .await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
    second.kill().await;
}

async fn freezing_one_freezes_the_cluster(place: Place) {
    let world = World::on(place, north).await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    let id = world.made(mirrored(1)).await;
    let control = world.handle();
    second.control.freeze(&admin(), SECOND).await.unwrap();
    let third = world.beside("node3", |_| {}).await.unwrap();
    for host in [HOST, SECOND, "node3@blocks", CLUSTER] {
        let row = world.service_at(host).await;
        assert!(row.frozen && row.disabled, "{host}");
        assert_eq!(row.disabled_reason.as_deref(), Some("frozen"), "{host}");
    }
    let refused = control.extend_volume(&member(), id, 2, false).await;
    assert!(refused.unwrap_err().message.contains("is frozen"));
    let cluster = control
        .cluster(&admin(), CLUSTER, "cinder-volume")
        .await
        .unwrap();
    assert!(cluster.is_frozen());
    control.thaw(&admin(), CLUSTER).await.unwrap();
    for host in [HOST, SECOND, "node3@blocks", CLUSTER] {
        let row = world.service_at(host).await;
        assert!(!row.frozen && !row.disabled, "{host}");
    }
    control
        .extend_volume(&member(), id, 2, false)
        .await
        .unwrap();
    world.settled(id.0).await;
    second.kill().await;
    third.kill().await;
}

/// Two nodes without a cluster have one database, and each its own sites.
async fn work_for_the_backend_of_another_node_is_left_to_it(place: Place) {
    let world = World::on(place, |options| {
        options.runner.lease = std::time::Duration::from_millis(100);
        options.quotas.volumes = 1000;
    })
    .await;
    let second = world.beside("node2", |_| {}).await.unwrap();
    until("the second node has seen its backend", || async {
        let asked = second.control.pools(&admin(), PoolQuery::default()).await;
        !asked.unwrap().is_empty()
    })
    .await;
    // Whoever places it takes it to its own backend.
    let mut theirs: Option<VolumeId> = None;
    while theirs.is_none() {
        let made = second.control.create_volume(&member(), mirrored(1)).await;
        let id = made.unwrap().volume.id;
        world.settled(id.0).await;
        let host = world.volume(id).await.unwrap().host.unwrap();
        theirs = (host.without_pool().to_string() == SECOND).then_some(id);
    }
    let id = theirs.unwrap();
    second.kill().await;
    world
        .control
        .extend_volume(&member(), id, 5, false)
        .await
        .unwrap();
    for _ in 0..5 {
        world.breathe().await;
        assert_eq!(world.status(id).await, Some(VolumeStatus::Extending));
        let connection = &mut *world.db.read().await.unwrap();
        let running = activities::running_for(connection, id.0)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((running.attempts, running.node), (0, None));
    }
    let mine = world.made(mirrored(1)).await;
    let connection = &mut *world.db.read().await.unwrap();
    let rows = services::all(connection).await.unwrap();
    assert!(rows.iter().all(|row| row.cluster.is_none()));
    let second = world.beside("node2", |_| {}).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.volume(id).await.unwrap().size, 5);
    let primary = |id: VolumeId| world.site(A, |site| site.images[&id.image_id()].role);
    assert_eq!((primary(id), primary(mine)), (Role::Primary, Role::Primary));
    second.kill().await;
}
