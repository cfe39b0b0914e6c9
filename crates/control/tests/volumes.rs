//! Volumes and snapshots: made, shown, changed, removed, and refused.

use firebrick_backend::FaultKind;
use firebrick_control::{
    CreateVolume, DeleteVolume, Error, ErrorKind, Query, ResetStatus, VolumeDetail,
};
use firebrick_state::{SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{GIB, SnapshotUuid, VolumeId};

use crate::common::{
    A, At, B, Trouble, World, admin, member, member_of, mirrored, sized, snapshot_of,
};

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind
}

fn from_snapshot(id: SnapshotUuid, size: Option<u32>) -> CreateVolume {
    CreateVolume {
        snapshot: Some(id),
        size,
        ..CreateVolume::default()
    }
}

fn clone_of(id: VolumeId, size: Option<u32>) -> CreateVolume {
    CreateVolume {
        source: Some(id),
        size,
        ..CreateVolume::default()
    }
}

#[tokio::test]
async fn a_volume_lives() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let request = CreateVolume {
        name: Some("one".to_owned()),
        ..sized(2)
    };
    let first = control.create_volume(&context, request).await.unwrap();
    assert_eq!(first.volume.status, VolumeStatus::Creating);
    let id = first.volume.id;
    world.settled(id.0).await;
    let shown: VolumeDetail = control.volume(&context, id).await.unwrap();
    assert_eq!(shown.volume.status, VolumeStatus::Available);
    assert_eq!(
        shown.volume.host.unwrap().to_string(),
        "node1@blocks#volumes"
    );
    assert!(shown.volume.launched_at.is_some());
    assert_eq!(world.statuses(id).await, ("available", "disabled"));
    let image = world.site(A, |site| site.images[&id.image_id()].clone());
    assert_eq!((image.size.0, image.mirrored), (2 * GIB, false));
    assert!(world.site(B, |site| site.images.is_empty()));

    let all = control.volumes(&context, Query::default()).await.unwrap();
    assert_eq!(all.len(), 1);
    control.extend_volume(&context, id, 5, false).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, Some(VolumeStatus::Available));
    world.consistent("after extending").await;
    assert_eq!(world.volume(id).await.unwrap().size, 5);

    world.deleted(id).await;
    assert_eq!(
        kind(control.volume(&context, id).await),
        ErrorKind::NotFound
    );
    world.consistent("after deleting").await;
}

#[tokio::test]
async fn volumes_are_made_of_snapshots_and_volumes() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let origin = world.made(mirrored(2)).await;
    let snapshot = world.snapped(origin).await;
    let restored = world.made(from_snapshot(snapshot, None)).await;
    let larger = world.made(from_snapshot(snapshot, Some(3))).await;
    let cloned = world.made(clone_of(origin, None)).await;
    for (id, size) in [(restored, 2), (larger, 3), (cloned, 2)] {
        let volume = world.volume(id).await.unwrap();
        assert_eq!(volume.size, size);
        // The type of the origin, so mirrored as well.
        assert_eq!(world.statuses(id).await, ("available", "enabled"));
        assert!(world.site(B, |site| site.images.contains_key(&id.image_id())));
    }
    for request in [from_snapshot(snapshot, Some(1)), clone_of(origin, Some(1))] {
        let refused = control.create_volume(&context, request).await;
        assert_eq!(kind(refused), ErrorKind::Invalid);
    }
    world.consistent("after cloning").await;
    control
        .delete_snapshot(&context, snapshot, false)
        .await
        .unwrap();
    world.settled(snapshot.0).await;
    assert!(world.snapshot(snapshot).await.is_none());
    for id in [origin, restored, larger, cloned] {
        world.deleted(id).await;
    }
    world.consistent("after deleting").await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let create = |request| control.create_volume(&context, request);
    assert_eq!(
        kind(create(CreateVolume::default()).await),
        ErrorKind::Invalid
    );
    assert_eq!(kind(create(sized(0)).await), ErrorKind::Invalid);
    let unknown = CreateVolume {
        volume_type: Some("unheard-of".to_owned()),
        ..sized(1)
    };
    assert_eq!(kind(create(unknown).await), ErrorKind::NotFound);
    let elsewhere = CreateVolume {
        availability_zone: Some("mars".to_owned()),
        ..sized(1)
    };
    assert_eq!(kind(create(elsewhere).await), ErrorKind::Invalid);
    let missing = from_snapshot(SnapshotUuid::random(), None);
    assert_eq!(kind(create(missing).await), ErrorKind::NotFound);
    let missing = clone_of(VolumeId::random(), None);
    assert_eq!(kind(create(missing).await), ErrorKind::NotFound);
    let id = world.made(sized(2)).await;
    for size in [1, 2] {
        let refused = control.extend_volume(&context, id, size, false).await;
        assert_eq!(kind(refused), ErrorKind::Invalid, "{size}");
    }
    let stranger = member_of("ffffffffffffffffffffffffffffffff");
    assert_eq!(
        kind(control.volume(&stranger, id).await),
        ErrorKind::NotFound
    );
    let how = DeleteVolume::default();
    let refused = control.delete_volume(&stranger, id, how).await;
    assert_eq!(kind(refused), ErrorKind::NotFound);
    world.consistent("after refusals").await;
}

#[tokio::test]
async fn a_volume_with_snapshots_goes_only_with_them() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let id = world.made(sized(1)).await;
    let snapshots = [world.snapped(id).await, world.snapped(id).await];
    let how = DeleteVolume::default();
    let refused = control.delete_volume(&context, id, how).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.contains("have snapshots"), "{refused}");
    assert_eq!(world.status(id).await, Some(VolumeStatus::Available));
    let how = DeleteVolume {
        cascade: true,
        force: false,
    };
    control.delete_volume(&context, id, how).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, None);
    for snapshot in snapshots {
        assert!(world.snapshot(snapshot).await.is_none());
    }
    world.consistent("after a cascade").await;
}

#[tokio::test]
async fn every_status_refuses_what_it_does_not_allow() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let id = world.made(sized(1)).await;
    let snapshot = world.snapped(id).await;
    for status in ["creating", "extending", "error_extending", "maintenance"] {
        let reset = ResetStatus {
            status: Some(status.to_owned()),
            ..ResetStatus::default()
        };
        control
            .reset_volume_status(&admin(), id, reset)
            .await
            .unwrap();
        let extended = control.extend_volume(&context, id, 2, true).await;
        assert_eq!(kind(extended), ErrorKind::Invalid, "extend, {status}");
        let snapped = control.create_snapshot(&context, snapshot_of(id)).await;
        assert_eq!(kind(snapped), ErrorKind::Invalid, "snapshot, {status}");
        let cloned = control.create_volume(&context, clone_of(id, None)).await;
        assert_eq!(kind(cloned), ErrorKind::Invalid, "clone, {status}");
        let deleted = control
            .delete_volume(&context, id, DeleteVolume::default())
            .await;
        assert_eq!(kind(deleted), ErrorKind::Invalid, "delete, {status}");
        let reserved = control.reserve(&context, id).await;
        assert_eq!(kind(reserved), ErrorKind::Invalid, "reserve, {status}");
        assert_eq!(world.status(id).await.unwrap().as_str(), status);
    }
    control
        .reset_snapshot_status(&admin(), snapshot, "creating")
        .await
        .unwrap();
    let cloned = control
        .create_volume(&context, from_snapshot(snapshot, None))
        .await;
    assert_eq!(kind(cloned), ErrorKind::Invalid);
    let deleted = control.delete_snapshot(&context, snapshot, false).await;
    assert_eq!(kind(deleted), ErrorKind::Invalid);
    assert_eq!(
        world.snapshot(snapshot).await.unwrap().status,
        SnapshotStatus::Creating
    );
}

#[tokio::test]
async fn what_the_site_refuses_ends_as_an_error() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let id = world.made(sized(1)).await;
    let refuse = |name| {
        let trouble = Trouble::Refuse(FaultKind::Io);
        world.wire.arm(At::Name(A, name, usize::MAX), trouble);
    };
    refuse("create_image");
    let failed = control
        .create_volume(&context, sized(1))
        .await
        .unwrap()
        .volume
        .id;
    world.settled(failed.0).await;
    assert_eq!(world.status(failed).await, Some(VolumeStatus::Error));
    world.wire.disarm();
    world.deleted(failed).await;

    refuse("create_snapshot");
    let failed = control.create_snapshot(&context, snapshot_of(id)).await;
    let failed = failed.unwrap().snapshot.id;
    world.settled(failed.0).await;
    assert_eq!(
        world.snapshot(failed).await.unwrap().status,
        SnapshotStatus::Error
    );
    world.wire.disarm();
    control
        .delete_snapshot(&context, failed, false)
        .await
        .unwrap();
    world.settled(failed.0).await;

    refuse("extend_image");
    control.extend_volume(&context, id, 9, false).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, Some(VolumeStatus::ErrorExtending));
    assert_eq!(world.volume(id).await.unwrap().size, 1);

    refuse("remove_image");
    let how = DeleteVolume::default();
    control.delete_volume(&context, id, how).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, Some(VolumeStatus::ErrorDeleting));
    world.wire.disarm();
    let how = DeleteVolume {
        cascade: false,
        force: true,
    };
    control.delete_volume(&admin(), id, how).await.unwrap();
    world.settled(id.0).await;
    world.consistent("after refusals").await;
    assert!(world.volumes().await.is_empty());
}

#[tokio::test]
async fn a_fault_that_passes_is_not_seen() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    for trouble in [
        Trouble::Refuse(FaultKind::Unreachable),
        Trouble::LoseAnswer(FaultKind::TimedOut),
    ] {
        let once = |name| world.wire.arm(At::Name(A, name, 1), trouble);
        once("create_image");
        let id = world.made(sized(1)).await;
        assert_eq!(world.wire.struck(), 1);
        once("create_snapshot");
        let snapshot = world.snapped(id).await;
        once("extend_image");
        control.extend_volume(&context, id, 2, false).await.unwrap();
        world.settled(id.0).await;
        world.consistent("after extending").await;
        once("remove_snapshot");
        control
            .delete_snapshot(&context, snapshot, false)
            .await
            .unwrap();
        world.settled(snapshot.0).await;
        once("remove_image");
        world.deleted(id).await;
        assert_eq!(world.wire.struck(), 1);
        world.consistent("after deleting").await;
    }
}
