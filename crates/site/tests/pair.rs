//! Two sites: failover, failback, and what a site that comes back may do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::time::{Duration, Instant};

use firebrick_backend::{Access, Backend as _, ExportKey, FaultKind, PromoteMode};
use firebrick_vocabulary::{Epoch, ImageId, MIB, Role};
use support::nbd::{ECONNRESET, EPERM, EPIPE, Nbd};
use support::{Pair, Site, caught_up, new_image, until};

fn key() -> ExportKey {
    ExportKey("attachment".to_owned())
}

/// A mirrored image, exported at the first site and complete at the second.
async fn mirrored_image(pair: &Pair) -> (ImageId, Nbd) {
    let new = new_image(4 * MIB, true);
    let id = new.id;
    pair.a.client.create_image(new).await.unwrap();
    until("the second site has the image", async || {
        pair.b
            .client
            .image(id)
            .await
            .is_ok_and(|image| image.sync.is_consistent())
    })
    .await;
    (id, attach(&pair.a, id).await)
}

async fn attach(site: &Site, id: ImageId) -> Nbd {
    let address = site
        .client
        .export(id, key(), Access::ReadWrite)
        .await
        .unwrap();
    Nbd::connect(&site.conf.nbd_socket, &address.export).unwrap()
}

async fn switch(from: &Site, to: &Site, id: ImageId, epoch: Epoch) {
    let store = from.client.status().await.unwrap().store;
    let position = from.client.demote(&[id]).await.unwrap();
    to.client
        .wait_applied(store, position, &[], support::PATIENCE)
        .await
        .unwrap();
    let outcomes = to
        .client
        .promote(&[id], PromoteMode::Planned)
        .await
        .unwrap();
    assert_eq!(outcomes[0].result, Ok(epoch));
}

async fn role(site: &Site, id: ImageId) -> Role {
    site.client.image(id).await.unwrap().role
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_switch_there_and_back_loses_nothing() {
    let pair = Pair::start().await;
    let (id, mut guest) = mirrored_image(&pair).await;
    guest.write(0, b"from a").unwrap();
    caught_up(&pair.a, &pair.b).await;

    let status = pair.a.client.mirror_status().await.unwrap();
    assert_eq!(status.images.len(), 1);
    assert_eq!(status.peers[0].name, "b");
    assert!(status.peers[0].reading);

    switch(&pair.a, &pair.b, id, Epoch(2)).await;
    assert!(guest.write(0, b"too late").is_err());
    assert_eq!(pair.a.client.exports().await.unwrap(), []);
    let mut guest = attach(&pair.b, id).await;
    assert_eq!(guest.read(0, 6).unwrap(), b"from a");
    guest.write(4096, b"from b").unwrap();

    switch(&pair.b, &pair.a, id, Epoch(3)).await;
    let mut guest = attach(&pair.a, id).await;
    assert_eq!(guest.read(0, 6).unwrap(), b"from a");
    assert_eq!(guest.read(4096, 6).unwrap(), b"from b");
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_lost_site_wrote_is_kept_aside() {
    let pair = Pair::start().await;
    let (id, mut guest) = mirrored_image(&pair).await;
    guest.write(0, b"held by both").unwrap();
    caught_up(&pair.a, &pair.b).await;

    pair.cut();
    guest.write(0, b"only at a !!").unwrap();
    let outcomes = pair
        .b
        .client
        .promote(&[id], PromoteMode::Forced)
        .await
        .unwrap();
    assert_eq!(outcomes[0].result, Ok(Epoch(3)));
    let mut other = attach(&pair.b, id).await;
    assert_eq!(other.read(0, 12).unwrap(), b"held by both");
    other.write(0, b"went on at b").unwrap();
    assert_eq!(role(&pair.a, id).await, Role::Primary);

    pair.heal();
    until("the first site falls back", async || {
        role(&pair.a, id).await == Role::Secondary
    })
    .await;
    match guest
        .write(0, b"stray")
        .map_err(|error| error.raw_os_error())
    {
        // Refused, or the export has ended already, and the connection with it.
        Err(None | Some(EPERM | EPIPE | ECONNRESET)) => {}
        other => panic!("a write to the fallen image: {other:?}"),
    }
    until("its exports end", async || {
        pair.a.client.exports().await.unwrap().is_empty()
    })
    .await;
    assert!(Nbd::connect(&pair.a.conf.nbd_socket, &format!("volume-{id}")).is_err());
    caught_up(&pair.b, &pair.a).await;
    assert_eq!(
        pair.a.client.snapshots(id).await.unwrap().len(),
        1,
        "no divergent snapshot"
    );

    switch(&pair.b, &pair.a, id, Epoch(4)).await;
    let mut guest = attach(&pair.a, id).await;
    assert_eq!(guest.read(0, 12).unwrap(), b"went on at b");
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_returns_after_a_failover_serves_nobody() {
    let mut pair = Pair::start().await;
    let (id, mut guest) = mirrored_image(&pair).await;
    guest.write(0, b"first").unwrap();
    caught_up(&pair.a, &pair.b).await;
    pair.a.stop().await;
    pair.cut();
    pair.b
        .client
        .promote(&[id], PromoteMode::Forced)
        .await
        .unwrap();

    pair.a.start_again().await;
    pair.a.client.status().await.unwrap();
    let nbd = pair.a.conf.nbd_socket.clone();
    assert!(
        Nbd::connect(&nbd, &format!("volume-{id}")).is_err(),
        "served before the fence"
    );
    pair.heal();
    until("it falls back", async || {
        role(&pair.a, id).await == Role::Secondary
    })
    .await;
    // Waits for the fence, and is refused by the role.
    let fault = pair
        .a
        .client
        .export(id, key(), Access::ReadWrite)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotPrimary);
    assert_eq!(pair.a.client.exports().await.unwrap(), []);
    assert!(Nbd::connect(&nbd, &format!("volume-{id}")).is_err());
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_peer_a_site_serves_after_the_grace_time() {
    let mut pair = Pair::start().await;
    let (id, mut guest) = mirrored_image(&pair).await;
    guest.write(0, b"kept").unwrap();
    pair.a.stop().await;
    pair.cut();
    pair.a.conf.fence_grace = Duration::from_secs(1);
    let begun = Instant::now();
    pair.a.start_again().await;
    // The call waits for the grace time to be over.
    let mut guest = attach(&pair.a, id).await;
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "the fence was lifted early"
    );
    assert_eq!(guest.read(0, 4).unwrap(), b"kept");
    guest.write(0, b"more").unwrap();
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_peer_a_site_serves_before_the_grace_time() {
    let mut pair = Pair::start().await;
    let (id, mut guest) = mirrored_image(&pair).await;
    guest.write(0, b"kept").unwrap();
    pair.a.stop().await;
    pair.a.conf.fence_grace = Duration::from_secs(600);
    pair.a.start_again().await;
    pair.heal();
    let mut guest = attach(&pair.a, id).await;
    assert_eq!(guest.read(0, 4).unwrap(), b"kept");
    guest.write(0, b"more").unwrap();
    caught_up(&pair.a, &pair.b).await;
    pair.stop().await;
}
