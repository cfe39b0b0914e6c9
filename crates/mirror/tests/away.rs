//! A peer that is away for longer than the log is kept for it: it gets the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{BLOCK, Site, eventually, fill, mirrored, pair, read, same, write};
use firebrick_engine::Store;
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, Role, SnapshotName};

fn snapshot(store: &Store, image: ImageId, name: &str) -> SnapshotName {
    let name = SnapshotName::new(name).unwrap();
    store.create_snapshot(image, name.clone()).unwrap();
    name
}

/// Frees what nobody needs.
fn trim(site: &Site) {
    site.store.checkpoint().unwrap();
    while site.store.clean().unwrap().freed > 0 {}
}

/// Writes much beyond what the log may hold for a peer, over and over to the same blocks.
fn churn(site: &Site, image: ImageId, blocks: std::ops::Range<u64>, round: u64) {
    for pass in 0..20 {
        for block in blocks.clone() {
            write(&site.store, image, block, fill(block, round + pass));
        }
        if pass % 5 == 4 {
            trim(site);
        }
    }
}

fn segments(site: &Site) -> u64 {
    site.store.space().unwrap().used.0 / MIB
}

async fn is_let_go(site: &Site) {
    eventually("the log is let go", || {
        site.mirror.peers().remove(0).by_difference
    })
    .await;
    trim(site);
}

/// Whether an image is the same at both, with its snapshots.
fn all_same(one: &Site, other: &Site, image: ImageId) -> bool {
    let (ours, theirs) = (
        one.store.snapshots(image).unwrap(),
        other.store.snapshots(image).unwrap(),
    );
    let names = |all: &[firebrick_engine::SnapshotInfo]| {
        let named = all.iter().filter(|it| !it.divergent);
        let named = named.map(|it| (it.id, it.name.clone(), it.size));
        named.collect::<Vec<_>>()
    };
    let content = |site: &Site, name: &SnapshotName| {
        let map = site.store.snapshot_map(image, name).unwrap();
        let mut data = vec![0; map.blocks() as usize * BLOCK];
        map.read_blocks(0, &mut data).unwrap();
        data
    };
    same(&one.store, &other.store, image)
        && names(&ours) == names(&theirs)
        && ours
            .iter()
            .filter(|it| !it.divergent)
            .all(|it| content(one, &it.name) == content(other, &it.name))
}

async fn caught_up(a: &Site, b: &Site) {
    b.holds(a).await;
    eventually("A knows that B reads again", || {
        let peer = a.mirror.peers().remove(0);
        peer.reading && !peer.by_difference
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_for_too_long_gets_what_differs_and_no_more() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let image = mirrored(&a.store, "one", true);
    for block in 0..1000 {
        write(&a.store, image, block, fill(block, 1));
    }
    let old = snapshot(&a.store, image, "old");
    let gone = snapshot(&a.store, image, "gone");
    b.holds(&a).await;
    trim(&a);
    // These are between the checkpoint that will be kept for B and what B has.
    for block in 400..420 {
        write(&a.store, image, block, fill(block, 2));
    }
    b.holds(&a).await;
    let b = b.cut_off().await;
    let whole = a.store.image(image).unwrap();
    whole.discard(405 * BLOCK as u64, 5 * BLOCK as u64).unwrap();
    churn(&a, image, 0..100, 10);
    is_let_go(&a).await;
    let before = segments(&a);
    assert!(
        before < 24,
        "{before} segments for 4 MiB, snapshots and the peer"
    );
    let middle = snapshot(&a.store, image, "middle");
    churn(&a, image, 50..150, 50);
    whole
        .discard(500 * BLOCK as u64, 10 * BLOCK as u64)
        .unwrap();
    a.store.remove_snapshot(image, &gone).unwrap();
    a.store.set_metadata(image, "color", Some("red")).unwrap();
    a.store
        .rename_image(image, ImageName::new("other").unwrap())
        .unwrap();
    a.store.resize_image(image, Bytes(8 * MIB)).unwrap();
    write(&a.store, image, 2000, 7);
    let after = segments(&a);
    assert!(after <= before + 6, "{before} segments became {after}");
    assert_eq!(b.store.snapshots(image).unwrap().len(), 2);

    let b = b.reconnect(&a).await;
    caught_up(&a, &b).await;
    assert!(all_same(&a, &b, image));
    let names = b.store.snapshots(image).unwrap();
    let names: Vec<_> = names.into_iter().map(|it| it.name).collect();
    assert_eq!(names, [old, middle]);
    let info = b.store.image(image).unwrap().info();
    assert_eq!(info.name.as_str(), "other");
    assert_eq!(info.metadata.get("color").map(String::as_str), Some("red"));
    assert_eq!((info.role, info.size), (Role::Secondary, Bytes(8 * MIB)));
    // 100 blocks up to the snapshot, 100 behind it, and one.
    let differing = 201 * BLOCK as u64;
    let copied = b.received();
    assert!(
        copied * 10 <= differing * 11 + 10 * 16_384,
        "{copied} for {differing}"
    );
    assert_eq!(b.store.images().len(), 1, "nothing is left of it");

    // And on it goes, from record to record.
    write(&a.store, image, 3, 99);
    b.holds(&a).await;
    assert_eq!(read(&b.store, image, 3), 99);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_come_and_go_and_clones_share_while_a_peer_is_away() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let stays = mirrored(&a.store, "stays", true);
    let goes = mirrored(&a.store, "goes", true);
    let ends = mirrored(&a.store, "ends", true);
    let swapped = mirrored(&a.store, "swapped", true);
    let demoted = mirrored(&a.store, "demoted", true);
    for block in 0..600 {
        write(&a.store, stays, block, fill(block, 1));
        write(&a.store, goes, block, fill(block, 2));
    }
    b.holds(&a).await;
    let b = b.cut_off().await;
    churn(&a, stays, 0..50, 10);
    is_let_go(&a).await;
    a.store.remove_image(goes).unwrap();
    a.store.set_mirroring(ends, false).unwrap();
    let name = |name: &str| ImageName::new(name).unwrap();
    a.store.rename_image(stays, name("aside")).unwrap();
    a.store.rename_image(swapped, name("stays")).unwrap();
    a.store.rename_image(stays, name("swapped")).unwrap();
    let golden = snapshot(&a.store, stays, "golden");
    let clone = common::clone_of(&a.store, stays, &golden, "clone");
    write(&a.store, clone, 7, 70);
    let fresh = mirrored(&a.store, "goes", true);
    write(&a.store, fresh, 5, 50);
    write(&a.store, demoted, 1, 10);
    a.store.demote(&[demoted]).unwrap();

    let b = b.reconnect(&a).await;
    caught_up(&a, &b).await;
    assert!(b.store.image(goes).is_err() && b.store.image(ends).is_err());
    for image in [stays, swapped, clone, fresh, demoted] {
        assert!(all_same(&a, &b, image), "{image}");
        let (ours, theirs) = [&a, &b]
            .map(|site| site.store.image(image).unwrap().info())
            .into();
        assert_eq!(ours.name, theirs.name);
        assert!(theirs.sync.is_consistent());
    }
    let copied = b.received();
    assert!(copied < 100 * BLOCK as u64, "{copied}: the clone shares");
    b.store.promote(&[demoted], false).unwrap()[0].1.unwrap();
    write(&b.store, demoted, 2, 20);
    a.holds(&b).await;
    assert_eq!(read(&a.store, demoted, 2), 20);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clones_of_another_size_than_their_snapshots_come_whole() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let stays = mirrored(&a.store, "stays", true);
    for block in 0..600 {
        write(&a.store, stays, block, fill(block, 1));
    }
    b.holds(&a).await;
    let b = b.cut_off().await;
    churn(&a, stays, 0..50, 10);
    is_let_go(&a).await;
    let whole = a.store.image(stays).unwrap().size();
    let golden = snapshot(&a.store, stays, "golden");
    let [smaller, regrown] =
        ["smaller", "regrown"].map(|name| common::clone_of(&a.store, stays, &golden, name));
    let _ = snapshot(&a.store, smaller, "whole");
    let few = Bytes(16 * BLOCK as u64);
    a.store.resize_image(smaller, few).unwrap();
    a.store.resize_image(regrown, few).unwrap();
    a.store.resize_image(regrown, whole).unwrap();
    let _ = snapshot(&a.store, regrown, "with holes");
    a.store.resize_image(regrown, few).unwrap();

    let b = b.reconnect(&a).await;
    caught_up(&a, &b).await;
    for image in [stays, smaller, regrown] {
        assert!(all_same(&a, &b, image), "{image}");
    }
    let copied = b.received();
    assert!(copied < 100 * BLOCK as u64, "{copied}: the clones share");
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolled_back_images_are_compared_as_a_whole() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let image = mirrored(&a.store, "one", true);
    for block in 0..700 {
        write(&a.store, image, block, fill(block, 1));
    }
    let old = snapshot(&a.store, image, "old");
    for block in 100..200 {
        write(&a.store, image, block, fill(block, 2));
    }
    write(&a.store, image, 900, 9);
    b.holds(&a).await;
    let b = b.cut_off().await;
    churn(&a, image, 0..50, 10);
    is_let_go(&a).await;
    a.store.roll_back(image, &old).unwrap();
    write(&a.store, image, 3, 33);
    let b = b.reconnect(&a).await;
    caught_up(&a, &b).await;
    assert!(all_same(&a, &b, image));
    assert_eq!(
        (read(&b.store, image, 900), read(&b.store, image, 3)),
        (0, 33)
    );
    let copied = b.received();
    assert!(copied < 130 * BLOCK as u64, "{copied} for 101 blocks");
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_breaks_off_leaves_what_was_and_is_taken_up_again() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let (one, other) = (
        mirrored(&a.store, "one", true),
        mirrored(&a.store, "other", true),
    );
    for image in [one, other] {
        for block in 0..1000 {
            write(&a.store, image, block, fill(block, 1));
        }
    }
    b.holds(&a).await;
    let mut b = b.cut_off().await;
    let held = [one, other].map(|image| read(&b.store, image, 0));
    for image in [one, other] {
        for block in 0..1000 {
            write(&a.store, image, block, fill(block, 2));
        }
    }
    churn(&a, one, 0..100, 10);
    is_let_go(&a).await;
    let mut seen = BTreeSet::new();
    for round in 0..6 {
        b = b.reconnect(&a).await;
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        b = b.cut_off().await;
        // Either all is what it was, or all is what it is now.
        let now = [one, other].map(|image| read(&b.store, image, 999));
        assert!(
            now == [fill(999, 1); 2] || now == [fill(999, 2); 2],
            "{now:?}"
        );
        seen.insert(now == [fill(999, 1); 2]);
        if now[0] == fill(999, 1) {
            assert_eq!([one, other].map(|image| read(&b.store, image, 0)), held);
            assert!(b.store.image(one).unwrap().info().sync.is_consistent());
        }
        b = b.reopen().await;
        write(&a.store, other, round, fill(round, 77));
    }
    b = b.reconnect(&a).await;
    caught_up(&a, &b).await;
    assert!(all_same(&a, &b, one) && all_same(&a, &b, other));
    assert_eq!(b.store.images().len(), 2, "nothing is left of it");
    assert!(seen.contains(&true), "it broke off at least once");
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_for_a_peer_is_known_after_a_restart() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let image = mirrored(&a.store, "one", true);
    for block in 0..1000 {
        write(&a.store, image, block, fill(block, 1));
    }
    b.holds(&a).await;
    let b = b.cut_off().await;
    churn(&a, image, 0..100, 10);
    is_let_go(&a).await;
    let a = a.cut_off().await.reopen().await.reconnect(&b).await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    assert!(a.mirror.peers().remove(0).by_difference);
    churn(&a, image, 100..200, 40);
    assert!(segments(&a) < 24, "{}", segments(&a));
    let b = b.reconnect(&a).await;
    caught_up(&a, &b).await;
    assert!(all_same(&a, &b, image));
    let (copied, differing) = (b.received(), 200 * BLOCK as u64);
    assert!(
        copied * 10 <= differing * 11 + 10 * 16_384,
        "{copied} for {differing}"
    );
    a.stop().await;
    b.stop().await;
}

/// How many bytes may come for so many blocks that differ: a tenth more, and what a connection costs.
fn within(received: u64, blocks: u64) -> bool {
    received * 10 <= blocks * BLOCK as u64 * 11 + 10 * 65_536
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_primary_whose_log_is_gone_gets_only_what_differs() {
    let (a, b) = pair().await;
    a.mirror.limit_log(None, Bytes(2 * MIB));
    let image = mirrored(&a.store, "one", true);
    for block in 0..1000 {
        write(&a.store, image, block, fill(block, 1));
    }
    let shared = snapshot(&a.store, image, "shared");
    b.holds(&a).await;
    trim(&a);
    write(&a.store, image, 700, 7);
    b.holds(&a).await;
    let b = b.cut_off().await;
    churn(&a, image, 0..100, 10);
    let alone = snapshot(&a.store, image, "alone");
    is_let_go(&a).await;
    let head = (read(&a.store, image, 5), read(&a.store, image, 700));
    let a = a.cut_off().await;
    b.store.promote(&[image], true).unwrap()[0].1.unwrap();
    for block in 98..103 {
        write(&b.store, image, block, fill(block, 200));
    }
    let b = b.reconnect(&a).await;
    let a = a.reconnect(&b).await;
    a.mirror.wait_caught_up().await;
    eventually("it is whole", || {
        let info = a.store.image(image).unwrap().info();
        info.role == Role::Secondary && info.sync.is_consistent()
    })
    .await;
    a.holds(&b).await;
    assert!(all_same(&b, &a, image));
    assert!(within(a.received(), 103), "{} for 103 blocks", a.received());
    let found = a.store.snapshots(image).unwrap();
    let divergent: Vec<_> = found.iter().filter(|it| it.divergent).collect();
    assert_eq!(
        divergent.len(),
        2,
        "its snapshot, and what it was: {found:?}"
    );
    assert!(found.iter().any(|it| it.name == shared && !it.divergent));
    assert!(divergent.iter().any(|it| it.name == alone));
    let kept = divergent.iter().find(|it| it.name != alone).unwrap();
    let map = a.store.snapshot_map(image, &kept.name).unwrap();
    let mut block = vec![0; BLOCK];
    map.read_blocks(5, &mut block).unwrap();
    assert_eq!(block[0], head.0);
    map.read_blocks(700, &mut block).unwrap();
    assert_eq!(block[0], head.1);
    assert_eq!(a.store.images().len(), 1, "nothing is left of it");
    write(&b.store, image, 3, 33);
    a.holds(&b).await;
    assert_eq!(read(&a.store, image, 3), 33);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_wanted_anew_is_compared_while_it_changes() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    for block in 0..1000 {
        write(&a.store, image, block, fill(block, 1));
    }
    snapshot(&a.store, image, "daily");
    b.holds(&a).await;
    let before = b.received();
    let kept = b.store.resync(&[image]).unwrap();
    for block in 0..50 {
        write(&a.store, image, block * 7, fill(block, 9));
    }
    eventually("it is whole again", || {
        b.store.image(image).unwrap().info().sync.is_consistent()
    })
    .await;
    b.holds(&a).await;
    assert!(all_same(&a, &b, image));
    let copied = b.received() - before;
    assert!(within(copied, 100), "{copied}: hardly anything differed");
    assert!(b.store.image(kept[0]).is_ok(), "who asked removes it");
    a.stop().await;
    b.stop().await;
}
