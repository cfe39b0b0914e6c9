//! A frozen backend: what Cinder's freeze promises and does not hold (volume metadata, backups,
//! reverting, uploading, writing anew, managing) is held here, each under its name.

use std::sync::Arc;

use firebrick_backend::NewImage;
use firebrick_control::{
    At, AuthKey, BackupOptions, CreateBackup, CreateTransfer, DeleteVolume, Error, ErrorKind,
    ManageSnapshot, ManageVolume, Metadata, MetadataWrite, MigrateVolume, MigrationPolicy, Posix,
    Reference, Rename, RestoreBackup, RetypeVolume,
};
use firebrick_db::services;
use firebrick_simulate::SimulatedDisk;
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::{BackupId, Bytes, GIB, ImageId, SnapshotUuid, TransferId, VolumeId};

use crate::common::{
    A, B, FAR, HOST, MIRRORED, World, admin, attach_to, member, mirrored, sized, snapshot_of, until,
};
use crate::place::{Place, on_both};

on_both!(
    nothing_is_changed_while_it_is_frozen,
    nothing_begins_once_it_says_that_it_is_frozen,
    lp_1616974_freeze_stops_the_api_and_the_scheduler,
);

const BINARY: &str = "cinder-volume";

/// What the requests are about.
struct Given {
    volume: VolumeId,
    snapshot: SnapshotUuid,
    backup: BackupId,
    /// An offer of another volume.
    offered: (TransferId, AuthKey),
}

async fn world(place: Place) -> World {
    World::of_two(place, |options| {
        options.backup = Some(BackupOptions {
            repository: Arc::new(Posix::new(Arc::new(SimulatedDisk::new()))),
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
        metadata: Metadata::new(),
    }
}

fn offer(volume: VolumeId) -> CreateTransfer {
    CreateTransfer {
        volume,
        name: None,
        no_snapshots: false,
        encrypted: false,
    }
}

impl Given {
    async fn new(world: &World) -> Self {
        let control = world.handle();
        let far = control.disable_service(&admin(), BINARY, FAR, None).await;
        far.unwrap();
        let volume = world.made(sized(1)).await;
        let snapshot = world.snapped(volume).await;
        let made = control.create_backup(&member(), backup_of(volume)).await;
        let backup = made.unwrap().backup.id;
        world.settled(backup.0).await;
        let other = world.made(sized(1)).await;
        let offered = control.create_transfer(&member(), offer(other)).await;
        let (transfer, key) = offered.unwrap();
        let far = control.enable_service(&admin(), BINARY, FAR).await;
        far.unwrap();
        Self {
            volume,
            snapshot,
            backup,
            offered: (transfer.id, key),
        }
    }
}

fn metadata() -> Metadata {
    Metadata::from([("key".to_owned(), "value".to_owned())])
}

fn renamed() -> Rename {
    Rename {
        name: Some(Some("new".to_owned())),
        ..Rename::default()
    }
}

fn image(world: &World) -> ManageVolume {
    let new = NewImage {
        id: ImageId::random(),
        name: "nobodys".parse().unwrap(),
        size: Bytes(GIB),
        origin: None,
        mirrored: false,
    };
    world.site(A, |site| site.create(new).unwrap());
    ManageVolume {
        at: At::Host(HOST.to_owned()),
        reference: Reference::Name("nobodys".to_owned()),
        name: None,
        description: None,
        volume_type: None,
        availability_zone: None,
        metadata: Metadata::new(),
        bootable: false,
    }
}

/// What is said of the request of that name.
fn stopped(name: &str, result: Result<(), Error>) {
    let error = result.expect_err(name);
    assert_eq!(error.kind, ErrorKind::Invalid, "{name}: {error}");
    assert!(error.message.contains("is frozen"), "{name}: {error}");
}

/// Asks for each change of the description of volumes and snapshots.
async fn describe(world: &World, given: &Given) {
    let (control, who) = (world.handle(), member());
    let (volume, snapshot) = (given.volume, given.snapshot);
    for how in [
        MetadataWrite::Merge,
        MetadataWrite::One,
        MetadataWrite::Replace,
    ] {
        let asked = control.set_volume_metadata(&who, volume, metadata(), how);
        stopped("volume metadata", asked.await.map(drop));
        let asked = control.set_snapshot_metadata(&who, snapshot, metadata(), how);
        stopped("snapshot metadata", asked.await.map(drop));
    }
    let asked = control.delete_volume_metadata(&who, volume, "key");
    stopped("a key of volume metadata", asked.await);
    let asked = control.delete_snapshot_metadata(&who, snapshot, "key");
    stopped("a key of snapshot metadata", asked.await);
    let asked = control.set_image_metadata(&who, volume, metadata());
    stopped("image metadata", asked.await.map(drop));
    let asked = control.unset_image_metadata(&who, volume, "key");
    stopped("a key of image metadata", asked.await);
    let asked = control.update_volume(&who, volume, renamed());
    stopped("a volume's name", asked.await.map(drop));
    let asked = control.update_snapshot(&who, snapshot, renamed());
    stopped("a snapshot's name", asked.await.map(drop));
    let asked = control.set_bootable(&who, volume, true);
    stopped("bootable", asked.await);
    let asked = control.set_readonly(&who, volume, true);
    stopped("read-only", asked.await);
}

/// Asks for each change of what is in volumes, and of what there is.
async fn change(world: &World, given: &Given) {
    let (control, who) = (world.handle(), member());
    let (volume, snapshot) = (given.volume, given.snapshot);
    let asked = control.create_backup(&who, backup_of(volume));
    stopped("backup", asked.await.map(drop));
    let into = RestoreBackup {
        volume: Some(volume),
        ..RestoreBackup::default()
    };
    let asked = control.restore_backup(&who, given.backup, into);
    stopped("restore", asked.await.map(drop));
    let asked = control.revert_volume(&who, volume, Some(snapshot));
    stopped("revert", asked.await);
    let asked = control.create_snapshot(&who, snapshot_of(volume));
    stopped("create a snapshot", asked.await.map(drop));
    let asked = control.delete_snapshot(&who, snapshot, false);
    stopped("delete a snapshot", asked.await);
    let asked = control.extend_volume(&who, volume, 9, false);
    stopped("extend", asked.await);
    let how = DeleteVolume {
        cascade: true,
        force: false,
    };
    let asked = control.delete_volume(&who, volume, how);
    stopped("delete", asked.await);
    let request = RetypeVolume {
        new_type: MIRRORED.to_owned(),
        policy: MigrationPolicy::Never,
    };
    let asked = control.retype_volume(&who, volume, request);
    stopped("retype", asked.await);
}

/// Asks for what hands volumes over.
async fn hand_over(world: &World, given: &Given) {
    let (control, who) = (world.handle(), member());
    let asked = control.create_transfer(&who, offer(given.volume));
    stopped("offer", asked.await.map(drop));
    let (transfer, key) = &given.offered;
    let asked = control.accept_transfer(&who, *transfer, key.reveal());
    stopped("accept", asked.await.map(drop));
}

/// Asks for what administrators do.
async fn administer(world: &World, given: &Given, plain: VolumeId, there: ManageVolume) {
    let (control, who) = (world.handle(), admin());
    let asked = control.manage_volume(&who, there);
    stopped("manage", asked.await.map(drop));
    world.site(A, |site| {
        let image = given.volume.image_id();
        site.snapshot(image, "old".parse().unwrap()).unwrap();
    });
    let request = ManageSnapshot {
        volume: given.volume,
        source: "old".to_owned(),
        name: None,
        description: None,
        metadata: Metadata::new(),
    };
    let asked = control.manage_snapshot(&who, request);
    stopped("manage a snapshot", asked.await.map(drop));
    let asked = control.unmanage_snapshot(&who, given.snapshot);
    stopped("unmanage a snapshot", asked.await);
    let asked = control.unmanage_volume(&who, plain);
    stopped("unmanage", asked.await);
    let request = MigrateVolume {
        to: At::Host(FAR.to_owned()),
        lock: false,
    };
    let asked = control.migrate_volume(&who, plain, request);
    stopped("migrate", asked.await);
}

async fn nothing_is_changed_while_it_is_frozen(place: Place) {
    let world = world(place).await;
    let given = Given::new(&world).await;
    let control = world.handle();
    control
        .disable_service(&admin(), BINARY, FAR, None)
        .await
        .unwrap();
    let plain = world.made(sized(1)).await;
    control.enable_service(&admin(), BINARY, FAR).await.unwrap();
    let there = image(&world);
    control.freeze(&admin(), HOST).await.unwrap();
    // Frozen is not disabled: what it promises holds whether an operator enables the service or not.
    control
        .enable_service(&admin(), BINARY, HOST)
        .await
        .unwrap();
    let before = world.volumes().await;
    describe(&world, &given).await;
    change(&world, &given).await;
    hand_over(&world, &given).await;
    administer(&world, &given, plain, there).await;
    assert_eq!(world.volumes().await, before);
    // Servers come and go, and it may fail over.
    let made = control
        .create_attachment(&member(), attach_to(plain, true))
        .await;
    let attachment = made.unwrap().attachment.id;
    control
        .complete_attachment(&member(), attachment)
        .await
        .unwrap();
    control
        .delete_attachment(&member(), attachment)
        .await
        .unwrap();
    world.failed_over(B).await;
    world.failed_over("default").await;
    control.thaw(&admin(), HOST).await.unwrap();
    let how = MetadataWrite::Merge;
    let who = member();
    let asked = control.set_volume_metadata(&who, given.volume, metadata(), how);
    assert_eq!(asked.await.unwrap(), metadata());
}

/// A request that looked before it was frozen is written down before the answer to `freeze`, or refused.
async fn nothing_begins_once_it_says_that_it_is_frozen(place: Place) {
    let world = World::on(place, |_| {}).await;
    let id = world.made(sized(1)).await;
    let control = world.handle();
    let host = HOST.parse().unwrap();
    // A freeze that is about to be committed.
    let mut freeze = world.db.begin().await.unwrap();
    freeze.lock_backend(&host).await.unwrap();
    let found = services::get_locked(&mut freeze, BINARY, &host).await;
    let mut service = found.unwrap().unwrap();
    service.frozen = true;
    let from = [service.replication_status];
    assert!(
        services::swap(&mut freeze, &from, &service)
            .await
            .unwrap()
            .won()
    );
    let asked = tokio::spawn(async move { control.extend_volume(&member(), id, 2, false).await });
    world.breathe().await;
    freeze.commit().await.unwrap();
    stopped("extend", asked.await.unwrap());
    assert_eq!(world.volume(id).await.unwrap().size, 1);
}

/// Frozen backends took volumes and snapshots, as only one of several ways asked.
async fn lp_1616974_freeze_stops_the_api_and_the_scheduler(place: Place) {
    let world = World::on(place, |_| {}).await;
    let control = world.handle();
    let id = world.made(mirrored(1)).await;
    control.freeze(&admin(), HOST).await.unwrap();
    control
        .enable_service(&admin(), BINARY, HOST)
        .await
        .unwrap();
    let asked = control.create_snapshot(&member(), snapshot_of(id)).await;
    stopped("create a snapshot", asked.map(drop));
    let made = control.create_volume(&member(), mirrored(1)).await;
    let made = made.unwrap().volume.id;
    until("it is refused", || async {
        world.status(made).await == Some(VolumeStatus::Error)
    })
    .await;
    let images = world.site(A, |site| site.images.len());
    assert_eq!(images, 1);
    control.thaw(&admin(), HOST).await.unwrap();
    world.made(mirrored(1)).await;
}
