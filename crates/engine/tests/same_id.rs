//! Snapshots that got the same id: where two sites were primary, and where the newest one went.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod two;

use std::sync::Arc;

use firebrick_engine::{
    Checksum, NewImage, NewOrigin, PeerRecord, SnapshotKey, Store, Target, Write, staged,
};
use firebrick_log::Change;
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, SnapshotName};
use two::{ALL, BLOCK, mirrored, open, pull, write};

fn snapshot(store: &Store, image: ImageId, name: &str) -> SnapshotKey {
    let name = SnapshotName::new(name).unwrap();
    let taken = store.create_snapshot(image, name).unwrap();
    let difference = store.difference("nobody", store.head().sequence).unwrap();
    let mut all = difference.images.iter().flat_map(|it| &it.snapshots);
    let found = all.find(|it| it.id == taken.id).unwrap();
    SnapshotKey {
        id: found.id,
        taken: found.taken,
    }
}

/// The first block of a snapshot.
fn first_of(store: &Store, image: ImageId, name: &str) -> u8 {
    let name = SnapshotName::new(name).unwrap();
    let map = store.snapshot_map(image, &name).unwrap();
    let mut block = [0; BLOCK];
    map.read_blocks(0, &mut block).unwrap();
    block[0]
}

/// Makes a log longer by what nobody else gets.
fn lengthen(store: &Arc<Store>, records: usize) {
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: ImageName::new(format!("own-{id}")).unwrap(),
        size: Bytes(MIB),
        origin: None,
        mirrored: false,
    };
    store.create_image(new).unwrap();
    let image = store.image(id).unwrap();
    for _ in 0..records {
        let data = &[1; BLOCK];
        image.write(&[Write { offset: 0, data }]).unwrap();
    }
}

fn force(store: &Store, image: ImageId) {
    store.promote(&[image], true).unwrap()[0].1.unwrap();
}

/// What the loser took alone is kept as such, and never taken for what the winner has under that id.
#[test]
fn two_primaries_that_gave_out_one_id_do_not_have_one_snapshot() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    lengthen(&a, 100);
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    let shared = snapshot(&a, image, "shared");
    pull(&a, &b, ALL);
    force(&b, image);
    write(&a, image, 0, 2).unwrap();
    write(&b, image, 0, 3).unwrap();
    lengthen(&b, 100 - b.head().sequence.0 as usize);
    let (here, there) = (snapshot(&a, image, "here"), snapshot(&b, image, "there"));
    assert!(shared.id < here.id && shared.id < there.id);
    force(&a, image);
    pull(&a, &b, ALL);
    let held = b.held_of(a.id(), image).unwrap().unwrap();
    assert_eq!(held.snapshots, [shared], "what b took is not a's");
    let found = b.snapshots(image).unwrap();
    let theirs = found.iter().find(|it| it.name.as_str() == "there").unwrap();
    assert!(theirs.divergent && theirs.id.is_apart(), "{theirs:?}");
    assert_eq!(first_of(&b, image, "there"), 3);
}

/// A clone of what the other one took under an id that was given out here too.
#[test]
fn a_clone_begins_where_the_same_snapshot_is_and_nowhere_else() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    lengthen(&a, 100);
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    let _ = snapshot(&a, image, "shared");
    pull(&a, &b, ALL);
    force(&b, image);
    write(&a, image, 0, 2).unwrap();
    write(&b, image, 0, 3).unwrap();
    let (behind, before) = (a.head().sequence.0, b.head().sequence.0);
    lengthen(&b, behind.saturating_sub(before + 1) as usize);
    let (here, there) = (snapshot(&a, image, "here"), snapshot(&b, image, "there"));
    assert_eq!(here.id, there.id);
    let clone = |of: &str| {
        let id = ImageId::random();
        let origin = Some(NewOrigin {
            image,
            snapshot: Some(SnapshotName::new(of).unwrap()),
            at: None,
        });
        let new = NewImage {
            id,
            name: ImageName::new(format!("of-{of}")).unwrap(),
            size: Bytes(MIB),
            origin,
            mirrored: true,
        };
        a.create_image(new).unwrap();
        id
    };
    let (of_shared, of_here) = (clone("shared"), clone("here"));
    pull(&a, &b, ALL);
    assert_eq!(b.copying(a.id()), [of_here], "it has no such snapshot");
    let image = b.image(of_shared).unwrap();
    let mut block = [0; BLOCK];
    image.read(0, &mut block).unwrap();
    assert_eq!(block[0], 1);
}

/// The id of the newest snapshot is given out again once that one is gone. Whoever was away for that
/// time has another snapshot under it, and gets the new one in its place.
#[test]
fn whoever_has_a_former_snapshot_of_an_id_gets_the_one_that_has_it_now() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    lengthen(&b, 100);
    let image = mirrored(&b);
    let far = snapshot(&b, image, "far");
    pull(&b, &a, ALL);
    force(&a, image);
    assert!(a.head().sequence.0 < far.id.0, "its own log is short");
    write(&a, image, 0, 1).unwrap();
    let former = snapshot(&a, image, "former");
    a.protect_snapshot(image, &SnapshotName::new("former").unwrap(), true)
        .unwrap();
    pull(&a, &b, ALL);
    let name = SnapshotName::new("former").unwrap();
    a.protect_snapshot(image, &name, false).unwrap();
    a.remove_snapshot(image, &name).unwrap();
    write(&a, image, 0, 2).unwrap();
    let newest = snapshot(&a, image, "newest");
    a.protect_snapshot(image, &SnapshotName::new("newest").unwrap(), true)
        .unwrap();
    assert_eq!(former.id, newest.id);
    let held = b.held_of(a.id(), image).unwrap().unwrap();
    assert_eq!(held.snapshots, [far, former], "and not the newest");

    let difference = a.difference("b", b.applied(a.id())).unwrap();
    let served = &difference.images[0];
    b.stage(a.id(), &served.image, None).unwrap();
    let data = [2; BLOCK];
    let wanted = [
        PeerRecord::Data {
            image: staged(image),
            block: 0,
            data: &data,
            checksums: vec![Checksum::of(&data)],
        },
        PeerRecord::Change(Change::SnapshotCreate {
            image: staged(image),
            snapshot: newest.id,
            name: SnapshotName::new("newest").unwrap(),
            taken: newest.taken,
        }),
    ];
    b.copy_apply(a.id(), staged(image), &wanted, None).unwrap();
    let snapshots = served.snapshots.iter().map(|it| {
        let (id, taken) = (it.id, it.taken);
        (SnapshotKey { id, taken }, it.name.clone())
    });
    let target = Target {
        image: served.image.clone(),
        demoted: served.demoted,
        origin: served.origin,
        snapshots: snapshots.collect(),
    };
    b.adopt(
        a.id(),
        difference.position,
        &[target],
        (&difference.others, &[]),
    )
    .unwrap();
    assert_eq!(first_of(&b, image, "newest"), 2);
    let found = b.snapshots(image).unwrap();
    let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["far", "newest"]);
    assert!(found[1].protected, "as it is there");
}
