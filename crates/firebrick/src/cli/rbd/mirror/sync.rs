//! `firebrick rbd mirror image sync` and `mirror group sync`, and what a status says of sync mode.

use std::time::Duration;

use firebrick_site::admin::{
    GroupRequest, MirrorRequest, MirroredImage, SyncPeer, SyncPlace, SyncReport,
};
use firebrick_vocabulary::{Role, SyncMode};
use serde_json::{Value, json};

use super::args::{GroupSyncArgs, HowToSync, SyncArgs};
use crate::cli::rbd::error::{EINVAL, EROFS, fault, refuse};
use crate::cli::rbd::site::Rbd;
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "failed to set the sync mode";

/// `firebrick rbd mirror image sync`
pub(super) async fn set(mut rbd: Rbd, args: &SyncArgs) -> Result<(), Failure> {
    let mode = wanted(&args.how)?;
    let image = rbd.mirrored(&args.spec).await?;
    if image.role != Role::Primary {
        let text = "rbd: mirrored image is not primary; set it at its primary";
        return Err(refuse(EROFS, text));
    }
    let request = MirrorRequest::SetSync {
        image: image.id,
        mode,
    };
    let set = rbd.mirror_order(request).await;
    set.map_err(|error| fault(DOING, &error))?;
    say(mode);
    Ok(())
}

/// `firebrick rbd mirror group sync`
pub(super) async fn set_group(mut rbd: Rbd, args: &GroupSyncArgs) -> Result<(), Failure> {
    let mode = wanted(&args.how)?;
    let group = super::group::mirrored(&mut rbd, &args.group).await?;
    if group.role != Role::Primary {
        let text = "rbd: mirrored group is not primary; set it at its primary";
        return Err(refuse(EROFS, text));
    }
    rbd.alter(group.name, GroupRequest::Sync { mode }, DOING)
        .await?;
    say(mode);
    Ok(())
}

fn wanted(how: &HowToSync) -> Result<Option<SyncMode>, Failure> {
    let within = Duration::try_from_secs_f64(how.timeout.0).unwrap_or(Duration::MAX);
    let mode = how.policy.0.map(|policy| SyncMode::new(policy, within));
    let mode = mode.transpose();
    mode.map_err(|why| refuse(EINVAL, format!("rbd: {why}")))
}

fn say(mode: Option<SyncMode>) {
    match mode {
        Some(mode) => Printer::line(&format!("Flushes wait for peers: {}", mode_text(mode))),
        None => Printer::line("Flushes wait for nobody"),
    }
}

fn mode_text(mode: SyncMode) -> String {
    format!("{}, {} s", mode.policy, mode.timeout().as_secs_f64())
}

/// Sync mode as a value.
pub(super) fn value(sync: &SyncReport) -> Value {
    let peer = |peer: &SyncPeer| json!({"site_name": peer.name, "state": place(peer.place)});
    let waiting = sync
        .waiting
        .map(|seconds| (seconds * 1000.0).round() / 1000.0);
    json!({
        "policy": sync.mode.policy.as_str(),
        "timeout_seconds": sync.mode.timeout().as_secs_f64(),
        "in_sync": sync.holds(),
        "late": sync.late,
        "waiting_seconds": waiting,
        "peers": sync.peers.iter().map(peer).collect::<Vec<_>>(),
    })
}

/// Sync mode of a group as a value; it holds where it does for all of its images.
pub(super) fn group_value(mode: SyncMode, images: &[&MirroredImage]) -> Value {
    json!({
        "policy": mode.policy.as_str(),
        "timeout_seconds": mode.timeout().as_secs_f64(),
        "in_sync": holds(images),
    })
}

/// Sync mode of a group in a line.
pub(super) fn group_text(mode: SyncMode, images: &[&MirroredImage], primary: bool) -> String {
    let held = match (primary, holds(images)) {
        (false, _) => "",
        (true, true) => "; held by all peers",
        (true, false) => "; not by all peers of all images",
    };
    format!("{}{held}", mode_text(mode))
}

fn holds(images: &[&MirroredImage]) -> bool {
    let mut all = images.iter();
    !images.is_empty() && all.all(|image| image.sync.as_ref().is_some_and(SyncReport::holds))
}

const fn place(place: SyncPlace) -> &'static str {
    match place {
        SyncPlace::Beginning => "beginning",
        SyncPlace::Held => "held",
        SyncPlace::Out => "out",
    }
}

/// Sync mode in a line; `primary`: the image is so here.
pub(super) fn text(sync: &SyncReport, primary: bool) -> String {
    let mut parts = vec![mode_text(sync.mode)];
    if !primary {
        return parts.concat();
    }
    let names = |wanted: SyncPlace| {
        let peers = sync.peers.iter().filter(|peer| peer.place == wanted);
        let names: Vec<&str> = peers.map(|peer| peer.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    for (wanted, said) in [
        (SyncPlace::Held, "held by"),
        (SyncPlace::Beginning, "beginning with"),
        (SyncPlace::Out, "without"),
    ] {
        if let Some(names) = names(wanted) {
            parts.push(format!("{said} {names}"));
        }
    }
    if sync.peers.is_empty() {
        parts.push("there is no peer".to_owned());
    }
    if let Some(seconds) = sync.waiting.filter(|_| sync.late) {
        parts.push(format!("waiting for {seconds:.1} s"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use firebrick_vocabulary::SyncPolicy;

    use super::*;

    fn report(places: &[SyncPlace]) -> SyncReport {
        let peers = places.iter().enumerate().map(|(nth, place)| SyncPeer {
            name: format!("site-{nth}"),
            place: *place,
        });
        SyncReport {
            mode: SyncMode::new(SyncPolicy::Block, SyncMode::TIMEOUT).unwrap(),
            peers: peers.collect(),
            waiting: Some(7.25),
            late: true,
        }
    }

    #[test]
    fn a_line_names_who_is_waited_for_and_who_is_not() {
        let both = report(&[SyncPlace::Held, SyncPlace::Out]);
        assert_eq!(
            text(&both, true),
            "block, 5 s; held by site-0; without site-1; waiting for 7.2 s"
        );
        assert_eq!(text(&both, false), "block, 5 s");
        assert!(!both.holds());
        assert!(report(&[SyncPlace::Held]).holds());
        assert!(!report(&[]).holds());
        let value = value(&both);
        assert_eq!(value["peers"][1]["state"], "out");
        assert_eq!(value["in_sync"], false);
        assert_eq!(value["waiting_seconds"], 7.25);
    }
}
