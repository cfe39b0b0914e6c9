//! Two stores that do not hear of each other at the wrong moment, and what they make of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod two;

use firebrick_engine::{ErrorKind, NewImage, NewOrigin, PeerRecord, Reign, Store, Target};
use firebrick_log::{Change, Checksum};
use firebrick_vocabulary::{Bytes, Epoch, ImageId, ImageName, Role, SnapshotName};
use two::{ALL, BLOCK, created, mirrored, open, pull, read, write};

fn snapshot(store: &Store, image: ImageId, name: &str) {
    let name = SnapshotName::new(name).unwrap();
    store.create_snapshot(image, name).unwrap();
}

fn promote(store: &Store, image: ImageId, forced: bool) -> Epoch {
    store.promote(&[image], forced).unwrap()[0].1.unwrap()
}

fn role(store: &Store, image: ImageId) -> Role {
    store.image(image).unwrap().info().role
}

#[test]
fn of_two_that_took_the_same_epoch_both_know_whose_it_is() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    let (here, there) = (promote(&a, image, false), promote(&b, image, false));
    assert_eq!(here, there);
    write(&a, image, 1, 2).unwrap();
    write(&b, image, 1, 3).unwrap();
    pull(&a, &b, ALL);
    pull(&b, &a, ALL);
    let (winner, loser) = if a.id() > b.id() { (&a, &b) } else { (&b, &a) };
    assert_eq!(role(winner, image), Role::Primary);
    let follows = loser.image(image).unwrap().info();
    assert_eq!(follows.upstream, Some(winner.id()));
    write(winner, image, 2, 4).unwrap();
    assert_eq!(write(loser, image, 2, 5), Err(ErrorKind::NotPrimary));
}

#[test]
fn who_hears_of_the_same_epoch_by_a_difference_knows_whose_it_is_too() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(promote(&a, image, false), promote(&b, image, false));
    let target = |of: &Store| Target {
        image: of.describe(image).unwrap(),
        demoted: false,
        origin: None,
        snapshots: Vec::new(),
    };
    a.give_way(b.id(), &[target(&b)], &[]).unwrap();
    b.give_way(a.id(), &[target(&a)], &[]).unwrap();
    let (winner, loser) = if a.id() > b.id() { (&a, &b) } else { (&b, &a) };
    assert_eq!(role(winner, image), Role::Primary);
    let follows = loser.image(image).unwrap().info();
    assert_eq!(follows.upstream, Some(winner.id()));
}

#[test]
fn an_image_that_begins_late_follows_who_is_primary_of_it_by_then() {
    let [one, other, third] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let (a, b, c) = (open(&one), open(&other), open(&third));
    // So that the former primary would win, were it a question of ids.
    let (a, b) = if a.id() > b.id() { (a, b) } else { (b, a) };
    let image = created(&a, false);
    a.set_mirroring(image, true).unwrap();
    pull(&a, &b, ALL);
    let described = a.describe(image).unwrap();
    b.copy_begin(a.id(), &described).unwrap();
    let reign = Reign {
        epoch: described.epoch,
        leader: a.id(),
    };
    b.copy_end(a.id(), image, (reign, None)).unwrap();
    promote(&b, image, true);
    pull(&b, &a, ALL);
    assert_eq!(a.image(image).unwrap().info().upstream, Some(b.id()));
    pull(&a, &c, ALL);
    assert!(
        c.image(image).is_err(),
        "the former primary has nothing of it"
    );
    pull(&b, &c, ALL);
    assert_eq!(c.image(image).unwrap().info().upstream, Some(b.id()));
}

#[test]
fn a_state_of_which_it_is_forgotten_what_ended_is_none_to_return_to() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    snapshot(&a, image, "gone");
    pull(&a, &b, ALL);
    let name = SnapshotName::new("gone").unwrap();
    a.remove_snapshot(image, &name).unwrap();
    // Nobody may ask for anything, so that nothing is kept of the snapshot.
    a.checkpoint().unwrap();
    write(&a, image, 0, 1).unwrap();
    promote(&b, image, true);
    pull(&b, &a, ALL);
    let info = a.image(image).unwrap().info();
    assert_eq!(info.upstream, Some(b.id()));
    assert!(!info.sync.is_consistent(), "it gets what differs");
    assert!(b.snapshots(image).unwrap().iter().any(|it| it.name == name));
}

#[test]
fn what_a_clone_alone_shows_of_its_origin_is_lent_too() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 7).unwrap();
    snapshot(&a, image, "base");
    let name = SnapshotName::new("base").unwrap();
    let clone = ImageId::random();
    let new = NewImage {
        id: clone,
        name: ImageName::new("clone").unwrap(),
        size: a.image(image).unwrap().size(),
        origin: Some(NewOrigin {
            image,
            snapshot: Some(name.clone()),
            at: None,
        }),
        mirrored: true,
    };
    a.create_image(new).unwrap();
    pull(&a, &b, ALL);
    let block = vec![7; BLOCK];
    let lent = |store: &Store| store.lend(image, 0, Checksum::of(&block)).unwrap();
    write(&a, image, 0, 8).unwrap();
    a.remove_snapshot(image, &name).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(lent(&b), Some(block.clone()), "by what the clone shows");
    a.remove_image(image).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(lent(&b), Some(block.clone()), "its origin is gone");
    write(&a, clone, 0, 9).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(lent(&b), None);
}

#[test]
fn who_is_forced_wins_against_who_was_demoted_in_vain() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    let vain = promote(&a, image, false);
    assert!(promote(&b, image, true) > vain);
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    pull(&b, &a, ALL);
    assert_eq!(role(&b, image), Role::Primary);
    assert_eq!(a.image(image).unwrap().info().upstream, Some(b.id()));
}

#[test]
fn what_a_former_primary_said_of_an_image_alone_is_undone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    a.set_metadata(image, "kept", Some("1")).unwrap();
    a.set_metadata(image, "changed", Some("1")).unwrap();
    a.set_metadata(image, "local.own", Some("1")).unwrap();
    pull(&a, &b, ALL);
    a.set_metadata(image, "changed", Some("2")).unwrap();
    a.set_metadata(image, "new", Some("2")).unwrap();
    promote(&b, image, true);
    pull(&b, &a, ALL);
    let a = {
        drop(a);
        open(&one)
    };
    let mut found = a.image(image).unwrap().info().metadata;
    assert_eq!(found.remove("local.own").as_deref(), Some("1"));
    assert_eq!(found, b.image(image).unwrap().info().metadata);
}

#[test]
fn what_one_site_keeps_alone_stays_whatever_ids_the_other_gives() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    pull(&a, &b, ALL);
    write(&a, image, 0, 2).unwrap();
    snapshot(&a, image, "alone");
    write(&a, image, 0, 3).unwrap();
    promote(&b, image, true);
    // Its log is about as long, so each record has a number that the other one has used.
    for number in 0..20 {
        write(&b, image, 1, number).unwrap();
        snapshot(&b, image, &format!("s{number}"));
    }
    pull(&b, &a, ALL);
    let a = {
        drop(a);
        open(&one)
    };
    let all = a.snapshots(image).unwrap();
    let kept: Vec<_> = all.iter().filter(|snapshot| snapshot.divergent).collect();
    assert_eq!((all.len(), kept.len()), (22, 2));
    let shows = |name: &SnapshotName| {
        let map = a.snapshot_map(image, name).unwrap();
        let first = map.changed_since(None, 0, 1).unwrap().remove(0);
        let mut block = [0; BLOCK];
        a.read_log(first.entry.unwrap().at, &mut block).unwrap();
        block[0]
    };
    assert_eq!([shows(&kept[0].name), shows(&kept[1].name)], [2, 3]);
    // What the other one removes is never one of these.
    for number in 0..20 {
        let name = SnapshotName::new(format!("s{number}")).unwrap();
        b.remove_snapshot(image, &name).unwrap();
    }
    pull(&b, &a, ALL);
    assert_eq!(a.snapshots(image).unwrap().len(), 2);
}

#[test]
fn a_mirrored_image_does_not_return_to_what_its_peers_lack() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    pull(&a, &b, ALL);
    write(&a, image, 0, 2).unwrap();
    promote(&b, image, true);
    pull(&b, &a, ALL);
    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    promote(&a, image, false);
    let kept = a.snapshots(image).unwrap().remove(0);
    let refused = a.roll_back(image, &kept.name).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    // To remove it is nobody else's business.
    a.remove_snapshot(image, &kept.name).unwrap();
    pull(&a, &b, ALL);
    assert_eq!(read(&b, image, 0), 1);
}

#[test]
fn a_secondary_takes_no_discard_even_where_there_is_nothing() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    pull(&a, &b, ALL);
    let there = b.image(image).unwrap();
    let refused = there.discard(0, BLOCK as u64).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotPrimary);
    let refused = there.write_zeroes(0, 1).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotPrimary);
}

#[test]
fn a_part_of_a_copy_that_reaches_beyond_the_end_is_taken_up_to_there() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (open(&one), open(&other));
    let image = mirrored(&a);
    pull(&a, &b, ALL);
    let described = a.describe(image).unwrap();
    b.resync(&[image]).unwrap();
    b.copy_begin(a.id(), &described).unwrap();
    let data = [7; 4 * BLOCK];
    let checksums = vec![Checksum::of(&data[..BLOCK]); 4];
    let put = |block| PeerRecord::Data {
        image,
        block,
        data: &data,
        checksums: checksums.clone(),
    };
    let size = Bytes(3 * BLOCK as u64);
    let records = [
        put(0),
        PeerRecord::Change(Change::Resize { image, size }),
        PeerRecord::Discard {
            image,
            block: 1,
            blocks: 9,
        },
        put(2),
    ];
    b.copy_apply(a.id(), image, &records, None).unwrap();
    assert_eq!([0, 1, 2].map(|block| read(&b, image, block)), [7, 0, 7]);
}

#[test]
fn a_third_site_goes_on_with_the_new_primary_and_copies_nothing() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [a, b, c] = folders.each_ref().map(open);
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    pull(&a, &b, ALL);
    pull(&a, &c, ALL);
    write(&a, image, 1, 2).unwrap();
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    promote(&b, image, false);
    // The first one follows already when the third one reads the rest of its log.
    pull(&b, &a, ALL);
    pull(&a, &c, ALL);
    assert_eq!(read(&c, image, 1), 2);
    pull(&b, &c, ALL);
    let follows = c.image(image).unwrap().info();
    assert_eq!(follows.upstream, Some(b.id()));
    assert!(follows.sync.is_consistent());
    write(&b, image, 2, 3).unwrap();
    pull(&b, &c, ALL);
    assert_eq!([0, 1, 2].map(|block| read(&c, image, block)), [1, 2, 3]);
    assert_eq!(c.images().len(), 1, "nothing had to be kept");
}

#[test]
fn a_third_site_that_lacks_something_takes_the_whole_image() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [a, b, c] = folders.each_ref().map(open);
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    pull(&a, &c, ALL);
    write(&a, image, 0, 2).unwrap();
    pull(&a, &b, ALL);
    promote(&b, image, true);
    pull(&b, &c, ALL);
    let follows = c.image(image).unwrap().info();
    assert_eq!(follows.upstream, Some(b.id()));
    assert!(!follows.sync.is_consistent());
    // And who comes back to a site that was somebody else's follower meanwhile does not go on as if nothing
    // had been.
    pull(&b, &a, ALL);
    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    promote(&a, image, false);
    pull(&a, &c, ALL);
    let follows = c.image(image).unwrap().info();
    assert_eq!(follows.upstream, Some(a.id()));
    assert!(!follows.sync.is_consistent());
}

/// The primary was demoted, went on after all, and was demoted again: the third site heard of the first
/// demotion alone.
#[test]
fn a_third_site_that_missed_a_reign_does_not_go_on_with_the_next_one() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [a, b, c] = [0, 1, 2].map(|i| open(&folders[i]));
    let image = mirrored(&a);
    write(&a, image, 0, 1).unwrap();
    a.demote(&[image]).unwrap();
    pull(&a, &b, ALL);
    pull(&a, &c, ALL);
    promote(&b, image, false);
    b.demote(&[image]).unwrap();
    pull(&b, &c, ALL);
    pull(&b, &a, ALL);
    assert!(c.image(image).unwrap().info().primary_demoted);
    promote(&b, image, false);
    write(&b, image, 0, 2).unwrap();
    b.demote(&[image]).unwrap();
    pull(&b, &a, ALL);
    promote(&a, image, false);
    pull(&a, &c, ALL);
    let info = c.image(image).unwrap().info();
    assert_eq!(info.upstream, Some(a.id()));
    assert!(
        !info.sync.is_consistent(),
        "it lacks what was written meanwhile"
    );
    // Who has it all goes on with nothing copied.
    write(&a, image, 1, 3).unwrap();
    pull(&a, &b, ALL);
    assert!(b.image(image).unwrap().info().sync.is_consistent());
    assert_eq!([read(&b, image, 0), read(&b, image, 1)], [2, 3]);
}
