//! Other types: where the volume is, or by moving it.

use std::collections::BTreeMap;

use firebrick_control::{CreateQos, ErrorKind, QosConsumer};
use firebrick_db::types;
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{MirrorWay, SyncMode, SyncPolicy};

use super::*;
use crate::common::{B, MIRRORED, member};

async fn retype(world: &World, id: VolumeId, to: &str, policy: MigrationPolicy) {
    let asked = world
        .control
        .retype_volume(&member(), id, becoming(to, policy))
        .await;
    asked.unwrap();
    assert_ne!(world.status(id).await, None);
    world.settled(id.0).await;
    tidied(world).await;
}

async fn refused(world: &World, id: VolumeId, to: &str) -> (ErrorKind, String) {
    let request = becoming(to, MigrationPolicy::OnDemand);
    let refused = world.control.retype_volume(&member(), id, request).await;
    let refused = refused.unwrap_err();
    (refused.kind, refused.message)
}

async fn type_of(world: &World, id: VolumeId) -> String {
    let volume = world.volume(id).await.unwrap();
    let connection = &mut *world.db.read().await.unwrap();
    let kind = types::get(connection, volume.volume_type).await.unwrap();
    kind.unwrap().name
}

#[tokio::test]
async fn replication_begins_and_ends_where_the_volume_is() {
    let world = two().await;
    let id = filled(&world).await;
    retype(&world, id, MIRRORED, MigrationPolicy::Never).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.replication_status, Some(ReplicationStatus::Enabled));
    assert_eq!(volume.migration_status, None);
    assert_eq!(type_of(&world, id).await, MIRRORED);
    assert!(world.site(B, |site| site.images.contains_key(&id.image_id())));
    kind(&world, "plain", &[]).await;
    retype(&world, id, "plain", MigrationPolicy::Never).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.replication_status, Some(ReplicationStatus::Disabled));
    assert!(!world.site(A, |site| site.images[&id.image_id()].mirrored));
}

#[tokio::test]
async fn the_way_of_mirroring_goes_with_the_type_where_the_volume_is() {
    let world = two().await;
    let id = filled(&world).await;
    let replicated = ("replication_enabled", "<is> True");
    kind(&world, "plain", &[]).await;
    kind(
        &world,
        "sync",
        &[replicated, ("replication_type", "<in> sync")],
    )
    .await;
    let snapshots = [
        replicated,
        ("replication_mode", "<in> snapshot"),
        ("firebrick:snapshot_interval", "1h"),
    ];
    kind(&world, "hourly", &snapshots).await;
    let sync = SyncMode::new(SyncPolicy::FallBack, SyncMode::TIMEOUT).unwrap();
    let hourly = MirrorWay::Snapshot("1h".parse().ok());
    for (name, way) in [
        ("sync", MirrorWay::Sync(sync)),
        ("hourly", hourly),
        (MIRRORED, MirrorWay::Journal),
        ("sync", MirrorWay::Sync(sync)),
        ("plain", MirrorWay::Journal),
        ("hourly", hourly),
    ] {
        retype(&world, id, name, MigrationPolicy::Never).await;
        assert_eq!(type_of(&world, id).await, name);
        let found = world.site(A, |site| site.images[&id.image_id()].way);
        assert_eq!(found, way, "{name}");
    }
    // What was said of the image itself stays where no type says anything.
    retype(&world, id, MIRRORED, MigrationPolicy::Never).await;
    let other = MirrorWay::Snapshot(None);
    let image = id.image_id();
    world.site(A, |site| site.images.get_mut(&image).unwrap().way = other);
    kind(&world, "another", &[replicated]).await;
    retype(&world, id, "another", MigrationPolicy::Never).await;
    assert_eq!(world.site(A, |site| site.images[&image].way), other);
}

#[tokio::test]
async fn limits_are_those_of_the_new_type_also_of_a_volume_in_use() {
    let world = two().await;
    let id = filled(&world).await;
    world.attached(id).await;
    let control = &world.control;
    kind(&world, "limited", &[]).await;
    kind(&world, "told", &[]).await;
    for (name, consumer) in [
        ("limited", QosConsumer::BackEnd),
        ("told", QosConsumer::FrontEnd),
    ] {
        let spec = CreateQos {
            name: name.to_owned(),
            consumer,
            specs: BTreeMap::from([("total_iops_sec".to_owned(), "100".to_owned())]),
        };
        let spec = control.create_qos(&admin(), spec).await.unwrap().id;
        let found = {
            let connection = &mut *world.db.read().await.unwrap();
            types::named(connection, name).await.unwrap().unwrap().id
        };
        control.associate_qos(&admin(), spec, found).await.unwrap();
    }
    let (status, why) = refused(&world, id, "told").await;
    assert_eq!(status, ErrorKind::Invalid);
    assert!(why.ends_with("for in-use volumes front-end qos specs cannot change."));
    retype(&world, id, "limited", MigrationPolicy::Never).await;
    assert_eq!(world.status(id).await, Some(VolumeStatus::InUse));
    let limits = world.site(A, |site| site.images[&id.image_id()].limits);
    assert_ne!(limits, firebrick_vocabulary::Limits::default());
}

#[tokio::test]
async fn a_type_of_another_backend_moves_the_volume_only_if_it_may() {
    let world = two().await;
    let id = filled(&world).await;
    kind(&world, "far", &[("volume_backend_name", "stones")]).await;
    let was = type_of(&world, id).await;
    retype(&world, id, "far", MigrationPolicy::Never).await;
    assert_eq!(type_of(&world, id).await, was);
    assert_eq!(world.volume(id).await.unwrap().migration_status, None);
    assert!(!rests_in_one_place(&world, id, "under the policy never").await);
    retype(&world, id, "far", MigrationPolicy::OnDemand).await;
    assert_eq!(type_of(&world, id).await, "far");
    assert!(rests_in_one_place(&world, id, "on demand").await);
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.migration_status.as_deref(), Some("success"));
    assert_eq!(far_bytes(&world, volume.image()), [(0, 1), (9, 2)]);
    // And back.
    kind(&world, "near", &[("volume_backend_name", "blocks")]).await;
    retype(&world, id, "near", MigrationPolicy::OnDemand).await;
    assert!(!rests_in_one_place(&world, id, "and back").await);
}

#[tokio::test]
async fn a_volume_in_use_does_not_move() {
    let world = two().await;
    let id = filled(&world).await;
    world.attached(id).await;
    kind(&world, "far", &[("volume_backend_name", "stones")]).await;
    retype(&world, id, "far", MigrationPolicy::OnDemand).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.status, VolumeStatus::InUse);
    assert_eq!(volume.image(), id.image_id());
    assert!(world.far(|site| site.images.is_empty()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_at_once() {
    let world = two().await;
    let id = filled(&world).await;
    let control = &world.control;
    let (status, why) = refused(&world, id, "nothing").await;
    assert_eq!(status, ErrorKind::NotFound);
    assert_eq!(why, "Volume type with name nothing could not be found.");
    let same = type_of(&world, id).await;
    assert!(
        refused(&world, id, &same)
            .await
            .1
            .contains("has to be different")
    );
    kind(&world, "large", &[("provisioning:min_vol_size", "2")]).await;
    assert!(
        refused(&world, id, "large")
            .await
            .1
            .contains("less than the minimum")
    );
    kind(&world, "shared", &[("multiattach", "<is> True")]).await;
    world.attached(id).await;
    assert!(
        refused(&world, id, "shared")
            .await
            .1
            .contains("multiattach are only allowed")
    );
    kind(&world, "counted", &[]).await;
    let project = member().project;
    let limits = BTreeMap::from([("volumes_counted".to_owned(), 0)]);
    control
        .set_quotas(&admin(), &project, limits)
        .await
        .unwrap();
    assert_eq!(refused(&world, id, "counted").await.0, ErrorKind::OverQuota);
    // Nothing of all that has changed anything.
    assert_eq!(world.status(id).await, Some(VolumeStatus::InUse));
}
