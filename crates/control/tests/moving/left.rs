//! What happens to a volume on its way when its backend fails over, or when it is filled anew or read.

use std::sync::Arc;

use firebrick_backend::FaultKind;
use firebrick_cloud::Glance;
use firebrick_control::{
    BackupOptions, CreateBackup, ErrorKind, ImageOptions, Posix, RestoreBackup, UploadImage,
};
use firebrick_simulate::SimulatedDisk;
use firebrick_state::VolumeStatus;
use serde_json::json;

use super::*;
use crate::common::{At as Where, B, C, Trouble, member};
use crate::glance::{FakeGlance, impatient};

/// A migration or a change of type of which nothing is copied yet.
async fn on_its_way(world: &World, id: VolumeId, how: &str) {
    let first_write = Where::Name(C, "write", 1);
    world.wire.arm(first_write, Trouble::HangBeforeRelease);
    let (control, who) = (&world.control, admin());
    match how {
        "moved" => control.migrate_volume(&who, id, to_far(false)).await,
        "moved and locked" => control.migrate_volume(&who, id, to_far(true)).await,
        _ => {
            let far = becoming("far", MigrationPolicy::OnDemand);
            control.retype_volume(&who, id, far).await
        }
    }
    .unwrap();
    world.struck().await;
}

async fn goes_on(world: &World, id: VolumeId) {
    world.wire.disarm();
    world.wire.release();
    world.settled(id.0).await;
    tidied(world).await;
}

/// A volume that nobody replicates is lost with its site for as long as that is away; what was begun with it
/// has ended when it is back.
#[tokio::test]
async fn a_volume_whose_backend_fails_over_on_the_way_stays_and_comes_back() {
    for how in ["moved", "moved and locked", "given a type"] {
        let world = two().await;
        let id = filled(&world).await;
        kind(&world, "far", &[("volume_backend_name", "stones")]).await;
        on_its_way(&world, id, how).await;
        world.failed_over(B).await;
        assert_eq!(world.status(id).await, Some(VolumeStatus::Error), "{how}");
        goes_on(&world, id).await;
        let volume = world.volume(id).await.unwrap();
        assert_eq!(volume.status, VolumeStatus::Error, "{how}");
        assert_eq!(volume.image(), id.image_id(), "{how}");
        assert!(world.far(|site| site.images.is_empty()), "{how}");
        world.failed_over("default").await;
        assert!(!rests_in_one_place(&world, id, how).await, "{how}");
        let volume = world.volume(id).await.unwrap();
        let migrated = volume.migration_status.as_deref();
        assert_eq!(migrated.unwrap_or("error"), "error", "{how}");
        // Nothing is left of it that would stand in the way.
        world.wire.disarm();
        let (control, who) = (&world.control, admin());
        control
            .migrate_volume(&who, id, to_far(true))
            .await
            .unwrap();
        world.settled(id.0).await;
        assert!(rests_in_one_place(&world, id, how).await, "{how}");
    }
}

/// Two backends, backups, and images.
async fn equipped(glance: &FakeGlance) -> World {
    let client = Glance::new(impatient(glance.serve().await)).unwrap();
    let nowhere = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
    let images = ImageOptions::new(client, nowhere);
    let repository = Arc::new(Posix::new(Arc::new(SimulatedDisk::new())));
    World::of_two(Place::asked_for(), |options| {
        options.images = Some(images);
        options.backup = Some(BackupOptions {
            repository,
            container: "shelf".parse().unwrap(),
            object_bytes: 1 << 20,
        });
    })
    .await
}

fn backup_of(volume: VolumeId) -> CreateBackup {
    CreateBackup {
        volume,
        snapshot: None,
        incremental: false,
        force: false,
        name: None,
        description: None,
        container: None,
        availability_zone: None,
        metadata: std::collections::BTreeMap::new(),
    }
}

fn as_image() -> UploadImage {
    UploadImage {
        name: "copy".to_owned(),
        force: false,
        disk_format: "raw".to_owned(),
        container_format: "bare".to_owned(),
        visibility: None,
        protected: None,
    }
}

/// What fills the volume anew goes first; the copy has what it wrote, or is given up.
#[tokio::test]
async fn a_volume_that_is_filled_anew_on_the_way_has_what_was_written() {
    for what in ["restored", "written anew"] {
        let glance = FakeGlance::default();
        let world = equipped(&glance).await;
        let id = filled(&world).await;
        let (control, who) = (&world.control, member());
        let made = control.create_backup(&who, backup_of(id)).await.unwrap();
        let backup = made.backup.id;
        world.settled(backup.0).await;
        write(&world, id, 9, 7);
        on_its_way(&world, id, "moved").await;
        let expected = if what == "restored" {
            let into = RestoreBackup {
                volume: Some(id),
                ..RestoreBackup::default()
            };
            control.restore_backup(&who, backup, into).await.unwrap();
            vec![(0, 1), (9, 2)]
        } else {
            let image = glance.add("raw", vec![5; 4096], &json!({}));
            let asked = control.reimage_volume(&who, id, image, false).await;
            asked.unwrap();
            vec![(0, 5)]
        };
        goes_on(&world, id).await;
        world.settled(backup.0).await;
        until("it rests", || async {
            world.rests(id.0).await && world.rests(backup.0).await
        })
        .await;
        let volume = world.volume(id).await.unwrap();
        assert_eq!(volume.status, VolumeStatus::Available, "{what}");
        let there = match volume.migration_status.as_deref() {
            Some("success") => far_bytes(&world, volume.image()),
            other => {
                assert_eq!(other, Some("error"), "{what}");
                world.site(A, |site| {
                    let blocks = &site.images[&volume.image()].blocks;
                    blocks.iter().map(|(at, it)| (*at, it[0])).collect()
                })
            }
        };
        assert_eq!(there, expected, "{what}: {:?}", volume.migration_status);
    }
}

/// What only reads the volume is as it was at one moment, and the volume does not move meanwhile.
#[tokio::test]
async fn a_volume_that_is_read_on_the_way_stays_until_that_is_over() {
    for what in ["backed up", "uploaded"] {
        let glance = FakeGlance::default();
        let world = equipped(&glance).await;
        let id = filled(&world).await;
        on_its_way(&world, id, "moved").await;
        let (control, who) = (&world.control, member());
        let reader = if what == "backed up" {
            let made = control.create_backup(&who, backup_of(id)).await;
            made.unwrap().backup.id.0
        } else {
            let made = control.upload_volume(&who, id, as_image()).await;
            made.unwrap().image.id
        };
        goes_on(&world, id).await;
        world.settled(reader).await;
        let volume = world.volume(id).await.unwrap();
        assert_eq!(volume.shown_status(), VolumeStatus::Available, "{what}");
        let moved = volume.migration_status.as_deref() == Some("success");
        let snapshots = if moved {
            world.far(|site| site.images[&volume.image()].snapshots.len())
        } else {
            world.site(A, |site| site.images[&volume.image()].snapshots.len())
        };
        // A backup keeps the state from which the next one goes on.
        assert_eq!(
            snapshots,
            usize::from(what == "backed up" && !moved),
            "{what}"
        );
        let read = match what {
            "uploaded" => glance.image(reader).unwrap().1[9 * 4096],
            _ => 2,
        };
        assert_eq!(read, 2, "{what}");
    }
}

/// Neither is anything written into a volume that is stopped, nor is it read.
#[tokio::test]
async fn a_locked_volume_is_neither_filled_nor_read() {
    let glance = FakeGlance::default();
    let world = equipped(&glance).await;
    let id = filled(&world).await;
    let (control, who) = (&world.control, member());
    let made = control.create_backup(&who, backup_of(id)).await.unwrap();
    let backup = made.backup.id;
    world.settled(backup.0).await;
    let image = glance.add("raw", vec![5; 4096], &json!({}));
    on_its_way(&world, id, "moved and locked").await;
    let into = RestoreBackup {
        volume: Some(id),
        ..RestoreBackup::default()
    };
    for (what, answer) in [
        (
            "restored",
            (control.restore_backup(&who, backup, into).await).map(drop),
        ),
        (
            "written anew",
            control.reimage_volume(&who, id, image, false).await,
        ),
        (
            "backed up",
            (control.create_backup(&who, backup_of(id)).await).map(drop),
        ),
        (
            "uploaded",
            (control.upload_volume(&who, id, as_image()).await).map(drop),
        ),
    ] {
        let kind = answer.map_err(|error| error.kind);
        assert_eq!(kind, Err(ErrorKind::Invalid), "{what}");
    }
    goes_on(&world, id).await;
    assert!(rests_in_one_place(&world, id, "after all").await);
}

/// The site to which it goes fails once: it is tried again, and arrives.
#[tokio::test]
async fn a_copy_that_cannot_be_written_is_given_up_and_leaves_the_volume() {
    let world = two().await;
    let id = filled(&world).await;
    let every_write = Where::Name(C, "write", 9);
    world
        .wire
        .arm(every_write, Trouble::Refuse(FaultKind::NoSpace));
    let (control, who) = (&world.control, admin());
    control
        .migrate_volume(&who, id, to_far(true))
        .await
        .unwrap();
    world.settled(id.0).await;
    world.wire.disarm();
    assert!(!rests_in_one_place(&world, id, "no space").await);
    let migrated = world.volume(id).await.unwrap().migration_status;
    assert_eq!(migrated.as_deref(), Some("error"));
}
