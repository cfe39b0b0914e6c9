//! Two stores and their mirrors over loopback: first copy, stream, interruption, switch and return.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{BLOCK, Site, eventually, fill, mirrored, pair, read, write};
use firebrick_engine::{ErrorKind, Refusal};
use firebrick_vocabulary::{Lag, Role, SnapshotName};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_arrives_with_snapshots_and_clones() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 0, 0x11);
    write(&a.store, image, 7, 0x22);
    let daily = SnapshotName::new("daily").unwrap();
    a.store.create_snapshot(image, daily.clone()).unwrap();
    write(&a.store, image, 7, 0x33);
    a.store.set_metadata(image, "color", Some("red")).unwrap();
    a.store
        .set_metadata(image, "local.export", Some("here"))
        .unwrap();
    let clone = common::clone_of(&a.store, image, &daily, "two");
    write(&a.store, clone, 0, 0x44);
    b.holds(&a).await;
    assert_eq!(
        (read(&b.store, image, 0), read(&b.store, image, 7)),
        (0x11, 0x33)
    );
    assert_eq!(
        (read(&b.store, clone, 0), read(&b.store, clone, 7)),
        (0x44, 0x22)
    );
    assert_eq!(b.store.snapshots(image).unwrap().len(), 1);
    let info = b.store.image(image).unwrap().info();
    assert_eq!(info.role, Role::Secondary);
    assert_eq!(info.metadata.keys().collect::<Vec<_>>(), ["color"]);
    let refused = b.store.image(image).unwrap();
    let refused = refused.discard(0, BLOCK as u64).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotPrimary);
    eventually("A knows that B has it all", || {
        let peer = a.mirror.peers().remove(0);
        peer.lag == Lag::NONE && a.mirror.peer_consistent(clone) == Some(true) && peer.reading
    })
    .await;
    a.store.remove_image(clone).unwrap();
    b.holds(&a).await;
    assert!(b.store.image(clone).is_err());
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_existed_is_copied_while_it_changes() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "old", false);
    for block in 0..600 {
        write(&a.store, image, block, fill(block, 1));
    }
    let first = SnapshotName::new("first").unwrap();
    a.store.create_snapshot(image, first.clone()).unwrap();
    for block in 300..900 {
        write(&a.store, image, block, fill(block, 2));
    }
    a.store.set_mirroring(image, true).unwrap();
    for block in (0..900).step_by(3) {
        write(&a.store, image, block, fill(block, 3));
    }
    a.store
        .create_snapshot(image, SnapshotName::new("second").unwrap())
        .unwrap();
    eventually("the copy is complete", || {
        a.mirror.peer_consistent(image) == Some(true)
    })
    .await;
    for block in (0..900).step_by(7) {
        write(&a.store, image, block, fill(block, 4));
    }
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    assert_eq!(b.store.snapshots(image).unwrap().len(), 2);
    let back = common::clone_of_any(&b.store, image, &first);
    assert_eq!(read(&b.store, back, 299), fill(299, 1));
    assert_eq!(read(&b.store, back, 301), fill(301, 1));
    a.store.set_mirroring(image, false).unwrap();
    b.holds(&a).await;
    assert!(b.store.image(image).is_err());
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_copy_goes_on_and_ends_right() {
    let (a, mut b) = pair().await;
    let image = mirrored(&a.store, "old", false);
    for block in 0..1000 {
        write(&a.store, image, block, fill(block, 1));
    }
    a.store.set_mirroring(image, true).unwrap();
    for round in 2..8 {
        b = b.restart_mirror(&a).await;
        for block in (0..1000).step_by(round) {
            write(&a.store, image, block, fill(block, round as u64));
        }
        let whole = a.store.image(image).unwrap();
        whole.discard(round as u64 * 40960, 8192).unwrap();
    }
    eventually("the copy is complete", || {
        a.mirror.peer_consistent(image) == Some(true)
    })
    .await;
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_switch_there_and_back_loses_nothing() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 1, 1);
    let early = b.store.promote(&[image], false).unwrap();
    assert!(matches!(
        early.as_slice(),
        [(_, Err(Refusal::NotDemoted | Refusal::NotFound))]
    ));
    let position = a.store.demote(&[image]).unwrap();
    assert!(
        b.mirror
            .wait_applied(a.store.id(), position.sequence, PATIENCE)
            .await
    );
    b.store
        .promote(&[image], false)
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    write(&b.store, image, 2, 2);
    a.holds(&b).await;
    assert_eq!((read(&a.store, image, 1), read(&a.store, image, 2)), (1, 2));
    let position = b.store.demote(&[image]).unwrap();
    assert!(
        a.mirror
            .wait_applied(b.store.id(), position.sequence, PATIENCE)
            .await
    );
    a.store
        .promote(&[image], false)
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    write(&a.store, image, 3, 3);
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    assert!(a.store.snapshots(image).unwrap().is_empty());
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_forced_switch_the_old_primary_keeps_its_writes_aside_and_follows() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    for block in 0..50 {
        write(&a.store, image, block, 1);
    }
    b.holds(&a).await;
    let a = a.cut_off().await;
    write(&a.store, image, 3, 9);
    b.store
        .promote(&[image], true)
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    write(&b.store, image, 4, 2);
    let before = b.received();
    let a = a.reconnect(&b).await;
    a.mirror.wait_caught_up().await;
    a.holds(&b).await;
    assert!(common::same(&a.store, &b.store, image));
    assert_eq!((read(&a.store, image, 3), read(&a.store, image, 4)), (1, 2));
    let kept = a.store.snapshots(image).unwrap();
    assert!(kept.len() == 1 && kept[0].divergent);
    assert!(b.received() - before < 64 << 10, "nothing is copied again");
    // And back: the divergent snapshot stays where it is.
    let position = b.store.demote(&[image]).unwrap();
    assert!(
        a.mirror
            .wait_applied(b.store.id(), position.sequence, PATIENCE)
            .await
    );
    a.store
        .promote(&[image], false)
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    write(&a.store, image, 5, 5);
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    assert!(b.store.snapshots(image).unwrap().is_empty());
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_forced_last_wins_also_without_having_heard_of_the_other() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    for block in 0..50 {
        write(&a.store, image, block, 1);
    }
    b.holds(&a).await;
    let a = a.cut_off().await;
    let force = |store: &firebrick_engine::Store| {
        store.promote(&[image], true).unwrap().remove(0).1.unwrap()
    };
    write(&a.store, image, 3, 9);
    let there = force(&b.store);
    write(&b.store, image, 4, 2);
    let here = force(&a.store);
    assert!(here > there, "{here} after {there}");
    write(&a.store, image, 5, 5);
    let a = a.reconnect(&b).await;
    b.mirror.wait_caught_up().await;
    b.holds(&a).await;
    eventually("the other site has a whole copy", || {
        let found = b.store.image(image).unwrap().info();
        found.sync.is_consistent() && found.role == Role::Secondary
    })
    .await;
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    let here = [3, 4, 5].map(|block| read(&a.store, image, block));
    assert_eq!(here, [9, 1, 5]);
    let kept = b.store.snapshots(image).unwrap();
    assert!(kept.len() == 1 && kept[0].divergent, "{kept:?}");
    let map = b.store.snapshot_map(image, &kept[0].name).unwrap();
    let mut block = [0; BLOCK];
    map.read_blocks(4, &mut block).unwrap();
    assert_eq!(block, [2; BLOCK]);
    assert_eq!(
        b.store.images().len(),
        1,
        "nothing is left of the difference"
    );
    write(&a.store, image, 6, 6);
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_reads_nothing() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 1, 1);
    let stranger = Site::stranger(&a).await;
    b.holds(&a).await;
    assert!(stranger.store.images().is_empty());
    assert!(
        stranger
            .mirror
            .peers()
            .iter()
            .all(|peer| !peer.following && peer.store.is_none())
    );
    stranger.stop().await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_went_backwards_is_not_followed() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 1, 1);
    b.holds(&a).await;
    let past = a.copy_of_the_store();
    for block in 0..20 {
        write(&a.store, image, block, 2);
    }
    b.holds(&a).await;
    let applied = b.store.applied(a.store.id());
    let a = a.replace_store(past, &b).await;
    assert!(a.store.head().sequence < applied);
    assert!(
        !b.mirror
            .wait_applied(a.store.id(), applied.next(), Duration::from_millis(300))
            .await
    );
    eventually("B is not following", || {
        b.mirror.peers().iter().all(|peer| !peer.following)
    })
    .await;
    assert_eq!(read(&b.store, image, 5), 2);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_is_counted_from_what_a_returning_peer_has() {
    let (a, b) = pair().await;
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 1, 1);
    b.holds(&a).await;
    eventually("A knows that B has it", || {
        let confirmed = a.mirror.peers().remove(0).confirmed;
        confirmed.sequence == a.store.head().sequence
    })
    .await;
    let b = b.cut_off().await;
    for block in 0..20 {
        write(&a.store, image, block, 2);
    }
    eventually("A counts what B lacks", || {
        let lag = a.mirror.peers().remove(0).lag;
        (lag.records, lag.bytes.0) == (20, 20 * BLOCK as u64) && lag.seconds > 0.0
    })
    .await;
    let b = b.reconnect(&a).await;
    b.holds(&a).await;
    eventually("A knows", || a.mirror.peers().remove(0).lag == Lag::NONE).await;
    assert!(Arc::strong_count(&a.store) > 1);
    a.stop().await;
    b.stop().await;
}
