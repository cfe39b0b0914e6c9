//! Two stores and what passes between them, without a network: prefix, promotion, return.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod two;

use std::sync::Arc;

use firebrick_edge::{Disk, SystemClock};
use firebrick_engine::{ErrorKind, Refusal, Store, StoreOptions};
use firebrick_simulate::SimulatedDisk;
use firebrick_vocabulary::{Bytes, ImageId, MIB, Role, Sequence, SnapshotName, StoreId};
use two::{ALL, BLOCK, mirrored, open, pull, read, write};

#[test]
fn a_planned_switch_and_back_loses_nothing() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(write(&b, image, 0, 9), Err(ErrorKind::NotPrimary));
    let early = b.promote(&[image], false).unwrap();
    assert_eq!(early[0].1, Err(Refusal::NotDemoted));
    a.demote(&[image]).unwrap();
    assert_eq!(write(&a, image, 0, 9), Err(ErrorKind::NotPrimary));
    pull(&a, &b, ALL);
    b.promote(&[image], false).unwrap()[0].1.unwrap();
    write(&b, image, 1, 2).unwrap();
    pull(&b, &a, ALL);
    assert_eq!((read(&a, image, 0), read(&a, image, 1)), (1, 2));
    assert!(a.snapshots(image).unwrap().is_empty(), "nothing diverged");

    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    a.promote(&[image], false).unwrap()[0].1.unwrap();
    write(&a, image, 2, 3).unwrap();
    pull(&a, &b, ALL);
    assert_eq!([0, 1, 2].map(|block| read(&b, image, block)), [1, 2, 3]);
}

#[test]
fn an_undone_demotion_goes_on_where_it_was() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    a.demote(&[image]).unwrap();
    a.promote(&[image], false).unwrap()[0].1.unwrap();
    write(&a, image, 1, 2).unwrap();
    pull(&a, &b, ALL);
    assert_eq!([0, 1].map(|block| read(&b, image, block)), [1, 2]);
    let info = b.image(image).unwrap().info();
    assert_eq!((info.role, info.primary_demoted), (Role::Secondary, false));
}

#[test]
fn a_lost_primary_returns_as_a_secondary_and_keeps_what_it_wrote_beyond() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    write(&a, image, 1, 1).unwrap();
    a.checkpoint().unwrap();
    let common = a.head().sequence;
    write(&a, image, 0, 7).unwrap();
    write(&a, image, 2, 7).unwrap();
    pull(&a, &b, common);
    let behind = mirrored(&a);

    b.promote(&[image], true).unwrap()[0].1.unwrap();
    write(&b, image, 1, 2).unwrap();
    // What the former primary still sends is not taken any more.
    pull(&a, &b, ALL);
    assert_eq!([0, 1, 2].map(|block| read(&b, image, block)), [1, 2, 0]);
    assert!(
        b.image(behind).is_ok(),
        "an image that was never promoted is followed"
    );

    pull(&b, &a, ALL);
    assert_eq!(write(&a, image, 0, 9), Err(ErrorKind::NotPrimary));
    let check = |a: &Store| {
        assert_eq!([0, 1, 2].map(|block| read(a, image, block)), [1, 2, 0]);
        let snapshots = a.snapshots(image).unwrap();
        assert_eq!(snapshots.len(), 1);
        assert!(snapshots[0].divergent && snapshots[0].name.as_str().starts_with("divergent"));
    };
    check(&a);
    drop(a);
    let a = open(&one);
    check(&a);
    a.close().unwrap();
    drop(a);
    let a = open(&one);
    check(&a);

    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    a.promote(&[image], false).unwrap()[0].1.unwrap();
    write(&a, image, 3, 4).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(
        [0, 1, 2, 3].map(|block| read(&b, image, block)),
        [1, 2, 0, 4]
    );
    a.remove_image(image).unwrap();
    pull(&a, &b, ALL);
    assert!(b.image(image).is_err(), "its end is mirrored too");
}

/// What it wrote behind the common position is nothing but data, which no record about the image
/// mentions: the checkpoint must, as recovery does not read what lies before it.
#[test]
fn a_primary_that_forgot_nothing_over_a_restart_does_not_follow_with_what_it_wrote_alone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    // The first checkpoint that is kept says all of every image, others what has changed.
    a.keep_from("b", Sequence::ZERO);
    a.checkpoint().unwrap();
    let common = a.head().sequence;
    a.keep_from("b", common);
    write(&a, image, 0, 7).unwrap();
    a.checkpoint().unwrap();
    let last = a.image(image).unwrap().info().last_change;
    assert!(last > common);
    drop(a);
    let a = open(&one);
    a.keep_from("b", common);
    assert_eq!(a.image(image).unwrap().info().last_change, last);
    pull(&a, &b, common);
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    write(&b, image, 1, 2).unwrap();
    pull(&b, &a, ALL);
    assert_eq!([0, 1].map(|block| read(&a, image, block)), [1, 2]);
    let kept = a.snapshots(image).unwrap();
    assert_eq!(kept.len(), 1, "what it wrote alone is kept");
    assert!(kept[0].divergent);
    // It is at the common position now, and says so; also to whoever opens it next.
    let now = |a: &Store| a.image(image).unwrap().info().last_change;
    assert_eq!(now(&a), common);
    a.close().unwrap();
    drop(a);
    let a = open(&one);
    assert_eq!(now(&a), common);

    // Home again, and lost again: only what was written at home since is divergent.
    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    a.promote(&[image], false).unwrap()[0].1.unwrap();
    pull(&a, &b, ALL);
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    pull(&b, &a, ALL);
    assert_eq!(a.snapshots(image).unwrap().len(), 1, "nothing new diverged");
    assert_eq!([0, 1].map(|block| read(&a, image, block)), [1, 2]);
}

/// What both had was in a line that ended before any checkpoint was kept: nobody knows any more to
/// what to return. The site must not be stuck with that for ever.
#[test]
fn a_primary_whose_common_state_is_gone_keeps_what_it_has_and_asks_for_the_difference() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    let name = SnapshotName::new("snapshot").unwrap();
    a.create_snapshot(image, name.clone()).unwrap();
    a.roll_back(image, &name).unwrap();
    write(&a, image, 0, 2).unwrap();
    pull(&a, &b, ALL);
    a.roll_back(image, &name).unwrap();
    write(&a, image, 0, 3).unwrap();
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    pull(&b, &a, ALL);
    let info = a.image(image).unwrap().info();
    assert_eq!(info.role, Role::Secondary);
    assert!(!info.sync.is_consistent(), "it is copied");
    let kept = a.snapshots(image).unwrap();
    let kept = kept.iter().find(|kept| kept.divergent).unwrap();
    assert!(kept.name.as_str().starts_with("divergent-"));
    let map = a.snapshot_map(image, &kept.name).unwrap();
    let mut block = [0; BLOCK];
    map.read_blocks(0, &mut block).unwrap();
    assert_eq!(block, [3; BLOCK]);
}

/// A snapshot that came and went between two checkpoints: the new primary has it, and says later what
/// becomes of it.
#[test]
fn a_snapshot_that_was_removed_behind_the_common_position_comes_back() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    a.checkpoint().unwrap();
    a.keep_from("b", a.durable().sequence);
    a.checkpoint().unwrap();
    let name = SnapshotName::new("short").unwrap();
    a.create_snapshot(image, name.clone()).unwrap();
    write(&a, image, 0, 2).unwrap();
    pull(&a, &b, ALL);
    a.remove_snapshot(image, &name).unwrap();
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    pull(&b, &a, ALL);
    let found = a.snapshots(image).unwrap();
    let back = found.iter().find(|snapshot| snapshot.name == name).unwrap();
    assert!(!back.divergent);
    b.roll_back(image, &name).unwrap();
    pull(&b, &a, ALL);
    assert_eq!((read(&a, image, 0), read(&b, image, 0)), (1, 1));
}

/// What came behind the first common position is undone, the other size with it; who returns a second
/// time must not read of it in the log and believe it.
#[test]
fn the_second_return_finds_the_size_that_the_first_one_left() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    pull(&a, &b, ALL);
    a.resize_image(image, Bytes(8 * MIB)).unwrap();
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    pull(&b, &a, ALL);
    let size = |store: &Store| store.image(image).unwrap().size().0 / MIB;
    assert_eq!(size(&a), 4);
    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    a.promote(&[image], false).unwrap()[0].1.unwrap();
    write(&a, image, 1, 2).unwrap();
    pull(&a, &b, ALL);
    write(&a, image, 1, 3).unwrap();
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    pull(&b, &a, ALL);
    assert_eq!((size(&a), size(&b)), (4, 4));
    assert_eq!([0, 1].map(|block| read(&a, image, block)), [1, 2]);
}

/// Whether who is primary is as was said, after power cuts on a disk that syncs its segments or not.
fn is_kept_over_power_cuts(syncs: bool, switch: fn(&Store, ImageId), role: Role) -> bool {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = StoreOptions {
        segment_bytes: MIB,
        ..StoreOptions::DEFAULT
    };
    Store::create(&shared, StoreId::random(), &options).unwrap();
    let open = |disk| Store::open(disk, Arc::new(SystemClock::new()), options).unwrap();
    let store = open(shared);
    let image = mirrored(&store);
    store.flush().unwrap();
    disk.ignore_sync(move |name| !syncs && name.starts_with("segments/"));
    switch(&store, image);
    (0..20).all(|seed| {
        let store = open(Arc::new(disk.crash(seed)));
        let image = store.image(image);
        image.is_ok_and(|image| image.info().role == role)
    })
}

/// The other site is promoted on this word, and guests are sent there or here.
#[test]
fn who_is_primary_is_durable_before_it_is_said() {
    let demote = |store: &Store, image| {
        store.demote(&[image]).unwrap();
    };
    let promote = |store: &Store, image| {
        store.demote(&[image]).unwrap();
        store.promote(&[image], false).unwrap()[0].1.unwrap();
    };
    assert!(is_kept_over_power_cuts(true, demote, Role::Secondary));
    assert!(is_kept_over_power_cuts(true, promote, Role::Primary));
    assert!(!is_kept_over_power_cuts(false, demote, Role::Secondary));
}
