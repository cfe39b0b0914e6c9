//! Peers that come, go and change by command.
//!
//! Each change is remembered before the mirror acts upon it: after a crash in between, the next start
//! does what was remembered.

use firebrick_backend::{Fault, FaultKind};
use firebrick_mirror::{Fingerprint, PeerOptions};
use firebrick_vocabulary::MIB;
use uuid::Uuid;

use super::Pool;
use super::kept::KeptPeer;
use super::roster::Roster;
use crate::admin::{MirrorMode, NewPeer, PeerChange, PoolInfo, PoolPeer};
use crate::conf::{fits_name, is_address};

const ADDING: &str = "add a peer";
const REMOVING: &str = "remove a peer";
const CHANGING: &str = "change a peer";

impl Pool {
    /// How the pool is mirrored, and with whom.
    pub(super) fn info(&self) -> PoolInfo {
        let roster = self.roster.read().clone();
        let met = self.mirror.peers();
        let store = |name: &str| met.iter().find(|peer| peer.name == name)?.store;
        let peers = roster.peers().into_iter().map(|kept| PoolPeer {
            uuid: kept.uuid,
            store: store(&kept.peer.name),
            peer: kept.peer,
        });
        PoolInfo {
            mode: roster.mode(),
            site_name: roster.site_name().to_owned(),
            store: self.store.id(),
            peers: peers.collect(),
        }
    }

    /// Mirrors with another site too.
    pub(super) async fn add_peer(&self, peer: NewPeer) -> Result<Uuid, Fault> {
        let _turn = self.changing.lock().await;
        let uuid = Uuid::new_v4();
        let peer = KeptPeer { uuid, peer };
        let added = peer.clone();
        self.remember(ADDING, move |roster| {
            mirrors(ADDING, roster)?;
            check(ADDING, roster, &peer)?;
            roster.put(peer);
            Ok(())
        })
        .await?;
        tracing::info!(peer = %added.peer.name, %uuid, "a peer was added");
        added.limit_log(&self.mirror);
        if let Some(options) = added.options() {
            self.mirror.add_peer(options);
        }
        Ok(uuid)
    }

    /// Mirrors with a site no longer, and frees what the log kept for it.
    pub(super) async fn remove_peer(&self, uuid: Uuid) -> Result<(), Fault> {
        let _turn = self.changing.lock().await;
        let take = move |roster: &mut Roster| roster.take(uuid).ok_or_else(|| none(REMOVING, uuid));
        let removed = self.remember(REMOVING, take).await?;
        self.mirror.remove_peer(&removed.peer.name).await;
        self.mirror.limit_log_as_usual(&removed.peer.name);
        tracing::info!(peer = %removed.peer.name, %uuid, "a peer was removed");
        Ok(())
    }

    /// Changes what is known of a peer.
    pub(super) async fn set_peer(&self, uuid: Uuid, change: PeerChange) -> Result<(), Fault> {
        let _turn = self.changing.lock().await;
        let (before, after) = self
            .remember(CHANGING, move |roster| {
                let before = roster.peer(uuid).ok_or_else(|| none(CHANGING, uuid))?;
                let mut after = before.clone();
                apply(&mut after.peer, change);
                check(CHANGING, roster, &after)?;
                roster.put(after.clone());
                Ok((before, after))
            })
            .await?;
        tracing::info!(peer = %after.peer.name, %uuid, "a peer was changed");
        after.limit_log(&self.mirror);
        let (Some(former), Some(options)) = (before.options(), after.options()) else {
            return Ok(());
        };
        // That holds at once on connections that are there.
        let former = PeerOptions {
            traffic: options.traffic.clone(),
            ..former
        };
        if former == options {
            self.mirror.set_traffic(&options.name, &options.traffic);
            return Ok(());
        }
        if before.peer.name == after.peer.name {
            self.mirror.change_peer(options).await;
        } else {
            // First the new name, so that the log never keeps nothing for it.
            self.mirror.add_peer(options);
            self.mirror.remove_peer(&before.peer.name).await;
            self.mirror.limit_log_as_usual(&before.peer.name);
        }
        Ok(())
    }
}

fn none(doing: &str, uuid: Uuid) -> Fault {
    Fault::new(FaultKind::NotFound, doing, format!("no peer is {uuid}"))
}

fn apply(peer: &mut NewPeer, change: PeerChange) {
    match change {
        PeerChange::Name(name) => peer.name = name,
        PeerChange::Address(address) => peer.address = address,
        PeerChange::Fingerprint(fingerprint) => peer.fingerprint = fingerprint,
        PeerChange::Direction(direction) => peer.direction = direction,
        PeerChange::Client(client) => peer.client = client,
        PeerChange::Bandwidth(rate) => peer.traffic.bandwidth = rate,
        PeerChange::QuietHours(hours) => peer.traffic.quiet_hours = hours,
        PeerChange::QuietBandwidth(rate) => peer.traffic.quiet_bandwidth = rate,
        PeerChange::Compression(form) => peer.traffic.compression = form,
        PeerChange::LogLimit(most) => peer.log_limit = most,
    }
}

/// Refuses what needs a pool that mirrors where this one does not.
pub(super) fn mirrors(doing: &str, roster: &Roster) -> Result<(), Fault> {
    if roster.mode() == MirrorMode::Disabled {
        let why = "mirroring is not enabled on the pool; `rbd mirror pool enable image` does that";
        return Err(Fault::new(FaultKind::Invalid, doing, why));
    }
    Ok(())
}

/// Refuses what is no peer, or one that is there under another id.
pub(super) fn check(doing: &str, roster: &Roster, new: &KeptPeer) -> Result<(), Fault> {
    let refuse = |why: String| Err(Fault::new(FaultKind::Invalid, doing, why));
    let peer = &new.peer;
    if !fits_name(&peer.name) {
        return refuse(format!(
            "{:?} is no name of a site: from 1 to 64 letters, digits, dashes, dots and underscores",
            peer.name
        ));
    }
    if peer.name == roster.site_name() {
        return refuse(format!("{} is this site", peer.name));
    }
    if peer.fingerprint.parse::<Fingerprint>().is_err() {
        return refuse(
            "a peer is known by the 64 hexadecimal digits that `firebrick site fingerprint` prints there"
                .to_owned(),
        );
    }
    if !(is_address(&peer.address) || peer.address.is_empty() && !peer.direction.receives()) {
        return refuse(format!(
            "{:?} is no HOST:PORT at which the log of {} could be read",
            peer.address, peer.name
        ));
    }
    if let Some(most) = peer.log_limit.filter(|most| most.0 < MIB) {
        return refuse(format!(
            "the log that is kept for {} is at least 1 MiB, not {most}",
            peer.name
        ));
    }
    let others = roster.peers().into_iter();
    let mut others = others.filter(|other| other.uuid != new.uuid);
    let same = |other: &KeptPeer| {
        other.peer.name == peer.name
            || other
                .peer
                .fingerprint
                .eq_ignore_ascii_case(&peer.fingerprint)
    };
    match others.find(same) {
        None => Ok(()),
        Some(other) => {
            let why = format!("{} is a peer already", other.peer.name);
            Err(Fault::new(FaultKind::Exists, doing, why))
        }
    }
}
