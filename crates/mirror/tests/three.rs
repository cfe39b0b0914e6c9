//! Three sites: each mirrors with both others, and whoever is left follows the new primary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::time::Duration;

use common::{Site, alone, eventually, fill, mirrored, read, same, write};
use firebrick_engine::Store;
use firebrick_mirror::Direction;
use firebrick_vocabulary::{ImageId, Role};

const PATIENCE: Duration = Duration::from_secs(30);

async fn three() -> [Site; 3] {
    let sites = [alone("a").await, alone("b").await, alone("c").await];
    for site in &sites {
        for other in &sites {
            if site.store.id() != other.store.id() {
                site.mirror.add_peer(other.as_peer(Direction::RxTx));
            }
        }
    }
    sites
}

fn promote(store: &Store, image: ImageId, forced: bool) {
    for (_, outcome) in store.promote(&[image], forced).unwrap() {
        outcome.unwrap();
    }
}

/// Everything that came to a site from its peers, in bytes.
fn received(site: &Site) -> u64 {
    let peers = site.mirror.peers().into_iter();
    peers.map(|peer| peer.received.0).sum()
}

async fn follows(site: &Site, image: ImageId, of: &Site) {
    eventually("the image follows its new primary", || {
        let info = site.store.image(image).unwrap().info();
        info.upstream == Some(of.store.id())
            && info.role == Role::Secondary
            && info.sync.is_consistent()
    })
    .await;
    site.holds(of).await;
    assert!(same(&of.store, &site.store, image));
}

/// What each state that a site keeps aside of an image has in a block.
fn kept(store: &Store, image: ImageId, block: u64) -> Vec<u8> {
    let images = store.images().into_iter().map(|image| image.info());
    let aside = images.filter(|info| info.name.as_str().starts_with("divergent-"));
    let mut kept: Vec<u8> = aside.map(|info| read(store, info.id, block)).collect();
    let snapshots = store.snapshots(image).unwrap().into_iter();
    for snapshot in snapshots.filter(|it| it.divergent) {
        let map = store.snapshot_map(image, &snapshot.name).unwrap();
        let mut data = vec![0; common::BLOCK];
        map.read_blocks(block, &mut data).unwrap();
        kept.push(data[0]);
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_site_mirrors_to_both_others_at_once() {
    let sites = three().await;
    let [a, b, c] = &sites;
    let images = [(a, "of-a"), (b, "of-b"), (c, "of-c")];
    let images = images.map(|(site, name)| mirrored(&site.store, name, true));
    for round in 0..20 {
        for (site, image) in sites.iter().zip(images) {
            write(&site.store, image, round, fill(round, 1));
        }
    }
    for site in &sites {
        for (other, image) in sites.iter().zip(images) {
            if site.store.id() != other.store.id() {
                site.holds(other).await;
            }
            assert!(same(&site.store, &other.store, image));
        }
    }
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_left_follows_the_new_primary_and_copies_nothing() {
    let [a, b, c] = three().await;
    let image = mirrored(&a.store, "one", true);
    for block in 0..200 {
        write(&a.store, image, block, fill(block, 1));
    }
    b.holds(&a).await;
    c.holds(&a).await;
    // The first site is lost, with something that nobody else has.
    let a = a.cut_off().await;
    write(&a.store, image, 3, 9);
    let before = received(&c);
    promote(&b.store, image, true);
    write(&b.store, image, 4, 2);
    follows(&c, image, &b).await;
    assert!(received(&c) - before < 64 << 10, "nothing is copied again");
    assert_eq!(
        (read(&c.store, image, 3), read(&c.store, image, 4)),
        (fill(3, 1), 2)
    );
    // It returns, and follows too.
    let a = a.reconnect(&b).await;
    a.mirror.add_peer(c.as_peer(Direction::RxTx));
    follows(&a, image, &b).await;
    assert!(a.store.snapshots(image).unwrap()[0].divergent);
    // And on to the third site, as planned.
    let position = b.store.demote(&[image]).unwrap();
    assert!(
        c.mirror
            .wait_applied(b.store.id(), position.sequence, PATIENCE)
            .await
    );
    promote(&c.store, image, false);
    write(&c.store, image, 5, 5);
    follows(&a, image, &c).await;
    follows(&b, image, &c).await;
    assert_eq!(read(&a.store, image, 5), 5);
    for site in [a, b, c] {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lacks_what_the_new_primary_has_gets_it() {
    let [a, b, c] = three().await;
    let image = mirrored(&a.store, "one", true);
    for block in 0..50 {
        write(&a.store, image, block, fill(block, 1));
    }
    b.holds(&a).await;
    c.holds(&a).await;
    assert!(
        c.mirror.remove_peer("a").await,
        "the way from A to C breaks"
    );
    for block in 25..75 {
        write(&a.store, image, block, fill(block, 2));
    }
    b.holds(&a).await;
    let a = a.cut_off().await;
    promote(&b.store, image, true);
    write(&b.store, image, 80, 80);
    follows(&c, image, &b).await;
    assert_eq!(read(&c.store, image, 60), fill(60, 2));
    for site in [a, b, c] {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_what_the_new_primary_never_got_keeps_it_aside() {
    let [a, b, c] = three().await;
    let image = mirrored(&a.store, "one", true);
    write(&a.store, image, 1, 1);
    b.holds(&a).await;
    c.holds(&a).await;
    assert!(
        b.mirror.remove_peer("a").await,
        "the way from A to B breaks"
    );
    write(&a.store, image, 2, 2);
    c.holds(&a).await;
    let a = a.cut_off().await;
    promote(&b.store, image, true);
    write(&b.store, image, 3, 3);
    follows(&c, image, &b).await;
    assert_eq!(kept(&c.store, image, 2), [2]);
    for site in [a, b, c] {
        site.stop().await;
    }
}

/// Which of the images a site says that it is primary of, to another one.
fn led(asks: &Site, of: &Site, images: &[ImageId]) -> Option<Vec<ImageId>> {
    tokio::task::block_in_place(|| asks.mirror.leads(of.store.id(), images))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_follows_another_one_is_no_source_of_a_copy() {
    let [a, b, c] = three().await;
    let image = mirrored(&a.store, "one", true);
    let own = mirrored(&a.store, "two", true);
    write(&a.store, image, 0, 1);
    b.holds(&a).await;
    c.holds(&a).await;
    let both = [image, own];
    assert_eq!(led(&c, &a, &both), Some(both.to_vec()));
    assert_eq!(led(&c, &b, &both), Some(Vec::new()));
    // The third site hears nothing of the second one, which takes over.
    assert!(c.mirror.remove_peer("b").await);
    assert!(b.mirror.remove_peer("c").await);
    promote(&b.store, image, true);
    follows(&a, image, &b).await;
    let upstream = c.store.image(image).unwrap().info().upstream;
    assert_eq!(upstream, Some(a.store.id()), "it has not heard of that");
    assert_eq!(led(&c, &a, &both), Some(vec![own]));
    assert_eq!(led(&a, &b, &both), Some(vec![image]));
    // Who has yet to hear its peers does not know.
    a.store.set_fenced(true);
    assert_eq!(led(&c, &a, &both), Some(Vec::new()));
    a.store.set_fenced(false);
    let a = a.cut_off().await;
    eventually("its silence is noticed", || {
        c.mirror.peers().iter().all(|peer| !peer.following)
    })
    .await;
    assert_eq!(led(&c, &a, &both), None);
    for site in [a, b, c] {
        site.stop().await;
    }
}
