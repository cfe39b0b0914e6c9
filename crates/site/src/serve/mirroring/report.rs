//! How mirroring goes, image by image.

use firebrick_engine::{ImageInfo, MirrorPoint, SnapshotInfo, is_of_mirroring};
use firebrick_mirror::{ImageReader, PeerState, Upstream};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, Lag, Position, Role, SyncState, counted,
};

use super::Mirroring;
use super::reasons::{Findings, Kept};
use super::target::nanos;
use super::verify;
use crate::admin::{ImagePeer, Loss, MirrorPeer, MirrorReport, MirrorState, MirroredImage};

impl Mirroring {
    /// How mirroring goes; of all mirrored images where none is named.
    pub(in crate::serve) fn report(&self, only: Option<&[ImageId]>) -> MirrorReport {
        let images = match only {
            Some(ids) => ids
                .iter()
                .filter_map(|id| self.store.image(*id).ok())
                .collect(),
            None => self.store.images(),
        };
        let infos = images.into_iter().map(|image| image.info());
        let infos = infos.filter(|info| only.is_some() || info.mirrored);
        let mut images: Vec<MirroredImage> = infos.map(|info| self.image(info)).collect();
        images.sort_by(|one, other| one.name.cmp(&other.name));
        MirrorReport {
            site: self.pool.site_name(),
            store: self.store.id(),
            time: nanos(),
            peers: self.mirror.peers().into_iter().map(peer).collect(),
            images,
        }
    }

    fn image(&self, info: ImageInfo) -> MirroredImage {
        match info.role {
            Role::Primary => self.primary(info),
            Role::Secondary => self.secondary(info),
        }
    }

    fn primary(&self, info: ImageInfo) -> MirroredImage {
        let readers = if info.mirrored {
            self.readers(&info)
        } else {
            Vec::new()
        };
        let fenced = info.mirrored && self.store.is_fenced();
        let target = self.target(&info).filter(|_| info.mirrored);
        let sync = self.sync(&info);
        let reasons = Findings {
            info: &info,
            kept: self.kept(info.id),
            target,
            sync: sync.as_ref(),
        }
        .of_primary(&readers, fenced);
        let position = Position {
            epoch: info.epoch,
            sequence: info.last_change,
        };
        MirroredImage {
            mode: info.mode,
            snapshots: self.mirror_snapshots(&info),
            state: MirrorState::Stopped,
            description: "local image is primary".to_owned(),
            position: Some(position),
            lag: Some(Lag::NONE),
            safe_to_promote: !fenced,
            loss: Some(Loss::NONE),
            target,
            sync,
            verified: verify::last(&info),
            reasons,
            peers: readers
                .into_iter()
                .map(|it| reader(it, info.epoch))
                .collect(),
            id: info.id,
            name: info.name,
            role: info.role,
            epoch: info.epoch,
        }
    }

    fn secondary(&self, info: ImageInfo) -> MirroredImage {
        let upstream = info
            .upstream
            .and_then(|of| self.mirror.upstream(info.id, of));
        let told = lag(&info, upstream.as_ref());
        let lag = self.lag_here(&info, told);
        let loss = self.loss_here(&info, told, loss(&info, upstream.as_ref()));
        let (state, description) = state_of(&info, upstream.as_ref(), lag.as_ref());
        let reasons = Findings {
            info: &info,
            kept: self.kept(info.id),
            target: None,
            sync: None,
        }
        .of_secondary(upstream.as_ref(), loss);
        let position = Some(self.reached(&info));
        let handed_on = info.upstream.filter(|_| info.mirrored);
        let handed_on = handed_on.map_or_else(Vec::new, |of| self.mirror.handed_on(info.id, of));
        MirroredImage {
            mode: info.mode,
            snapshots: self.mirror_snapshots(&info),
            state,
            description,
            position,
            lag,
            safe_to_promote: info.sync.is_consistent() && info.primary_demoted,
            loss,
            target: self.target(&info),
            sync: self.sync(&info),
            verified: verify::last(&info),
            reasons,
            peers: upstream
                .iter()
                .map(|upstream| primary_at(&info, upstream))
                .chain(handed_on.into_iter().map(|it| reader(it, info.epoch)))
                .collect(),
            id: info.id,
            name: info.name,
            role: info.role,
            epoch: info.epoch,
        }
    }

    /// Up to where of its primary's log an image is here.
    pub(super) fn reached(&self, info: &ImageInfo) -> Position {
        // One that was demoted here and follows nobody yet is where it was.
        let sequence = match info.upstream {
            Some(of) => self.store.applied(of),
            None => info.last_change,
        };
        Position {
            epoch: info.epoch,
            sequence,
        }
    }

    /// What is kept of the image that nobody asked for.
    fn kept(&self, image: ImageId) -> Kept {
        let taken = self.store.snapshots(image).unwrap_or_default();
        let ours = |taken: &SnapshotInfo| {
            is_of_mirroring(&taken.name) && MirrorPoint::of(&taken.name).is_none()
        };
        Kept {
            // Mirror snapshots that no other site has go by themselves.
            divergent: taken
                .iter()
                .any(|taken| taken.divergent && MirrorPoint::of(&taken.name).is_none()),
            beyond: taken.iter().any(|taken| !taken.divergent && ours(taken)),
        }
    }
}

fn peer(peer: PeerState) -> MirrorPeer {
    MirrorPeer {
        // What it lacks is known once it has said what it has.
        lag: peer.store.map(|_| peer.lag),
        name: peer.name,
        direction: peer.direction,
        store: peer.store,
        reading: peer.reading,
        following: peer.following,
        heard: peer.last_heard.map(|heard| heard.as_secs_f64()),
        received: peer.received,
        sent: peer.sent,
        sent_plain: peer.sent_plain,
        bandwidth: peer.allowed.rate.bytes(),
        quiet: peer.allowed.quiet,
        log_held: peer.held,
        by_difference: peer.by_difference,
    }
}

/// A peer that reads an image of that epoch from here.
fn reader(reader: ImageReader, epoch: Epoch) -> ImagePeer {
    let ImageReader {
        peer,
        consistent,
        lag,
    } = reader;
    let lag = peer.store.map(|_| lag);
    let (state, description) = match (consistent, lag) {
        (Some(false), _) => (
            MirrorState::Syncing,
            "its first copy is not complete".to_owned(),
        ),
        (_, Some(_)) if peer.by_difference && peer.reading => (
            MirrorState::Syncing,
            "it was away for too long, and gets the difference".to_owned(),
        ),
        (_, None) => (
            MirrorState::Unknown,
            "it has not been met since this site started".to_owned(),
        ),
        (_, Some(lag)) => (MirrorState::Replaying, behind(&lag)),
    };
    ImagePeer {
        position: peer.store.map(|_| Position {
            epoch,
            sequence: peer.confirmed.sequence,
        }),
        name: peer.name,
        store: peer.store,
        up: peer.reading,
        state,
        description,
        lag,
        heard: peer.last_heard.map(|heard| heard.as_secs_f64()),
    }
}

/// The site that an image follows.
fn primary_at(info: &ImageInfo, upstream: &Upstream) -> ImagePeer {
    let peer = &upstream.peer;
    let (state, description) = if info.primary_demoted {
        (MirrorState::Unknown, "it has been demoted")
    } else if info.leader.is_some() {
        let text = "it follows the primary, and hands on what it has";
        (MirrorState::Replaying, text)
    } else {
        (MirrorState::Stopped, "it is primary there")
    };
    ImagePeer {
        name: peer.name.clone(),
        store: peer.store,
        up: peer.following,
        state,
        description: description.to_owned(),
        position: None,
        lag: None,
        heard: peer.last_heard.map(|heard| heard.as_secs_f64()),
    }
}

fn state_of(
    info: &ImageInfo,
    upstream: Option<&Upstream>,
    lag: Option<&Lag>,
) -> (MirrorState, String) {
    if let SyncState::Copying { next_block, .. } = info.sync {
        let copied = Bytes((next_block * BLOCK_SIZE).min(info.size.0));
        let text = format!("syncing, {copied} of {}", info.size);
        return (MirrorState::Syncing, text);
    }
    if info.primary_demoted {
        let text = "remote image is not primary".to_owned();
        return (MirrorState::Unknown, text);
    }
    match upstream {
        Some(upstream) if upstream.peer.catching_up => {
            let text =
                "syncing, by the difference; what is here is a whole earlier state".to_owned();
            (MirrorState::Syncing, text)
        }
        Some(upstream) if upstream.peer.following => {
            let text = lag.map_or_else(|| "replaying".to_owned(), behind);
            (MirrorState::Replaying, text)
        }
        Some(upstream) => {
            let text = format!("waiting for {}, which does not answer", upstream.peer.name);
            (MirrorState::StartingReplay, text)
        }
        None => {
            let text = "waiting for its primary, which has not been met".to_owned();
            (MirrorState::StartingReplay, text)
        }
    }
}

fn behind(lag: &Lag) -> String {
    if lag.records == 0 && lag.seconds == 0.0 {
        return "replaying, up to date".to_owned();
    }
    if lag.records == 0 {
        let text = "replaying, the newest mirror snapshot is";
        return format!("{text} {:.1} s old", lag.seconds);
    }
    format!(
        "replaying, {:.1} s behind: {} with {}",
        lag.seconds,
        counted(lag.records, "record"),
        lag.bytes
    )
}

/// How far an image is behind its primary, as that said last.
fn lag(info: &ImageInfo, upstream: Option<&Upstream>) -> Option<Lag> {
    if info.primary_demoted {
        return Some(Lag::NONE);
    }
    upstream?.told.map(|(lag, _)| lag)
}

/// The most that promoting the image here could lose: what its primary said that is missing here, and
/// what it may have written since.
pub(super) fn loss(info: &ImageInfo, upstream: Option<&Upstream>) -> Option<Loss> {
    if info.primary_demoted {
        return Some(Loss::NONE);
    }
    let (lag, ago) = upstream?.told?;
    let as_of = ago.as_secs_f64();
    Some(Loss {
        seconds: lag.seconds + as_of,
        bytes: lag.bytes,
        as_of,
    })
}
