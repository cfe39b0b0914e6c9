//! What cannot move, and of many requests at once one.

use firebrick_control::{Error, ErrorKind};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use tokio::task::JoinSet;

use super::*;
use crate::common::{HOST, member, mirrored};
use crate::place::on_both;

on_both!(one_migration_wins, one_change_of_type_wins);

async fn refused(world: &World, id: VolumeId, request: MigrateVolume) -> String {
    let refused = world.control.migrate_volume(&admin(), id, request).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    refused.message
}

#[tokio::test]
async fn what_cannot_move_is_told_why() {
    let world = two().await;
    let id = filled(&world).await;
    let to = |host: &str| MigrateVolume {
        to: At::Host(host.to_owned()),
        lock: false,
    };
    let same = "destination host/cluster must be different";
    assert!(refused(&world, id, to(HOST)).await.contains(same));
    for nowhere in ["node1@nothing", "node1@stones#other", "x y"] {
        let why = format!("Invalid host: No available service named '{nowhere}'");
        assert_eq!(refused(&world, id, to(nowhere)).await, why);
    }
    near_only(&world, true).await;
    let why = format!("Invalid host: No available service named '{FAR}'");
    assert_eq!(refused(&world, id, to_far(false)).await, why);
    near_only(&world, false).await;
    let forbidden = world
        .control
        .migrate_volume(&member(), id, to_far(false))
        .await;
    assert_eq!(forbidden.unwrap_err().kind, ErrorKind::Forbidden);

    let snapshot = world.snapped(id).await;
    assert!(
        refused(&world, id, to_far(false))
            .await
            .contains("has snapshots")
    );
    world
        .control
        .delete_snapshot(&member(), snapshot, false)
        .await
        .unwrap();
    world.settled(snapshot.0).await;
    world.attached(id).await;
    assert!(
        refused(&world, id, to_far(false))
            .await
            .contains("attached")
    );
    assert!(
        refused(&world, id, to_far(true))
            .await
            .contains("must be available")
    );
    let replicated = world.made(mirrored(1)).await;
    assert!(
        refused(&world, replicated, to_far(false))
            .await
            .contains("replicated")
    );
}

#[tokio::test]
async fn a_volume_on_its_way_is_neither_snapshotted_nor_removed() {
    use crate::common::{At as Where, C, Trouble, snapshot_of};
    use firebrick_control::DeleteVolume;
    let world = two().await;
    let id = filled(&world).await;
    world
        .wire
        .arm(Where::Name(C, "write", 1), Trouble::HangBeforeRelease);
    let control = &world.control;
    control
        .migrate_volume(&admin(), id, to_far(false))
        .await
        .unwrap();
    world.struck().await;
    let kind = |error: Error| error.kind;
    let snapped = control.create_snapshot(&member(), snapshot_of(id)).await;
    assert_eq!(snapped.map(drop).map_err(kind), Err(ErrorKind::Invalid));
    let target = hidden(&world).await.pop().unwrap().id;
    for id in [id, target] {
        let force = DeleteVolume {
            cascade: false,
            force: true,
        };
        let deleted = control.delete_volume(&admin(), id, force).await;
        assert_eq!(deleted.map_err(kind), Err(ErrorKind::Invalid));
        let given_up = control.unmanage_volume(&admin(), id).await;
        assert_eq!(given_up.map_err(kind), Err(ErrorKind::Invalid));
        let again = control.migrate_volume(&admin(), id, to_far(false)).await;
        assert_eq!(again.map_err(kind), Err(ErrorKind::Invalid));
    }
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    assert!(rests_in_one_place(&world, id, "after all").await);
}

/// All but one of these were refused.
fn one_won(answers: Vec<Result<(), Error>>) {
    let refused: Vec<Error> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 7, "{refused:?}");
    for error in refused {
        let right = matches!(error.kind, ErrorKind::Invalid | ErrorKind::Conflict);
        assert!(right, "{error:?}");
    }
}

async fn one_migration_wins(place: Place) {
    let world = World::of_two(place, |options| options.runner.workers = 8).await;
    let id = filled(&world).await;
    let mut all = JoinSet::new();
    for number in 0..8 {
        let control = world.handle();
        let request = to_far(number % 2 == 0);
        all.spawn(async move { control.migrate_volume(&admin(), id, request).await });
    }
    one_won(all.join_all().await);
    world.settled(id.0).await;
    assert!(rests_in_one_place(&world, id, "after eight requests").await);
}

async fn one_change_of_type_wins(place: Place) {
    let world = World::of_two(place, |options| options.runner.workers = 8).await;
    let id = filled(&world).await;
    kind(&world, "far", &[("volume_backend_name", "stones")]).await;
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let control = world.handle();
        let request = becoming("far", MigrationPolicy::OnDemand);
        all.spawn(async move { control.retype_volume(&member(), id, request).await });
    }
    one_won(all.join_all().await);
    world.settled(id.0).await;
    assert!(rests_in_one_place(&world, id, "after eight requests").await);
    assert_eq!(world.status(id).await, Some(VolumeStatus::Available));
}

/// What is not replicated was not migrated either, where its row said `not-capable`.
#[tokio::test]
async fn lp_1727248_a_volume_that_cannot_replicate_is_migrated() {
    let world = super::two().await;
    let id = filled(&world).await;
    let mut tx = world.db.begin().await.unwrap();
    let mut volume = volumes::get_locked(&mut tx, id).await.unwrap().unwrap();
    volume.replication_status = Some(ReplicationStatus::NotCapable);
    let from = [volume.status];
    assert!(volumes::swap(&mut tx, &from, &volume).await.unwrap().won());
    tx.commit().await.unwrap();
    let asked = world
        .control
        .migrate_volume(&admin(), id, to_far(false))
        .await;
    asked.unwrap();
    world.settled(id.0).await;
    assert!(rests_in_one_place(&world, id, "after a migration").await);
    let host = world.volume(id).await.unwrap().host.unwrap();
    assert_eq!(host.without_pool().to_string(), FAR);
}
