//! A volume returns to its newest snapshot.

use firebrick_backend::FaultKind;
use firebrick_control::{ErrorKind, Listing};
use firebrick_db::messages;
use firebrick_state::{SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{SnapshotUuid, VolumeId};

use crate::common::{A, At, Trouble, World, admin, member, member_of, sized, with_roles};

/// Writes the one block that these tests look at.
fn write(world: &World, id: VolumeId, byte: u8) {
    world.site(A, |site| {
        let image = site.images.get_mut(&id.image_id()).unwrap();
        image.blocks.insert(0, vec![byte; 4096]);
    });
}

fn read(world: &World, id: VolumeId) -> u8 {
    world.site(A, |site| site.images[&id.image_id()].blocks[&0][0])
}

async fn refused(world: &World, id: VolumeId, to: Option<SnapshotUuid>) -> (ErrorKind, String) {
    let refused = world.control.revert_volume(&member(), id, to).await;
    let refused = refused.unwrap_err();
    (refused.kind, refused.message)
}

async fn statuses(world: &World, id: VolumeId, of: SnapshotUuid) -> (VolumeStatus, SnapshotStatus) {
    let snapshot = world.snapshot(of).await.unwrap().status;
    (world.status(id).await.unwrap(), snapshot)
}

const REST: (VolumeStatus, SnapshotStatus) = (VolumeStatus::Available, SnapshotStatus::Available);

#[tokio::test]
async fn a_volume_is_what_it_was_at_its_newest_snapshot() {
    let mut world = World::new().await;
    let id = world.made(sized(1)).await;
    write(&world, id, 1);
    let older = world.snapped(id).await;
    write(&world, id, 2);
    let newest = world.snapped(id).await;
    write(&world, id, 3);
    let control = world.handle();
    control
        .revert_volume(&member(), id, Some(newest))
        .await
        .unwrap();
    world.settled(id.0).await;
    assert_eq!(read(&world, id), 2);
    assert_eq!(statuses(&world, id, newest).await, REST);

    let text = format!("Specified snapshot {older} is None or not the latest one of volume {id}.");
    assert_eq!(
        refused(&world, id, Some(older)).await,
        (ErrorKind::Invalid, text)
    );
    let text = format!("Specified snapshot None is None or not the latest one of volume {id}.");
    assert_eq!(refused(&world, id, None).await, (ErrorKind::Invalid, text));
    world.consistent("after a revert").await;

    // The process dies behind the call, and the next one does it once more.
    write(&world, id, 4);
    world
        .wire
        .arm(At::Name(A, "roll_back", 1), Trouble::HangAfter);
    control
        .revert_volume(&member(), id, Some(newest))
        .await
        .unwrap();
    world.struck().await;
    let under_way = (VolumeStatus::Reverting, SnapshotStatus::Restoring);
    assert_eq!(statuses(&world, id, newest).await, under_way);
    assert_eq!(
        refused(&world, id, Some(newest)).await.0,
        ErrorKind::Conflict
    );
    world.restart().await;
    world.settled(id.0).await;
    assert_eq!(read(&world, id), 2);
    assert_eq!(statuses(&world, id, newest).await, REST);
}

#[tokio::test]
async fn what_cannot_be_reverted_is_refused_and_stays() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let none = (
        ErrorKind::Invalid,
        format!("Volume {id} doesn't have any snapshots."),
    );
    assert_eq!(refused(&world, id, None).await, none);
    let snapshot = world.snapped(id).await;
    let control = &world.control;
    let reader = with_roles(member().project.as_str(), &["reader"]);
    let stranger = member_of("fedcba9876543210fedcba9876543210");
    for (who, kind) in [
        (reader, ErrorKind::Forbidden),
        (stranger, ErrorKind::NotFound),
    ] {
        let refused = control.revert_volume(&who, id, Some(snapshot)).await;
        assert_eq!(refused.unwrap_err().kind, kind);
    }
    let attachment = world.attached(id).await;
    let text = format!(
        "Invalid volume: Can't revert volume {id} to its latest snapshot. Volume's status must be \
         'available'."
    );
    let expected = (ErrorKind::Conflict, text);
    assert_eq!(refused(&world, id, Some(snapshot)).await, expected);
    control
        .delete_attachment(&member(), attachment)
        .await
        .unwrap();
    world.settled(attachment.0).await;
    let reset = control
        .reset_snapshot_status(&admin(), snapshot, "error")
        .await;
    reset.unwrap();
    assert_eq!(
        refused(&world, id, Some(snapshot)).await.0,
        ErrorKind::Conflict
    );
    let reset = control
        .reset_snapshot_status(&admin(), snapshot, "available")
        .await;
    reset.unwrap();
    control
        .extend_volume(&member(), id, 2, false)
        .await
        .unwrap();
    world.settled(id.0).await;
    let (kind, text) = refused(&world, id, Some(snapshot)).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(
        text.contains("must be equal to the snapshot size"),
        "{text}"
    );
    assert_eq!(statuses(&world, id, snapshot).await, REST);
    assert!(!world.wire.calls().contains(&(A, "roll_back")));
}

#[tokio::test]
async fn a_revert_that_fails_is_told() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    let snapshot = world.snapped(id).await;
    let trouble = Trouble::Refuse(FaultKind::Io);
    world
        .wire
        .arm(At::Name(A, "roll_back", usize::MAX), trouble);
    let control = &world.control;
    let revert = control.revert_volume(&member(), id, Some(snapshot)).await;
    revert.unwrap();
    world.settled(id.0).await;
    let expected = (VolumeStatus::Error, SnapshotStatus::Available);
    assert_eq!(statuses(&world, id, snapshot).await, expected);
    let connection = &mut *world.db.read().await.unwrap();
    let told = messages::list(connection, &Listing::default())
        .await
        .unwrap();
    let told: Vec<String> = told.unwrap().into_iter().map(|it| it.event_id).collect();
    assert_eq!(told, ["VOLUME_VOLUME_105_107"]);
}
