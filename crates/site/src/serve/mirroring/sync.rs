//! How it goes with flushes that wait for peers.

use firebrick_engine::ImageInfo;
use firebrick_vocabulary::{ImageName, Role};

use super::Mirroring;
use crate::admin::{Reason, ReasonCode, SyncPeer, SyncPlace, SyncReport};

impl Mirroring {
    /// Whether flushes of an image wait for its peers, where they are to.
    pub(super) fn sync(&self, info: &ImageInfo) -> Option<SyncReport> {
        let mode = info.sync_mode?;
        let known = match info.role {
            Role::Primary => self.mirror.synchrony(info.id),
            Role::Secondary => None,
        };
        let (peers, waiting, late) = match (known, info.role) {
            (Some(known), _) => (known.peers, known.waiting, known.late),
            // Nobody has looked yet.
            (None, Role::Primary) => {
                let readers = self.mirror.readers(info.id).into_iter();
                let beginning = readers.map(|reader| SyncPeer {
                    name: reader.peer.name,
                    place: SyncPlace::Beginning,
                });
                (beginning.collect(), None, false)
            }
            (None, Role::Secondary) => (Vec::new(), None, false),
        };
        Some(SyncReport {
            mode,
            peers,
            waiting: waiting.map(|waiting| waiting.as_secs_f64()),
            late,
        })
    }
}

/// What an operator should know of that, of the image `name` which is primary here.
pub(super) fn reasons(name: &ImageName, sync: &SyncReport) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if sync.late {
        let seconds = sync.waiting.unwrap_or_default();
        reasons.push(Reason {
            code: ReasonCode::SyncWaits,
            text: format!("a flush has been waiting for {seconds:.1} s for a peer to confirm it"),
            remedy: format!(
                "see why the peer does not answer; to go on without it: \
                 rbd mirror image sync {name} --policy fall-back"
            ),
        });
    }
    for peer in sync.without() {
        reasons.push(Reason {
            code: ReasonCode::SyncWithout,
            text: format!(
                "flushes do not wait for {peer}, which has yet to catch up: a forced promotion there may lose \
                 what was acknowledged"
            ),
            remedy: "it is waited for again once it has caught up".to_owned(),
        });
    }
    reasons
}
