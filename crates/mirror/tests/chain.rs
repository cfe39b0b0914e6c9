//! Three sites in a row: the first and the last one know only the one between them, which hands on what it follows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{BLOCK, Site, alone, clone_of, eventually, fill, mirrored, read, same, write};
use firebrick_engine::Store;
use firebrick_mirror::Direction;
use firebrick_vocabulary::{Bytes, ImageId, MIB, Role, SnapshotName};

/// What is little beside an image of 4 MiB.
const LITTLE: u64 = 256 << 10;

fn introduce(one: &Site, other: &Site) {
    one.mirror.add_peer(other.as_peer(Direction::RxTx));
    other.mirror.add_peer(one.as_peer(Direction::RxTx));
}

async fn chain() -> [Site; 3] {
    let sites = [alone("a").await, alone("b").await, alone("c").await];
    introduce(&sites[0], &sites[1]);
    introduce(&sites[1], &sites[2]);
    sites
}

/// An image of the first site that is full, and whole at all three.
async fn full(sites: &[Site; 3]) -> ImageId {
    let [a, b, c] = sites;
    let image = mirrored(&a.store, "one", true);
    for block in 0..1000 {
        write(&a.store, image, block, fill(block, 1));
    }
    for site in [b, c] {
        agree(site, a, image).await;
    }
    image
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

/// Waits until `site` follows `primary` with the image, by whatever way, and has all of it.
async fn agree(site: &Site, primary: &Site, image: ImageId) {
    let leader = Some(primary.store.id());
    eventually("the image follows its primary", || {
        let known = site.store.image(image).ok();
        known.map(|image| image.info()).is_some_and(|info| {
            let follows = info.leader.or(info.upstream) == leader;
            follows && info.role == Role::Secondary && info.sync.is_consistent()
        }) && same(&primary.store, &site.store, image)
    })
    .await;
}

async fn stop(sites: [Site; 3]) {
    for site in sites {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_happens_to_an_image_reaches_the_end_of_the_chain() {
    let sites = chain().await;
    let image = full(&sites).await;
    let [a, b, c] = &sites;
    let name = SnapshotName::new("then").unwrap();
    a.store.create_snapshot(image, name.clone()).unwrap();
    write(&a.store, image, 7, 70);
    let clone = clone_of(&a.store, image, &name, "two");
    write(&a.store, clone, 8, 80);
    a.store.resize_image(image, Bytes(8 * MIB)).unwrap();
    a.store.set_metadata(image, "key", Some("value")).unwrap();
    write(&a.store, image, 1500, 3);
    for site in [b, c] {
        agree(site, a, image).await;
        agree(site, a, clone).await;
        let info = site.store.image(image).unwrap().info();
        assert_eq!(info.metadata["key"], "value");
        assert_eq!(site.store.snapshots(image).unwrap().len(), 1);
    }
    let map = c.store.snapshot_map(image, &name).unwrap();
    let mut data = vec![0; BLOCK];
    map.read_blocks(7, &mut data).unwrap();
    assert_eq!(data[0], fill(7, 1), "the snapshot is what it was");
    // What ends at its begin ends at its end.
    a.store.remove_image(clone).unwrap();
    eventually("the clone is gone", || c.store.image(clone).is_err()).await;
    // Images of the other end go the other way at the same time.
    let back = mirrored(&c.store, "three", true);
    write(&c.store, back, 1, 1);
    agree(a, c, back).await;
    stop(sites).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_before_the_last_site_came_is_copied_to_it() {
    let [a, b, c] = [alone("a").await, alone("b").await, alone("c").await];
    let image = mirrored(&a.store, "one", false);
    for block in 0..100 {
        write(&a.store, image, block, fill(block, 1));
    }
    a.store.set_mirroring(image, true).unwrap();
    introduce(&a, &b);
    agree(&b, &a, image).await;
    introduce(&b, &c);
    agree(&c, &a, image).await;
    write(&a.store, image, 3, 33);
    agree(&c, &a, image).await;
    stop([a, b, c]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_switch_within_the_chain_copies_nothing() {
    let sites = chain().await;
    let image = full(&sites).await;
    let [a, b, c] = &sites;
    let before = [received(a), received(c)];
    for (from, to) in [(a, b), (b, c), (c, a)] {
        from.store.demote(&[image]).unwrap();
        eventually("it is known to be demoted", || {
            to.store.image(image).unwrap().info().primary_demoted
        })
        .await;
        promote(&to.store, image, false);
        write(&to.store, image, 5, fill(5, received(to)));
        for site in &sites {
            if site.store.id() != to.store.id() {
                agree(site, to, image).await;
                assert_eq!(site.store.snapshots(image).unwrap(), [], "nothing is kept");
            }
        }
    }
    for (site, before) in [a, c].into_iter().zip(before) {
        let came = received(site) - before;
        assert!(came < LITTLE, "{came} bytes for three switches");
    }
    stop(sites).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_chain_goes_on_with_a_forced_neighbour_and_copies_nothing() {
    let [a, b, c] = chain().await;
    let sites = [a, b, c];
    let image = full(&sites).await;
    let [a, b, c] = sites;
    let a = a.cut_off().await;
    write(&a.store, image, 3, 9);
    let before = received(&c);
    promote(&b.store, image, true);
    write(&b.store, image, 4, 2);
    agree(&c, &b, image).await;
    let came = received(&c) - before;
    assert!(came < LITTLE, "{came} bytes");
    assert_eq!(c.store.snapshots(image).unwrap(), [], "nothing is kept");
    let a = a.reconnect(&b).await;
    agree(&a, &b, image).await;
    assert!(a.store.snapshots(image).unwrap()[0].divergent);
    stop([a, b, c]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_chain_is_forced_and_all_follow_it() {
    let [a, b, c] = chain().await;
    let sites = [a, b, c];
    let image = full(&sites).await;
    let [a, b, c] = sites;
    let c = c.cut_off().await;
    write(&a.store, image, 3, 9);
    agree(&b, &a, image).await;
    let before = received(&b);
    promote(&c.store, image, true);
    write(&c.store, image, 4, 2);
    let c = c.reconnect(&b).await;
    agree(&b, &c, image).await;
    agree(&a, &c, image).await;
    let epochs = [&a, &b, &c].map(|site| site.store.image(image).unwrap().info().epoch);
    assert_eq!(epochs, [epochs[2]; 3]);
    assert_eq!(read(&a.store, image, 4), 2);
    // What the end had not got is kept where it was written, and only what differed went over the wire.
    assert!(a.store.snapshots(image).unwrap()[0].divergent);
    let came = received(&b) - before;
    assert!(came < LITTLE, "{came} bytes");
    stop([a, b, c]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_behind_one_that_was_away_for_long_gets_the_difference_too() {
    let [a, b, c] = chain().await;
    let sites = [a, b, c];
    let image = full(&sites).await;
    let [a, b, c] = sites;
    a.store.checkpoint().unwrap();
    let b = b.cut_off().await;
    for block in 0..10 {
        write(&a.store, image, block, fill(block, 2));
    }
    assert!(a.mirror.let_go("b").unwrap(), "the log is not kept");
    a.store.checkpoint().unwrap();
    let before = received(&c);
    let b = b.reconnect(&a).await;
    b.mirror.add_peer(c.as_peer(Direction::RxTx));
    agree(&b, &a, image).await;
    agree(&c, &a, image).await;
    let came = received(&c) - before;
    assert!(came < LITTLE, "{came} bytes for 40 KiB");
    assert_eq!(c.store.snapshots(image).unwrap(), [], "nothing is kept");
    write(&a.store, image, 11, 11);
    agree(&c, &a, image).await;
    stop([a, b, c]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_chain_knows_how_far_the_middle_is_behind() {
    let [a, b, c] = chain().await;
    let sites = [a, b, c];
    let image = full(&sites).await;
    let [a, b, c] = sites;
    let told = |of: &Site| c.mirror.upstream(image, of.store.id()).unwrap().told;
    eventually("it is told that it has all", || {
        told(&b).is_some_and(|(lag, _)| lag.records == 0)
    })
    .await;
    let a = a.cut_off().await;
    // A primary that is silent may have written since.
    eventually("the silence counts", || {
        told(&b).is_some_and(|(lag, _)| lag.seconds > 2.0)
    })
    .await;
    let b = b.restart_mirror(&c).await;
    eventually("nobody knows how far the middle is behind", || {
        c.mirror
            .upstream(image, b.store.id())
            .unwrap()
            .told
            .is_none()
    })
    .await;
    stop([a, b, c]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_read_from_all_nothing_goes_twice() {
    let sites = chain().await;
    let [a, b, c] = &sites;
    introduce(a, c);
    // It said before that it reads from nobody else.
    b.mirror.change_peer(c.as_peer(Direction::RxTx)).await;
    let image = full(&sites).await;
    let info = c.store.image(image).unwrap().info();
    let peers = c.mirror.peers();
    let came = |name: &str| {
        peers
            .iter()
            .find(|peer| peer.name == name)
            .unwrap()
            .received
            .0
    };
    assert_eq!(info.upstream, Some(a.store.id()));
    assert!(came("b") < LITTLE, "{} bytes from B", came("b"));
    stop(sites).await;
}
