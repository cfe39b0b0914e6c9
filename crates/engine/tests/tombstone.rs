//! What stays of a replica that its primary removed, also over power cuts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod two;

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_edge::{Disk, SystemClock};
use firebrick_engine::{PeerRecord, Store, StoreOptions, Tombstone};
use firebrick_log::Change;
use firebrick_simulate::SimulatedDisk;
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, Role, SnapshotName, StoreId};
use two::{ALL, BLOCK, mirrored, open, pull, read, write};

/// What stays is called after what it was.
fn keep_removed(store: &Store) {
    store.keep_removed(Arc::new(|info, kept| {
        assert_ne!(info.id, kept);
        let name = ImageName::new(format!(".kept/{}", info.name.base())).unwrap();
        let metadata = BTreeMap::from([("was".to_owned(), info.id.to_string())]);
        Some(Tombstone { name, metadata })
    }));
}

/// What stayed of an image.
fn kept(store: &Store, image: ImageId) -> Option<ImageId> {
    let was = image.to_string();
    let all = store.images().into_iter().map(|image| image.info());
    let mut kept = all.filter(|info| info.metadata.get("was") == Some(&was));
    let found = kept.next()?;
    assert!(kept.next().is_none(), "one stays");
    assert_eq!(found.role, Role::Primary);
    assert!(!found.mirrored && found.upstream.is_none() && found.sync.is_consistent());
    Some(found.id)
}

#[test]
fn a_replica_outlives_its_primary_and_is_nobody_elses() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    keep_removed(&b);
    let image = mirrored(&a);
    write(&a, image, 3, 7).unwrap();
    pull(&a, &b, ALL);
    a.set_mirroring(image, false).unwrap();
    pull(&a, &b, ALL);
    assert!(b.image(image).is_err());
    let stays = kept(&b, image).unwrap();
    // Mirrored anew, it is another image there, whatever becomes of it.
    a.set_mirroring(image, true).unwrap();
    write(&a, image, 3, 8).unwrap();
    let described = a.describe(image).unwrap();
    let anew = [
        PeerRecord::Describe(described),
        PeerRecord::Change(Change::Mirroring {
            image,
            enabled: true,
        }),
    ];
    b.apply(a.id(), a.head().sequence, &anew).unwrap();
    assert_eq!(b.copying(a.id()), [image]);
    assert_eq!(kept(&b, image), Some(stays));
    assert_eq!(read(&b, stays, 3), 7);
    write(&b, stays, 3, 9).unwrap();
    b.remove_image(stays).unwrap();
    assert_eq!(kept(&b, image), None);
    // An incomplete copy is of no use to anybody.
    a.remove_image(image).unwrap();
    pull(&a, &b, ALL);
    assert!(b.images().is_empty());
}

/// What the same batch says of an image before it ends it is so for what stays.
#[test]
fn what_stays_is_what_was_there_at_the_very_end() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    keep_removed(&b);
    let images = [mirrored(&a), mirrored(&a)];
    let name = SnapshotName::new("large").unwrap();
    for image in images {
        write(&a, image, 0, 1).unwrap();
        pull(&a, &b, ALL);
    }
    let [image, rolled] = images;
    let (snapshot, larger) = (firebrick_vocabulary::SnapshotId(9999), Bytes(8 * MIB));
    let data = [5; BLOCK];
    let end = [
        PeerRecord::Change(Change::Resize {
            image,
            size: larger,
        }),
        PeerRecord::Data {
            image,
            block: 1500,
            data: &data,
            checksums: vec![firebrick_engine::Checksum::of(&data)],
        },
        PeerRecord::Change(Change::Rename {
            image,
            name: ImageName::new("last").unwrap(),
        }),
        PeerRecord::Change(Change::Remove { image }),
        PeerRecord::Change(Change::Resize {
            image: rolled,
            size: larger,
        }),
        PeerRecord::Change(Change::SnapshotCreate {
            image: rolled,
            snapshot,
            name,
            taken: None,
        }),
        PeerRecord::Change(Change::Resize {
            image: rolled,
            size: Bytes(MIB),
        }),
        PeerRecord::Change(Change::Rollback {
            image: rolled,
            snapshot,
        }),
        PeerRecord::Change(Change::Remove { image: rolled }),
    ];
    b.apply(a.id(), a.head().sequence, &end).unwrap();
    let stays = b.image(kept(&b, image).unwrap()).unwrap().info();
    assert_eq!((stays.name.as_str(), stays.size), (".kept/last", larger));
    assert_eq!(read(&b, stays.id, 1500), 5);
    assert_eq!(read(&b, stays.id, 0), 1);
    let stays = b.image(kept(&b, rolled).unwrap()).unwrap().info();
    assert_eq!(stays.size, larger);
}

/// The replica and what stays of it are never both gone: the frame that ends the one begins the other.
#[test]
fn a_power_cut_leaves_the_replica_or_what_stays_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let a = open(&folder);
    let image = mirrored(&a);
    write(&a, image, 3, 7).unwrap();
    let before = a.head().sequence;
    a.remove_image(image).unwrap();
    let (mut replicas, mut tombstones) = (0, 0);
    for reach in 0..60 {
        let disk = SimulatedDisk::new();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let options = StoreOptions {
            segment_bytes: MIB,
            ..StoreOptions::DEFAULT
        };
        Store::create(&shared, StoreId::random(), &options).unwrap();
        let open = |disk: &SimulatedDisk| {
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            Store::open(shared, Arc::new(SystemClock::new()), options).unwrap()
        };
        let b = open(&disk);
        keep_removed(&b);
        let id = ImageId::random();
        let new = [
            PeerRecord::Change(Change::Create {
                image: id,
                name: ImageName::new("one").unwrap(),
                size: Bytes(MIB),
                origin: None,
                mirrored: true,
                role: Role::Primary,
                epoch: firebrick_vocabulary::Epoch::FIRST,
                sync: firebrick_vocabulary::SyncState::Consistent,
            }),
            PeerRecord::Data {
                image: id,
                block: 3,
                data: &[7; BLOCK],
                checksums: vec![firebrick_engine::Checksum::of(&[7; BLOCK])],
            },
        ];
        b.apply(a.id(), before, &new).unwrap();
        b.flush().unwrap();
        disk.stop_after(reach % 6);
        let gone = [PeerRecord::Change(Change::Remove { image: id })];
        let ended = b.apply(a.id(), before.next(), &gone);
        let flushed = ended.is_ok() && b.flush().is_ok();
        disk.heal();
        drop(b);
        let b = open(&disk.crash(reach));
        let found = match (b.image(id).is_ok(), kept(&b, id)) {
            (true, None) => {
                assert!(!flushed, "what was flushed is there");
                replicas += 1;
                id
            }
            (false, Some(stays)) => {
                tombstones += 1;
                stays
            }
            other => panic!("{reach}: {other:?}"),
        };
        assert_eq!(read(&b, found, 3), 7);
    }
    assert!(replicas > 0 && tombstones > 0, "{replicas}, {tombstones}");
}
