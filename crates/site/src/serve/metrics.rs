//! Figures for Prometheus: `/metrics` of the site, without authentication, on loopback unless the
//! operator says otherwise.

mod groups;
mod listen;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use firebrick_backend::Fault;
use firebrick_vocabulary::Role;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::Error;
use super::fault::{blocking, fault};
use super::mirroring::Mirroring;
use crate::admin::{MirrorReport, MirrorState, SyncPlace};
use text::Text;

/// The content type of the text that Prometheus reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Takes the address, if there is one.
pub(super) async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await;
    listener
        .map(Some)
        .map_err(|error| Error::listen("metrics_listen", address, error))
}

/// Answers on the listener, if there is one, until `ending`; says where that is.
pub(super) fn spawn(
    listener: Option<TcpListener>,
    mirroring: Arc<Mirroring>,
    tasks: &TaskTracker,
    ending: &CancellationToken,
) -> Option<SocketAddr> {
    let listener = listener?;
    let address = listener.local_addr().ok();
    let router = Router::new()
        .route("/metrics", get(answer))
        .with_state(mirroring);
    tasks.spawn(listen::serve(
        listener,
        router,
        listen::HEADER,
        ending.clone(),
    ));
    address
}

async fn answer(State(mirroring): State<Arc<Mirroring>>) -> Response {
    match blocking(move || figures(&mirroring)).await {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(fault) => (StatusCode::INTERNAL_SERVER_ERROR, fault.to_string()).into_response(),
    }
}

/// All figures of the site.
fn figures(mirroring: &Mirroring) -> Result<String, Fault> {
    let mut text = Text::default();
    let name = mirroring.pool.site_name();
    let site = &[("site", name.as_str())];
    let version = env!("CARGO_PKG_VERSION");
    text.gauge("site_info", "The site and the version that it runs.")
        .add(&[("site", &name), ("version", version)], 1);
    let store = &mirroring.store;
    let mut log = text.gauge(
        "log_sequence",
        "The newest record of the log, and the newest that is durable.",
    );
    log.add(&[("end", "head")], store.head().sequence.0);
    log.add(&[("end", "durable")], store.durable().sequence.0);
    let space = store.space().map_err(|error| fault(&error))?;
    let mut room = text.gauge("store_bytes", "The room of the store, by kind.");
    for (kind, bytes) in [
        ("total", space.total),
        ("free", space.free),
        ("used", space.used),
        ("provisioned", space.provisioned),
        ("reclaimable", space.reclaimable),
    ] {
        room.add(&[("kind", kind)], bytes.0);
    }
    let mut report = mirroring.report(None);
    peers(&mut text, &report);
    groups::lags(&mut text, store, &report);
    // What stands for groups is no image to users.
    report.images.retain(|image| !image.name.is_internal());
    images(&mut text, &report);
    lags(&mut text, &report);
    synced(&mut text, &report);
    text.counter(
        "mirror_sync_fallbacks_total",
        "How often flushes ceased to wait for a peer that took too long, since the start of the site.",
    )
    .add(site, mirroring.mirror.sync_fallbacks());
    text.counter(
        "mirror_rpo_breaches_total",
        "How often peers began to be further behind than a target allows, since the start of the site.",
    )
    .add(site, mirroring.watch.breaches());
    Ok(text.finish())
}

fn peers(text: &mut Text, report: &MirrorReport) {
    let mut connected = text.gauge(
        "mirror_peer_connected",
        "Whether a log is read now, by peer and direction.",
    );
    for peer in &report.peers {
        let name = peer.name.as_str();
        connected.add(
            &[("peer", name), ("direction", "to")],
            u8::from(peer.reading),
        );
        connected.add(
            &[("peer", name), ("direction", "from")],
            u8::from(peer.following),
        );
    }
    traffic(text, report);
    let mut held = text.gauge(
        "mirror_peer_log_held_bytes",
        "Bytes of the log that are kept for the peer, in whole segments.",
    );
    for peer in &report.peers {
        held.add(&[("peer", &peer.name)], peer.log_held.0);
    }
    let mut let_go = text.gauge(
        "mirror_peer_by_difference",
        "Whether the log is not kept for the peer any more, which gets the difference.",
    );
    for peer in &report.peers {
        let_go.add(&[("peer", &peer.name)], u8::from(peer.by_difference));
    }
    let lags = || {
        report
            .peers
            .iter()
            .filter_map(|peer| Some((peer, peer.lag?)))
    };
    let mut records = text.gauge(
        "mirror_peer_lag_records",
        "Records that the peer has not confirmed.",
    );
    lags().for_each(|(peer, lag)| records.add(&[("peer", &peer.name)], lag.records));
    let mut bytes = text.gauge(
        "mirror_peer_lag_bytes",
        "Bytes of data in records that the peer has not confirmed.",
    );
    lags().for_each(|(peer, lag)| bytes.add(&[("peer", &peer.name)], lag.bytes.0));
    let mut seconds = text.gauge(
        "mirror_peer_lag_seconds",
        "Age of the oldest record that the peer has not confirmed.",
    );
    lags().for_each(|(peer, lag)| seconds.add(&[("peer", &peer.name)], lag.seconds));
}

/// What came from each peer and went to it, and what may.
fn traffic(text: &mut Text, report: &MirrorReport) {
    let mut received = text.counter(
        "mirror_received_bytes_total",
        "Bytes that came from the peer since the start of the site.",
    );
    for peer in &report.peers {
        received.add(&[("peer", &peer.name)], peer.received.0);
    }
    let mut sent = text.counter(
        "mirror_sent_bytes_total",
        "Bytes that went to the peer since the start of the site.",
    );
    for peer in &report.peers {
        sent.add(&[("peer", &peer.name)], peer.sent.0);
    }
    let mut plain = text.counter(
        "mirror_sent_plain_bytes_total",
        "What these were before they were made smaller.",
    );
    for peer in &report.peers {
        plain.add(&[("peer", &peer.name)], peer.sent_plain.0);
    }
    let mut bandwidth = text.gauge(
        "mirror_peer_bandwidth_bytes",
        "The most that may go to the peer in a second now; not there where it is any amount.",
    );
    for peer in &report.peers {
        if let Some(bytes) = peer.bandwidth {
            bandwidth.add(&[("peer", &peer.name)], bytes);
        }
    }
}

fn images(text: &mut Text, report: &MirrorReport) {
    let mut primary = text.gauge(
        "mirror_image_primary",
        "Whether the mirrored image is primary at this site.",
    );
    for image in &report.images {
        primary.add(
            &[("image", image.name.as_str())],
            u8::from(image.role == Role::Primary),
        );
    }
    let mut safe = text.gauge(
        "mirror_image_safe_to_promote",
        "Whether promoting the image here, without force, loses nothing.",
    );
    for image in &report.images {
        safe.add(
            &[("image", image.name.as_str())],
            u8::from(image.safe_to_promote),
        );
    }
    let targets = || {
        report
            .images
            .iter()
            .filter_map(|image| Some((image, image.target?)))
    };
    let mut target = text.gauge(
        "mirror_rpo_target_seconds",
        "How far peers of the image may be behind.",
    );
    targets().for_each(|(image, of)| target.add(&[("image", image.name.as_str())], of.seconds));
    let mut breached = text.gauge(
        "mirror_rpo_breached",
        "Whether a peer of the image is further behind.",
    );
    targets().for_each(|(image, of)| {
        let missed = u8::from(of.breached_since.is_some());
        breached.add(&[("image", image.name.as_str())], missed);
    });
}

/// Whether flushes wait for peers, of images that are in sync mode and primary here.
fn synced(text: &mut Text, report: &MirrorReport) {
    let all = || {
        let primaries = report.images.iter();
        let primaries = primaries.filter(|image| image.role == Role::Primary);
        primaries.filter_map(|image| Some((image.name.as_str(), image.sync.as_ref()?)))
    };
    let mut held = text.gauge(
        "mirror_sync_held",
        "Whether flushes of the image wait for the peer, as they should in its sync mode.",
    );
    for (image, sync) in all() {
        for peer in &sync.peers {
            let labels = [("image", image), ("peer", peer.name.as_str())];
            held.add(&labels, u8::from(peer.place == SyncPlace::Held));
        }
    }
    let mut waiting = text.gauge(
        "mirror_sync_waiting_seconds",
        "How long the oldest flush of the image has been waiting for peers; 0 where none waits.",
    );
    for (image, sync) in all() {
        waiting.add(&[("image", image)], sync.waiting.unwrap_or_default());
    }
}

/// The lag of each image at each peer that follows this site.
fn lags(text: &mut Text, report: &MirrorReport) {
    let all = || {
        report.images.iter().flat_map(|image| {
            let peers = image.peers.iter();
            let lags = peers.filter_map(|peer| Some((peer, peer.lag?)));
            lags.map(|(peer, lag)| {
                let labels = [("image", image.name.as_str()), ("peer", peer.name.as_str())];
                (labels, peer, lag)
            })
        })
    };
    let mut records = text.gauge(
        "mirror_image_lag_records",
        "Records of the image that the peer has not confirmed.",
    );
    all().for_each(|(labels, _, lag)| records.add(&labels, lag.records));
    let mut bytes = text.gauge(
        "mirror_image_lag_bytes",
        "Bytes of the image that the peer has not confirmed.",
    );
    all().for_each(|(labels, _, lag)| bytes.add(&labels, lag.bytes.0));
    let mut seconds = text.gauge(
        "mirror_image_lag_seconds",
        "Age of the oldest record of the image that the peer has not confirmed.",
    );
    all().for_each(|(labels, _, lag)| seconds.add(&labels, lag.seconds));
    let mut syncing = text.gauge(
        "mirror_image_syncing",
        "Whether the peer does not have the whole image yet.",
    );
    all().for_each(|(labels, peer, _)| {
        syncing.add(&labels, u8::from(peer.state == MirrorState::Syncing));
    });
}
