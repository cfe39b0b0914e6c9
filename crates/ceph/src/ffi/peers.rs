//! The clusters that a pool is mirrored with.

use std::fmt;
use std::ptr;

use super::errno::Errno;
use super::pool::{Pool, listed};
use super::shapes::PeerSiteT;
use super::text::taken;

/// Which way images go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerDirection {
    /// From the peer to here.
    Rx,
    /// From here to the peer.
    Tx,
    /// Both.
    RxTx,
}

impl PeerDirection {
    /// As librbd has it.
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Rx => 0,
            Self::Tx => 1,
            Self::RxTx => 2,
        }
    }

    const fn of(number: i32) -> Self {
        match number {
            0 => Self::Rx,
            1 => Self::Tx,
            _ => Self::RxTx,
        }
    }
}

impl fmt::Display for PeerDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rx => "rx-only",
            Self::Tx => "tx-only",
            Self::RxTx => "rx-tx",
        })
    }
}

/// A cluster that a pool is mirrored with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MirrorPeer {
    /// By what this pool knows it.
    pub uuid: String,
    /// Which way images go.
    pub direction: PeerDirection,
    /// What operators call it.
    pub site_name: String,
    /// By what statuses name it; empty until it was heard.
    pub mirror_uuid: String,
    /// The user as whom it is read.
    pub client_name: String,
    /// When it was heard last, in seconds of the system's clock; 0 for never.
    pub last_seen: i64,
}

impl MirrorPeer {
    /// Whether it reads the pool.
    pub(crate) fn reads(&self) -> bool {
        self.direction != PeerDirection::Rx
    }
}

impl Pool {
    /// The peers of the pool.
    pub(crate) fn peers(&self) -> Result<Vec<MirrorPeer>, Errno> {
        let rbd = self.rbd();
        let none = PeerSiteT {
            uuid: ptr::null_mut(),
            direction: 0,
            site_name: ptr::null_mut(),
            mirror_uuid: ptr::null_mut(),
            client_name: ptr::null_mut(),
            last_seen: 0,
        };
        let read = |buffer: *mut PeerSiteT, len: &mut usize| {
            let mut count = i32::try_from(*len).unwrap_or(i32::MAX);
            // SAFETY: the buffer has room for as many as `count` says.
            let code =
                unsafe { (rbd.rbd_mirror_peer_site_list)(self.handle(), buffer, &raw mut count) };
            *len = usize::try_from(count).unwrap_or(0);
            code
        };
        let mut all = listed(none, read)?;
        // SAFETY: librbd has put texts there.
        let peers = all.iter().map(|peer| unsafe {
            MirrorPeer {
                uuid: taken(peer.uuid),
                direction: PeerDirection::of(peer.direction),
                site_name: taken(peer.site_name),
                mirror_uuid: taken(peer.mirror_uuid),
                client_name: taken(peer.client_name),
                last_seen: peer.last_seen,
            }
        });
        let peers = peers.collect();
        let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_mirror_peer_site_list_cleanup)(all.as_mut_ptr(), count) };
        Ok(peers)
    }
}
