//! How the mirroring of each image goes, as the control plane asks.

use firebrick_backend::{ImageStatus, ReaderStatus, Replay};
use firebrick_engine::ImageInfo;
use firebrick_mirror::{ImageReader, SyncPlace};
use firebrick_vocabulary::{Epoch, Position, Role};

use super::Mirroring;
use super::report::loss;
use crate::serve::views::is_hidden;

impl Mirroring {
    /// How it goes with all mirrored images of volumes.
    pub(in crate::serve) fn statuses(&self) -> Vec<ImageStatus> {
        let infos = self.store.images().into_iter().map(|image| image.info());
        let shown = infos.filter(|info| info.mirrored && !is_hidden(&info.name));
        shown.map(|info| self.status(info)).collect()
    }

    fn status(&self, info: ImageInfo) -> ImageStatus {
        let (replay, readers) = match info.role {
            Role::Primary => (None, self.readers(&info)),
            Role::Secondary => (Some(self.replay(&info)), Vec::new()),
        };
        let way = info.mirror_way();
        let synced = way.sync_mode().and_then(|_| self.mirror.synchrony(info.id));
        let synced = synced.into_iter().flat_map(|synced| synced.peers);
        let held: Vec<String> = synced
            .filter(|peer| peer.place == SyncPlace::Held)
            .map(|peer| peer.name)
            .collect();
        ImageStatus {
            way,
            peer_consistent: self.mirror.peer_consistent(info.id),
            replay,
            readers: readers
                .into_iter()
                .map(|it| reader(it, &held, info.epoch))
                .collect(),
            id: info.id,
            name: info.name,
            role: info.role,
            epoch: info.epoch,
            sync: info.sync,
        }
    }

    fn replay(&self, info: &ImageInfo) -> Replay {
        let upstream = info
            .upstream
            .and_then(|of| self.mirror.upstream(info.id, of));
        Replay {
            position: self.reached(info),
            loss: self.loss_here(
                info,
                upstream.as_ref().and_then(|it| Some(it.told?.0)),
                loss(info, upstream.as_ref()),
            ),
        }
    }
}

fn reader(reader: ImageReader, held: &[String], epoch: Epoch) -> ReaderStatus {
    let ImageReader {
        peer,
        consistent,
        lag,
    } = reader;
    let met = peer.store.is_some();
    ReaderStatus {
        synchronous: held.contains(&peer.name),
        peer: peer.name,
        position: met.then_some(Position {
            epoch,
            sequence: peer.confirmed.sequence,
        }),
        lag: met.then_some(lag),
        consistent,
    }
}
