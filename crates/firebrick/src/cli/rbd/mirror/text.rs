//! Mirrored images as text and as values, in the shape that the `rbd` tool gives them and with figures
//! that it does not have.

use firebrick_site::admin::{
    ImagePeer, LastVerified, Loss, MirrorReport, MirrorSnapshot, MirroredImage, Target,
};
use firebrick_vocabulary::{ImageMirrorMode, Lag, Role, StoreId, counted};
use serde_json::{Value, json};

use super::sync;
use crate::cli::rbd::at::second as stamp;

/// When a peer was last heard.
fn heard(report: &MirrorReport, peer: &ImagePeer) -> Option<String> {
    let ago = (peer.heard? * 1e9) as u64;
    Some(stamp(report.time.saturating_sub(ago)))
}

fn seconds(seconds: f64) -> Value {
    // Thousandths are as fine as anybody can use.
    json!((seconds * 1000.0).round() / 1000.0)
}

pub(super) fn lag_value(lag: Option<Lag>) -> Value {
    lag.map_or(
        Value::Null,
        |lag| json!({"records": lag.records, "bytes": lag.bytes, "seconds": seconds(lag.seconds)}),
    )
}

pub(super) fn loss_value(loss: Option<Loss>) -> Value {
    loss.map_or(Value::Null, |loss| {
        json!({
            "bytes": loss.bytes, "seconds": seconds(loss.seconds),
            "as_of_seconds": seconds(loss.as_of),
        })
    })
}

pub(super) fn target_value(target: Target) -> Value {
    json!({
        "target_seconds": target.seconds,
        "breached": target.breached_since.is_some(),
        "breached_since": target.breached_since.map(stamp),
    })
}

fn verified_value(verified: &LastVerified) -> Value {
    json!({
        "site_name": verified.peer, "time": stamp(verified.time),
        "position": verified.position.to_string(), "holds": verified.holds,
    })
}

/// `up+replaying` and the like.
fn state(up: bool, state: &str) -> String {
    format!("{}+{state}", if up { "up" } else { "down" })
}

fn snapshot_value(taken: &MirrorSnapshot) -> Value {
    json!({
        "id": taken.id, "name": taken.name, "demoted": taken.demoted,
        "mirror_peer_uuids": taken.peers,
    })
}

/// Mirror snapshots as the `rbd` tool lists them below an image.
fn snapshot_lines(image: &MirroredImage) -> Vec<String> {
    let heading = (!image.snapshots.is_empty()).then(|| "  snapshots:".to_owned());
    let line = |taken: &MirrorSnapshot| {
        let demoted = if taken.demoted { "demoted " } else { "" };
        let peers = peer_uuids(&taken.peers);
        format!("    {} {} ({demoted}{peers})", taken.id, taken.name)
    };
    let lines = image.snapshots.iter().map(line);
    heading.into_iter().chain(lines).collect()
}

/// Stores in the words of the `rbd` tool: `peer_uuids:[…]`.
fn peer_uuids(peers: &[StoreId]) -> String {
    let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
    format!("peer_uuids:[{}]", peers.join(","))
}

/// An image as a value.
pub(super) fn image_value(report: &MirrorReport, image: &MirroredImage) -> Value {
    let peer = |peer: &ImagePeer| {
        json!({
            "site_name": peer.name,
            "mirror_uuids": peer.store.map(|store| store.to_string()).unwrap_or_default(),
            "state": state(peer.up, peer.state.as_str()),
            "description": peer.description,
            "last_update": heard(report, peer).unwrap_or_default(),
            "position": peer.position.map(|position| position.to_string()),
            "lag": lag_value(peer.lag),
        })
    };
    let reasons = image.reasons.iter().map(|reason| {
        json!({"code": reason.code.as_str(), "text": reason.text, "remedy": reason.remedy})
    });
    let mut value = json!({
        "name": image.name,
        "global_id": image.id,
        "state": state(true, image.state.as_str()),
        "description": image.description,
        "daemon_service": {
            "service_id": report.store, "instance_id": report.store,
            "daemon_id": "firebrick", "hostname": report.site,
        },
        "last_update": stamp(report.time),
        "role": image.role.to_string(),
        "epoch": image.epoch,
        "mirroring_mode": image.mode,
        "position": image.position.map(|position| position.to_string()),
        "lag": lag_value(image.lag),
        "safe_to_promote": image.safe_to_promote,
        "data_loss_if_promoted": loss_value(image.loss),
        "verified": image.verified.iter().map(verified_value).collect::<Vec<_>>(),
        "reasons": reasons.collect::<Vec<_>>(),
        "peer_sites": image.peers.iter().map(peer).collect::<Vec<_>>(),
    });
    if let Some(target) = image.target {
        value["rpo"] = target_value(target);
    }
    if let Some(sync) = &image.sync {
        value["sync"] = sync::value(sync);
    }
    if image.mode == ImageMirrorMode::Snapshot {
        let taken = image.snapshots.iter().map(snapshot_value);
        value["snapshots"] = taken.collect();
        let newest = image.snapshots.last().map(|taken| taken.taken);
        value["newest_snapshot"] = json!(newest.map(stamp));
    }
    value
}

pub(super) fn lag_text(lag: Option<Lag>) -> String {
    match lag {
        None => "not known".to_owned(),
        Some(lag) => format!(
            "{}, {}, {:.1} s",
            counted(lag.records, "record"),
            lag.bytes,
            lag.seconds
        ),
    }
}

pub(super) fn loss_text(loss: Option<Loss>) -> String {
    match loss {
        None => "not known".to_owned(),
        Some(loss) if loss.seconds == 0.0 => "nothing".to_owned(),
        Some(loss) => format!("up to {:.1} s, {}", loss.seconds, loss.bytes),
    }
}

pub(super) fn target_text(target: Target) -> String {
    let missed = target.breached_since.map_or_else(
        || "met".to_owned(),
        |since| format!("missed since {}", stamp(since)),
    );
    format!("{} s, {missed}", target.seconds)
}

/// An image as text, without the end of the last line.
pub(super) fn image_text(report: &MirrorReport, image: &MirroredImage) -> String {
    let mut lines = vec![format!("{}:", image.name)];
    let mut line = |key: &str, text: String| lines.push(format!("  {key:<12} {text}"));
    line("global_id:", image.id.to_string());
    line("state:", state(true, image.state.as_str()));
    line("description:", image.description.clone());
    line("service:", format!("firebrick on {}", report.site));
    line("last_update:", stamp(report.time));
    line("role:", format!("{}, epoch {}", image.role, image.epoch));
    if let Some(position) = image.position {
        line("position:", position.to_string());
    }
    line("lag:", lag_text(image.lag));
    line(
        "promotion:",
        if image.safe_to_promote {
            "safe".to_owned()
        } else {
            format!("would lose {}", loss_text(image.loss))
        },
    );
    if let Some(target) = image.target {
        line("target:", target_text(target));
    }
    if let Some(sync) = &image.sync {
        let text = sync::text(sync, image.role == Role::Primary);
        lines.push(format!("  {:<12} {text}", "sync:"));
    }
    for last in &image.verified {
        let found = if last.holds { "held it" } else { "differed" };
        let text = format!("{} {found} at {}", last.peer, last.position);
        lines.push(format!(
            "  {:<12} {}: {text}",
            "verified:",
            stamp(last.time)
        ));
    }
    if !image.peers.is_empty() {
        lines.push("  peer_sites:".to_owned());
    }
    for peer in &image.peers {
        lines.push(format!("    name: {}", peer.name));
        lines.push(format!(
            "    state: {}",
            state(peer.up, peer.state.as_str())
        ));
        lines.push(format!("    description: {}", peer.description));
        if let Some(heard) = heard(report, peer) {
            lines.push(format!("    last_update: {heard}"));
        }
        if let Some(position) = peer.position {
            lines.push(format!("    position: {position}"));
            lines.push(format!("    lag: {}", lag_text(peer.lag)));
        }
    }
    lines.extend(snapshot_lines(image));
    if !image.reasons.is_empty() {
        lines.push("  reasons:".to_owned());
    }
    for reason in &image.reasons {
        lines.push(format!("    {}: {}", reason.code.as_str(), reason.text));
    }
    lines.join("\n")
}
