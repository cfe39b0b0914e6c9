//! `rbd mirror image status`, `rbd mirror pool status`.

use std::collections::BTreeMap;

use firebrick_site::admin::{MirrorReport, MirrorState, MirroredImage, ReasonCode};
use firebrick_vocabulary::{ImageId, Role};
use serde_json::{Map, Value, json};

use super::args::PoolStatusArgs;
use super::doc::doc;
use super::text::{image_text, image_value};
use crate::cli::rbd::args::SpecArgs;
use crate::cli::rbd::show::watchers::Mirroring;
use crate::cli::rbd::site::Rbd;
use crate::exit::Failure;
use crate::printer::Printer;

/// `rbd mirror image status`
pub(super) async fn image(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let image = rbd.mirrored(args).await?;
    let (image, report) = rbd.one(image.id).await?;
    if rbd.structured() {
        rbd.print_value("image", &image_value(&report, &image));
    } else {
        Printer::line(&image_text(&report, &image));
    }
    Ok(())
}

impl Rbd {
    /// How a mirrored image is, beside what else is said of it.
    pub(in crate::cli::rbd) async fn mirroring(
        &mut self,
        image: ImageId,
    ) -> Result<Mirroring, Failure> {
        let (image, report) = self.one(image).await?;
        let text = image_text(&report, &image);
        // Its name stands above.
        let text = text.split_once('\n').map_or("", |(_, rest)| rest);
        Ok(Mirroring {
            doc: doc("mirroring", image_value(&report, &image)),
            text: text.to_owned(),
        })
    }
}

/// How well things are, as the `rbd` tool says it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Health {
    Ok,
    Warning,
    Error,
}

impl Health {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// The state that counts for an image: at its primary that of the peer which is worst off.
fn effective(image: &MirroredImage) -> MirrorState {
    if image.role == Role::Secondary {
        return image.state;
    }
    let states = image.peers.iter().map(|peer| {
        if peer.up {
            peer.state
        } else {
            MirrorState::Unknown
        }
    });
    states.max().unwrap_or(MirrorState::Error)
}

fn health_of(image: &MirroredImage) -> Health {
    let missed = |reason: &firebrick_site::admin::Reason| reason.code == ReasonCode::TargetBreached;
    match effective(image) {
        MirrorState::Error => Health::Error,
        MirrorState::Stopped | MirrorState::Replaying if !image.reasons.iter().any(missed) => {
            Health::Ok
        }
        MirrorState::Stopped
        | MirrorState::Replaying
        | MirrorState::Syncing
        | MirrorState::StartingReplay
        | MirrorState::Unknown => Health::Warning,
    }
}

/// The health of the connections, and of the images.
fn health(report: &MirrorReport) -> (Health, Health) {
    let connected = |peer: &firebrick_site::admin::MirrorPeer| {
        (peer.reading || !peer.direction.sends()) && (peer.following || !peer.direction.receives())
    };
    let daemons = if report.peers.iter().all(connected) {
        Health::Ok
    } else {
        Health::Warning
    };
    let images = report.images.iter().map(health_of);
    (daemons, images.max().unwrap_or(Health::Ok))
}

fn states(report: &MirrorReport) -> BTreeMap<&'static str, u64> {
    let mut states = BTreeMap::new();
    for image in &report.images {
        *states.entry(effective(image).as_str()).or_default() += 1;
    }
    states
}

/// `rbd mirror pool status`
pub(super) async fn pool(mut rbd: Rbd, args: &PoolStatusArgs) -> Result<(), Failure> {
    rbd.check_pool(&args.pool)?;
    let mut report = rbd.report(None).await?;
    // What stands for groups is no image to users.
    report.images.retain(|image| !image.name.is_internal());
    if rbd.structured() {
        rbd.print_value("status", &pool_value(&report, args.verbose));
    } else {
        Printer::line(&pool_text(&report, args.verbose));
    }
    Ok(())
}

fn pool_value(report: &MirrorReport, verbose: bool) -> Value {
    let (daemons, images) = health(report);
    let peers = report.peers.iter().map(|peer| {
        json!({
            "site_name": peer.name, "mirror_uuid": peer.store,
            "reading": peer.reading, "following": peer.following,
            "lag": peer.lag, "received_bytes": peer.received,
            "log_held_bytes": peer.log_held, "by_difference": peer.by_difference,
            "sent_bytes": peer.sent, "sent_plain_bytes": peer.sent_plain,
            "bandwidth": peer.bandwidth, "quiet": peer.quiet,
        })
    });
    let mut value = Map::new();
    let summary = json!({
        "health": daemons.max(images).as_str(),
        "daemon_health": daemons.as_str(),
        "image_health": images.as_str(),
        "states": states(report),
        "peers": peers.collect::<Vec<_>>(),
    });
    value.insert("summary".to_owned(), summary);
    if verbose {
        let daemon = json!({
            "service_id": report.store, "instance_id": report.store, "client_id": "firebrick",
            "hostname": report.site, "version": env!("CARGO_PKG_VERSION"), "leader": true,
            "health": daemons.as_str(),
        });
        value.insert("daemons".to_owned(), json!([daemon]));
        let images = report.images.iter().map(|image| image_value(report, image));
        value.insert("images".to_owned(), images.collect());
    }
    Value::Object(value)
}

fn pool_text(report: &MirrorReport, verbose: bool) -> String {
    let (daemons, images) = health(report);
    let mut lines = vec![
        format!("health: {}", daemons.max(images).as_str()),
        format!("daemon health: {}", daemons.as_str()),
        format!("image health: {}", images.as_str()),
        format!("images: {} total", report.images.len()),
    ];
    for (state, count) in states(report) {
        lines.push(format!("    {count} {state}"));
    }
    if !verbose {
        return lines.join("\n");
    }
    lines.extend([
        String::new(),
        "DAEMONS".to_owned(),
        format!("service {}:", report.store),
        format!("  instance_id: {}", report.store),
        "  client_id: firebrick".to_owned(),
        format!("  hostname: {}", report.site),
        format!("  version: {}", env!("CARGO_PKG_VERSION")),
        "  leader: true".to_owned(),
        format!("  health: {}", daemons.as_str()),
        String::new(),
        String::new(),
        "IMAGES".to_owned(),
    ]);
    let images = report.images.iter().map(|image| image_text(report, image));
    lines.push(images.collect::<Vec<_>>().join("\n\n"));
    lines.join("\n")
}
