//! Sites that become peers by a token: whom it lets in, and whom it does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::net::TcpListener;

use firebrick_backend::{Backend as _, Fault, FaultKind};
use firebrick_site::admin::{
    MirrorMode, MirrorReply, MirrorRequest, PoolInfo, PoolRequest, ToolClient, ToolReply,
    ToolRequest,
};
use firebrick_site::{Direction, Secret};
use firebrick_vocabulary::MIB;
use serde_json::{Value, json};
use support::{Site, caught_up, conf, new_image, until};
use tempfile::TempDir;

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

async fn create(site: &Site, lasts: f64) -> Secret {
    match ask(site, PoolRequest::CreateToken { lasts }).await {
        Ok(MirrorReply::Token(token)) => token,
        other => panic!("no token: {other:?}"),
    }
}

async fn import(site: &Site, token: &Secret, direction: Direction) -> Result<(), Fault> {
    let token = token.clone();
    let request = PoolRequest::ImportToken { token, direction };
    ask(site, request).await.map(drop)
}

/// Why a site cannot import a token.
async fn refused(site: &Site, token: &Secret) -> String {
    let fault = import(site, token, Direction::RxTx).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
    fault.why
}

/// The token with something else in it.
fn forged(token: &Secret, field: &str, value: &Value) -> Secret {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut json: Value = serde_json::from_slice(&STANDARD.decode(&token.0).unwrap()).unwrap();
    json[field] = value.clone();
    Secret(STANDARD.encode(json.to_string()))
}

/// A site that mirrors and has no peer.
async fn alone(dir: &TempDir, name: &str) -> Site {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut conf = conf(dir.path(), name);
    conf.mirror_listen = Some(free.local_addr().unwrap());
    drop(free);
    let site = Site::start(conf).await;
    let mode = MirrorMode::Image;
    let site_name = None;
    ask(&site, PoolRequest::Enable { mode, site_name })
        .await
        .unwrap();
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_at_each_site_makes_them_peers_of_each_other() {
    let dir = TempDir::new().unwrap();
    let (mut a, mut b) = (alone(&dir, "a").await, alone(&dir, "b").await);
    let image = new_image(4 * MIB, true);
    a.client.create_image(image.clone()).await.unwrap();
    let token = create(&a, 3600.0).await;
    let said = refused(&a, &token).await;
    assert_eq!(said, "cannot import token for local cluster");
    // It outlives a restart of the site that made it.
    a.stop().await;
    a.start_again().await;
    import(&b, &token, Direction::RxTx).await.unwrap();
    // Where the answer was lost, the same site may ask again.
    import(&b, &token, Direction::RxTx).await.unwrap();
    until("B holds the image", async || {
        b.client.image(image.id).await.is_ok()
    })
    .await;
    for (site, other) in [(&a, &b), (&b, &a)] {
        let peers = info(site).await.peers;
        assert_eq!(peers.len(), 1);
        let known = &peers[0].peer;
        assert_eq!(known.name, other.conf.name);
        assert_eq!(known.direction, Direction::RxTx);
        assert_eq!(known.address, other.conf.mirror_listen.unwrap().to_string());
    }
    let back = new_image(4 * MIB, true);
    b.client.create_image(back.clone()).await.unwrap();
    caught_up(&b, &a).await;
    assert!(a.client.image(back.id).await.is_ok());
    a.stop().await;
    b.stop().await;
    let kept = std::fs::read_to_string(a.conf.dir.join("mirror.json")).unwrap();
    assert!(
        !kept.contains(&token.0) && kept.contains("\"used_by\""),
        "{kept}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_only_reads_is_known_as_one_that_is_only_sent_to() {
    let dir = TempDir::new().unwrap();
    let mut a = alone(&dir, "a").await;
    // It serves no log.
    let mut b = Site::start(conf(dir.path(), "b")).await;
    let (mode, site_name) = (MirrorMode::Image, None);
    ask(&b, PoolRequest::Enable { mode, site_name })
        .await
        .unwrap();
    let token = create(&a, 3600.0).await;
    let said = refused(&b, &token).await;
    assert!(said.contains("mirror_listen"), "{said}");
    import(&b, &token, Direction::RxOnly).await.unwrap();
    assert_eq!(info(&a).await.peers[0].peer.direction, Direction::TxOnly);
    let image = new_image(4 * MIB, true);
    a.client.create_image(image.clone()).await.unwrap();
    caught_up(&a, &b).await;
    assert!(b.client.image(image.id).await.is_ok());
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_does_not_mirror_uses_up_no_token() {
    let dir = TempDir::new().unwrap();
    let (mut a, mut b) = (alone(&dir, "a").await, alone(&dir, "b").await);
    let mut c = alone(&dir, "c").await;
    let token = create(&a, 3600.0).await;
    ask(&b, PoolRequest::Disable).await.unwrap();
    let said = refused(&b, &token).await;
    assert!(said.contains("mirror pool enable"), "{said}");
    let none = ask(&b, PoolRequest::CreateToken { lasts: 60.0 }).await;
    assert!(none.unwrap_err().why.contains("mirror pool enable"));
    assert!(info(&a).await.peers.is_empty());
    // So the token is there for whoever can use it.
    import(&c, &token, Direction::RxTx).await.unwrap();
    for site in [&mut a, &mut b, &mut c] {
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_lets_in_one_site_once_for_some_time() {
    let dir = TempDir::new().unwrap();
    let (mut a, mut b) = (alone(&dir, "a").await, alone(&dir, "b").await);
    let mut c = alone(&dir, "c").await;
    let token = create(&a, 3600.0).await;
    let no_token = refused(&b, &Secret("bm9uZQ==".to_owned())).await;
    assert!(no_token.contains("no token"), "{no_token}");
    let said = refused(&b, &forged(&token, "key", &json!("c2VjcmV0"))).await;
    assert!(said.contains("made no such token"), "{said}");
    let elsewhere = json!(c.conf.mirror_listen.unwrap().to_string());
    let said = refused(&b, &forged(&token, "mon_host", &elsewhere)).await;
    assert!(
        said.contains("is not a") && said.contains("certificate"),
        "{said}"
    );
    let nobody = forged(&token, "mon_host", &json!("127.0.0.1:1"));
    let fault = import(&b, &nobody, Direction::RxTx).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(info(&a).await.peers.is_empty() && info(&b).await.peers.is_empty());

    import(&b, &token, Direction::RxTx).await.unwrap();
    let said = refused(&c, &token).await;
    assert!(said.contains("used already"), "{said}");

    let short = create(&a, 1.0).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let said = refused(&c, &short).await;
    assert_eq!(said, "the token of a has expired");
    // The site that made it decides, not what the token says.
    let longer = forged(&short, "expires", &json!(u32::MAX));
    let said = refused(&c, &longer).await;
    assert!(said.contains("refused: the token has expired"), "{said}");
    assert!(info(&c).await.peers.is_empty());

    let forever = ask(&a, PoolRequest::CreateToken { lasts: 1e9 }).await;
    assert_eq!(forever.unwrap_err().kind, FaultKind::Invalid);
    for site in [&mut a, &mut b, &mut c] {
        site.stop().await;
    }
}
