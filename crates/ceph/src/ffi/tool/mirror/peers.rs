//! The clusters that a pool is mirrored with.

use std::collections::BTreeMap;

use super::super::super::peers::{MirrorPeer, PeerDirection};
use super::super::super::text::{given, of_buffer};
use super::super::open::OpenPool;
use super::super::texts::sized;
use super::super::{Trouble, calls, check};

/// The longest text that says where a peer is, or its key.
const MOST: usize = 1 << 20;

impl OpenPool {
    /// The peers.
    pub fn mirror_peers(&self) -> Result<Vec<MirrorPeer>, Trouble> {
        Ok(self.pool.peers()?)
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
