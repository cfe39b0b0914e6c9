//! What is written down with backups: records of their rows, and how their volumes were described.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use firebrick_db::{image_properties, properties};

use super::*;
#[tokio::test]
async fn a_backup_without_a_row_is_found_by_its_record() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let (control, context) = (world.handle(), admin());
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let id = world.backed_up(of(volume)).await;
    let record = control.export_backup(&context, id).await.unwrap();
    let twice = control.import_backup(&context, record.clone()).await;
    assert!(kind(twice).1.contains("already exists"));
    {
        let mut tx = world.db.begin().await.unwrap();
        assert!(backups::remove(&mut tx, id).await.unwrap());
        tx.commit().await.unwrap();
    }
    let broken = Record {
        url: record.url[..8].to_owned(),
        ..record.clone()
    };
    let broken = control.import_backup(&context, broken).await;
    assert_eq!(kind(broken).0, ErrorKind::Invalid);
    let back = control
        .import_backup(&context, record)
        .await
        .unwrap()
        .backup;
    assert_eq!((back.id, back.size, back.volume), (id, 1, volume));
    let new = world.restored(id).await;
    assert_eq!(world.blocks(A, new).await, many(1));
    control.delete_backup(&context, id, true).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(disk.list("shelf").unwrap(), Vec::<String>::new());
}

/// The record with another id.
fn renamed(record: &Record, id: BackupId) -> Record {
    let text = BASE64_STANDARD.decode(&record.url).unwrap();
    let mut written: serde_json::Value = serde_json::from_slice(&text).unwrap();
    written["id"] = id.to_string().into();
    Record {
        url: BASE64_STANDARD.encode(written.to_string()),
        ..record.clone()
    }
}

#[tokio::test]
async fn a_record_may_be_imported_under_another_id_beside_its_backup() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let (control, context) = (world.handle(), admin());
    let volume = world.made(sized(1)).await;
    world.write(A, volume, &many(1)).await;
    let full = world.backed_up(of(volume)).await;
    world.write(A, volume, &many(2)).await;
    let small = world.backed_up(incremental(volume)).await;
    let other = BackupId::random();
    let record = control.export_backup(&context, full).await.unwrap();
    let import = control
        .import_backup(&context, renamed(&record, other))
        .await;
    assert_eq!(import.unwrap().backup.id, other);
    let new = world.restored(other).await;
    assert_eq!(world.blocks(A, new).await, many(1));

    // The record of the other names the objects, and what was built upon them is found.
    let again = control.export_backup(&context, other).await.unwrap();
    let third = renamed(&again, BackupId::random());
    control.import_backup(&context, third).await.unwrap();
    let child = control.export_backup(&context, small).await.unwrap();
    let child = renamed(&child, BackupId::random());
    let child = control.import_backup(&context, child).await.unwrap().backup;
    assert!(child.parent.is_some());
    let new = world.restored(child.id).await;
    assert_eq!(world.blocks(A, new).await, many(2));

    // The objects stay for as long as one of them does.
    for id in [small, child.id, other] {
        control.delete_backup(&context, id, true).await.unwrap();
        world.settled(id.0).await;
    }
    let new = world.restored(full).await;
    assert_eq!(world.blocks(A, new).await, many(1));
}

#[tokio::test]
async fn a_restored_volume_is_described_as_the_one_that_was_backed_up() {
    let disk = SimulatedDisk::new();
    let world = world(&disk).await;
    let (control, context) = (world.handle(), member());
    let words = |key: &str| Metadata::from([(key.to_owned(), "value".to_owned())]);
    let volume = world
        .made(CreateVolume {
            name: Some("data".to_owned()),
            description: Some("of the shop".to_owned()),
            metadata: words("shelf"),
            ..sized(1)
        })
        .await;
    {
        let mut tx = world.db.begin().await.unwrap();
        let image = words("os_type");
        image_properties::merge(&mut tx, volume.0, &image)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    control.set_bootable(&context, volume, true).await.unwrap();
    let id = world.backed_up(of(volume)).await;
    let named = CreateVolume {
        name: Some("mine".to_owned()),
        backup: Some(id),
        ..CreateVolume::default()
    };
    for (new, name) in [
        (world.restored(id).await, "data"),
        (world.made(named).await, "mine"),
    ] {
        let found = world.volume(new).await.unwrap();
        assert_eq!(found.name.as_deref(), Some(name));
        assert!(found.bootable);
        let connection = &mut *world.db.read().await.unwrap();
        let mut expected = words("shelf");
        expected.insert("src_backup_id".to_owned(), id.to_string());
        assert_eq!(properties::of(connection, new.0).await.unwrap(), expected);
        let image = image_properties::of(connection, new.0).await.unwrap();
        assert_eq!(image, words("os_type"));
    }
}
