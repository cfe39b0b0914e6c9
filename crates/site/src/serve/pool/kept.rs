//! What a site remembers of its pool and its peers besides `site.conf`: one small file beside the identity.
//!
//! It is written whole or not at all (`whole_file`), before anybody acts upon it or is told of it. There is no
//! secret in it.

use std::io;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_mirror::Fingerprint;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::token::KeptToken;
use crate::admin::{MirrorMode, NewPeer};
use crate::serve::whole_file::{self, invalid};

const FILE: &str = "mirror.json";
/// What is written here. A newer text is not understood, and the site does not start with it.
const VERSION: u32 = 1;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::serve) struct Kept {
    version: u32,
    /// Which images are mirrored; `None` where nobody has said.
    #[serde(default)]
    pub(super) mode: Option<MirrorMode>,
    /// What the site is called, where that is not what `site.conf` says.
    #[serde(default)]
    pub(super) site_name: Option<String>,
    /// Peers that came by command; one goes before that of `site.conf` with its name.
    #[serde(default)]
    pub(super) peers: Vec<KeptPeer>,
    /// Peers of `site.conf` that went by command.
    #[serde(default)]
    pub(super) removed: Vec<RemovedPeer>,
    /// Tokens that let sites in, or did.
    #[serde(default)]
    pub(super) tokens: Vec<KeptToken>,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::serve) struct KeptPeer {
    pub(super) uuid: Uuid,
    #[serde(flatten)]
    pub(super) peer: NewPeer,
}

/// A peer of `site.conf` that is none any more. Another certificate under its name is another peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::serve) struct RemovedPeer {
    name: String,
    fingerprint: String,
}

impl KeptPeer {
    /// The certificate that it must show. What is kept was understood before.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.peer.fingerprint.parse().ok()
    }
}

impl Kept {
    /// Takes out of what `site.conf` says a peer that somebody removed.
    pub(super) fn forget(&mut self, peer: &NewPeer) {
        self.removed.retain(|removed| removed.name != peer.name);
        self.removed.push(RemovedPeer {
            name: peer.name.clone(),
            fingerprint: peer.fingerprint.clone(),
        });
    }

    /// Whether a peer of `site.conf` was removed.
    pub(super) fn forgot(&self, peer: &NewPeer) -> bool {
        let same = |it: &&RemovedPeer| it.name == peer.name && it.fingerprint == peer.fingerprint;
        self.removed.iter().any(|removed| same(&removed))
    }
}

/// Where it is kept.
pub(in crate::serve) struct Keeper(pub(super) Arc<dyn Disk>);

impl Keeper {
    /// What is remembered; nothing where nobody has said anything yet.
    pub(super) fn read(&self) -> io::Result<Kept> {
        let Some(text) = whole_file::read(&*self.0, FILE)? else {
            return Ok(Kept::default());
        };
        let kept: Kept =
            serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        if kept.version != VERSION {
            let why = format!(
                "it has version {}, and {VERSION} is known here",
                kept.version
            );
            return Err(invalid(why));
        }
        if let Some(bad) = kept.peers.iter().find(|peer| peer.fingerprint().is_none()) {
            return Err(invalid(format!(
                "the fingerprint of {} is none",
                bad.peer.name
            )));
        }
        Ok(kept)
    }

    /// Remembers all of that; durable on return.
    pub(super) fn write(&self, kept: &Kept) -> io::Result<()> {
        let kept = Kept {
            version: VERSION,
            ..kept.clone()
        };
        let text = serde_json::to_vec_pretty(&kept)?;
        whole_file::write(&*self.0, FILE, &text)
    }
}

#[cfg(test)]
mod tests;
