//! What a site remembers of its pool and its peers besides `site.conf`: one small file beside the identity.
//!
//! It is written whole or not at all: the new text becomes durable under another name, then takes the
//! place of the old one, and that is durable before anybody acts upon it or is told of it. So after a
//! crash at any instant there is the old text or the new one, and whoever got an answer finds the new one.
//! There is no secret in it.

use std::io;
use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_mirror::Fingerprint;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::token::KeptToken;
use crate::admin::{MirrorMode, NewPeer};

const FILE: &str = "mirror.json";
const BESIDE: &str = "mirror.json.new";
/// What is written here. A newer text is not understood, and the site does not start with it.
const VERSION: u32 = 1;
/// More than such a text ever has, in bytes.
const BYTES_MAX: u64 = 4 << 20;

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
        let file = match self.0.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => return Err(error),
        };
        let len = file.len()?;
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        if len > BYTES_MAX {
            return Err(invalid(format!("it has {len} bytes")));
        }
        let mut text = vec![0; len as usize];
        file.read_at(&mut text, 0)?;
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
        // Left by a crash.
        match self.0.remove(BESIDE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = self.0.create(BESIDE)?;
        file.write_at(&[IoSlice::new(&text)], 0)?;
        // Before the name: it must never stand for a text that is not there.
        file.sync()?;
        self.0.rename(BESIDE, FILE)?;
        // Before the answer: who was told of a peer finds it after a crash.
        self.0.sync_dir("")
    }
}

#[cfg(test)]
mod tests;
