//! The pool: which of its images are mirrored, and with which other sites.
//!
//! What `site.conf` says is where a site begins; what operators say by command goes before it, is
//! remembered ([`kept`]), and holds without a restart.

mod answer;
mod bootstrap;
mod kept;
mod mode;
mod peers;
mod roster;
mod token;

use std::sync::Arc;

use firebrick_backend::Fault;
use firebrick_engine::Store;
use firebrick_mirror::{Fingerprint, Mirror};
use parking_lot::RwLock;

use super::fault::blocking;
use kept::Kept;

pub(super) use kept::{Keeper, KeptPeer};
pub(super) use roster::Roster;

/// The pool of a running site.
pub(super) struct Pool {
    store: Arc<Store>,
    mirror: Arc<Mirror>,
    keeper: Arc<Keeper>,
    roster: RwLock<Roster>,
    /// Where other sites reach this one's log; without a host where it does not know by which.
    reach: Option<String>,
    /// By what they know it.
    fingerprint: Option<Fingerprint>,
    /// One change at a time: what is remembered, and what the mirror does, go together.
    changing: tokio::sync::Mutex<()>,
}

impl Pool {
    pub(super) fn new(
        roster: Roster,
        keeper: Keeper,
        reach: (Option<String>, Option<Fingerprint>),
        store: &Arc<Store>,
        mirror: &Arc<Mirror>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            mirror: Arc::clone(mirror),
            keeper: Arc::new(keeper),
            roster: RwLock::new(roster),
            reach: reach.0,
            fingerprint: reach.1,
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// What this site is called.
    pub(super) fn site_name(&self) -> String {
        self.roster.read().site_name().to_owned()
    }

    /// Remembers what becomes of `edit`; nothing where that refuses. The caller has taken its turn.
    async fn remember<T: Send + 'static>(
        &self,
        doing: &'static str,
        edit: impl FnOnce(&mut Roster) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut next = self.roster.read().clone();
        let done = edit(&mut next)?;
        let (keeper, kept): (_, Kept) = (Arc::clone(&self.keeper), next.kept.clone());
        let write = move || {
            let written = keeper.write(&kept);
            written.map_err(|error| {
                let why = format!("what is remembered of peers cannot be written: {error}");
                Fault::new(firebrick_backend::FaultKind::Io, doing, why)
            })
        };
        blocking(write).await?;
        *self.roster.write() = next;
        Ok(done)
    }
}
