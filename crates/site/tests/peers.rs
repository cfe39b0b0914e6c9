//! Peers and modes of the pool by command: they hold at once, and after a restart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::net::{SocketAddr, TcpListener};

use firebrick_backend::{Backend as _, Fault, FaultKind};
use firebrick_site::admin::{
    MirrorMode, MirrorReply, MirrorRequest, NewPeer, PeerChange, PoolInfo, PoolRequest, ToolClient,
    ToolReply, ToolRequest,
};
use firebrick_site::serve::fingerprint_in;
use firebrick_site::{Direction, Rate, Traffic};
use firebrick_vocabulary::{Bytes, Feature, Features, MIB};
use support::{Pair, Site, caught_up, conf, new_image, until};
use tempfile::TempDir;
use uuid::Uuid;

async fn ask(site: &Site, request: PoolRequest) -> Result<MirrorReply, Fault> {
    let mut tool = ToolClient::connect(&site.client).await.unwrap();
    let request = MirrorRequest::Pool { request };
    match tool.call(ToolRequest::Mirror { request }).await? {
        ToolReply::Mirror(reply) => Ok(reply),
        other => panic!("an answer to another question: {other:?}"),
    }
}

async fn info(site: &Site) -> PoolInfo {
    match ask(site, PoolRequest::Info).await {
        Ok(MirrorReply::Pool(info)) => info,
        other => panic!("no description: {other:?}"),
    }
}

async fn enable(site: &Site, mode: MirrorMode) {
    let request = PoolRequest::Enable {
        mode,
        site_name: None,
    };
    ask(site, request).await.unwrap();
}

fn as_peer(site: &Site) -> NewPeer {
    NewPeer {
        name: site.conf.name.clone(),
        address: site.conf.mirror_listen.unwrap().to_string(),
        fingerprint: fingerprint_in(&site.conf.dir).unwrap().to_string(),
        direction: Direction::RxTx,
        client: "client.x".to_owned(),
        traffic: Traffic::default(),
        log_limit: None,
    }
}

async fn add(site: &Site, peer: NewPeer) -> Result<Uuid, Fault> {
    match ask(site, PoolRequest::AddPeer { peer }).await? {
        MirrorReply::Peer(uuid) => Ok(uuid),
        other => panic!("an answer to another question: {other:?}"),
    }
}

/// A site that nobody told of another one.
async fn alone(dir: &TempDir, name: &str) -> Site {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = free.local_addr().unwrap();
    drop(free);
    let mut conf = conf(dir.path(), name);
    conf.mirror_listen = Some(address);
    Site::start(conf).await
}

fn kind<T: std::fmt::Debug>(result: Result<T, Fault>) -> FaultKind {
    result.unwrap_err().kind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_came_by_command_are_remembered() {
    let dir = TempDir::new().unwrap();
    let (mut a, mut b) = (alone(&dir, "a").await, alone(&dir, "b").await);
    assert_eq!(info(&a).await.mode, MirrorMode::Disabled);
    assert_eq!(kind(add(&a, as_peer(&b)).await), FaultKind::Invalid);
    let early = new_image(4 * MIB, false);
    a.client.create_image(early.clone()).await.unwrap();
    let refused = a.client.set_mirroring(early.id, true).await;
    assert_eq!(kind(refused), FaultKind::Unsupported);
    for site in [&a, &b] {
        enable(site, MirrorMode::Image).await;
    }
    // Chosen before there is a peer: it gets the image as soon as it comes.
    a.client.set_mirroring(early.id, true).await.unwrap();
    let uuid = add(&a, as_peer(&b)).await.unwrap();
    assert_eq!(kind(add(&a, as_peer(&b)).await), FaultKind::Exists);
    add(&b, as_peer(&a)).await.unwrap();
    until("B holds the image", async || {
        let image = b.client.image(early.id).await;
        image.is_ok_and(|image| image.sync.is_consistent())
    })
    .await;
    for site in [&mut a, &mut b] {
        site.stop().await;
        site.start_again().await;
    }
    let late = new_image(4 * MIB, true);
    a.client.create_image(late.clone()).await.unwrap();
    caught_up(&a, &b).await;
    assert!(b.client.image(late.id).await.is_ok());
    let there = info(&a).await;
    assert_eq!((there.mode, there.peers.len()), (MirrorMode::Image, 1));
    assert_eq!(there.peers[0].uuid, uuid);
    assert_eq!(there.peers[0].store, Some(b.server().store()));
    let rate = Rate::of(50 << 20).unwrap();
    let limited = PoolRequest::SetPeer {
        uuid,
        change: PeerChange::Bandwidth(rate),
    };
    ask(&a, limited).await.unwrap();
    assert_eq!(info(&a).await.peers[0].peer.traffic.bandwidth, rate);
    let renamed = PoolRequest::SetPeer {
        uuid,
        change: PeerChange::Name("elsewhere".to_owned()),
    };
    ask(&a, renamed).await.unwrap();
    let more = new_image(4 * MIB, true);
    a.client.create_image(more.clone()).await.unwrap();
    caught_up(&a, &b).await;
    assert!(b.client.image(more.id).await.is_ok());
    let kept = info(&a).await.peers.remove(0).peer.traffic.bandwidth;
    assert_eq!(kept, rate, "another name is no other peer");
    ask(&a, PoolRequest::RemovePeer { uuid }).await.unwrap();
    let again = ask(&a, PoolRequest::RemovePeer { uuid }).await;
    assert_eq!(kind(again), FaultKind::NotFound);
    a.stop().await;
    a.start_again().await;
    assert!(info(&a).await.peers.is_empty());
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_goes_before_what_the_configuration_says_of_a_peer() {
    let mut pair = Pair::start().await;
    let said = info(&pair.a).await.peers.remove(0);
    let wrong = |peer: NewPeer| {
        let uuid = said.uuid;
        let change = PeerChange::Fingerprint(peer.fingerprint);
        PoolRequest::SetPeer { uuid, change }
    };
    for (bad, what) in [("xyz", "no fingerprint"), ("", "nothing")] {
        let peer = NewPeer {
            fingerprint: bad.to_owned(),
            ..said.peer.clone()
        };
        assert_eq!(
            kind(ask(&pair.a, wrong(peer)).await),
            FaultKind::Invalid,
            "{what}"
        );
    }
    let uuid = said.uuid;
    let change = PeerChange::Direction(Direction::RxOnly);
    let one_way = PoolRequest::SetPeer { uuid, change };
    ask(&pair.a, one_way).await.unwrap();
    pair.a.stop().await;
    pair.a.start_again().await;
    pair.heal();
    let now = info(&pair.a).await.peers;
    assert_eq!((now.len(), now[0].peer.direction), (1, Direction::RxOnly));
    ask(&pair.a, PoolRequest::RemovePeer { uuid })
        .await
        .unwrap();
    pair.a.stop().await;
    pair.a.start_again().await;
    assert!(info(&pair.a).await.peers.is_empty());
    add(&pair.a, said.peer.clone()).await.unwrap();
    pair.a.stop().await;
    pair.a.start_again().await;
    pair.heal();
    assert_eq!(info(&pair.a).await.peers[0].peer, said.peer);
    let image = new_image(4 * MIB, true);
    pair.a.client.create_image(image).await.unwrap();
    caught_up(&pair.a, &pair.b).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_pool_that_is_mirrored_each_image_with_a_journal_is() {
    let pair = Pair::start().await;
    let (early, other) = (new_image(4 * MIB, false), new_image(4 * MIB, false));
    for image in [&early, &other] {
        pair.a.client.create_image(image.clone()).await.unwrap();
    }
    let journaling = async |image: firebrick_vocabulary::ImageId| {
        let mut features = Features::none();
        features.set(Feature::Journaling, true);
        let request = ToolRequest::Enable {
            image,
            features,
            journal: None,
        };
        let mut tool = ToolClient::connect(&pair.a.client).await.unwrap();
        tool.call(request).await.unwrap();
    };
    journaling(early.id).await;
    enable(&pair.a, MirrorMode::Pool).await;
    let late = new_image(4 * MIB, false);
    let made = pair.a.client.create_image(late.clone()).await.unwrap();
    assert!(
        made.mirrored,
        "nobody asked for it, but the pool is mirrored"
    );
    let mirrored = async |id| pair.a.client.image(id).await.unwrap().mirrored;
    assert!(mirrored(early.id).await && !mirrored(other.id).await);
    journaling(other.id).await;
    assert!(mirrored(other.id).await);
    until("B holds all of them", async || {
        let mut whole = true;
        for id in [early.id, late.id, other.id] {
            let image = pair.b.client.image(id).await;
            whole &= image.is_ok_and(|image| image.sync.is_consistent());
        }
        whole
    })
    .await;
    let refused = ask(&pair.a, PoolRequest::Disable).await;
    assert_eq!(kind(refused), FaultKind::Busy);
    let uuid = info(&pair.a).await.peers[0].uuid;
    ask(&pair.a, PoolRequest::RemovePeer { uuid })
        .await
        .unwrap();
    ask(&pair.a, PoolRequest::Disable).await.unwrap();
    assert!(!mirrored(late.id).await);
    let refused = pair.a.client.set_mirroring(late.id, true).await;
    assert_eq!(kind(refused), FaultKind::Unsupported);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_kept_for_a_peer_for_as_long_as_was_said_of_it() {
    let mut pair = Pair::start().await;
    let image = new_image(16 * MIB, true);
    pair.a.client.create_image(image.clone()).await.unwrap();
    caught_up(&pair.a, &pair.b).await;
    let uuid = info(&pair.a).await.peers[0].uuid;
    let limit = |most: Option<u64>| PoolRequest::SetPeer {
        uuid,
        change: PeerChange::LogLimit(most.map(Bytes)),
    };
    let refused = ask(&pair.a, limit(Some(1000))).await;
    assert_eq!(kind(refused), FaultKind::Invalid);
    ask(&pair.a, limit(Some(8 * MIB))).await.unwrap();
    pair.a.stop().await;
    pair.a.start_again().await;
    pair.heal();
    caught_up(&pair.a, &pair.b).await;
    pair.b.stop().await;
    let mut tool = ToolClient::connect(&pair.a.client).await.unwrap();
    for at in 0..16 {
        let request = ToolRequest::Write {
            image: image.id,
            offset: at * MIB,
            len: MIB as usize,
        };
        let data = vec![at as u8 | 1; MIB as usize];
        tool.transfer(request, &data).await.unwrap();
    }
    let by_difference = async || {
        let mut tool = ToolClient::connect(&pair.a.client).await.unwrap();
        let request = MirrorRequest::Report { images: None };
        match tool.call(ToolRequest::Mirror { request }).await.unwrap() {
            ToolReply::Mirror(MirrorReply::Report(report)) => report.peers[0].by_difference,
            other => panic!("no report: {other:?}"),
        }
    };
    until("it is let go", by_difference).await;
    ask(&pair.a, limit(None)).await.unwrap();
    assert_eq!(info(&pair.a).await.peers[0].peer.log_limit, None);
    pair.b.start_again().await;
    pair.heal();
    caught_up(&pair.a, &pair.b).await;
    pair.stop().await;
}
