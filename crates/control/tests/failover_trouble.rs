//! Moves that meet failures or other operations.

use firebrick_backend::FaultKind;
use firebrick_control::{Control, DeleteVolume, Error};
use firebrick_state::{ReplicationStatus, SnapshotStatus, VolumeStatus};

use firebrick_vocabulary::VolumeId;

use crate::common::{
    A, At, B, HOST, Trouble, World, admin, attach_to, member, mirrored, sized, snapshot_of,
};
use crate::failover::Given;

#[tokio::test]
async fn a_target_that_is_down_changes_nothing() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.set_up(B, false);
    world.failed_over(B).await;
    given.is_home(&world, "after a failover in vain").await;
    world.set_up(B, true);
    world.failed_over(B).await;
    given.is_away(&world, "after the second try").await;
}

#[tokio::test]
async fn a_target_that_does_not_catch_up_changes_nothing() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.set_linked(false);
    world.failed_over(B).await;
    given.is_home(&world, "after a failover in vain").await;
    world.set_linked(true);
    given.is_home(&world, "linked again").await;
}

#[tokio::test]
async fn going_back_needs_both_sites() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    world.failed_over(B).await;
    for (dead, when) in [(B, "the other is down"), (A, "home is down")] {
        world.set_up(dead, false);
        world.failed_over("default").await;
        world.set_up(dead, true);
        given.is_away(&world, when).await;
    }
    world.set_linked(false);
    world
        .control
        .extend_volume(&member(), given.free, 9, false)
        .await
        .unwrap();
    world.settled(given.free.0).await;
    world.failed_over("default").await;
    given.is_away(&world, "not linked").await;
    world.set_linked(true);
    world.failed_over("default").await;
    given.is_home(&world, "linked again").await;
}

/// Every call of a move in that trouble, one after the other.
async fn moves_in(trouble: Trouble, back: bool) {
    for index in 0..30 {
        let world = World::new().await;
        let given = Given::new(&world).await;
        if back {
            world.failed_over(B).await;
        }
        world.wire.arm(At::Index(index), trouble);
        let to = if back { "default" } else { B };
        let service = world.failed_over(to).await;
        let (calls, struck) = (world.wire.calls(), world.wire.struck());
        world.wire.disarm();
        let when = format!("back: {back}, {trouble:?} at {index} of {calls:?}");
        match service.active_backend_id {
            None => given.is_home(&world, &when).await,
            Some(_) => given.is_away(&world, &when).await,
        }
        world.one_primary();
        if struck == 0 {
            assert!(index > 5, "{when}");
            return;
        }
    }
    panic!("the move does not end");
}

macro_rules! in_trouble {
    ($($name:ident: $trouble:expr,)*) => {$(
        #[tokio::test]
        async fn $name() {
            moves_in($trouble, false).await;
            moves_in($trouble, true).await;
        }
    )*};
}

in_trouble! {
    answers_that_come_too_late: Trouble::LoseAnswer(FaultKind::TimedOut),
    answers_that_are_lies: Trouble::LoseAnswer(FaultKind::Io),
    calls_that_are_refused: Trouble::Refuse(FaultKind::Io),
}

#[tokio::test]
async fn one_volume_that_cannot_be_promoted_holds_up_nobody() {
    let world = World::new().await;
    let given = Given::new(&world).await;
    let image = given.free.image_id();
    world.site(B, |site| site.inconsistent.insert(image));
    world.set_up(A, false);
    world.failed_over(B).await;
    assert_eq!(world.statuses(given.free).await, ("error", "error"));
    let volume = world.volume(given.free).await.unwrap();
    assert_eq!(volume.previous_status, Some(VolumeStatus::Available));
    let snapshot = world.snapshot(given.snapshot).await.unwrap();
    assert_eq!(snapshot.status, SnapshotStatus::Error);
    assert_eq!(world.statuses(given.used).await, ("in-use", "failed-over"));
    world.consistent("away").await;
    world.set_up(A, true);
    world.failed_over("default").await;
    given.is_home(&world, "home").await;
}

#[tokio::test]
async fn freezing_while_it_moves_is_not_forgotten() {
    let world = World::new().await;
    let thaw_at_home = Trouble::HangBeforeRelease;
    world.wire.arm(At::Name(B, "promote", 1), thaw_at_home);
    world
        .control
        .failover(&admin(), HOST, Some(B))
        .await
        .unwrap();
    world.struck().await;
    world.control.freeze(&admin(), HOST).await.unwrap();
    let second = world.control.failover(&admin(), HOST, Some(B)).await;
    assert!(second.is_err(), "one move at a time");
    world.wire.release();
    let service = world.moved().await;
    assert!(service.frozen && service.disabled);
    assert_eq!(service.replication_status, ReplicationStatus::FailedOver);
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    CreatePlain,
    Extend,
    Delete,
    Snapshot,
    Attach,
}

impl Operation {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Create, "create_image"),
        (Self::CreatePlain, "create_image"),
        (Self::Extend, "extend_image"),
        (Self::Delete, "remove_image"),
        (Self::Snapshot, "create_snapshot"),
        (Self::Attach, "export"),
    ];

    async fn run(self, control: Control, volume: VolumeId) -> Result<(), Error> {
        let context = member();
        match self {
            Self::Create => control.create_volume(&context, mirrored(1)).await.map(drop),
            Self::CreatePlain => control.create_volume(&context, sized(1)).await.map(drop),
            Self::Extend => control.extend_volume(&context, volume, 3, false).await,
            Self::Delete => {
                let how = DeleteVolume::default();
                control.delete_volume(&context, volume, how).await
            }
            Self::Snapshot => {
                let made = control.create_snapshot(&context, snapshot_of(volume)).await;
                made.map(drop)
            }
            Self::Attach => {
                let made = control
                    .create_attachment(&context, attach_to(volume, true))
                    .await;
                made.map(drop)
            }
        }
    }
}

/// An operation that was at the old site when everything moved ends well at the new one.
async fn meets(operation: Operation, call: &'static str, trouble: Trouble, disaster: bool) {
    let world = World::new().await;
    let (volume, other) = (world.made(mirrored(1)).await, world.made(mirrored(1)).await);
    let when = format!("{operation:?}, {trouble:?}, disaster: {disaster}");
    world.wire.arm(At::Name(A, call, 1), trouble);
    let asked = tokio::spawn(operation.run(world.handle(), volume));
    world.struck().await;
    if disaster {
        world.set_up(A, false);
    }
    world
        .control
        .failover(&admin(), HOST, Some(B))
        .await
        .unwrap();
    let service = world.moved().await;
    assert_eq!(service.active_backend_id.as_deref(), Some(B), "{when}");
    world.wire.release();
    asked.await.unwrap().unwrap();
    crate::common::until(&when, || world.all_rest()).await;
    world.set_up(A, true);
    world.consistent(&when).await;
    world.one_primary();
    assert_eq!(
        world.statuses(other).await,
        ("available", "failed-over"),
        "{when}"
    );
    for row in world.volumes().await {
        let plain = row.replication_status == Some(ReplicationStatus::Disabled);
        let failed = row.status.as_str().contains("error");
        assert!(plain || !failed, "{} is {}, {when}", row.id, row.status);
        let replication = row.replication_status.unwrap();
        assert!(
            plain || replication == ReplicationStatus::FailedOver,
            "{replication}, {when}"
        );
    }
    match operation {
        Operation::Delete => assert_eq!(world.status(volume).await, None, "{when}"),
        Operation::Extend => assert_eq!(world.volume(volume).await.unwrap().size, 3, "{when}"),
        Operation::CreatePlain => {}
        Operation::Create | Operation::Snapshot | Operation::Attach => {
            let status = world.status(volume).await;
            assert_ne!(status, Some(VolumeStatus::Error), "{when}");
        }
    }
    world.failed_over("default").await;
    world.consistent(&format!("home after {when}")).await;
    world.one_primary();
}

#[tokio::test]
async fn operations_under_way_go_on_at_the_other_site() {
    for (operation, call) in Operation::ALL {
        for trouble in [Trouble::HangBeforeRelease, Trouble::HangAfterRelease] {
            for disaster in [false, true] {
                meets(operation, call, trouble, disaster).await;
            }
        }
    }
}

/// What is under way with a plain volume when its backend moves rests when the backend is back.
#[tokio::test]
async fn plain_volumes_under_way_rest_at_home() {
    for (operation, call) in [
        (Operation::Extend, "extend_image"),
        (Operation::Delete, "remove_image"),
        (Operation::Snapshot, "create_snapshot"),
        (Operation::Attach, "export"),
    ] {
        for lost in [false, true] {
            let world = World::new().await;
            let volume = world.made(sized(1)).await;
            let when = format!("{operation:?}, lost: {lost}");
            world
                .wire
                .arm(At::Name(A, call, 1), Trouble::HangBeforeRelease);
            let asked = tokio::spawn(operation.run(world.handle(), volume));
            world.struck().await;
            world.set_up(A, !lost);
            world.failed_over(B).await;
            world.wire.release();
            // It may be refused, as its site may be lost.
            let _ = asked.await.unwrap();
            crate::common::until(&when, || world.all_rest()).await;
            world.consistent(&format!("away, {when}")).await;
            world.set_up(A, true);
            world.failed_over("default").await;
            world.rest_at_home(volume, &when).await;
        }
    }
}
