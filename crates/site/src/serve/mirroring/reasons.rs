//! What an operator should know of an image, and what to do about it.

use firebrick_engine::ImageInfo;
use firebrick_mirror::{ImageReader, PeerState, Rate, Upstream};
use firebrick_vocabulary::counted;

use super::sync;
use crate::admin::{Loss, Reason, ReasonCode, SyncReport, Target};

/// What reasons are found in.
pub(super) struct Findings<'a> {
    pub(super) info: &'a ImageInfo,
    /// What is kept of it.
    pub(super) kept: Kept,
    pub(super) target: Option<Target>,
    pub(super) sync: Option<&'a SyncReport>,
}

/// What is kept of an image that nobody asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Something that no other site has.
    pub(super) divergent: bool,
    /// What was there behind the mirror snapshot that the image returned to.
    pub(super) beyond: bool,
}

impl Findings<'_> {
    /// Of an image that is primary here.
    pub(super) fn of_primary(&self, readers: &[ImageReader], fenced: bool) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut add = |code, text: String, remedy: String| {
            reasons.push(Reason { code, text, remedy });
        };
        let name = &self.info.name;
        if !self.info.mirrored {
            add(
                ReasonCode::NotMirrored,
                "the image is not mirrored".to_owned(),
                format!("rbd mirror image enable {name}"),
            );
        } else if readers.is_empty() {
            add(
                ReasonCode::NoPeer,
                "this site has no peer".to_owned(),
                "see rbd mirror pool peer, or name one in site.conf".to_owned(),
            );
        }
        reasons.extend(readers.iter().flat_map(of_reader));
        let sync = self.sync.filter(|_| !readers.is_empty());
        reasons.extend(sync.into_iter().flat_map(|sync| sync::reasons(name, sync)));
        let mut add = |code, text: String, remedy: String| {
            reasons.push(Reason { code, text, remedy });
        };
        if fenced {
            add(
                ReasonCode::Fenced,
                "the site waits for its peers' word after its start".to_owned(),
                "it ends with that word, or after fence_grace".to_owned(),
            );
        }
        self.add_common(&mut reasons);
        reasons.sort_by_key(|reason| reason.code);
        reasons
    }

    /// Of an image that follows another site.
    pub(super) fn of_secondary(
        &self,
        upstream: Option<&Upstream>,
        loss: Option<Loss>,
    ) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut add = |code, text: String, remedy: String| {
            reasons.push(Reason { code, text, remedy });
        };
        let name = &self.info.name;
        let following = upstream.is_some_and(|upstream| upstream.peer.following);
        let primary = upstream.map_or("its primary", |upstream| upstream.peer.name.as_str());
        // Who hands on what another site writes has nothing to demote.
        let demoted = match self.info.leader {
            None => primary,
            Some(_) => "its primary",
        };
        if !self.info.sync.is_consistent() {
            add(
                ReasonCode::Copying,
                "its first copy is not complete; it cannot be used".to_owned(),
                "wait until it is complete".to_owned(),
            );
        }
        if self.info.primary_demoted {
            add(
                ReasonCode::NoPrimary,
                format!("{demoted} was demoted, and the image is primary nowhere"),
                format!("rbd mirror image promote {name}, at one site"),
            );
        } else {
            add(
                ReasonCode::NotDemoted,
                format!("{demoted} has not been demoted"),
                format!(
                    "rbd mirror image demote {name} there; where it is lost, promote with --force"
                ),
            );
        }
        if !following {
            add(
                ReasonCode::PrimaryAway,
                format!("{primary} does not answer"),
                away(primary),
            );
        }
        if upstream.is_some_and(|upstream| upstream.peer.catching_up) {
            add(
                ReasonCode::CatchingUp,
                format!("this site was away for too long, and gets the difference from {primary}"),
                "wait; until all of it is here, the image is what it was before".to_owned(),
            );
        }
        match loss {
            None => add(
                ReasonCode::LagUnknown,
                format!(
                    "{primary} has not said since this site started how far this one is behind"
                ),
                "it says so as soon as it is reached".to_owned(),
            ),
            Some(loss) if loss.bytes.0 > 0 => add(
                ReasonCode::Behind,
                format!("{} of its primary are not here", loss.bytes),
                "it catches up by itself while its primary is reached".to_owned(),
            ),
            Some(_) => {}
        }
        self.add_common(&mut reasons);
        reasons.sort_by_key(|reason| reason.code);
        reasons
    }

    fn add_common(&self, reasons: &mut Vec<Reason>) {
        let mut add = |code, text: &str, remedy: String| {
            let text = text.to_owned();
            reasons.push(Reason { code, text, remedy });
        };
        if self
            .target
            .is_some_and(|target| target.breached_since.is_some())
        {
            add(
                ReasonCode::TargetBreached,
                "peers are further behind than the image's target",
                "see why they do not keep up: the network, their disks, or that they are away"
                    .to_owned(),
            );
        }
        let look = format!(
            "look at it (rbd snap ls --all {}) and remove it",
            self.info.name
        );
        if self.kept.divergent {
            let text = "a snapshot keeps what this site had written and the new primary never got";
            add(ReasonCode::Divergent, text, look.clone());
        }
        if self.kept.beyond {
            let text = "a snapshot keeps what was here behind the mirror snapshot that a forced promotion returned to";
            add(ReasonCode::Beyond, text, look);
        }
    }
}

/// Of a peer that reads an image from here.
fn of_reader(reader: &ImageReader) -> Vec<Reason> {
    let ImageReader {
        peer,
        consistent,
        lag,
    } = reader;
    let mut reasons = Vec::new();
    let mut add = |code, text: String, remedy: String| {
        reasons.push(Reason { code, text, remedy });
    };
    let peer_name = &peer.name;
    match peer.store {
        None => add(
            ReasonCode::LagUnknown,
            format!("{peer_name} has not been met since this site started"),
            away(peer_name),
        ),
        Some(_) if peer.reading && peer.by_difference => add(
            ReasonCode::CatchingUp,
            format!("{peer_name} was away for too long, and gets the difference"),
            "wait; until all of it is there, it keeps what it had".to_owned(),
        ),
        Some(_) if !peer.reading => add(
            ReasonCode::PeerAway,
            format!("{peer_name} does not read this site's log"),
            away(peer_name),
        ),
        Some(_) => {}
    }
    if peer.by_difference && !peer.reading {
        add(
            ReasonCode::LogLetGo,
            format!("{peer_name} was away for so long that the log is not kept for it any more"),
            "start it; it gets what differs, and nothing else need be done. \
             peer_log_limit in site.conf says how much is kept"
                .to_owned(),
        );
    }
    if *consistent == Some(false) {
        add(
            ReasonCode::Copying,
            format!("{peer_name} does not have the whole image yet"),
            "wait until its first copy is complete".to_owned(),
        );
    }
    if peer.reading && lag.records > 0 && peer.allowed.rate != Rate::UNLIMITED {
        add(
            ReasonCode::HeldBack,
            held_back(peer),
            "wait, or allow more: rbd mirror pool peer set".to_owned(),
        );
    }
    if peer.store.is_some() && lag.records > 0 {
        add(
            ReasonCode::Behind,
            format!(
                "{peer_name} lacks {} in {}",
                lag.bytes,
                counted(lag.records, "record")
            ),
            "it catches up by itself while it reads".to_owned(),
        );
    }
    reasons
}

/// That no more may go to a peer.
fn held_back(peer: &PeerState) -> String {
    let PeerState { name, allowed, .. } = peer;
    let much = match allowed.rate {
        Rate::NOTHING => "nothing".to_owned(),
        rate => format!("no more than {rate}"),
    };
    let when = if allowed.quiet {
        " in its quiet hours"
    } else {
        ""
    };
    format!("{much} may go to {name}{when}")
}

fn away(peer: &str) -> String {
    format!("see whether {peer} runs and can be reached")
}
