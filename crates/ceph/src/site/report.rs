//! How the site and its mirroring are.

use firebrick_backend::{Fault, ImageInfo, ImageStatus, MirrorStatus, PeerStatus, SiteStatus};
use firebrick_vocabulary::{Bytes, MirrorWay, Position};

use super::{Shared, store};
use crate::fault::Doing;
use crate::ffi::MirrorPeer;
use crate::link::Link;

/// A peer that was not heard for longer is gone, in seconds.
const HEARD: i64 = 120;

/// Who the site is. A cluster has no log of its own, so its positions are [`Position::ZERO`].
pub(super) fn status(shared: &Shared, link: &Link, doing: &str) -> Result<SiteStatus, Fault> {
    // Something that is read, so that an answer means that the pool can be read.
    super::exports::probe(link, doing)?;
    let peers = if shared.options().has_target {
        peers(shared, link, doing)?
    } else {
        Vec::new()
    };
    Ok(SiteStatus {
        name: shared.options().name.clone(),
        store: store(link, shared.options()),
        head: Position::ZERO,
        durable: Position::ZERO,
        peers,
    })
}

fn peers(shared: &Shared, link: &Link, doing: &str) -> Result<Vec<PeerStatus>, Fault> {
    let reports = link.pool.mirror_reports().doing(doing)?;
    let peers = link.pool.peers().doing(doing)?.into_iter();
    Ok(peers
        .map(|peer| {
            let heard = heard(&peer);
            PeerStatus {
                name: peer.site_name,
                store: None,
                reading: heard,
                following: heard,
                confirmed: Position::ZERO,
                applied: Position::ZERO,
                lag: shared.behind.of(&peer.mirror_uuid, &reports),
                received: Bytes::ZERO,
            }
        })
        .collect())
}

/// Whether a peer lives that reads the pool.
pub(super) fn is_heard(link: &Link, doing: &str) -> Result<bool, Fault> {
    let mut peers = link.pool.peers().doing(doing)?.into_iter();
    Ok(peers.any(|peer| peer.reads() && heard(&peer)))
}

fn heard(peer: &MirrorPeer) -> bool {
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_secs() as i64);
    now.saturating_sub(peer.last_seen) < HEARD
}

/// How the mirroring of each image goes.
pub(super) fn mirroring(
    status: SiteStatus,
    images: Vec<ImageInfo>,
    way: MirrorWay,
) -> MirrorStatus {
    let mirrored = images.into_iter().filter(|image| image.mirrored);
    let images = mirrored.map(|image| ImageStatus {
        id: image.id,
        name: image.name,
        role: image.role,
        epoch: image.epoch,
        sync: image.sync,
        // What the peer holds is known at the peer.
        peer_consistent: None,
        way,
        replay: None,
        readers: Vec::new(),
    });
    MirrorStatus {
        peers: status.peers,
        images: images.collect(),
    }
}
