//! Locks that users agree on.

use super::super::text::{given, of_buffer};
use super::open::OpenImage;
use super::{Trouble, calls, check};

/// A lock that somebody holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeldLock {
    /// The client that holds it, `client.NUMBER`.
    pub locker: String,
    /// What the client calls it.
    pub id: String,
    /// Where the client is.
    pub address: String,
}

/// The locks of an image.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeldLocks {
    /// What those who share the image named; `None` where one has it for itself.
    pub tag: Option<String>,
    /// Who holds them.
    pub held: Vec<HeldLock>,
}

/// The most room that a list gets, in bytes.
const MOST: usize = 1 << 24;

/// Texts of a list whose number is known; they may be empty.
fn counted(bytes: &[u8], count: usize) -> Vec<String> {
    let texts = bytes.split(|byte| *byte == 0).take(count);
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

impl OpenImage {
    /// Who holds locks on it.
    pub fn locks(&self) -> Result<HeldLocks, Trouble> {
        let call = calls::rbd_list_lockers()?;
        let mut room = 1024;
        loop {
            let mut exclusive = 0;
            let mut buffers = [
                vec![0_u8; room],
                vec![0; room],
                vec![0; room],
                vec![0; room],
            ];
            let [tag, clients, ids, addresses] = &mut buffers;
            let (mut tag_len, mut clients_len, mut ids_len, mut addresses_len) =
                (room, room, room, room);
            // SAFETY: the image is open, and each buffer has the room that is given.
            let code = unsafe {
                call(
                    self.handle(),
                    &raw mut exclusive,
                    tag.as_mut_ptr().cast(),
                    &raw mut tag_len,
                    clients.as_mut_ptr().cast(),
                    &raw mut clients_len,
                    ids.as_mut_ptr().cast(),
                    &raw mut ids_len,
                    addresses.as_mut_ptr().cast(),
                    &raw mut addresses_len,
                )
            };
            let count = match super::super::errno::check_len(code) {
                Ok(count) => count,
                Err(error) if error.0 == libc::ERANGE && room < MOST => {
                    room *= 4;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let lists = counted(clients, count)
                .into_iter()
                .zip(counted(ids, count))
                .zip(counted(addresses, count));
            let held = lists.map(|((locker, id), address)| HeldLock {
                locker,
                id,
                address,
            });
            return Ok(HeldLocks {
                tag: (exclusive == 0 && count > 0).then(|| of_buffer(tag)),
                held: held.collect(),
            });
        }
    }

    /// Takes a lock, shared with all who name the same tag, or with nobody.
    pub fn lock(&self, id: &str, tag: Option<&str>) -> Result<(), Trouble> {
        let id = given(id)?;
        let code = match tag {
            None => {
                let call = calls::rbd_lock_exclusive()?;
                // SAFETY: the image is open, and the text ends with a zero.
                unsafe { call(self.handle(), id.as_ptr()) }
            }
            Some(tag) => {
                let (call, tag) = (calls::rbd_lock_shared()?, given(tag)?);
                // SAFETY: the image is open, and the texts end with zeroes.
                unsafe { call(self.handle(), id.as_ptr(), tag.as_ptr()) }
            }
        };
        check(code).map(drop)
    }

    /// Ends somebody's lock.
    pub fn break_lock(&self, id: &str, locker: &str) -> Result<(), Trouble> {
        let (id, locker) = (given(id)?, given(locker)?);
        let call = calls::rbd_break_lock()?;
        // SAFETY: the image is open, and the texts end with zeroes.
        check(unsafe { call(self.handle(), locker.as_ptr(), id.as_ptr()) }).map(drop)
    }
}
