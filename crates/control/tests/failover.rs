//! Moving to the other site and back.

use firebrick_control::{DeleteVolume, ErrorKind};
use firebrick_state::{ReplicationStatus, SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{AttachmentId, SnapshotUuid, VolumeId};

use crate::common::{A, B, HOST, World, admin, attach_to, member, mirrored, sized, snapshot_of};

/// Volumes of every sort.
pub(crate) struct Given {
    pub(crate) free: VolumeId,
    pub(crate) used: VolumeId,
    pub(crate) attachment: AttachmentId,
    pub(crate) plain: VolumeId,
    pub(crate) plain_used: VolumeId,
    pub(crate) plain_attachment: AttachmentId,
    pub(crate) snapshot: SnapshotUuid,
    pub(crate) plain_snapshot: SnapshotUuid,
}

impl Given {
    pub(crate) async fn new(world: &World) -> Self {
        let free = world.made(mirrored(2)).await;
        let used = world.made(mirrored(1)).await;
        let plain = world.made(sized(1)).await;
        let plain_used = world.made(sized(1)).await;
        Self {
            free,
            used,
            attachment: world.attached(used).await,
            plain,
            plain_used,
            plain_attachment: world.attached(plain_used).await,
            snapshot: world.snapped(free).await,
            plain_snapshot: world.snapped(plain).await,
        }
    }

    /// Everything is where the configuration says.
    pub(crate) async fn is_home(&self, world: &World, when: &str) {
        let service = world.service().await;
        assert_eq!(
            service.replication_status,
            ReplicationStatus::Enabled,
            "{when}"
        );
        assert_eq!(service.active_backend_id, None, "{when}");
        assert!(!service.disabled, "{when}");
        assert_eq!(service.disabled_reason, None, "{when}");
        for (id, statuses) in [
            (self.free, ("available", "enabled")),
            (self.used, ("in-use", "enabled")),
            (self.plain, ("available", "disabled")),
            (self.plain_used, ("in-use", "disabled")),
        ] {
            assert_eq!(world.statuses(id).await, statuses, "{when}");
            assert_eq!(
                world.volume(id).await.unwrap().previous_status,
                None,
                "{when}"
            );
        }
        for id in [self.snapshot, self.plain_snapshot] {
            let status = world.snapshot(id).await.unwrap().status;
            assert_eq!(status, SnapshotStatus::Available, "{when}");
        }
        world.consistent(when).await;
    }

    /// Everything that can be is at the other site.
    pub(crate) async fn is_away(&self, world: &World, when: &str) {
        let service = world.service().await;
        assert_eq!(
            service.replication_status,
            ReplicationStatus::FailedOver,
            "{when}"
        );
        assert_eq!(service.active_backend_id.as_deref(), Some(B), "{when}");
        assert!(service.disabled, "{when}");
        assert_eq!(
            service.disabled_reason.as_deref(),
            Some("failed-over"),
            "{when}"
        );
        for (id, statuses, previous) in [
            (self.free, ("available", "failed-over"), None),
            (self.used, ("in-use", "failed-over"), None),
            (
                self.plain,
                ("error", "not-capable"),
                Some(VolumeStatus::Available),
            ),
            (
                self.plain_used,
                ("error", "not-capable"),
                Some(VolumeStatus::InUse),
            ),
        ] {
            assert_eq!(world.statuses(id).await, statuses, "{when}");
            assert_eq!(
                world.volume(id).await.unwrap().previous_status,
                previous,
                "{when}"
            );
        }
        let status = |id| async move { world.snapshot(id).await.unwrap().status };
        assert_eq!(
            status(self.snapshot).await,
            SnapshotStatus::Available,
            "{when}"
        );
        assert_eq!(
            status(self.plain_snapshot).await,
            SnapshotStatus::Error,
            "{when}"
        );
        world.consistent(when).await;
    }
}

#[tokio::test]
async fn a_planned_move_and_back() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    for round in 0..2 {
        world.failed_over(B).await;
        assert!(world.wire.saw(A, "demote"));
        given.is_away(&world, &format!("away, {round}")).await;
        world.one_primary();
        world.failed_over("default").await;
        given.is_home(&world, &format!("home, {round}")).await;
        world.one_primary();
    }
}

#[tokio::test]
async fn a_disaster_and_back() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.set_up(A, false);
    world.failed_over(B).await;
    given.is_away(&world, "away").await;
    // Life goes on there.
    world
        .control
        .extend_volume(&member(), given.free, 4, false)
        .await
        .unwrap();
    world.settled(given.free.0).await;
    let second = world.snapped(given.free).await;
    world
        .control
        .delete_attachment(&member(), given.attachment)
        .await
        .unwrap();
    world.attached(given.used).await;
    world.consistent("after changes").await;
    world.set_up(A, true);
    world.failed_over("default").await;
    given.is_home(&world, "home").await;
    assert!(world.snapshot(second).await.is_some());
    world.one_primary();
    world.emptied("failback").await;
}

#[tokio::test]
async fn by_its_name_the_first_site_takes_over_from_a_lost_one() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.failed_over(B).await;
    world.set_up(B, false);
    world
        .control
        .failover(&admin(), HOST, Some("default"))
        .await
        .unwrap();
    let service = world.moved().await;
    assert_eq!(service.active_backend_id.as_deref(), Some(B));

    world
        .control
        .failover(&admin(), HOST, Some(A))
        .await
        .unwrap();
    let service = world.moved().await;
    assert_eq!(service.active_backend_id, None);
    given.is_home(&world, "home").await;
    world.set_up(B, true);
    world.failed_over(B).await;
    given.is_away(&world, "away again").await;
    world.one_primary();
}

#[tokio::test]
async fn without_a_name_it_goes_to_the_first_target() {
    let world = World::new().await;
    world.control.failover(&admin(), HOST, None).await.unwrap();
    let service = world.moved().await;
    assert_eq!(service.active_backend_id.as_deref(), Some(B));
    assert!(world.control.failover(&admin(), HOST, None).await.is_err());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    let before = world.service().await;
    let ask = |host: &'static str, to: &'static str| {
        let control = world.handle();
        async move {
            control
                .failover(&admin(), host, Some(to))
                .await
                .unwrap_err()
                .kind
        }
    };
    assert_eq!(ask(HOST, "mars").await, ErrorKind::Invalid);
    assert_eq!(ask(HOST, A).await, ErrorKind::Invalid);
    assert_eq!(ask(HOST, "default").await, ErrorKind::Invalid);
    assert_eq!(ask("node1@other", B).await, ErrorKind::NotFound);
    assert_eq!(ask("node1", B).await, ErrorKind::NotFound);
    let forbidden = world.control.failover(&member(), HOST, Some(B)).await;
    assert_eq!(forbidden.unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(world.service().await, before);
    given.is_home(&world, "after refusals").await;

    world.failed_over(B).await;
    let before = world.service().await;
    assert_eq!(ask(HOST, B).await, ErrorKind::Invalid);
    assert_eq!(ask(HOST, "mars").await, ErrorKind::Invalid);
    assert_eq!(
        world.service().await.active_backend_id,
        before.active_backend_id
    );
    given.is_away(&world, "after refusals").await;
}

#[tokio::test]
async fn a_frozen_backend_keeps_what_it_has() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let given = Given::new(&world).await;
    control.freeze(&admin(), HOST).await.unwrap();
    let again = control.freeze(&admin(), HOST).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Invalid);
    let how = DeleteVolume::default();
    let refused = [
        control.delete_volume(&context, given.free, how).await,
        control
            .delete_snapshot(&context, given.snapshot, false)
            .await,
        control
            .create_snapshot(&context, snapshot_of(given.free))
            .await
            .map(drop),
        control.extend_volume(&context, given.free, 9, false).await,
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid);
    }
    let made = control
        .create_volume(&context, sized(1))
        .await
        .unwrap()
        .volume
        .id;
    world.settled(made.0).await;
    assert_eq!(world.status(made).await, Some(VolumeStatus::Error));
    // Attaching is what a frozen backend is for.
    let attached = control
        .create_attachment(&context, attach_to(given.free, true))
        .await;
    let attachment = attached.unwrap().attachment.id;
    control
        .delete_attachment(&context, attachment)
        .await
        .unwrap();

    world.failed_over(B).await;
    let service = world.failed_over("default").await;
    assert!(service.frozen && service.disabled);
    assert_eq!(service.disabled_reason.as_deref(), Some("frozen"));
    control.thaw(&admin(), HOST).await.unwrap();
    let again = control.thaw(&admin(), HOST).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Invalid);
    world.deleted(made).await;
    given.is_home(&world, "thawed").await;
    assert!(world.shown().await.up);
}

#[tokio::test]
async fn thawing_away_from_home_leaves_it_disabled() {
    let world = World::new().await;
    world.control.freeze(&admin(), HOST).await.unwrap();
    world.failed_over(B).await;
    world.control.thaw(&admin(), HOST).await.unwrap();
    let service = world.service().await;
    assert!(!service.frozen && service.disabled);
    assert_eq!(service.disabled_reason.as_deref(), Some("failed-over"));
    let service = world.failed_over("default").await;
    assert!(!service.frozen && !service.disabled);
}

/// A server that let go of a plain volume meanwhile does not have it again afterwards.
#[tokio::test]
async fn a_plain_volume_detached_away_from_home_is_free_at_home() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.failed_over(B).await;
    let id = given.plain_attachment;
    world
        .control
        .delete_attachment(&member(), id)
        .await
        .unwrap();
    world.failed_over("default").await;
    assert_eq!(
        world.statuses(given.plain_used).await,
        ("available", "disabled")
    );
    world.consistent("home").await;
}

/// Plain volumes stay where they are, so that is where they are deleted.
#[tokio::test]
async fn a_plain_volume_deleted_away_from_home_leaves_nothing() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.failed_over(B).await;
    let how = DeleteVolume {
        cascade: true,
        force: false,
    };
    world
        .control
        .delete_volume(&member(), given.plain, how)
        .await
        .unwrap();
    world.settled(given.plain.0).await;
    assert_eq!(world.status(given.plain).await, None);
    world.consistent("after deleting").await;
    // A site that is lost keeps the row, so that the image is not forgotten.
    world
        .control
        .delete_attachment(&member(), given.plain_attachment)
        .await
        .unwrap();
    world.set_up(A, false);
    let how = DeleteVolume::default();
    world
        .control
        .delete_volume(&member(), given.plain_used, how)
        .await
        .unwrap();
    world.settled(given.plain_used.0).await;
    let status = world.status(given.plain_used).await;
    assert_eq!(status, Some(VolumeStatus::ErrorDeleting));
    world.consistent("after deleting in vain").await;
}
