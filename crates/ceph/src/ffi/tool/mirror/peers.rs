//! The clusters that a pool is mirrored with.

use std::collections::BTreeMap;
use std::fmt;
use std::ptr;

use super::super::super::pool::listed;
use super::super::super::shapes::PeerSiteT;
use super::super::super::text::{given, of_buffer, taken};
use super::super::open::OpenPool;
use super::super::texts::sized;
use super::super::{Trouble, calls, check};

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
    const fn number(self) -> i32 {
        match self {
            Self::Rx => 0,
            Self::Tx => 1,
            Self::RxTx => 2,
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
}

/// The longest text that says where a peer is, or its key.
const MOST: usize = 1 << 20;

impl OpenPool {
    /// The peers.
    pub fn mirror_peers(&self) -> Result<Vec<MirrorPeer>, Trouble> {
        let rbd = self.pool.rbd();
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
            let call = rbd.rbd_mirror_peer_site_list;
            // SAFETY: the buffer has room for as many as `count` says.
            let code = unsafe { call(self.pool.handle(), buffer, &raw mut count) };
            *len = usize::try_from(count).unwrap_or(0);
            code
        };
        let mut all = listed(none, read)?;
        // SAFETY: librbd has put texts there.
        let peers = all.iter().map(|peer| unsafe {
            MirrorPeer {
                uuid: taken(peer.uuid),
                direction: match peer.direction {
                    0 => PeerDirection::Rx,
                    1 => PeerDirection::Tx,
                    _ => PeerDirection::RxTx,
                },
                site_name: taken(peer.site_name),
                mirror_uuid: taken(peer.mirror_uuid),
                client_name: taken(peer.client_name),
            }
        });
        let peers = peers.collect();
        let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_mirror_peer_site_list_cleanup)(all.as_mut_ptr(), count) };
        Ok(peers)
    }

    /// Adds a peer; its UUID.
    pub fn add_mirror_peer(
        &self,
        direction: PeerDirection,
        site: &str,
        client: &str,
    ) -> Result<String, Trouble> {
        let (site, client) = (given(site)?, given(client)?);
        let (call, mut uuid) = (calls::rbd_mirror_peer_site_add()?, [0_u8; 64]);
        // SAFETY: the pool is a handle, the names end with zeroes, and the buffer has the room that is given.
        check(unsafe {
            call(
                self.pool.handle(),
                uuid.as_mut_ptr().cast(),
                uuid.len(),
                direction.number(),
                site.as_ptr(),
                client.as_ptr(),
            )
        })?;
        Ok(of_buffer(&uuid))
    }

    /// Removes one.
    pub fn remove_mirror_peer(&self, uuid: &str) -> Result<(), Trouble> {
        let (call, uuid) = (calls::rbd_mirror_peer_site_remove()?, given(uuid)?);
        // SAFETY: the pool is a handle, and the text ends with a zero.
        check(unsafe { call(self.pool.handle(), uuid.as_ptr()) }).map(drop)
    }

    /// Calls one something else.
    pub fn set_peer_site(&self, uuid: &str, site: &str) -> Result<(), Trouble> {
        let (uuid, site) = (given(uuid)?, given(site)?);
        let call = calls::rbd_mirror_peer_site_set_name()?;
        // SAFETY: the pool is a handle, and the texts end with zeroes.
        check(unsafe { call(self.pool.handle(), uuid.as_ptr(), site.as_ptr()) }).map(drop)
    }

    /// Has one read as another user.
    pub fn set_peer_client(&self, uuid: &str, client: &str) -> Result<(), Trouble> {
        let (uuid, client) = (given(uuid)?, given(client)?);
        let call = calls::rbd_mirror_peer_site_set_client_name()?;
        // SAFETY: the pool is a handle, and the texts end with zeroes.
        check(unsafe { call(self.pool.handle(), uuid.as_ptr(), client.as_ptr()) }).map(drop)
    }

    /// Changes which way images go.
    pub fn set_peer_direction(&self, uuid: &str, way: PeerDirection) -> Result<(), Trouble> {
        let (call, uuid) = (calls::rbd_mirror_peer_site_set_direction()?, given(uuid)?);
        // SAFETY: the pool is a handle, and the text ends with a zero.
        check(unsafe { call(self.pool.handle(), uuid.as_ptr(), way.number()) }).map(drop)
    }

    /// What the monitors keep of one, such as `mon_host` and `key`; `None` where that is nothing.
    pub fn peer_attributes(&self, uuid: &str) -> Result<Option<BTreeMap<String, String>>, Trouble> {
        let (call, uuid) = (calls::rbd_mirror_peer_site_get_attributes()?, given(uuid)?);
        let (mut keys_room, mut values_room) = (512, 512);
        loop {
            let (mut keys, mut values) = (vec![0_u8; keys_room], vec![0_u8; values_room]);
            let mut count = 0;
            // SAFETY: the pool is a handle, the text ends with a zero, and both buffers have the room given.
            let code = check(unsafe {
                call(
                    self.pool.handle(),
                    uuid.as_ptr(),
                    keys.as_mut_ptr().cast(),
                    &raw mut keys_room,
                    values.as_mut_ptr().cast(),
                    &raw mut values_room,
                    &raw mut count,
                )
            });
            match code {
                Ok(_) => return Ok(Some(pairs(&keys, &values, count))),
                Err(Trouble::Errno(libc::ENOENT)) => return Ok(None),
                Err(Trouble::Errno(libc::ERANGE)) if keys_room.max(values_room) <= MOST => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Has the monitors keep that of one, and nothing else.
    pub fn set_peer_attributes(
        &self,
        uuid: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), Trouble> {
        let (call, uuid) = (calls::rbd_mirror_peer_site_set_attributes()?, given(uuid)?);
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, value) in attributes {
            keys.extend(given(key)?.into_bytes_with_nul());
            values.extend(given(value)?.into_bytes_with_nul());
        }
        // SAFETY: the pool is a handle, the id ends with a zero, and so many texts stand in both buffers.
        check(unsafe {
            call(
                self.pool.handle(),
                uuid.as_ptr(),
                keys.as_ptr().cast(),
                values.as_ptr().cast(),
                attributes.len(),
            )
        })
        .map(drop)
    }

    /// Makes what another cluster needs to become a peer: a secret.
    pub fn bootstrap_token(&self) -> Result<String, Trouble> {
        let call = calls::rbd_mirror_peer_bootstrap_create()?;
        let pool = self.pool.handle();
        // SAFETY: the pool is a handle, and the buffer has the room that is given.
        let token = sized(|buffer, room| unsafe { call(pool, buffer, room) })?;
        Ok(of_buffer(&token))
    }

    /// Becomes a peer of the cluster that made such a token, and makes it one of this pool.
    pub fn take_bootstrap_token(&self, way: PeerDirection, token: &str) -> Result<(), Trouble> {
        let (call, token) = (calls::rbd_mirror_peer_bootstrap_import()?, given(token)?);
        // SAFETY: the pool is a handle, and the text ends with a zero.
        check(unsafe { call(self.pool.handle(), way.number(), token.as_ptr()) }).map(drop)
    }
}

/// So many keys and values that end with zeroes, one behind the other.
fn pairs(keys: &[u8], values: &[u8], count: usize) -> BTreeMap<String, String> {
    let texts = |bytes: &[u8]| -> Vec<String> {
        let texts = bytes.split(|byte| *byte == 0).take(count);
        let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
        texts.collect()
    };
    texts(keys).into_iter().zip(texts(values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_stand_one_behind_the_other() {
        let found = pairs(b"key\0mon_host\0\0\0", b"\0[v2:127.0.0.1:3300]\0\0", 2);
        let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(found, [("key", ""), ("mon_host", "[v2:127.0.0.1:3300]")]);
        assert!(pairs(b"\0\0", b"\0\0", 0).is_empty());
    }
}
