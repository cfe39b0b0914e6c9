//! The peers of a mirror, which come and go while it runs.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::identity::Fingerprint;
use crate::peers::Peer;

/// The peers that there are now.
#[derive(Debug, Default)]
pub(crate) struct Known(RwLock<Vec<Arc<Peer>>>);

impl Known {
    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        self.0.read().clone()
    }

    /// Whose certificate that is. All are compared, so that time does not tell which.
    pub(crate) fn with(&self, shown: Fingerprint) -> Option<Arc<Peer>> {
        let peers = self.0.read();
        let same = peers.iter().filter(|peer| peer.fingerprint() == shown);
        same.fold(None, |_, peer| Some(Arc::clone(peer)))
    }

    /// Adds a peer; another one of its name goes.
    pub(crate) fn put(&self, peer: Arc<Peer>) {
        let mut peers = self.0.write();
        peers.retain(|known| known.name != peer.name);
        peers.push(peer);
    }

    /// Takes out the peer of that name.
    pub(crate) fn take(&self, name: &str) -> Option<Arc<Peer>> {
        let mut peers = self.0.write();
        let at = peers.iter().position(|peer| peer.name == name)?;
        Some(peers.remove(at))
    }
}
