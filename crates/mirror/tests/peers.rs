//! Peers that come and go while a mirror runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Site, alone, eventually, fill, mirrored, read, write};
use firebrick_mirror::{Compression, Direction, Traffic};
use firebrick_vocabulary::ImageId;

/// Writes so much that the log has segments to free, and frees what nobody needs.
fn churn(site: &Site, image: ImageId, round: u64) {
    for pass in 0..6 {
        for block in 0..1000 {
            write(&site.store, image, block, fill(block, round + pass));
        }
    }
    trim(site);
}

fn trim(site: &Site) {
    site.store.checkpoint().unwrap();
    while site.store.clean().unwrap().freed > 0 {}
}

fn used(site: &Site) -> u64 {
    site.store.space().unwrap().used.0
}

fn add(site: &Site, other: &Site, direction: Direction) {
    site.mirror.add_peer(other.as_peer(direction));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_comes_later_gets_what_was_there_and_what_follows() {
    let (a, b) = (alone("a").await, alone("b").await);
    let early = mirrored(&a.store, "early", true);
    let own = mirrored(&a.store, "own", false);
    churn(&a, early, 1);
    assert!(
        a.store.reader(firebrick_vocabulary::Sequence(1)).is_err(),
        "the beginning of the log is gone"
    );
    add(&a, &b, Direction::RxTx);
    add(&b, &a, Direction::RxTx);
    let late = mirrored(&a.store, "late", true);
    write(&a.store, late, 3, 7);
    eventually("B has the image that was there", || {
        a.mirror.peer_consistent(early) == Some(true)
    })
    .await;
    write(&a.store, early, 5, 99);
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, early));
    assert!(common::same(&a.store, &b.store, late));
    assert!(b.store.image(own).is_err(), "it is not mirrored");
    // The other way goes too.
    let back = mirrored(&b.store, "back", true);
    write(&b.store, back, 1, 42);
    a.holds(&b).await;
    assert_eq!(read(&a.store, back, 1), 42);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_leaves_reads_no_more_and_frees_what_the_log_kept_for_it() {
    let (a, b) = (alone("a").await, alone("b").await);
    add(&a, &b, Direction::RxTx);
    add(&b, &a, Direction::RxTx);
    let image = mirrored(&a.store, "one", true);
    churn(&a, image, 1);
    b.holds(&a).await;
    assert!(b.mirror.remove_peer("a").await);
    eventually("A notices", || !a.mirror.peers()[0].reading).await;
    churn(&a, image, 10);
    churn(&a, image, 20);
    let kept = used(&a);
    assert!(a.mirror.remove_peer("b").await);
    assert!(!a.mirror.remove_peer("b").await, "it left already");
    assert!(a.mirror.peers().is_empty() && a.mirror.readers(image).is_empty());
    trim(&a);
    let left = used(&a);
    assert!(left * 2 < kept, "{left} bytes of {kept} are left");
    // Whoever left is a stranger.
    add(&b, &a, Direction::RxTx);
    let applied = b.store.applied(a.store.id());
    write(&a.store, image, 1, 200);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(b.mirror.peers().iter().all(|peer| !peer.following));
    assert_eq!(b.store.applied(a.store.id()), applied);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_goes_one_way_where_only_that_is_wanted() {
    let (a, b) = (alone("a").await, alone("b").await);
    add(&a, &b, Direction::TxOnly);
    add(&b, &a, Direction::RxOnly);
    let (there, here) = (
        mirrored(&a.store, "there", true),
        mirrored(&b.store, "here", true),
    );
    write(&a.store, there, 1, 5);
    write(&b.store, here, 1, 6);
    b.holds(&a).await;
    assert_eq!(read(&b.store, there, 1), 5);
    assert!(a.store.image(here).is_err());
    assert!(!a.mirror.peers()[0].following && b.mirror.readers(here).is_empty());
    // A peer that may not read is told so, however often it asks.
    a.mirror.change_peer(b.as_peer(Direction::RxTx)).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(a.store.image(here).is_err());
    // As soon as it may, it goes on by itself.
    b.mirror.change_peer(a.as_peer(Direction::RxTx)).await;
    a.holds(&b).await;
    assert_eq!(read(&a.store, here, 1), 6);
    a.stop().await;
    b.stop().await;
}

/// What has gone to the peer of a site: on the way, and before it was made smaller.
fn sent(site: &Site) -> (u64, u64) {
    let peer = site.mirror.peers().remove(0);
    (peer.sent.0, peer.sent_plain.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_alike_goes_smaller_and_arrives_whole() {
    let (a, b) = (alone("a").await, alone("b").await);
    add(&a, &b, Direction::RxTx);
    add(&b, &a, Direction::RxTx);
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 0, 7);
    b.holds(&a).await;
    let (wire, plain) = sent(&a);
    assert_eq!(wire, plain, "nobody asked for it");
    let traffic = Traffic {
        compression: Compression::Lz4,
        ..Traffic::default()
    };
    assert!(a.mirror.set_traffic("b", &traffic));
    assert!(!a.mirror.set_traffic("nobody", &traffic));
    for block in 0..500 {
        write(&a.store, image, block, fill(block, 3));
    }
    b.holds(&a).await;
    assert!(common::same(&a.store, &b.store, image));
    let (wire, plain) = (sent(&a).0 - wire, sent(&a).1 - plain);
    assert!(plain > 500 * 4096 && wire < plain / 4, "{wire} of {plain}");
    // And a first copy, to one who comes late.
    let c = alone("c").await;
    add(&a, &c, Direction::RxTx);
    a.mirror.set_traffic("c", &traffic);
    add(&c, &a, Direction::RxTx);
    eventually("C has the image", || {
        let image = c.store.image(image);
        image.is_ok_and(|image| image.info().sync.is_consistent())
    })
    .await;
    c.holds(&a).await;
    assert!(common::same(&a.store, &c.store, image));
    for site in [a, b, c] {
        site.stop().await;
    }
}
