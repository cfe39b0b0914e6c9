//! Quotas hold exactly, whoever comes at the same time.

use std::time::Duration;

use firebrick_backend::FaultKind;
use firebrick_control::{ControlOptions, DeleteVolume, ErrorKind, HardLimits, QuotaUse};
use firebrick_db::usage;
use firebrick_vocabulary::VolumeId;
use futures_util::future::join_all;

use crate::common::{A, At, Trouble, World, admin, member, mirrored, sized, snapshot_of};
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
    let used = limits.used.unwrap();
    (used.volumes, used.snapshots, used.gigabytes)
}

on_both!(
    two_hundred_at_once_get_fifty_and_give_them_back,
    whatever_meets_no_quota_is_exceeded,
    an_extension_does_not_end_while_somebody_counts,
    limits_are_those_of_project_class_and_configuration,
    types_have_limits_of_their_own,
);

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

/// Creations, extensions, snapshots and deletions at once, with somebody who counts between them.
async fn an_extension_does_not_end_while_somebody_counts(place: Place) {
    let world = World::on(place, |_| {}).await;
    let (control, context) = (world.handle(), member());
    let id = world.made(sized(1)).await;
    world
        .wire
        .arm(At::Name(A, "extend_image", 1), Trouble::HangBeforeRelease);
    control.extend_volume(&context, id, 4, false).await.unwrap();
    world.struck().await;
    let mut tx = world.db.begin().await.unwrap();
    tx.lock_project(&context.project).await.unwrap();
    world.wire.release();
    let early = tokio::time::timeout(Duration::from_millis(300), world.settled(id.0));
    assert!(early.await.is_err());
    drop(tx);
    world.settled(id.0).await;
    assert_eq!(world.volume(id).await.unwrap().size, 4);
}

async fn whatever_meets_no_quota_is_exceeded(place: Place) {
    const LIMIT: u64 = 30;
    let world = World::on(place, |options| {
        gigabytes(LIMIT as i64)(options);
        options.quotas.snapshots = 4;
    })
    .await;
    let (control, context) = (world.handle(), member());
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(world.made(sized(1)).await);
    }
    let count = async || {
        let mut tx = world.db.begin().await.unwrap();
        tx.lock_project(&context.project).await.unwrap();
        let used = usage::of_project(&mut tx, &context.project).await.unwrap();
        let promised = usage::promised(&mut tx, &context.project).await.unwrap();
        let taken = used.gigabytes + promised.values().sum::<u64>();
        assert!(taken <= LIMIT, "{taken} of {LIMIT} GiB: {used:?}");
        assert!(used.snapshots <= 4, "{used:?}");
    };
    let mut refused = 0;
    for round in 0..6 {
        let storm = ids.iter().enumerate().map(|(at, id)| {
            let (control, context, id) = (control.clone(), context.clone(), *id);
            tokio::spawn(async move {
                match (at + round) % 4 {
                    0 => control.create_volume(&context, sized(3)).await.map(drop),
                    1 => control.extend_volume(&context, id, 4, false).await,
                    2 => control
                        .create_snapshot(&context, snapshot_of(id))
                        .await
                        .map(drop),
                    _ => {
                        let how = DeleteVolume::default();
                        control.delete_volume(&context, id, how).await
                    }
                }
            })
        });
        let storm: Vec<_> = storm.collect();
        for _ in 0..4 {
            count().await;
        }
        for result in join_all(storm).await {
            refused += u32::from(
                result
                    .unwrap()
                    .is_err_and(|e| e.kind == ErrorKind::OverQuota),
            );
        }
        count().await;
        ids = world.volumes().await.iter().map(|row| row.id).collect();
    }
    assert!(refused > 0, "nothing was ever refused");
    for id in ids {
        world.settled(id.0).await;
    }
    count().await;
}

fn limited(pairs: &[(&str, i64)]) -> HardLimits {
    pairs
        .iter()
        .map(|(name, limit)| ((*name).to_owned(), *limit))
        .collect()
}

async fn limits_are_those_of_project_class_and_configuration(place: Place) {
    let world = World::on(place, |options| options.quotas.volumes = 3).await;
    let (control, context, operator) = (world.handle(), member(), admin());
    let project = &context.project;
    let limit = async || control.limits(&context).await.unwrap().volumes;
    assert_eq!(limit().await, 3);
    let class = limited(&[("volumes", 2)]);
    let set = control.set_quota_class(&operator, "default", class).await;
    assert_eq!(set.unwrap()["volumes"], 2);
    assert_eq!(limit().await, 2);
    let other = limited(&[("volumes", 9)]);
    control
        .set_quota_class(&operator, "other", other)
        .await
        .unwrap();
    assert_eq!(
        control.quota_class(&operator, "other").await.unwrap()["volumes"],
        9
    );
    assert_eq!(limit().await, 2);
    let own = limited(&[("volumes", 1), ("gigabytes", 50)]);
    let set = control.set_quotas(&operator, project, own).await.unwrap();
    assert_eq!(
        (set["volumes"], set["gigabytes"], set["snapshots"]),
        (1, 50, 10)
    );
    let defaults = control.quota_defaults(&context, project).await.unwrap();
    assert_eq!((defaults["volumes"], defaults["gigabytes"]), (2, 1000));

    world.made(sized(2)).await;
    let over = control.create_volume(&context, sized(1)).await.unwrap_err();
    let message = "Maximum number of volumes allowed (1) exceeded for quota 'volumes'.";
    assert_eq!(
        (over.kind, over.message.as_str()),
        (ErrorKind::OverQuota, message)
    );
    let used = control.quota_use(&context, project).await.unwrap();
    let expected = QuotaUse {
        limit: 50,
        in_use: 2,
        reserved: 0,
    };
    assert_eq!(used["gigabytes"], expected);
    let less = limited(&[("gigabytes", 1), ("volumes", 5)]);
    let refused = control
        .set_quotas(&operator, project, less)
        .await
        .unwrap_err();
    let message = "Quota gigabytes limit must be equal or greater than existing resources. Current \
                   usage is 2 and the requested limit is 1.";
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (ErrorKind::Invalid, message)
    );
    assert_eq!(limit().await, 1);
    let bad = limited(&[("bogus", 1), ("volumes", 5)]);
    let refused = control
        .set_quotas(&operator, project, bad)
        .await
        .unwrap_err();
    let message = "Invalid input received: Bad key(s) in quota set: bogus";
    assert_eq!(refused.message, message);
    control.delete_quotas(&operator, project).await.unwrap();
    assert_eq!(limit().await, 2);
}

/// Neither made nor grown.
#[tokio::test]
async fn the_largest_volume_may_be_a_projects_own() {
    let world = World::new().await;
    let (control, context) = (world.handle(), member());
    let id = world.made(sized(2)).await;
    let large = limited(&[("per_volume_gigabytes", 2)]);
    let set = control.set_quotas(&admin(), &context.project, large).await;
    set.unwrap();
    let over = control.create_volume(&context, sized(3)).await.unwrap_err();
    assert_eq!(over.kind, ErrorKind::OverQuota);
    let over = control.extend_volume(&context, id, 3, false).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
    world.made(sized(2)).await;
}

async fn types_have_limits_of_their_own(place: Place) {
    let world = World::on(place, |_| {}).await;
    let (control, context, operator) = (world.handle(), member(), admin());
    let project = &context.project;
    let own = limited(&[
        ("volumes_mirrored", 2),
        ("gigabytes_mirrored", 5),
        ("snapshots_mirrored", 1),
    ]);
    let set = control.set_quotas(&operator, project, own).await.unwrap();
    assert_eq!(
        (set["volumes_mirrored"], set["volumes___DEFAULT__"]),
        (2, -1)
    );
    let id = world.made(mirrored(2)).await;
    let snapshot = world.snapped(id).await;
    let refusals = [
        (
            control.create_volume(&context, mirrored(2)).await.map(drop),
            "Requested volume or snapshot exceeds allowed gigabytes_mirrored quota. Requested 2G, \
             quota is 5G and 4G has been consumed.",
        ),
        (
            control.extend_volume(&context, id, 4, false).await,
            "Requested volume or snapshot exceeds allowed gigabytes_mirrored quota. Requested 2G, \
             quota is 5G and 4G has been consumed.",
        ),
    ];
    for (answer, message) in refusals {
        let refused = answer.unwrap_err();
        assert_eq!(
            (refused.kind, refused.message.as_str()),
            (ErrorKind::OverQuota, message)
        );
    }
    let more = limited(&[("gigabytes_mirrored", -1)]);
    control.set_quotas(&operator, project, more).await.unwrap();
    let over = control
        .create_snapshot(&context, snapshot_of(id))
        .await
        .unwrap_err();
    assert_eq!(
        over.message,
        "Maximum number of snapshots allowed (1) exceeded"
    );
    world.made(mirrored(1)).await;
    let over = control
        .create_volume(&context, mirrored(1))
        .await
        .unwrap_err();
    let message = "Maximum number of volumes allowed (2) exceeded for quota 'volumes_mirrored'.";
    assert_eq!(over.message, message);
    // Other types are not concerned.
    let plain = world.made(sized(5)).await;
    world.snapped(plain).await;
    let used = control.quota_use(&operator, project).await.unwrap();
    let of = |name: &str| (used[name].limit, used[name].in_use);
    assert_eq!(of("volumes_mirrored"), (2, 2));
    assert_eq!(of("gigabytes_mirrored"), (-1, 5));
    assert_eq!(of("snapshots_mirrored"), (1, 1));
    assert_eq!(of("gigabytes___DEFAULT__"), (-1, 10));
    control
        .delete_snapshot(&context, snapshot, false)
        .await
        .unwrap();
    world.settled(snapshot.0).await;
    world.snapped(id).await;
}

/// `no_snapshot_gb_quota`.
#[tokio::test]
async fn snapshots_may_be_free() {
    let world = World::with(|options| {
        options.quotas.gigabytes = 3;
        options.quotas.snapshots_are_free = true;
    })
    .await;
    let id = world.made(sized(2)).await;
    world.snapped(id).await;
    assert_eq!(used(&world).await, (1, 1, 2));
    world.made(sized(1)).await;
    let over = world.control.create_volume(&member(), sized(1)).await;
    assert_eq!(over.unwrap_err().kind, ErrorKind::OverQuota);
}
