//! Snapshots of groups.

use firebrick_backend::FaultKind;
use firebrick_control::{Error, ErrorKind, Family};
use firebrick_state::{GroupSnapshotStatus, SnapshotStatus};
use firebrick_vocabulary::GroupSnapshotId;

use super::{invalid, refused, world};
use crate::common::{A, At, Trouble, World, admin, member, sized};

impl World {
    async fn forget(&self, id: GroupSnapshotId) -> Result<(), Error> {
        let control = &self.control;
        control
            .delete_group_snapshot(&member(), Family::Groups, id)
            .await?;
        self.settled(id.0).await;
        Ok(())
    }
}

#[tokio::test]
async fn all_volumes_are_taken_by_one_call() {
    let world = world().await;
    let (group, [one, other]) = world.pair().await;
    world.made(sized(1)).await;
    world.wire.arm(At::Index(usize::MAX), Trouble::HangBefore);
    let taken = world.group_snapped(group).await;
    assert!(world.wire.saw(A, "create_snapshots"));
    assert!(!world.wire.saw(A, "create_snapshot"));
    let parts = world.taken_of(taken).await;
    assert_eq!(parts.len(), 2);
    for id in &parts {
        let part = world.snapshot(*id).await.unwrap();
        assert_eq!(part.group_snapshot, Some(taken));
        assert_eq!(part.status, SnapshotStatus::Available);
        assert!([one, other].contains(&part.volume));
        let alone = world.control.delete_snapshot(&admin(), *id, true).await;
        let (kind, text) = refused(alone);
        assert!(text.contains("must not be part of a group"), "{text}");
        assert_eq!(kind, ErrorKind::Invalid);
    }
    world.consistent("with a group snapshot").await;

    let message = invalid("Invalid Group: Group has existing snapshots.");
    assert_eq!(refused(world.delete_group(group, true).await), message);
    world.forget(taken).await.unwrap();
    assert_eq!(world.group_snapshot(taken).await, None);
    assert_eq!(world.taken_of(taken).await, []);
    world.consistent("after the group snapshot").await;
    world.delete_group(group, true).await.unwrap();
}

#[tokio::test]
async fn a_volume_that_left_keeps_its_part_until_all_go() {
    let world = world().await;
    let (group, [one, _]) = world.pair().await;
    let taken = world.group_snapped(group).await;
    world
        .change(group, super::adding(&[], &[one]))
        .await
        .unwrap();
    let cascade = firebrick_control::DeleteVolume {
        cascade: true,
        force: false,
    };
    let control = &world.control;
    let gone = control.delete_volume(&member(), one, cascade).await;
    assert_eq!(refused(gone).0, ErrorKind::Invalid);
    world.forget(taken).await.unwrap();
    control
        .delete_volume(&member(), one, cascade)
        .await
        .unwrap();
    world.settled(one.0).await;
    world.consistent("after the volume that left").await;
}

#[tokio::test]
async fn one_that_fails_leaves_nothing_at_the_site() {
    let world = world().await;
    let (group, _) = world.pair().await;
    let refusal = Trouble::LoseAnswer(FaultKind::Invalid);
    world.wire.arm(At::All(A, &["create_snapshots"]), refusal);
    let taken = world.begin_snapshot(group).await.unwrap();
    world.settled(taken.0).await;
    world.wire.disarm();
    let status = world.group_snapshot(taken).await.unwrap().status;
    assert_eq!(status, GroupSnapshotStatus::Error);
    for part in world.taken_of(taken).await {
        let status = world.snapshot(part).await.unwrap().status;
        assert_eq!(status, SnapshotStatus::Error);
    }
    world.consistent("after a group snapshot that failed").await;
    world.forget(taken).await.unwrap();
    assert_eq!(world.taken_of(taken).await, []);
}

#[tokio::test]
async fn some_of_another_moment_are_taken_anew() {
    let world = world().await;
    let (group, [one, _]) = world.pair().await;
    // As after a failover to a site at which only one of them had arrived.
    world
        .wire
        .arm(At::Name(A, "create_snapshots", 1), Trouble::HangBefore);
    let taken = world.begin_snapshot(group).await.unwrap();
    world.struck().await;
    let mut world = world;
    let parts = world.taken_of(taken).await;
    for id in parts {
        let part = world.snapshot(id).await.unwrap();
        if part.volume == one {
            let (image, name) = (one.image_id(), part.image_name());
            world.site(A, |site| site.snapshot(image, name).unwrap());
        }
    }
    world.restart().await;
    world.settled(taken.0).await;
    let status = world.group_snapshot(taken).await.unwrap().status;
    assert_eq!(status, GroupSnapshotStatus::Available);
    assert!(world.wire.saw(A, "remove_snapshot"));
    world.consistent("after all were taken anew").await;
}

#[tokio::test]
async fn statuses_and_quotas_are_looked_at() {
    let world = World::with(|options| options.quotas.snapshots = 3).await;
    super::typed(&world).await;
    let (group, [one, _]) = world.pair().await;
    let taken = world.group_snapped(group).await;
    let (kind, _) = refused(world.begin_snapshot(group).await);
    assert_eq!(kind, ErrorKind::OverQuota);
    let control = &world.control;
    let id = world.taken_of(taken).await;
    assert_eq!(id.len(), 2, "nothing is left of the one that was refused");
    control
        .reset_group_snapshot_status(&admin(), taken, "updating")
        .await
        .unwrap();
    let (_, text) = refused(world.forget(taken).await);
    assert!(text.starts_with("Invalid GroupSnapshot: "), "{text}");
    let context = admin();
    let bogus = control.reset_group_snapshot_status(&context, taken, "in-use");
    assert_eq!(refused(bogus.await).0, ErrorKind::Invalid);
    control
        .reset_group_snapshot_status(&admin(), taken, "error")
        .await
        .unwrap();
    world.forget(taken).await.unwrap();
    let reset = firebrick_control::ResetStatus {
        status: Some("error".to_owned()),
        ..Default::default()
    };
    control
        .reset_volume_status(&admin(), one, reset)
        .await
        .unwrap();
    let (_, text) = refused(world.begin_snapshot(group).await);
    assert!(text.contains("in error status"), "{text}");
}
