//! Who the peers are: those of `site.conf`, and what operators have said since.

use std::sync::Arc;

use firebrick_edge::RealDisk;
use firebrick_mirror::{Mirror, PeerOptions};
use uuid::Uuid;

use super::kept::{Keeper, Kept, KeptPeer};
use crate::admin::{MirrorMode, NewPeer};
use crate::conf::{PeerConf, SiteConf};
use crate::serve::error::Error;

/// Whom a peer is asked as where nobody says: what the `rbd` tool's bootstrap calls it.
pub(super) const CLIENT: &str = "client.rbd-mirror-peer";

/// All that is known of the pool.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Roster {
    name: String,
    /// The peers of `site.conf`.
    conf: Vec<KeptPeer>,
    pub(super) kept: Kept,
}

impl Roster {
    /// What `conf` says, and what is remembered beside it.
    pub(in crate::serve) fn read(conf: &SiteConf) -> Result<(Self, Keeper), Error> {
        let failed = |error| Error::io("read mirror.json in", &conf.dir, error);
        let keeper = Keeper(Arc::new(RealDisk::new(&conf.dir).map_err(failed)?));
        let kept = keeper.read().map_err(failed)?;
        let roster = Self::new(conf, kept);
        for peer in &roster.conf {
            if !roster.peers().contains(peer) {
                tracing::info!(
                    peer = %peer.peer.name,
                    "what was said of the peer by command goes before its section in site.conf"
                );
            }
        }
        Ok((roster, keeper))
    }

    pub(super) fn new(conf: &SiteConf, kept: Kept) -> Self {
        Self {
            name: conf.name.clone(),
            conf: conf.peers.iter().map(of_conf).collect(),
            kept,
        }
    }

    /// What this site is called.
    pub(in crate::serve) fn site_name(&self) -> &str {
        self.kept.site_name.as_deref().unwrap_or(&self.name)
    }

    /// Which images are mirrored. A site to which `site.conf` names a peer mirrors what is chosen.
    pub(in crate::serve) fn mode(&self) -> MirrorMode {
        let usual = if self.conf.is_empty() {
            MirrorMode::Disabled
        } else {
            MirrorMode::Image
        };
        self.kept.mode.unwrap_or(usual)
    }

    /// The peers that there are.
    pub(in crate::serve) fn peers(&self) -> Vec<KeptPeer> {
        let kept = &self.kept;
        let named = |name: &str| kept.peers.iter().any(|peer| peer.peer.name == name);
        let conf = self.conf.iter();
        let conf = conf.filter(|peer| !named(&peer.peer.name) && !kept.forgot(&peer.peer));
        conf.chain(&kept.peers).cloned().collect()
    }

    /// The peer with that id.
    pub(super) fn peer(&self, uuid: Uuid) -> Option<KeptPeer> {
        self.peers().into_iter().find(|peer| peer.uuid == uuid)
    }

    /// Whether `site.conf` has a peer of that name.
    fn in_conf(&self, name: &str) -> Option<&KeptPeer> {
        self.conf.iter().find(|peer| peer.peer.name == name)
    }

    /// Puts a peer in the place of the one with its id, or adds it.
    pub(super) fn put(&mut self, peer: KeptPeer) {
        self.take(peer.uuid);
        self.kept.peers.push(peer);
    }

    /// Takes out the peer with that id.
    pub(super) fn take(&mut self, uuid: Uuid) -> Option<KeptPeer> {
        let peer = self.peer(uuid)?;
        self.kept.peers.retain(|kept| kept.uuid != uuid);
        if let Some(conf) = self.in_conf(&peer.peer.name).cloned() {
            self.kept.forget(&conf.peer);
        }
        Some(peer)
    }
}

impl KeptPeer {
    /// Says how much of the log is kept for it.
    pub(in crate::serve) fn limit_log(&self, mirror: &Mirror) {
        match self.peer.log_limit {
            Some(most) => mirror.limit_log(Some(&self.peer.name), most),
            None => mirror.limit_log_as_usual(&self.peer.name),
        }
    }

    /// For the mirror; `None` where it has no fingerprint, which was looked at before it was kept.
    pub(in crate::serve) fn options(&self) -> Option<PeerOptions> {
        Some(PeerOptions {
            name: self.peer.name.clone(),
            address: self.peer.address.clone(),
            fingerprint: self.fingerprint()?,
            direction: self.peer.direction,
            traffic: self.peer.traffic.clone(),
        })
    }
}

fn of_conf(conf: &PeerConf) -> KeptPeer {
    let fingerprint = conf.fingerprint.to_string();
    KeptPeer {
        // The same at each start, as long as it is the same peer.
        uuid: Uuid::new_v5(&Uuid::NAMESPACE_OID, fingerprint.as_bytes()),
        peer: NewPeer {
            name: conf.name.clone(),
            address: conf.address.clone(),
            fingerprint,
            direction: conf.direction,
            client: CLIENT.to_owned(),
            traffic: conf.traffic.clone(),
            log_limit: conf.log_limit,
        },
    }
}
