//! What requests are refused, and what becomes of records, keys and counts.

use super::*;

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let (control, context) = (world.handle(), member());
    let volume = world.made(sized(1)).await;
    let none = control.create_backup(&context, incremental(volume)).await;
    let (none, why) = kind(none);
    assert_eq!(none, ErrorKind::Invalid);
    assert!(why.contains("No backups available"), "{why}");
    let elsewhere = CreateBackup {
        container: Some("../etc".to_owned()),
        ..of(volume)
    };
    let elsewhere = control.create_backup(&context, elsewhere).await;
    assert_eq!(kind(elsewhere).0, ErrorKind::Invalid);
    let id = world.backed_up(of(volume)).await;
    let stranger = member_of("f".repeat(32).as_str());
    let refused = [
        kind(control.backup(&stranger, id).await).0,
        kind(control.delete_backup(&stranger, id, false).await).0,
        kind(control.export_backup(&stranger, id).await).0,
    ];
    assert_eq!(refused, [ErrorKind::NotFound; 3]);
    let forbidden = [
        kind(control.delete_backup(&context, id, true).await).0,
        kind(control.reset_backup_status(&context, id, "error").await).0,
        kind(control.export_backup(&context, id).await).0,
    ];
    assert_eq!(forbidden, [ErrorKind::Forbidden; 3]);
    let small = RestoreBackup {
        volume: Some(volume),
        name: None,
    };
    control
        .extend_volume(&context, volume, 2, false)
        .await
        .unwrap();
    world.settled(volume.0).await;
    let large = world.backed_up(of(volume)).await;
    let other = world.made(sized(1)).await;
    let small = RestoreBackup {
        volume: Some(other),
        ..small
    };
    let small = kind(control.restore_backup(&context, large, small).await);
    assert!(small.1.contains("too small"), "{small:?}");
    let smaller = CreateVolume {
        backup: Some(large),
        ..sized(1)
    };
    assert_eq!(
        kind(control.create_volume(&context, smaller).await).0,
        ErrorKind::Invalid
    );
    assert_eq!(
        world.backup_status(large).await,
        Some(BackupStatus::Available)
    );
}

#[tokio::test]
async fn what_hosts_encrypted_stays_with_its_key() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let (control, context) = (world.handle(), member());
    let kind_of = CreateType {
        name: "secret".to_owned(),
        description: None,
        is_public: true,
        extra_specs: Metadata::new(),
    };
    let made = control.create_type(&admin(), kind_of).await.unwrap();
    let encryption = CreateEncryption {
        provider: "luks".to_owned(),
        cipher: None,
        key_size: None,
        control_location: "front-end".to_owned(),
    };
    let secret = made.volume_type.id;
    let root = admin();
    let set = control.create_type_encryption(&root, secret, encryption);
    set.await.unwrap();
    let volume = world
        .made(CreateVolume {
            volume_type: Some("secret".to_owned()),
            ..sized(1)
        })
        .await;
    world.write(A, volume, &many(1)).await;
    let id = world.backed_up(of(volume)).await;
    assert_eq!(
        world.backup(id).await.unwrap().encryption_key,
        Some(FIXED_KEY)
    );

    let plain = RestoreBackup {
        volume: Some(world.made(sized(1)).await),
        name: None,
    };
    let plain = kind(control.restore_backup(&context, id, plain).await);
    assert!(plain.1.contains("same key"), "{plain:?}");
    let plain = CreateVolume {
        backup: Some(id),
        ..mirrored(1)
    };
    let plain = kind(control.create_volume(&context, plain).await);
    assert!(plain.1.contains("not compatible"), "{plain:?}");
    let row = world.volume(world.restored(id).await).await.unwrap();
    assert_eq!(
        (row.volume_type, row.encryption_key),
        (secret, Some(FIXED_KEY))
    );
}

#[tokio::test]
async fn backups_are_counted_renamed_and_reset() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let (control, context) = (world.handle(), member());
    let (other, large) = (world.made(sized(1)).await, world.made(sized(2)).await);
    let id = world.backed_up(of(large)).await;
    for _ in 0..4 {
        world.backed_up(of(other)).await;
    }
    let over = kind(control.create_backup(&context, of(other)).await);
    assert_eq!(over.0, ErrorKind::OverQuota);
    assert!(over.1.contains("backups allowed (5)"), "{over:?}");
    let limits = control.limits(&context).await.unwrap();
    let used = limits.used.unwrap();
    assert_eq!((used.backups, used.backup_gigabytes), (5, 6));
    let all = control.backups(&context, Query::default()).await.unwrap();
    assert_eq!(all.len(), 5);
    control
        .reset_backup_status(&admin(), id, "error")
        .await
        .unwrap();
    assert_eq!(world.backup_status(id).await, Some(BackupStatus::Error));
    let change = UpdateBackup {
        name: Some(Some("other".to_owned())),
        ..UpdateBackup::default()
    };
    let changed = control.update_backup(&context, id, change).await.unwrap();
    assert_eq!(changed.backup.name.as_deref(), Some("other"));
}

#[tokio::test]
async fn without_a_repository_there_is_no_service() {
    let world = World::new().await;
    let volume = world.made(sized(1)).await;
    let refused = world.control.create_backup(&member(), of(volume)).await;
    assert_eq!(kind(refused).0, ErrorKind::Unavailable);
}
