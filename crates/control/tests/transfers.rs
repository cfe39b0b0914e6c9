//! Volumes change hands, whole and within the quota of whoever takes them.

use firebrick_control::{
    Context, CreateTransfer, DeleteVolume, ErrorKind, HardLimits, Query, Transfer,
};
use firebrick_db::transfers;
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;
use futures_util::future::join_all;

use crate::common::{World, admin, member, member_of, sized};
use crate::place::{Place, on_both};

const ELSEWHERE: &str = "ffffffffffffffffffffffffffffffff";

fn offer(volume: VolumeId) -> CreateTransfer {
    CreateTransfer {
        volume,
        name: Some("gift".to_owned()),
        no_snapshots: false,
        encrypted: false,
    }
}

async fn offered(world: &World, request: CreateTransfer) -> (Transfer, String) {
    let made = world.control.create_transfer(&member(), request).await;
    let (transfer, key) = made.unwrap();
    (transfer, key.reveal().to_owned())
}

async fn used(world: &World, who: &Context) -> (i64, i64, i64) {
    let used = world.control.limits(who).await.unwrap().used.unwrap();
    (used.volumes, used.snapshots, used.gigabytes)
}

on_both!(
    a_volume_changes_hands_with_its_snapshots,
    whoever_takes_must_have_room,
    a_volume_is_taken_once,
);

async fn a_volume_changes_hands_with_its_snapshots(place: Place) {
    let world = World::on(place, |_| {}).await;
    let (control, donor, taker) = (world.handle(), member(), member_of(ELSEWHERE));
    let id = world.made(sized(2)).await;
    let snapshot = world.snapped(id).await;
    let (transfer, key) = offered(&world, offer(id)).await;
    assert_eq!(world.status(id).await, Some(VolumeStatus::AwaitingTransfer));
    let again = control
        .create_transfer(&donor, offer(id))
        .await
        .unwrap_err();
    assert_eq!(again.message, "Invalid volume: status must be available");
    let how = DeleteVolume::default();
    control.delete_volume(&donor, id, how).await.unwrap_err();

    // The key is nowhere, and nobody else sees the offer.
    let row = transfers::get(&mut world.db.read().await.unwrap(), transfer.id).await;
    assert!(!format!("{row:?}").contains(&key));
    let hidden = control.transfer(&taker, transfer.id).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    assert!(
        control
            .transfers(&taker, Query::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        control
            .transfers(&donor, Query::default())
            .await
            .unwrap()
            .len(),
        1
    );
    let hidden = control
        .delete_transfer(&taker, transfer.id)
        .await
        .unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    let wrong = control
        .accept_transfer(&taker, transfer.id, "0123456789abcdef")
        .await;
    let wrong = wrong.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Invalid);
    assert!(wrong.message.ends_with("with invalid auth key."));

    control
        .accept_transfer(&taker, transfer.id, &key)
        .await
        .unwrap();
    let volume = world.volume(id).await.unwrap();
    assert_eq!(
        (&volume.project, volume.status),
        (&taker.project, VolumeStatus::Available)
    );
    let snapshot = world.snapshot(snapshot).await.unwrap();
    assert_eq!(snapshot.project, taker.project);
    assert_eq!(used(&world, &donor).await, (0, 0, 0));
    assert_eq!(used(&world, &taker).await, (1, 1, 4));
    let hidden = control.volume(&donor, id).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    for over in [
        control.transfer(&donor, transfer.id).await.map(drop),
        control
            .accept_transfer(&taker, transfer.id, &key)
            .await
            .map(drop),
        control.delete_transfer(&donor, transfer.id).await,
    ] {
        assert_eq!(over.unwrap_err().kind, ErrorKind::NotFound);
    }
}

async fn whoever_takes_must_have_room(place: Place) {
    let world = World::on(place, |_| {}).await;
    let (control, taker) = (world.handle(), member_of(ELSEWHERE));
    let id = world.made(sized(2)).await;
    world.snapped(id).await;
    let (transfer, key) = offered(&world, offer(id)).await;
    for (name, limit) in [
        ("volumes", 0),
        ("gigabytes", 3),
        ("snapshots", 0),
        ("per_volume_gigabytes", 1),
    ] {
        let limits = HardLimits::from([(name.to_owned(), limit)]);
        control
            .set_quotas(&admin(), &taker.project, limits)
            .await
            .unwrap();
        let over = control
            .accept_transfer(&taker, transfer.id, &key)
            .await
            .unwrap_err();
        assert_eq!(over.kind, ErrorKind::OverQuota, "{name}");
        assert_eq!(world.status(id).await, Some(VolumeStatus::AwaitingTransfer));
        assert_eq!(used(&world, &taker).await, (0, 0, 0));
        control
            .delete_quotas(&admin(), &taker.project)
            .await
            .unwrap();
    }
    control
        .delete_transfer(&member(), transfer.id)
        .await
        .unwrap();
    assert_eq!(world.status(id).await, Some(VolumeStatus::Available));
    let gone = control
        .accept_transfer(&taker, transfer.id, &key)
        .await
        .unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);

    // Without its snapshots there is room in three GiB.
    let limits = HardLimits::from([("gigabytes".to_owned(), 3)]);
    control
        .set_quotas(&admin(), &taker.project, limits)
        .await
        .unwrap();
    let request = CreateTransfer {
        no_snapshots: true,
        ..offer(id)
    };
    let (transfer, key) = offered(&world, request).await;
    control
        .accept_transfer(&taker, transfer.id, &key)
        .await
        .unwrap();
    assert_eq!(used(&world, &taker).await, (1, 0, 2));
    assert_eq!(used(&world, &member()).await, (0, 1, 2));
}

async fn a_volume_is_taken_once(place: Place) {
    let world = World::on(place, |_| {}).await;
    let control = world.handle();
    let id = world.made(sized(1)).await;
    let (transfer, key) = offered(&world, offer(id)).await;
    let takers: Vec<Context> = (0..8).map(|n| member_of(&format!("{n:032x}"))).collect();
    let accepts = takers.iter().map(|who| {
        let (control, who, key) = (control.clone(), who.clone(), key.clone());
        tokio::spawn(async move { control.accept_transfer(&who, transfer.id, &key).await })
    });
    let mut taken = Vec::new();
    for (who, result) in takers.iter().zip(join_all(accepts).await) {
        match result.unwrap() {
            Ok(_) => taken.push(who.project.clone()),
            Err(error) => {
                let kinds = [ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::Invalid];
                assert!(kinds.contains(&error.kind), "{error}");
            }
        }
    }
    assert_eq!(taken.len(), 1);
    assert_eq!(world.volume(id).await.unwrap().project, taken[0]);
}
