//! Backups: made, restored, refused, and interrupted.

use std::sync::Arc;

use firebrick_backend::FaultKind;
use firebrick_control::{
    Backup, BackupOptions, CreateBackup, CreateEncryption, CreateType, CreateVolume, Error,
    ErrorKind, FIXED_KEY, Metadata, Posix, Query, Record, RestoreBackup, UpdateBackup,
};
use firebrick_db::backups;
use firebrick_edge::Disk as _;
use firebrick_simulate::SimulatedDisk;
use firebrick_state::{ActivityStatus, BackupStatus, SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{BLOCK_SIZE, BackupId, SnapshotUuid, VolumeId};

use crate::common::{A, At, B, Trouble, World, admin, member, member_of, mirrored, sized, until};

mod records;
mod requests;

const BLOCK: usize = BLOCK_SIZE as usize;

/// A world with a repository on that disk.
async fn world(disk: &SimulatedDisk) -> World {
    let repository = Arc::new(Posix::new(Arc::new(disk.clone())));
    World::with(|options| {
        options.quotas.backups = 5;
        options.has_fixed_key = true;
        options.backup = Some(BackupOptions {
            repository,
            container: "shelf".parse().unwrap(),
            // Small ones, so that there are several.
            object_bytes: 8 * BLOCK_SIZE,
        });
    })
    .await
}

fn of(volume: VolumeId) -> CreateBackup {
    CreateBackup {
        volume,
        snapshot: None,
        incremental: false,
        force: false,
        name: Some("mine".to_owned()),
        description: None,
        container: None,
        availability_zone: None,
        metadata: std::collections::BTreeMap::new(),
    }
}

fn incremental(volume: VolumeId) -> CreateBackup {
    CreateBackup {
        incremental: true,
        ..of(volume)
    }
}

fn of_snapshot(volume: VolumeId, snapshot: SnapshotUuid) -> CreateBackup {
    CreateBackup {
        snapshot: Some(snapshot),
        ..of(volume)
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.message)
}

impl World {
    async fn backup(&self, id: BackupId) -> Option<Backup> {
        let connection = &mut *self.db.read().await.unwrap();
        backups::get(connection, id).await.unwrap()
    }

    async fn backup_status(&self, id: BackupId) -> Option<BackupStatus> {
        self.backup(id).await.map(|backup| backup.status)
    }

    async fn backing_up(&self, request: CreateBackup) -> BackupId {
        let made = self.control.create_backup(&member(), request).await;
        made.unwrap().backup.id
    }

    async fn backed_up(&self, request: CreateBackup) -> BackupId {
        let id = self.backing_up(request).await;
        self.settled(id.0).await;
        let backup = self.backup(id).await.unwrap();
        assert_eq!(backup.status, BackupStatus::Available, "{backup:?}");
        id
    }

    /// A guest writes blocks, each full of one byte.
    async fn write(&self, at: &'static str, volume: VolumeId, blocks: &[(u64, u8)]) {
        let id = self.volume(volume).await.unwrap().image();
        self.site(at, |site| {
            let image = site.images.get_mut(&id).unwrap();
            for (block, byte) in blocks {
                match byte {
                    0 => drop(image.blocks.remove(block)),
                    byte => drop(image.blocks.insert(*block, vec![*byte; BLOCK])),
                }
            }
        });
    }

    /// The first byte of each block that is no hole.
    async fn blocks(&self, at: &'static str, volume: VolumeId) -> Vec<(u64, u8)> {
        let id = self.volume(volume).await.unwrap().image();
        self.site(at, |site| {
            let blocks = &site.images[&id].blocks;
            blocks
                .iter()
                .map(|(block, bytes)| (*block, bytes[0]))
                .collect()
        })
    }

    async fn restored(&self, id: BackupId) -> VolumeId {
        let request = RestoreBackup::default();
        let made = self.control.restore_backup(&member(), id, request).await;
        let volume = made.unwrap().volume;
        self.settled(volume.0).await;
        assert_eq!(self.status(volume).await, Some(VolumeStatus::Available));
        assert_eq!(self.backup_status(id).await, Some(BackupStatus::Available));
        volume
    }
}

fn many(byte: u8) -> Vec<(u64, u8)> {
    // One of each chunk, so that each is kept by itself.
    (0..40).map(|i| (i * 1024, byte)).collect()
}

#[tokio::test]
async fn a_volume_is_what_it_was_at_each_backup() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let full = world.backed_up(of(volume)).await;
    let first = world.blocks(A, volume).await;
    world
        .write(A, volume, &[(3 * 1024, 9), (4 * 1024, 0), (100_000, 7)])
        .await;
    let more = world.backed_up(incremental(volume)).await;
    let second = world.blocks(A, volume).await;
    world.write(A, volume, &[(3 * 1024, 8)]).await;

    let row = world.backup(more).await.unwrap();
    assert_eq!((row.parent, row.size, row.object_count), (Some(full), 1, 1));
    assert_eq!(world.backup(full).await.unwrap().object_count, 5);
    let detail = world.control.backup(&member(), full).await.unwrap();
    assert!(detail.has_dependents);
    for (id, then) in [(full, &first), (more, &second)] {
        let new = world.restored(id).await;
        assert_eq!(&world.blocks(A, new).await, then);
        let metadata = world.volume(new).await.unwrap().metadata;
        assert_eq!(metadata["src_backup_id"], id.to_string());
        world.deleted(new).await;
    }

    // Into the volume itself, of which nothing stays that the backup does not have.
    world.write(A, volume, &[(50, 5)]).await;
    let request = RestoreBackup {
        volume: Some(volume),
        name: None,
    };
    let (control, context) = (&world.control, member());
    control
        .restore_backup(&context, more, request)
        .await
        .unwrap();
    assert_eq!(
        world.status(volume).await,
        Some(VolumeStatus::RestoringBackup)
    );
    world.settled(more.0).await;
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    assert_eq!(world.blocks(A, volume).await, second);
    world.consistent("after restoring").await;

    // The volume goes; its backups stay, and go one after the other.
    world.deleted(volume).await;
    world.consistent("after deleting the volume").await;
    let upon = control.delete_backup(&context, full, false).await;
    let (upon, why) = kind(upon);
    assert_eq!(upon, ErrorKind::Invalid);
    assert!(why.contains("Incremental backups exist"), "{why}");
    for id in [more, full] {
        control.delete_backup(&context, id, false).await.unwrap();
        world.settled(id.0).await;
        assert_eq!(world.backup(id).await, None);
    }
    assert_eq!(disk.list("shelf").unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn two_backups_and_an_attach_run_side_by_side() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let read = At::Name(A, "read", 1);
    world.wire.arm(read, Trouble::HangBeforeRelease);
    let slow = world.backing_up(of(volume)).await;
    world.struck().await;
    let row = world.volume(volume).await.unwrap();
    assert_eq!(row.status, VolumeStatus::Available);
    assert_eq!(row.shown_status(), VolumeStatus::BackingUp);

    let quick = world.backed_up(of(volume)).await;
    world.attached(volume).await;
    let row = world.volume(volume).await.unwrap();
    assert_eq!(row.status, VolumeStatus::InUse);
    assert_eq!(
        world.backup_status(slow).await,
        Some(BackupStatus::Creating)
    );
    // What reads it keeps it from being removed or written over.
    let request = RestoreBackup {
        volume: Some(volume),
        name: None,
    };
    let over = world
        .control
        .restore_backup(&member(), quick, request)
        .await;
    assert_eq!(kind(over).0, ErrorKind::Invalid);

    world.wire.release();
    world.settled(slow.0).await;
    assert_eq!(
        world.backup_status(slow).await,
        Some(BackupStatus::Available)
    );
    let row = world.volume(volume).await.unwrap();
    assert_eq!(row.shown_status(), VolumeStatus::InUse);
    let forced = CreateBackup {
        force: true,
        ..incremental(volume)
    };
    let unforced = world
        .control
        .create_backup(&member(), incremental(volume))
        .await;
    assert_eq!(kind(unforced).0, ErrorKind::Invalid);
    world.backed_up(forced).await;
    world.consistent("after all").await;
}

/// Wherever it is killed, the next process goes on with what is there, or begins anew; the backup is of
/// one moment.
#[tokio::test]
async fn a_killed_backup_is_resumed() {
    for (name, times, trouble) in [
        ("create_snapshot", 1, Trouble::HangBefore),
        ("create_snapshot", 1, Trouble::HangAfter),
        ("reader", 1, Trouble::HangBefore),
        ("read", 1, Trouble::HangBefore),
    ] {
        let disk = SimulatedDisk::new();
        let mut world = world(&disk).await;
        let volume = world.made(sized(1)).await;
        world.write(A, volume, &many(1)).await;
        let then = world.blocks(A, volume).await;
        world.wire.arm(At::Name(A, name, times), trouble);
        let id = world.backing_up(of(volume)).await;
        world.struck().await;
        world.restart().await;
        world.settled(id.0).await;
        assert_eq!(world.backup_status(id).await, Some(BackupStatus::Available));
        let new = world.restored(id).await;
        assert_eq!(world.blocks(A, new).await, then, "{name} {trouble:?}");
        world.consistent(name).await;
    }
}

#[tokio::test]
async fn a_backup_goes_on_behind_what_is_there_already() {
    let disk = SimulatedDisk::new();
    let mut world = world(&disk).await;
    let volume = world.made(sized(1)).await;
    let blocks = many(1);
    world.write(A, volume, &blocks).await;
    let first = async || disk.list("shelf").unwrap_or_default().len() >= 2;
    world.wire.arm(At::Index(40), Trouble::HangBefore);
    let id = world.backing_up(of(volume)).await;
    until("two objects are there", first).await;
    world.struck().await;
    let there = disk.list("shelf").unwrap();
    // The guest goes on; the backup is of the moment when it was asked for.
    world.write(A, volume, &[(0, 2), (1024 * 39, 2)]).await;
    world.restart().await;
    world.settled(id.0).await;
    let reads = world
        .wire
        .calls()
        .iter()
        .filter(|call| call.1 == "read")
        .count();
    assert!(reads < 60, "{reads} reads of 41 blocks and a half");
    let after = disk.list("shelf").unwrap();
    assert!(
        there
            .iter()
            .filter(|name| name.contains(".data"))
            .all(|name| after.contains(name))
    );
    let new = world.restored(id).await;
    assert_eq!(world.blocks(A, new).await, blocks);
}

#[tokio::test]
async fn an_incremental_one_does_without_its_parents_state() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let volume = world.made(mirrored(1)).await;
    world.write(A, volume, &many(1)).await;
    let full = world.backed_up(of(volume)).await;
    let image = world.volume(volume).await.unwrap().image();
    world.site(A, |site| {
        let image = site.images.get_mut(&image).unwrap();
        image.snapshots.clear();
        image.kept.clear();
    });
    world
        .write(A, volume, &[(3 * 1024, 9), (4 * 1024, 0)])
        .await;
    world.failed_over(B).await;
    world
        .write(B, volume, &[(3 * 1024, 9), (4 * 1024, 0)])
        .await;
    let then = world.blocks(B, volume).await;
    let more = world.backed_up(incremental(volume)).await;
    assert_eq!(world.backup(more).await.unwrap().parent, Some(full));
    world.write(B, volume, &[(3 * 1024, 1), (7, 7)]).await;
    let request = RestoreBackup {
        volume: Some(volume),
        name: None,
    };
    let asked = world.control.restore_backup(&member(), more, request).await;
    asked.unwrap();
    world.settled(more.0).await;
    assert_eq!(world.status(volume).await, Some(VolumeStatus::Available));
    assert_eq!(world.blocks(B, volume).await, then);
}

#[tokio::test]
async fn what_is_damaged_is_refused_by_name() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let id = world.backed_up(of(volume)).await;
    let name = format!("{id}.00000002.data");
    let object = disk.open(&format!("shelf/{name}")).unwrap();
    object.write_at(&[std::io::IoSlice::new(b"x")], 5).unwrap();
    let request = RestoreBackup {
        volume: Some(volume),
        name: None,
    };
    let asked = world.control.restore_backup(&member(), id, request).await;
    asked.unwrap();
    world.settled(id.0).await;
    assert_eq!(
        world.status(volume).await,
        Some(VolumeStatus::ErrorRestoring)
    );
    assert_eq!(world.backup_status(id).await, Some(BackupStatus::Available));
    let connection = &mut *world.db.read().await.unwrap();
    let all = firebrick_db::Listing::default();
    let failed = firebrick_db::activities::list(connection, &all).await;
    let failed = failed.unwrap().unwrap().into_iter().find_map(|it| it.error);
    let failed = failed.unwrap();
    assert!(
        failed.contains(&name) && failed.contains("checksum"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_failed_backup_leaves_nothing_and_says_why() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let snapshot = world.snapped(volume).await;
    let read = At::Name(A, "read", 1);
    for request in [of(volume), of_snapshot(volume, snapshot)] {
        world.wire.arm(read.clone(), Trouble::Refuse(FaultKind::Io));
        let id = world.backing_up(request).await;
        world.settled(id.0).await;
        let row = world.backup(id).await.unwrap();
        assert_eq!(row.status, BackupStatus::Error);
        let why = row.fail_reason.unwrap();
        assert!(!why.is_empty() && !why.contains("node1"), "{why}");
        let shown = world.volume(volume).await.unwrap().shown_status();
        assert_eq!(shown, VolumeStatus::Available);
        let status = world.snapshot(snapshot).await.unwrap().status;
        assert_eq!(status, SnapshotStatus::Available);
        assert_eq!(disk.list("shelf").unwrap_or_default(), Vec::<String>::new());
        world.wire.disarm();
        world
            .control
            .delete_backup(&member(), id, false)
            .await
            .unwrap();
        world.settled(id.0).await;
        world.consistent("after a failure").await;
    }
    let id = world.backed_up(of_snapshot(volume, snapshot)).await;
    let row = world.backup(id).await.unwrap();
    let taken = world.snapshot(snapshot).await.unwrap();
    assert_eq!(row.data_timestamp, taken.created_at);
    assert_eq!(taken.status, SnapshotStatus::Available);
}

#[tokio::test]
async fn a_backup_under_way_is_cancelled() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let read = At::Name(A, "read", 1);
    world.wire.arm(read, Trouble::HangBeforeRelease);
    let id = world.backing_up(of(volume)).await;
    world.struck().await;
    let all = world.control.activities(&member(), Query::default()).await;
    let making = all.unwrap().into_iter().find(|one| one.resource == id.0);
    let making = making.unwrap().id;
    let asked = world.control.cancel_activity(&member(), making).await;
    asked.unwrap();
    world.wire.release();
    world.settled(id.0).await;
    let activity = world.control.activity(&member(), making).await.unwrap();
    assert_eq!(activity.status, ActivityStatus::Cancelled);
    assert_eq!(world.backup_status(id).await, Some(BackupStatus::Error));
    assert_eq!(disk.list("shelf").unwrap_or_default(), Vec::<String>::new());
    let shown = world.volume(volume).await.unwrap().shown_status();
    assert_eq!(shown, VolumeStatus::Available);
}
