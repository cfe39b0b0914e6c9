//! The peers of a mirror, which come and go while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::identity::Fingerprint;
use crate::peers::Peer;

/// The peers that there are now.
#[derive(Debug, Default)]
pub(crate) struct Known {
    peers: RwLock<Vec<Arc<Peer>>>,
    /// Whether others are listened to as well.
    pub(crate) strangers: AtomicBool,
}

impl Known {
    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        self.peers.read().clone()
    }

    /// Whose certificate that is. All are compared, so that time does not tell which.
    pub(crate) fn with(&self, shown: Fingerprint) -> Option<Arc<Peer>> {
        let peers = self.peers.read();
        let same = peers.iter().filter(|peer| peer.fingerprint() == shown);
        same.fold(None, |_, peer| Some(Arc::clone(peer)))
    }

    /// Whether somebody with that certificate is listened to.
    pub(crate) fn hears(&self, shown: Fingerprint) -> bool {
        self.with(shown).is_some() || self.strangers.load(Ordering::Acquire)
    }

    /// Adds a peer; another one of its name goes.
    pub(crate) fn put(&self, peer: Arc<Peer>) {
        let mut peers = self.peers.write();
        peers.retain(|known| known.name != peer.name);
        peers.push(peer);
    }

    /// Takes out the peer of that name.
    pub(crate) fn take(&self, name: &str) -> Option<Arc<Peer>> {
        let mut peers = self.peers.write();
        let at = peers.iter().position(|peer| peer.name == name)?;
        Some(peers.remove(at))
    }
}
