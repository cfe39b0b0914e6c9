//! Images in snapshot mode: what a secondary is promoted at, and what becomes of the rest.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod two;

use std::sync::Arc;

use firebrick_engine::{
    ErrorKind, GROUP_KEY, MirrorPoint, Refusal, SNAPSHOT_LIMIT_KEY, Store, is_of_mirroring,
};
use firebrick_vocabulary::{
    ImageId, ImageMirrorMode, MirrorWay, Role, Sequence, SnapshotName, SyncMode, SyncPolicy,
};
use tempfile::TempDir;
use two::{ALL, mirrored, open, pull, read, write};

struct Pair {
    a: Arc<Store>,
    b: Arc<Store>,
    folders: [TempDir; 2],
}

fn pair() -> Pair {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [a, b] = [open(&folders[0]), open(&folders[1])];
    Pair { a, b, folders }
}

/// An image in snapshot mode.
fn by_snapshots(store: &Store) -> ImageId {
    let image = mirrored(store);
    store
        .mirror_image(image, ImageMirrorMode::Snapshot)
        .unwrap();
    image
}

fn way(store: &Store, image: ImageId) -> MirrorWay {
    store.image(image).unwrap().info().mirror_way()
}

#[test]
fn one_way_gives_place_to_another_in_one_frame_and_goes_to_the_peer() {
    let Pair { a, b, .. } = pair();
    let image = mirrored(&a);
    let sync = SyncMode::new(SyncPolicy::Block, SyncMode::TIMEOUT).unwrap();
    let often = MirrorWay::Snapshot("15m".parse().ok());
    let seldom = MirrorWay::Snapshot("1d".parse().ok());
    let ways = [
        MirrorWay::Sync(sync),
        often,
        seldom,
        MirrorWay::Snapshot(None),
        MirrorWay::Sync(sync),
        often,
        MirrorWay::Journal,
    ];
    for wanted in ways {
        a.set_mirror_way(image, wanted).unwrap();
        let there = a.head();
        a.set_mirror_way(image, wanted).unwrap();
        assert_eq!(a.head(), there, "the same again is nothing");
        pull(&a, &b, ALL);
        assert_eq!((way(&a, image), way(&b, image)), (wanted, wanted));
        let by_snapshots = wanted.mode() == ImageMirrorMode::Snapshot;
        assert_eq!(points(&b, image).len(), usize::from(by_snapshots));
    }
    let refused = b.set_mirror_way(image, often).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotPrimary);
    // It ends with the mirroring.
    a.set_mirror_way(image, often).unwrap();
    a.set_mirroring(image, false).unwrap();
    assert_eq!(way(&a, image), MirrorWay::Journal);
    assert_eq!(a.image(image).unwrap().info().mirror_interval(), None);
    let refused = a.set_mirror_way(image, often).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
}

fn points(store: &Store, image: ImageId) -> Vec<MirrorPoint> {
    let taken = store.snapshots(image).unwrap().into_iter();
    let shared = taken.filter(|taken| !taken.divergent);
    shared
        .filter_map(|taken| MirrorPoint::of(&taken.name))
        .collect()
}

fn names(store: &Store, image: ImageId, prefix: &str) -> Vec<SnapshotName> {
    let taken = store.snapshots(image).unwrap().into_iter();
    let names = taken.map(|taken| taken.name);
    names
        .filter(|name| name.as_str().starts_with(prefix))
        .collect()
}

fn force(store: &Store, image: ImageId) {
    store.promote(&[image], true).unwrap()[0].1.unwrap();
}

fn shows(store: &Store, image: ImageId, name: &SnapshotName, block: usize) -> u8 {
    let map = store.snapshot_map(image, name).unwrap();
    let changed = map.changed_since(None, 0, 64).unwrap();
    let found = changed.iter().find(|changed| changed.block == block as u64);
    let mut bytes = [0; two::BLOCK];
    store
        .read_log(found.unwrap().entry.unwrap().at, &mut bytes)
        .unwrap();
    bytes[0]
}

#[test]
fn a_forced_promotion_returns_to_the_newest_mirror_snapshot_and_keeps_the_rest() {
    let Pair { a, b, folders } = pair();
    let image = by_snapshots(&a);
    write(&a, image, 0, 1).unwrap();
    a.take_mirror_snapshots(&[image]).unwrap();
    write(&a, image, 0, 2).unwrap();
    a.checkpoint().unwrap();
    pull(&a, &b, ALL);
    // More that never arrives.
    write(&a, image, 0, 3).unwrap();
    a.take_mirror_snapshots(&[image]).unwrap();
    assert_eq!(read(&b, image, 0), 2, "the log goes on between snapshots");
    force(&b, image);
    assert_eq!(read(&b, image, 0), 1);
    let beyond = names(&b, image, ".mirror.beyond.");
    assert_eq!(beyond.len(), 1);
    assert_eq!(shows(&b, image, &beyond[0], 0), 2);
    write(&b, image, 1, 4).unwrap();
    b.take_mirror_snapshots(&[image]).unwrap();
    pull(&b, &a, ALL);
    let check = |store: &Store, what: &str| {
        assert_eq!(
            [read(store, image, 0), read(store, image, 1)],
            [1, 4],
            "{what}"
        );
        assert_eq!(shows(store, image, &beyond[0], 0), 2, "{what}");
        assert_eq!(points(store, image), points(&b, image), "{what}");
    };
    check(&b, "the new primary");
    check(&a, "the former one");
    let divergent = names(&a, image, "divergent-");
    assert_eq!(shows(&a, image, &divergent[0], 0), 3);
    drop(a);
    check(&open(&folders[0]), "the former one after a start");
    // What mirroring took keeps nobody from removing the image.
    b.remove_image(image).unwrap();
}

#[test]
fn a_planned_switch_loses_nothing_and_keeps_nothing() {
    let Pair { a, b, .. } = pair();
    let image = by_snapshots(&a);
    write(&a, image, 0, 1).unwrap();
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    b.promote(&[image], false).unwrap()[0].1.unwrap();
    assert_eq!(read(&b, image, 0), 1);
    write(&b, image, 1, 2).unwrap();
    pull(&b, &a, ALL);
    assert_eq!([read(&a, image, 0), read(&a, image, 1)], [1, 2]);
    // Those of the beginning, the demotion and the promotion.
    assert_eq!(
        (points(&a, image).len(), names(&a, image, "").len()),
        (3, 3)
    );
    assert_eq!(points(&a, image), points(&b, image));
}

/// The demotion and its mirror snapshot, the promotion and its return are one frame each: a site never
/// has one of them without the other.
#[test]
fn a_peer_that_stops_anywhere_has_a_whole_state() {
    let Pair { a, b, .. } = pair();
    let image = by_snapshots(&a);
    write(&a, image, 0, 1).unwrap();
    a.take_mirror_snapshots(&[image]).unwrap();
    write(&a, image, 0, 2).unwrap();
    pull(&a, &b, ALL);
    force(&b, image);
    let end = b.head().sequence;
    for limit in 0..=end.0 {
        let folder = tempfile::tempdir().unwrap();
        let third = open(&folder);
        pull(&a, &third, ALL);
        pull(&b, &third, Sequence(limit));
        let info = third.image(image).unwrap().info();
        let expected = if info.epoch > a.image(image).unwrap().info().epoch {
            1
        } else {
            2
        };
        assert_eq!(read(&third, image, 0), expected, "up to {limit}");
    }
}

#[test]
fn where_nothing_came_behind_the_snapshot_nothing_is_kept() {
    let Pair { a, b, .. } = pair();
    let image = by_snapshots(&a);
    write(&a, image, 0, 1).unwrap();
    a.take_mirror_snapshots(&[image]).unwrap();
    pull(&a, &b, ALL);
    force(&b, image);
    assert_eq!(read(&b, image, 0), 1);
    assert!(names(&b, image, ".mirror.beyond.").is_empty());
    assert_eq!(points(&b, image).len(), 3);
}

#[test]
fn a_size_returns_with_the_content() {
    let Pair { a, b, .. } = pair();
    let image = by_snapshots(&a);
    let before = a.image(image).unwrap().size();
    a.resize_image(image, firebrick_vocabulary::Bytes(before.0 * 2))
        .unwrap();
    pull(&a, &b, ALL);
    force(&b, image);
    assert_eq!(b.image(image).unwrap().size(), before);
    pull(&b, &a, ALL);
    assert_eq!(a.image(image).unwrap().size(), before);
}

#[test]
fn a_few_mirror_snapshots_stay_and_users_ones_all_do() {
    let Pair { a, b, .. } = pair();
    let image = by_snapshots(&a);
    let user = SnapshotName::new("user").unwrap();
    a.create_snapshot(image, user.clone()).unwrap();
    a.set_metadata(image, SNAPSHOT_LIMIT_KEY, Some("1"))
        .unwrap();
    let mut newest = Vec::new();
    for value in 0..12 {
        write(&a, image, 0, value).unwrap();
        let taken = a.take_mirror_snapshots(&[image]).unwrap();
        newest.push(MirrorPoint::of(&taken[0].name).unwrap());
        pull(&a, &b, ALL);
        assert!(points(&b, image).len() <= 5);
    }
    assert_eq!(points(&b, image), newest[7..]);
    assert_eq!(names(&b, image, "user"), [user]);
    // In the journal mode they are of no use to anybody.
    a.mirror_image(image, ImageMirrorMode::Journal).unwrap();
    pull(&a, &b, ALL);
    assert!(points(&b, image).is_empty());
    write(&a, image, 0, 99).unwrap();
    pull(&a, &b, ALL);
    force(&b, image);
    assert_eq!(read(&b, image, 0), 99);
}

#[test]
fn a_former_primary_gives_up_the_mirror_snapshots_that_nobody_else_has() {
    let Pair { a, b, .. } = pair();
    let image = by_snapshots(&a);
    pull(&a, &b, ALL);
    write(&a, image, 0, 1).unwrap();
    a.take_mirror_snapshots(&[image]).unwrap();
    force(&b, image);
    pull(&b, &a, ALL);
    let alone = |store: &Store| {
        let taken = store.snapshots(image).unwrap().into_iter();
        let taken = taken.filter(|taken| taken.divergent && is_of_mirroring(&taken.name));
        taken.count()
    };
    assert_eq!(alone(&a), 1);
    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    a.promote(&[image], false).unwrap()[0].1.unwrap();
    a.take_mirror_snapshots(&[image]).unwrap();
    assert_eq!(alone(&a), 0);
    pull(&a, &b, ALL);
    assert_eq!(points(&a, image), points(&b, image));
}

/// Two images of a group, and what stands for it.
fn group(store: &Store) -> [ImageId; 3] {
    let [marker, one, other] = [mirrored(store), mirrored(store), mirrored(store)];
    for image in [one, other] {
        let id = marker.to_string();
        store.set_metadata(image, GROUP_KEY, Some(&id)).unwrap();
    }
    store
        .alter("mirror a group", |alteration| {
            for image in [marker, one, other] {
                alteration.mirror(image, ImageMirrorMode::Snapshot)?;
            }
            alteration.take_mirror_snapshots(&[marker, one, other])
        })
        .unwrap();
    [marker, one, other]
}

#[test]
fn a_group_returns_to_one_position() {
    let Pair { a, b, .. } = pair();
    let [marker, one, other] = group(&a);
    let all = [marker, one, other];
    let refused = a.take_mirror_snapshots(&[one]).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    write(&a, one, 0, 1).unwrap();
    write(&a, other, 0, 1).unwrap();
    a.take_mirror_snapshots(&all).unwrap();
    write(&a, one, 0, 2).unwrap();
    pull(&a, &b, ALL);
    let outcomes = b.promote_together(&all, true).unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!([read(&b, one, 0), read(&b, other, 0)], [1, 1]);
    for image in all {
        assert_eq!(points(&b, image), points(&b, marker));
    }
    pull(&b, &a, ALL);
    assert_eq!([read(&a, one, 0), read(&a, other, 0)], [1, 1]);
}

/// One image of a group went alone there and back, so it has a newer mirror snapshot than the others.
#[test]
fn a_group_of_which_one_went_alone_returns_to_what_all_have() {
    let Pair { a, b, .. } = pair();
    let all = group(&a);
    let [_, one, other] = all;
    write(&a, one, 0, 1).unwrap();
    a.demote(&[one]).unwrap();
    a.promote(&[one], false).unwrap()[0].1.unwrap();
    write(&a, other, 0, 1).unwrap();
    pull(&a, &b, ALL);
    b.promote_together(&all, true).unwrap();
    assert_eq!([read(&b, one, 0), read(&b, other, 0)], [0, 0]);
}

#[test]
fn a_group_without_a_common_position_is_refused() {
    let Pair { a, b, .. } = pair();
    let [marker, one, other] = group(&a);
    let late = by_snapshots(&a);
    a.set_metadata(late, GROUP_KEY, Some(&marker.to_string()))
        .unwrap();
    pull(&a, &b, ALL);
    let alone = by_snapshots(&a);
    pull(&a, &b, ALL);
    let wanted = [marker, one, other, late, alone];
    let outcomes = b.promote(&wanted, true).unwrap();
    let [first @ .., last] = &outcomes[..] else {
        panic!()
    };
    assert!(
        first
            .iter()
            .all(|(_, outcome)| *outcome == Err(Refusal::NoMirrorSnapshot))
    );
    assert!(last.1.is_ok());
    assert_eq!(b.image(one).unwrap().info().role, Role::Secondary);
    // One by one is possible: then nobody counts on a common position.
    assert!(b.promote(&[late], true).unwrap()[0].1.is_ok());
}

#[test]
fn users_do_not_touch_what_belongs_to_mirroring() {
    let Pair { a, .. } = pair();
    let image = by_snapshots(&a);
    let own = a.snapshots(image).unwrap().remove(0).name;
    let other = SnapshotName::new("other").unwrap();
    let reserved = SnapshotName::new(".mirror.primary.mine").unwrap();
    let kind = |done: Result<(), firebrick_engine::Error>| done.unwrap_err().kind;
    assert_eq!(kind(a.remove_snapshot(image, &own)), ErrorKind::Invalid);
    assert_eq!(
        kind(a.protect_snapshot(image, &own, true)),
        ErrorKind::Invalid
    );
    let renamed = a.alter("rename", |alteration| {
        alteration.rename_snapshot(image, &own, &other)
    });
    assert_eq!(kind(renamed), ErrorKind::Invalid);
    let taken = a.create_snapshot(image, reserved).map(drop);
    assert_eq!(kind(taken), ErrorKind::Invalid);
    let journal = mirrored(&a);
    let refused = a.take_mirror_snapshots(&[journal]).map(drop);
    assert_eq!(kind(refused), ErrorKind::Invalid);
}
