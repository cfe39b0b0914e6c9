//! What was damaged is refused by its name, and what is the same is not kept twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::io::IoSlice;

use common::{BLOCK, Image, back_up, container, on, plan, restore};
use firebrick_backend::FaultKind;
use firebrick_backup::{Chain, SharedRepository, remove};
use firebrick_edge::Disk;
use firebrick_simulate::SimulatedDisk;
use firebrick_vocabulary::BackupId;

fn image(blocks: impl IntoIterator<Item = (u64, u8)>) -> Image {
    let blocks = blocks.into_iter();
    Image {
        size: 4096 * BLOCK,
        blocks: blocks
            .map(|(block, byte)| (block, vec![byte; BLOCK as usize]))
            .collect(),
    }
}

async fn stored(repository: &SharedRepository, id: BackupId) -> u64 {
    let mut sum = 0;
    for name in repository.list(&container()).await.unwrap() {
        if name.starts_with(&id.to_string()) {
            sum += repository.len(&format!("shelf/{name}")).await.unwrap();
        }
    }
    sum
}

#[tokio::test]
async fn every_damaged_byte_is_found_and_named() {
    let disk = SimulatedDisk::new();
    let repository = on(disk.clone());
    let (full, more) = (BackupId::random(), BackupId::random());
    let before = image((0..100).map(|block| (block, 1)));
    let now = image((0..100).map(|block| (block, if block < 50 { 2 } else { 1 })));
    back_up(&repository, &before, plan(full, &before, None, false), None)
        .await
        .unwrap();
    let upon = plan(more, &now, Some(full), true);
    back_up(&repository, &now, upon, Some(&before))
        .await
        .unwrap();
    let names = repository.list(&container()).await.unwrap();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let path = format!("shelf/{name}");
        let len = repository.len(&path).await.unwrap();
        for at in [0, len / 2, len - 2] {
            let file = disk.open(&path).unwrap();
            let mut byte = [0];
            file.read_at(&mut byte, at).unwrap();
            file.write_at(&[IoSlice::new(&[byte[0] ^ 4])], at).unwrap();
            // What nothing refers to any more may rot unseen.
            match restore(&repository, more).await {
                Ok(bytes) => assert_eq!(bytes, now.bytes(), "{name} at {at}"),
                Err(fault) => {
                    assert_eq!(fault.kind, FaultKind::Io, "{fault}");
                    assert!(fault.to_string().contains(&name), "{fault}");
                }
            }
            if !name.starts_with(&more.to_string()) {
                let refused = restore(&repository, full).await;
                assert!(refused.unwrap_err().to_string().contains(&name));
            }
            file.write_at(&[IoSlice::new(&byte)], at).unwrap();
        }
    }
    assert_eq!(restore(&repository, more).await.unwrap(), now.bytes());
}

#[tokio::test]
async fn an_incremental_backup_has_only_what_changed_however_that_is_found() {
    let repository = on(SimulatedDisk::new());
    let before = image((0..3000).map(|block| (block, 1)));
    let full = BackupId::random();
    back_up(&repository, &before, plan(full, &before, None, false), None)
        .await
        .unwrap();
    assert!(stored(&repository, full).await > 3000 * BLOCK);

    let mut now = before.clone();
    now.blocks.insert(1500, vec![9; BLOCK as usize]);
    now.blocks.remove(&10);
    let told = BackupId::random();
    let upon = plan(told, &now, Some(full), true);
    back_up(&repository, &now, upon, Some(&before))
        .await
        .unwrap();
    let size = stored(&repository, told).await;
    assert!((BLOCK..2 * BLOCK).contains(&size), "{size}");

    // Found by its checksums it is the changed chunks.
    let found = BackupId::random();
    let upon = plan(found, &now, Some(full), false);
    back_up(&repository, &now, upon, None).await.unwrap();
    let size = stored(&repository, found).await;
    assert!((BLOCK..2100 * BLOCK).contains(&size), "{size}");
    for id in [told, found] {
        assert_eq!(restore(&repository, id).await.unwrap(), now.bytes());
        let chain = Chain::open(&repository, &container(), id).await.unwrap();
        assert_eq!(chain.links(), 2);
    }

    // Without what it builds upon it is nothing, and says so.
    remove(&*repository, &container(), full).await.unwrap();
    let gone = restore(&repository, told).await.unwrap_err();
    assert_eq!(gone.kind, FaultKind::NotFound);
    assert!(gone.to_string().contains(&full.to_string()), "{gone}");
}

#[tokio::test]
async fn holes_and_zeroes_take_no_room() {
    let repository = on(SimulatedDisk::new());
    let sparse = image((0..2000).map(|block| (block, u8::from(block == 1999))));
    let id = BackupId::random();
    back_up(&repository, &sparse, plan(id, &sparse, None, false), None)
        .await
        .unwrap();
    let size = stored(&repository, id).await;
    assert!(size < 1024 * BLOCK, "{size}");
    assert_eq!(restore(&repository, id).await.unwrap(), sparse.bytes());
}
