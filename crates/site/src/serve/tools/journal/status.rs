//! Where a journal begins and ends, and who reads it.

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{ImageInfo, LogSpan};
use firebrick_vocabulary::{ImageId, Position, Role, Sequence};

use super::reset::began;
use crate::admin::{ImagePeer, JournalClient, JournalStatus};
use crate::serve::fault::fault;
use crate::serve::mirroring::Mirroring;

/// How the journal of some images is read.
pub(super) fn status(mirroring: &Mirroring, images: &[ImageId]) -> Result<JournalStatus, Fault> {
    let infos = infos(mirroring, images)?;
    let span = mirroring.store.log_span();
    let last = last(&infos);
    let place = |sequence: Sequence| {
        let position = Position {
            epoch: span.head.epoch,
            sequence,
        };
        span.segment_of(sequence).map(|segment| (position, segment))
    };
    let mut clients = vec![JournalClient {
        id: String::new(),
        name: mirroring.pool.site_name(),
        position: place(last),
        connected: true,
    }];
    for (peer, held) in readers(mirroring, &infos) {
        clients.push(JournalClient {
            id: client_id(&peer),
            position: held.and_then(|held| place(held.min(last))),
            connected: peer.up,
            name: peer.name,
        });
    }
    Ok(JournalStatus {
        minimum_set: span.segment_of(first(&infos, &span)).unwrap_or_default(),
        active_set: span.segments.last().map_or(0, |(number, _)| *number),
        clients,
    })
}

fn client_id(peer: &ImagePeer) -> String {
    let store = peer.store.map(|store| store.to_string());
    store.unwrap_or_else(|| peer.name.clone())
}

/// Keeps the log no longer for peers of the images that do not read it; their ids.
pub(super) fn disconnect(
    mirroring: &Mirroring,
    images: &[ImageId],
    client: Option<&str>,
) -> Result<Vec<String>, Fault> {
    let infos = infos(mirroring, images)?;
    let mut gone = Vec::new();
    for (peer, _) in readers(mirroring, &infos) {
        let id = client_id(&peer);
        if client.is_some_and(|client| client != id && client != peer.name) {
            continue;
        }
        let let_go = mirroring.mirror.let_go(&peer.name);
        if let_go.map_err(|error| fault(&error))? {
            gone.push(id);
        } else if client.is_some() {
            let why = format!("{} reads the log now", peer.name);
            return Err(Fault::new(FaultKind::Busy, "disconnect a peer", why));
        }
    }
    Ok(gone)
}

/// The images.
pub(super) fn infos(mirroring: &Mirroring, images: &[ImageId]) -> Result<Vec<ImageInfo>, Fault> {
    let info = |id: &ImageId| match mirroring.store.image(*id) {
        Ok(image) => Ok(image.info()),
        Err(error) => Err(fault(&error)),
    };
    images.iter().map(info).collect()
}

/// The first record that may belong to the journal of the images.
pub(super) fn first(infos: &[ImageInfo], span: &LogSpan) -> Sequence {
    let began = infos.iter().map(began).min().unwrap_or_default();
    began.max(span.oldest)
}

/// The last record that peers get of any of the images.
fn last(infos: &[ImageInfo]) -> Sequence {
    let all = infos.iter().map(|info| info.last_change);
    all.max().unwrap_or_default()
}

/// The peers that read images from here, and up to which record they have them.
pub(super) fn readers(
    mirroring: &Mirroring,
    infos: &[ImageInfo],
) -> Vec<(ImagePeer, Option<Sequence>)> {
    let sent = infos
        .iter()
        .filter(|info| info.role == Role::Primary && info.mirrored);
    let ids: Vec<ImageId> = sent.map(|info| info.id).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let mut peers: Vec<(ImagePeer, Option<Sequence>)> = Vec::new();
    for peer in mirroring
        .report(Some(&ids))
        .images
        .into_iter()
        .flat_map(|image| image.peers)
    {
        if peers.iter().all(|(known, _)| known.name != peer.name) {
            // What a peer has of the log it has of all images.
            let held = peer.position.map(|position| position.sequence);
            peers.push((peer, held));
        }
    }
    peers
}
