//! Two sites as operators see and switch them with tools: lag, targets, promotion, copies made anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use firebrick_backend::{Backend as _, Fault, FaultKind, Reason as Refusal};
use firebrick_site::admin::{
    GroupRequest, MirrorReply, MirrorReport, MirrorRequest, MirrorState, MirroredImage,
    PromotedImage, ReasonCode, ToolClient, ToolReply, ToolRequest,
};
use firebrick_vocabulary::{ImageId, ImageName, MIB, Position, Role};
use support::{Pair, Site, caught_up, conf, new_image, until};
use tempfile::TempDir;

async fn ask(site: &Site, request: MirrorRequest) -> Result<MirrorReply, Fault> {
    let mut tool = ToolClient::connect(&site.client).await.unwrap();
    match tool.call(ToolRequest::Mirror { request }).await? {
        ToolReply::Mirror(reply) => Ok(reply),
        other => panic!("an answer to another question: {other:?}"),
    }
}

async fn report(site: &Site) -> MirrorReport {
    match ask(site, MirrorRequest::Report { images: None }).await {
        Ok(MirrorReply::Report(report)) => report,
        other => panic!("no report: {other:?}"),
    }
}

async fn one(site: &Site, id: ImageId) -> MirroredImage {
    let images = report(site).await.images;
    images.into_iter().find(|image| image.id == id).unwrap()
}

fn codes(image: &MirroredImage) -> Vec<ReasonCode> {
    image.reasons.iter().map(|reason| reason.code).collect()
}

async fn write(site: &Site, image: ImageId, offset: u64, byte: u8, len: usize) {
    let mut tool = ToolClient::connect(&site.client).await.unwrap();
    let request = ToolRequest::Write { image, offset, len };
    tool.transfer(request, &vec![byte; len]).await.unwrap();
    tool.call(ToolRequest::Flush).await.unwrap();
}

/// Images that are mirrored and whole at both sites.
async fn mirrored(pair: &Pair, count: usize) -> Vec<ImageId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let new = new_image(4 * MIB, true);
        ids.push(new.id);
        pair.a.client.create_image(new).await.unwrap();
    }
    caught_up(&pair.a, &pair.b).await;
    ids
}

async fn promote(
    site: &Site,
    images: &[ImageId],
    force: bool,
    dry_run: bool,
    accept_loss: Option<f64>,
) -> Result<Vec<PromotedImage>, Fault> {
    let request = MirrorRequest::Promote {
        images: images.to_vec(),
        force,
        dry_run,
        accept_loss,
    };
    match ask(site, request).await? {
        MirrorReply::Promoted(promoted) => Ok(promoted),
        other => panic!("an answer to another question: {other:?}"),
    }
}

async fn demote(site: &Site, images: &[ImageId]) -> Position {
    let request = MirrorRequest::Demote {
        images: images.to_vec(),
        within: None,
    };
    match ask(site, request).await.unwrap() {
        MirrorReply::Position(position) => position,
        other => panic!("an answer to another question: {other:?}"),
    }
}

async fn wait(site: &Site, within: f64) -> Result<(), Fault> {
    let request = MirrorRequest::Wait {
        images: None,
        position: None,
        within,
    };
    ask(site, request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_known_of_each_image_at_both_sites() {
    let pair = Pair::start().await;
    let ids = mirrored(&pair, 2).await;
    write(&pair.a, ids[0], 0, 1, 8192).await;
    wait(&pair.a, 30.0).await.unwrap();
    let image = one(&pair.a, ids[0]).await;
    assert_eq!(
        (image.role, image.state),
        (Role::Primary, MirrorState::Stopped)
    );
    assert_eq!(image.peers[0].state, MirrorState::Replaying);
    assert_eq!(image.peers[0].lag.unwrap().records, 0);
    assert!(image.peers[0].up);
    wait(&pair.b, 30.0).await.unwrap();
    let image = one(&pair.b, ids[0]).await;
    assert_eq!(
        (image.role, image.state),
        (Role::Secondary, MirrorState::Replaying)
    );
    assert!(!image.safe_to_promote);
    assert_eq!(codes(&image), [ReasonCode::NotDemoted]);

    pair.cut();
    until("the sites notice", async || {
        !one(&pair.a, ids[0]).await.peers[0].up && !one(&pair.b, ids[0]).await.peers[0].up
    })
    .await;
    write(&pair.a, ids[0], 4096, 2, 4096).await;
    until("the lag shows", async || {
        one(&pair.a, ids[0]).await.peers[0].lag.unwrap().records > 0
    })
    .await;
    let image = one(&pair.a, ids[0]).await;
    let lag = image.peers[0].lag.unwrap();
    assert_eq!((lag.records, lag.bytes.0), (1, 4096));
    assert_eq!(codes(&image), [ReasonCode::PeerAway, ReasonCode::Behind]);
    let other = one(&pair.a, ids[1]).await;
    assert_eq!(other.peers[0].lag.unwrap().records, 0, "each has its own");
    until("the lag grows", async || {
        one(&pair.a, ids[0]).await.peers[0].lag.unwrap().seconds > lag.seconds
    })
    .await;
    // The other site cannot know what was written, but it knows since when it knows nothing.
    let image = one(&pair.b, ids[0]).await;
    assert_eq!(image.state, MirrorState::StartingReplay);
    let loss = image.loss.unwrap();
    assert!(loss.seconds > 0.0 && loss.seconds >= loss.as_of);
    assert_eq!(
        codes(&image),
        [ReasonCode::PrimaryAway, ReasonCode::NotDemoted]
    );
    let late = wait(&pair.a, 0.1).await.unwrap_err();
    assert_eq!(late.kind, FaultKind::TimedOut);

    pair.heal();
    wait(&pair.a, 30.0).await.unwrap();
    assert_eq!(one(&pair.a, ids[0]).await.peers[0].lag.unwrap().records, 0);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_missed_is_said_and_counted() {
    let pair = Pair::start().await;
    let ids = mirrored(&pair, 2).await;
    let set = |seconds| MirrorRequest::SetTarget {
        image: ids[0],
        seconds,
    };
    ask(&pair.a, set(Some(0.2))).await.unwrap();
    let refused = ask(&pair.a, set(Some(-1.0))).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid);
    wait(&pair.a, 30.0).await.unwrap();
    let target = one(&pair.b, ids[0]).await.target.unwrap();
    assert!(
        (target.seconds - 0.2).abs() < 1e-9,
        "it goes with the image"
    );
    assert!(one(&pair.a, ids[1]).await.target.is_none());
    pair.cut();
    write(&pair.a, ids[0], 0, 1, 4096).await;
    until("it is missed", async || {
        codes(&one(&pair.a, ids[0]).await).contains(&ReasonCode::TargetBreached)
    })
    .await;
    pair.heal();
    until("it is met again", async || {
        let target = one(&pair.a, ids[0]).await.target;
        target.unwrap().breached_since.is_none()
    })
    .await;
    ask(&pair.a, set(None)).await.unwrap();
    assert!(one(&pair.a, ids[0]).await.target.is_none());
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_promoted_together_or_not_at_all() {
    let pair = Pair::start().await;
    let ids = mirrored(&pair, 3).await;
    let refused = promote(&pair.b, &ids, false, false, None).await.unwrap();
    assert!(
        refused
            .iter()
            .all(|image| image.outcome == Err(Refusal::NotDemoted))
    );

    // One that is still primary elsewhere holds the others back.
    let position = demote(&pair.a, &ids[..2]).await;
    let store = pair.a.client.status().await.unwrap().store;
    let held = pair
        .b
        .client
        .wait_applied(store, position, &[], support::PATIENCE);
    held.await.unwrap();
    let some = promote(&pair.b, &ids, false, false, None).await.unwrap();
    assert_eq!(some.iter().filter(|image| image.outcome.is_ok()).count(), 2);
    for id in &ids {
        assert_eq!(one(&pair.b, *id).await.role, Role::Secondary);
    }
    assert!(one(&pair.b, ids[0]).await.safe_to_promote);
    assert_eq!(codes(&one(&pair.b, ids[0]).await), [ReasonCode::NoPrimary]);

    let position = demote(&pair.a, &ids).await;
    let held = pair
        .b
        .client
        .wait_applied(store, position, &[], support::PATIENCE);
    held.await.unwrap();
    let dry = promote(&pair.b, &ids, false, true, Some(0.0))
        .await
        .unwrap();
    assert!(dry.iter().all(|image| image.outcome.is_ok()));
    assert!(dry.iter().all(|image| image.loss.unwrap().seconds == 0.0));
    assert_eq!(
        one(&pair.b, ids[0]).await.role,
        Role::Secondary,
        "nothing was done"
    );
    let before = pair.b.client.status().await.unwrap().head.sequence;
    promote(&pair.b, &ids, false, false, None).await.unwrap();
    let after = pair.b.client.status().await.unwrap().head.sequence;
    assert_eq!(after.0, before.0 + 1, "one record for all of them");
    for id in &ids {
        assert_eq!(one(&pair.b, *id).await.role, Role::Primary);
    }
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_lost_than_is_accepted() {
    let pair = Pair::start().await;
    let ids = mirrored(&pair, 1).await;
    wait(&pair.b, 30.0).await.unwrap();
    pair.cut();
    until("the site notices", async || {
        !one(&pair.b, ids[0]).await.peers[0].up
    })
    .await;
    let refused = promote(&pair.b, &ids, true, false, Some(0.001)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Busy);
    assert!(refused.why.contains("would be lost"), "{}", refused.why);
    assert_eq!(one(&pair.b, ids[0]).await.role, Role::Secondary);
    let dry = promote(&pair.b, &ids, true, true, Some(3600.0))
        .await
        .unwrap();
    assert!(dry[0].outcome.is_ok() && dry[0].loss.unwrap().seconds > 0.0);
    assert_eq!(one(&pair.b, ids[0]).await.role, Role::Secondary);
    promote(&pair.b, &ids, true, false, Some(3600.0))
        .await
        .unwrap();
    assert_eq!(one(&pair.b, ids[0]).await.role, Role::Primary);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_made_anew_from_a_primary_that_answers() {
    let pair = Pair::start().await;
    let ids = mirrored(&pair, 1).await;
    write(&pair.a, ids[0], 0, 7, 65536).await;
    wait(&pair.a, 30.0).await.unwrap();
    let resync = MirrorRequest::Resync {
        images: vec![ids[0]],
    };
    let refused = ask(&pair.a, resync.clone()).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid, "it is primary there");
    pair.cut();
    until("the site notices", async || {
        !one(&pair.b, ids[0]).await.peers[0].up
    })
    .await;
    let refused = ask(&pair.b, resync.clone()).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Busy, "nobody could give it back");
    pair.heal();
    // What the primary said before the cut is news for a moment more.
    until("the site follows again", async || {
        one(&pair.b, ids[0]).await.peers[0].up
    })
    .await;
    wait(&pair.b, 30.0).await.unwrap();
    ask(&pair.b, resync).await.unwrap();
    until("it is whole again", async || {
        let images = pair.b.client.images().await.unwrap();
        images.len() == 1 && images[0].id == ids[0] && images[0].sync.is_consistent()
    })
    .await;
    wait(&pair.a, 30.0).await.unwrap();
    assert_eq!(pair.b.client.image(ids[0]).await.unwrap().used.0, 65536);
    pair.stop().await;
}

/// What a site says to Prometheus.
fn metrics(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_there_for_prometheus() {
    let dir = TempDir::new().unwrap();
    let mut conf = conf(dir.path(), "a");
    conf.metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut site = Site::start(conf).await;
    let address = site.server().metrics_address().unwrap();
    let page = tokio::task::spawn_blocking(move || metrics(address))
        .await
        .unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("text/plain; version=0.0.4"), "{page}");
    for line in [
        "firebrick_site_info{site=\"a\",version=",
        "# TYPE firebrick_mirror_image_lag_seconds gauge",
        "# TYPE firebrick_mirror_sent_bytes_total counter",
        "# TYPE firebrick_mirror_sent_plain_bytes_total counter",
        "# TYPE firebrick_mirror_peer_bandwidth_bytes gauge",
        "firebrick_store_bytes{kind=\"free\"}",
        "firebrick_mirror_rpo_breaches_total{site=\"a\"} 0",
    ] {
        assert!(page.contains(line), "no {line} in {page}");
    }
    let dashboard = include_str!("../../../docs/grafana/mirroring.json");
    let shown = dashboard.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let shown = shown.filter(|word| word.starts_with("firebrick_"));
    assert!(shown.clone().count() > 10);
    for metric in shown {
        let line = format!("# TYPE {metric} ");
        assert!(page.contains(&line), "the dashboard shows {metric}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_as_far_behind_as_its_images_together() {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let pair = Pair::start_with(|conf| conf.metrics_listen = Some(local)).await;
    let ids = mirrored(&pair, 2).await;
    let mut tool = ToolClient::connect(&pair.a.client).await.unwrap();
    let add = |image| GroupRequest::Add {
        image,
        without_journal: false,
    };
    for what in [
        GroupRequest::Create { journal: None },
        add(ids[0]),
        add(ids[1]),
    ] {
        let name = ImageName::new("shop").unwrap();
        let group = ToolRequest::Group { name, what };
        tool.call(group).await.unwrap();
    }
    wait(&pair.a, 30.0).await.unwrap();
    pair.cut();
    write(&pair.a, ids[0], 0, 1, 8192).await;
    write(&pair.a, ids[1], 0, 2, 4096).await;
    let address = pair.a.server().metrics_address().unwrap();
    until("both are counted", async || {
        let page = tokio::task::spawn_blocking(move || metrics(address));
        let page = page.await.unwrap();
        assert!(!page.contains(".group/"), "{page}");
        let figure = |name: &str, value: u64| {
            let labels = "{group=\"shop\",peer=\"b\"}";
            page.contains(&format!(
                "firebrick_mirror_group_lag_{name}{labels} {value}\n"
            ))
        };
        figure("records", 2) && figure("bytes", 12288)
    })
    .await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_question_for_figures_does_not_keep_a_site_from_ending() {
    let dir = TempDir::new().unwrap();
    let mut conf = conf(dir.path(), "a");
    conf.metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut site = Site::start(conf).await;
    let address = site.server().metrics_address().unwrap();
    let half = tokio::task::spawn_blocking(move || {
        let mut half = TcpStream::connect(address).unwrap();
        half.write_all(b"GET /metr").unwrap();
        // A whole answer to somebody who came later: the half question has been met.
        let _ = metrics(address);
        half
    });
    let half = half.await.unwrap();
    let ends = tokio::time::timeout(Duration::from_secs(60), site.stop());
    ends.await.unwrap();
    drop(half);
    site.start_again().await;
    site.stop().await;
}
