//! How much of the log is kept for peers that do not read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use firebrick_engine::catching_up;
use firebrick_vocabulary::Bytes;
use parking_lot::Mutex;
use tracing::error;

use crate::mirror::Shared;
use crate::peers::Peer;

/// How often it is looked.
const PERIOD: Duration = Duration::from_millis(200);

/// How much of the log is kept for each peer at most.
#[derive(Default)]
pub(crate) struct Limits(Mutex<Most>);

#[derive(Default)]
struct Most {
    /// `None` for any.
    all: Option<Bytes>,
    own: BTreeMap<String, Bytes>,
}

impl Limits {
    pub(crate) fn set(&self, peer: Option<&str>, most: Bytes) {
        let mut limits = self.0.lock();
        match peer {
            Some(peer) => {
                limits.own.insert(peer.to_owned(), most);
            }
            None => limits.all = Some(most),
        }
    }

    /// What was said of a peer holds no more.
    pub(crate) fn forget(&self, peer: &str) {
        self.0.lock().own.remove(peer);
    }

    fn of(&self, peer: &str) -> Option<Bytes> {
        let limits = self.0.lock();
        limits.own.get(peer).copied().or(limits.all)
    }
}

/// Lets go of the log for peers for which it has grown too much, until the mirror ends.
pub(crate) async fn watch(shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Acquire) {
        for peer in shared.readers() {
            look(&shared, &peer);
        }
        shared.runtime.pause(PERIOD).await;
    }
}

fn look(shared: &Shared, peer: &Peer) {
    let Some(most) = shared.limits.of(&peer.name) else {
        return;
    };
    let store = &shared.store;
    let reached = peer.reached(store.head().sequence);
    // While it catches up, what it has to get then grows too.
    for who in [peer.name.clone(), catching_up(&peer.name)] {
        if store.held_for(&who) > most
            && let Err(error) = store.let_go(&who, reached)
        {
            error!(peer = %peer.name, %error, "the log that is kept for a peer could not be let go");
        }
    }
}
