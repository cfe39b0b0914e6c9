//! What tools are told of sync mode.

use firebrick_mirror::{SyncPeer, SyncPlace};
use firebrick_vocabulary::SyncMode;
use serde::{Deserialize, Serialize};

/// Whether flushes of an image wait for its peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncReport {
    /// What was set.
    pub mode: SyncMode,
    /// The peers that read the image from here, where it is primary.
    pub peers: Vec<SyncPeer>,
    /// How long the oldest flush has been waiting that is not acknowledged, in seconds.
    pub waiting: Option<f64>,
    /// Whether that is longer than the time-out, and goes on, as the policy is to block.
    pub late: bool,
}

impl SyncReport {
    /// Whether flushes wait for all peers, and there is one: what is acknowledged is there, wherever the image is
    /// promoted by force.
    pub fn holds(&self) -> bool {
        !self.peers.is_empty() && self.without().next().is_none()
    }

    /// The names of the peers for which flushes do not wait, or not for good.
    pub fn without(&self) -> impl Iterator<Item = &str> {
        let peers = self.peers.iter();
        peers
            .filter(|peer| peer.place != SyncPlace::Held)
            .map(|peer| peer.name.as_str())
    }
}
