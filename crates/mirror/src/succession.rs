//! A peer that was promoted in the place of another site: what that one still has to say comes first.

use std::time::Duration;

use firebrick_engine::{Applied, PeerRecord};
use firebrick_vocabulary::StoreId;
use tracing::info;

use crate::mirror::Shared;
use crate::peers::Peer;

/// How long it is waited for the rest of a former primary's log, while that can be read.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until of the sites that `peer` succeeds as much is here as it had of them, where that is still coming. Without
/// it the same promotion would mean a comparison of whole images just because one connection is a little slower than
/// another one. For workers.
pub(crate) async fn settle(
    shared: &Shared,
    peer: &Peer,
    store: StoreId,
    records: &[PeerRecord<'_>],
) {
    let deadline = shared.runtime.elapsed() + PATIENCE;
    let comes = |origin: &Applied| {
        let mut peers = shared.peers();
        peers.any(|other| other.store() == Some(origin.peer) && other.is_following())
    };
    let mut said = false;
    while !peer.ending.is_cancelled() && shared.runtime.elapsed() < deadline {
        if !shared.store.awaits(store, records).iter().any(comes) {
            return;
        }
        if !said {
            info!(peer = %peer.name, "a peer succeeds another site, whose last records are waited for");
            said = true;
        }
        shared.runtime.pause(LOOK).await;
    }
}
