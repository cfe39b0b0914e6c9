//! The same request twice at once: one of them wins, the other is told so, and nothing is left over.

use firebrick_control::{DeleteVolume, Error, ErrorKind, ResetStatus};
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;
use tokio::task::JoinSet;

use crate::common::{A, HOST, World, admin, attach_to, member, mirrored, sized, snapshot_of};
use crate::place::{Place, on_both};

on_both!(
    one_deletion_wins,
    one_giving_up_wins,
    one_extension_wins,
    one_reservation_wins,
    one_attachment_wins,
    one_detachment_begins,
    one_snapshot_deletion_wins,
    one_failover_wins,
    one_flag_or_one_deletion,
    nobody_snapshots_what_goes,
    renames_and_flags_lose_nothing,
);

/// Asks as often as there are requests, all at once; the answers of those that were refused.
async fn at_once<F>(requests: Vec<F>) -> Vec<Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut all = JoinSet::new();
    for request in requests {
        all.spawn(request);
    }
    let answers = all.join_all().await;
    answers.into_iter().filter_map(Result::err).collect()
}

/// All but one were refused, and told that the state does not allow it, or that others were first.
fn one_won(of: usize, refused: &[Error]) {
    assert_eq!(refused.len(), of - 1, "{refused:?}");
    for error in refused {
        let right = matches!(error.kind, ErrorKind::Invalid | ErrorKind::Conflict);
        assert!(right, "{error:?}");
    }
}

const MANY: usize = 8;

/// `$request`, many times at once, of which one must win.
macro_rules! one_wins {
    ($world:expr, |$control:ident| $request:expr) => {{
        let requests = (0..MANY).map(|_| {
            let $control = $world.handle();
            async move { $request.await.map(drop) }
        });
        one_won(MANY, &at_once(requests.collect()).await);
    }};
}

async fn world(place: Place) -> (World, VolumeId) {
    let world = World::on(place, |options| options.runner.workers = 8).await;
    let id = world.made(sized(1)).await;
    (world, id)
}

async fn one_deletion_wins(place: Place) {
    let (world, id) = world(place).await;
    one_wins!(world, |control| async move {
        let how = DeleteVolume::default();
        match control.delete_volume(&member(), id, how).await {
            // It may have gone already.
            Err(error) if error.kind == ErrorKind::NotFound => Err(Error::lost("gone")),
            other => other,
        }
    });
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, None);
    world.consistent("after the deletion").await;
}

/// The image stays, and once is enough.
async fn one_giving_up_wins(place: Place) {
    let (world, id) = world(place).await;
    one_wins!(world, |control| async move {
        match control.unmanage_volume(&admin(), id).await {
            Err(error) if error.kind == ErrorKind::NotFound => Err(Error::lost("gone")),
            other => other,
        }
    });
    world.settled(id.0).await;
    assert_eq!(world.status(id).await, None);
    assert_eq!(world.site(A, |site| site.images.len()), 1);
}

async fn one_extension_wins(place: Place) {
    let (world, id) = world(place).await;
    one_wins!(world, |control| async move {
        control.extend_volume(&member(), id, 3, true).await
    });
    world.settled(id.0).await;
    assert_eq!(world.volume(id).await.unwrap().size, 3);
    world.consistent("after the extension").await;
}

async fn one_reservation_wins(place: Place) {
    let (world, id) = world(place).await;
    one_wins!(world, |control| async move {
        control.reserve(&member(), id).await
    });
    assert_eq!(world.status(id).await, Some(VolumeStatus::Attaching));
    world.control.unreserve(&member(), id).await.unwrap();
    world.consistent("after the reservation").await;
}

async fn one_attachment_wins(place: Place) {
    let (world, id) = world(place).await;
    one_wins!(world, |control| async move {
        let request = attach_to(id, false);
        control.create_attachment(&member(), request).await
    });
    assert_eq!(world.status(id).await, Some(VolumeStatus::Reserved));
    world.consistent("after the attachment").await;
}

async fn one_detachment_begins(place: Place) {
    let (world, id) = world(place).await;
    world.attached(id).await;
    one_wins!(world, |control| async move {
        control.begin_detaching(&member(), id).await
    });
    world.control.roll_detaching(&member(), id).await.unwrap();
    world.consistent("after the detachment").await;
}

async fn one_snapshot_deletion_wins(place: Place) {
    let (world, id) = world(place).await;
    let snapshot = world.snapped(id).await;
    one_wins!(world, |control| async move {
        match control.delete_snapshot(&member(), snapshot, false).await {
            Err(error) if error.kind == ErrorKind::NotFound => Err(Error::lost("gone")),
            other => other,
        }
    });
    world.settled(snapshot.0).await;
    assert!(world.snapshot(snapshot).await.is_none());
    world.consistent("after the deletion").await;
}

async fn one_failover_wins(place: Place) {
    let (world, _) = world(place).await;
    world.made(mirrored(1)).await;
    one_wins!(world, |control| async move {
        control.failover(&admin(), HOST, None).await
    });
    world.moved().await;
    world.consistent("after the failover").await;
}

/// An operator's word about the status and a deletion: whoever comes second finds what the first left.
async fn one_flag_or_one_deletion(place: Place) {
    let (world, _) = world(place).await;
    for _ in 0..4 {
        let id = world.made(sized(1)).await;
        let (reset, delete) = (world.handle(), world.handle());
        let reset = tokio::spawn(async move {
            let to = ResetStatus {
                status: Some("maintenance".to_owned()),
                ..ResetStatus::default()
            };
            reset.reset_volume_status(&admin(), id, to).await
        });
        let how = DeleteVolume::default();
        let deleted = delete.delete_volume(&member(), id, how).await;
        let reset = reset.await.unwrap();
        world.settled(id.0).await;
        match world.status(id).await {
            None => assert!(deleted.is_ok()),
            Some(VolumeStatus::Maintenance) => assert!(reset.is_ok()),
            other => panic!("{other:?} after {deleted:?} and {reset:?}"),
        }
    }
}

/// A deletion and a snapshot at once: never a snapshot without its volume.
async fn nobody_snapshots_what_goes(place: Place) {
    let (world, _) = world(place).await;
    for _ in 0..6 {
        let id = world.made(sized(1)).await;
        let (snap, delete) = (world.handle(), world.handle());
        let snapped =
            tokio::spawn(async move { snap.create_snapshot(&member(), snapshot_of(id)).await });
        let how = DeleteVolume::default();
        let deleted = delete.delete_volume(&member(), id, how).await;
        let snapped = snapped.await.unwrap();
        assert!(deleted.is_err() || snapped.is_err(), "both");
        if let Ok(detail) = snapped {
            world.settled(detail.snapshot.id.0).await;
        }
        world.settled(id.0).await;
        assert_eq!(world.status(id).await.is_none(), deleted.is_ok());
    }
    world.consistent("after all").await;
}

/// Names, flags and metadata given at once all stay.
async fn renames_and_flags_lose_nothing(place: Place) {
    let (world, id) = world(place).await;
    let (a, b, c, d) = (
        world.handle(),
        world.handle(),
        world.handle(),
        world.handle(),
    );
    let renamed = firebrick_control::Rename {
        name: Some(Some("new".to_owned())),
        ..firebrick_control::Rename::default()
    };
    let mut all = JoinSet::new();
    all.spawn(async move { a.update_volume(&member(), id, renamed).await.map(drop) });
    all.spawn(async move { b.set_bootable(&member(), id, true).await });
    all.spawn(async move { c.set_readonly(&member(), id, true).await });
    all.spawn(async move { d.extend_volume(&member(), id, 2, true).await });
    let refused: Vec<Error> = all
        .join_all()
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    world.settled(id.0).await;
    let volume = world.volume(id).await.unwrap();
    assert_eq!(volume.name.as_deref(), Some("new"));
    assert!(volume.bootable);
    assert_eq!(volume.size, 2);
    // Only the flag may be refused, where the extension was first.
    assert_eq!(
        volume.readonly == Some(true),
        refused.is_empty(),
        "{refused:?}"
    );
}
