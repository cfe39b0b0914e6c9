//! What an operator says the status of a volume is, as clients know it.

use firebrick_control::{ErrorKind, ResetStatus};
use firebrick_db::attachments;
use firebrick_state::{AttachStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;

use crate::common::{A, World, admin, member, sized, until};

fn to(status: Option<&str>, attach: Option<&str>, migration: Option<&str>) -> ResetStatus {
    ResetStatus {
        status: status.map(str::to_owned),
        attach_status: attach.map(str::to_owned),
        migration_status: migration.map(str::to_owned),
    }
}

async fn reset(world: &World, id: VolumeId, to: ResetStatus) -> Result<(), String> {
    let reset = world.control.reset_volume_status(&admin(), id, to).await;
    reset.map_err(|error| {
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        error.message
    })
}

#[tokio::test]
async fn every_status_of_cinders_is_taken_but_some() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    for status in VolumeStatus::ALL {
        let name = status.as_str();
        let expected = match status {
            VolumeStatus::Deleting => Err("Cannot reset-state to deleting"),
            VolumeStatus::InUse => {
                Err("Cannot reset-state to in-use because volume does not have any attachments.")
            }
            VolumeStatus::Reverting
            | VolumeStatus::Unmanaging
            | VolumeStatus::ErrorManagingDeleting => Err("is invalid"),
            _ => Ok(()),
        };
        let said = reset(&world, id, to(Some(&name.to_uppercase()), None, None)).await;
        match expected {
            Ok(()) => {
                assert_eq!(said, Ok(()), "{name}");
                assert_eq!(world.status(id).await, Some(*status));
            }
            Err(text) => assert!(said.unwrap_err().contains(text), "{name}"),
        }
    }
    let before = world.volume(id).await.unwrap();
    for (bad, text) in [
        (
            to(Some("bogus"), None, None),
            "Volume status: bogus is invalid, valid statuses are: ('creating', ",
        ),
        (
            to(Some("error"), Some("reserved"), None),
            "Volume attach status: reserved is invalid, valid statuses are: ('attached', 'detached').",
        ),
        (
            to(Some("error"), None, Some("done")),
            "Volume migration status: done is invalid, ",
        ),
    ] {
        let said = reset(&world, id, bad).await.unwrap_err();
        assert!(said.starts_with(text), "{said}");
        assert_eq!(world.volume(id).await.unwrap(), before);
    }
    reset(&world, id, to(None, None, Some("Migrating")))
        .await
        .unwrap();
    let found = world.volume(id).await.unwrap();
    assert_eq!(found.migration_status.as_deref(), Some("migrating"));
    reset(&world, id, to(None, None, Some("none")))
        .await
        .unwrap();
    assert_eq!(world.volume(id).await.unwrap().migration_status, None);
}

#[tokio::test]
async fn what_is_said_to_be_detached_has_no_attachments_and_no_exports() {
    for (said, expected) in [
        (None, VolumeStatus::Available),
        (Some("in-use"), VolumeStatus::Available),
        (Some("available"), VolumeStatus::Available),
        (Some("error"), VolumeStatus::Error),
    ] {
        let world = World::new().await;
        let id = world.made(sized(1)).await;
        world.attached(id).await;
        assert_eq!(
            reset(&world, id, to(Some("in-use"), None, None)).await,
            Ok(())
        );
        assert_eq!(world.site(A, |site| site.exports.len()), 1);
        reset(&world, id, to(said, Some("detached"), None))
            .await
            .unwrap();
        let volume = world.volume(id).await.unwrap();
        assert_eq!(
            (volume.status, volume.attach_status),
            (expected, AttachStatus::Detached),
            "{said:?}"
        );
        let rows = attachments::of_volume(&mut world.db.read().await.unwrap(), id).await;
        assert_eq!(rows.unwrap(), []);
        let gone = || async { world.site(A, |site| site.exports.is_empty()) };
        until("the export ends", gone).await;
    }
}

#[tokio::test]
async fn a_volume_that_was_freed_is_attached_again() {
    let world = World::new().await;
    let id = world.made(sized(1)).await;
    world.attached(id).await;
    let free = to(Some("available"), Some("detached"), None);
    reset(&world, id, free).await.unwrap();
    let attachment = world.attached(id).await;
    world
        .control
        .delete_attachment(&member(), attachment)
        .await
        .unwrap();
    world.settled(attachment.0).await;
    world.deleted(id).await;
}
