//! The journal of an image, which librbd tells nothing of: its header, who reads it, and its entries.
//!
//! The header is an object with keys; entries lie in objects that are numbered, so many of which take turns (a set). What
//! the keys and the bytes mean is said by `cls/journal` and `journal/Entry` of Ceph.

mod entries;

use std::collections::BTreeMap;

use super::Trouble;
use super::open::OpenPool;
use crate::journal::Bytes;
pub use entries::JournalEntry;

/// How far somebody has read one of the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ObjectPosition {
    /// The number of the object.
    pub object: u64,
    /// The tag of the last entry.
    pub tag: u64,
    /// Its number within the tag.
    pub entry: u64,
}

/// Somebody who reads a journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalClient {
    /// The mirror UUID of the peer; empty for the image itself.
    pub id: String,
    /// What they keep there.
    pub data: Vec<u8>,
    /// What they have committed, the newest object first.
    pub positions: Vec<ObjectPosition>,
    /// Whether the journal is kept for them.
    pub connected: bool,
}

/// What is kept of a journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalHeader {
    /// librbd's own id of the image.
    pub id: String,
    /// With what the names of the objects begin that have its entries.
    pub prefix: String,
    /// The binary logarithm of the size of these, in bytes.
    pub order: u8,
    /// How many of these take turns.
    pub splay_width: u8,
    /// The pool of these, where that is another one.
    pub pool: Option<String>,
    /// The first set that is still there.
    pub minimum_set: u64,
    /// The set that is written.
    pub active_set: u64,
    /// Who reads it.
    pub clients: Vec<JournalClient>,
}

/// The state of a client for which the journal is kept.
const CONNECTED: u8 = 0;
/// That of one for which it is not.
const DISCONNECTED: u8 = 1;

impl JournalHeader {
    /// What all for whom the journal is kept have committed: the last tag and entry. `None` where somebody has
    /// nothing, or nobody is there. A new reader begins behind that, as Ceph has it.
    fn committed(&self) -> Option<(u64, u64)> {
        let kept = self.clients.iter().filter(|client| client.connected);
        let newest = kept.map(|client| client.positions.first().map(|at| (at.tag, at.entry)));
        newest.min().flatten()
    }
}

fn header_object(id: &str) -> String {
    format!("journal.{id}")
}

impl OpenPool {
    /// The header of the journal of the image with that id; `ENOENT` where there is none.
    pub fn journal(&self, id: &str) -> Result<JournalHeader, Trouble> {
        let keys = self.object_keys(&header_object(id), "")?;
        if keys.is_empty() {
            return Err(Trouble::Errno(libc::ENOENT));
        }
        let pool = read(&keys, "pool_id", Bytes::u64);
        let broken = Trouble::Errno(libc::EBADMSG);
        let number = pool.ok_or(broken.clone())?.cast_signed();
        let pool = if number < 0 {
            None
        } else {
            Some(self.connection().pool_name(number)?)
        };
        let prefix = format!("journal_data.{}.{id}.", self.id()?);
        let header = || {
            let clients = keys.iter().filter(|(key, _)| key.starts_with("client_"));
            Some(JournalHeader {
                id: id.to_owned(),
                prefix,
                order: read(&keys, "order", Bytes::u8)?,
                splay_width: read(&keys, "splay_width", Bytes::u8)?,
                pool,
                minimum_set: read(&keys, "minimum_set", Bytes::u64)?,
                active_set: read(&keys, "active_set", Bytes::u64)?,
                clients: clients
                    .map(|(_, value)| client(value))
                    .collect::<Option<_>>()?,
            })
        };
        header().ok_or(broken)
    }

    /// Keeps a journal no longer for one of its readers, and tells those who have it open.
    pub fn disconnect(&self, id: &str, client: &str) -> Result<(), Trouble> {
        let len = u32::try_from(client.len()).map_err(|_| Trouble::Errno(libc::EINVAL))?;
        let mut input = len.to_le_bytes().to_vec();
        input.extend(client.as_bytes());
        input.push(DISCONNECTED);
        let method = ("journal", "client_update_state");
        self.execute(&header_object(id), method, &input)
    }

    /// Tells those who have a journal open that its readers have changed.
    pub fn journal_changed(&self, id: &str) -> Result<(), Trouble> {
        self.notify(&header_object(id))
    }
}

/// The value of a key.
fn read<'a, T>(
    keys: &'a BTreeMap<String, Vec<u8>>,
    key: &str,
    take: impl FnOnce(&mut Bytes<'a>) -> Option<T>,
) -> Option<T> {
    take(&mut Bytes(keys.get(key)?))
}

/// `cls::journal::Client`
fn client(value: &[u8]) -> Option<JournalClient> {
    let mut client = Bytes(value).structure()?;
    let id = String::from_utf8_lossy(client.text()?).into_owned();
    let data = client.text()?.to_vec();
    let mut list = client.structure()?;
    let mut positions = Vec::new();
    for _ in 0..list.u32()? {
        let mut position = list.structure()?;
        positions.push(ObjectPosition {
            object: position.u64()?,
            tag: position.u64()?,
            entry: position.u64()?,
        });
    }
    Some(JournalClient {
        id,
        data,
        positions,
        connected: client.u8()? == CONNECTED,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(fields: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1, 1];
        bytes.extend(u32::try_from(fields.len()).unwrap().to_le_bytes());
        bytes.extend(fields);
        bytes
    }

    fn text(text: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(text);
        bytes
    }

    #[test]
    fn a_client_is_what_ceph_has_written() {
        let numbers = [5_u64, 3, 1].map(u64::to_le_bytes).concat();
        let mut positions = 1_u32.to_le_bytes().to_vec();
        positions.extend(structure(&numbers));
        let fields = [text(b"peer"), text(&[2, 1]), structure(&positions), vec![1]].concat();
        let bytes = structure(&fields);
        let position = ObjectPosition {
            object: 5,
            tag: 3,
            entry: 1,
        };
        let golden = JournalClient {
            id: "peer".to_owned(),
            data: vec![2, 1],
            positions: vec![position],
            connected: false,
        };
        assert_eq!(client(&bytes), Some(golden));
        for len in 0..bytes.len() {
            assert_eq!(client(&bytes[..len]), None, "{len}");
        }
    }

    #[test]
    fn a_reader_begins_behind_what_all_have() {
        let client = |places: &[(u64, u64)], connected| JournalClient {
            id: String::new(),
            data: Vec::new(),
            positions: places
                .iter()
                .map(|(tag, entry)| ObjectPosition {
                    object: 0,
                    tag: *tag,
                    entry: *entry,
                })
                .collect(),
            connected,
        };
        let committed = |clients: &[JournalClient]| {
            let header = JournalHeader {
                id: String::new(),
                prefix: String::new(),
                order: 24,
                splay_width: 4,
                pool: None,
                minimum_set: 0,
                active_set: 0,
                clients: clients.to_vec(),
            };
            header.committed()
        };
        let (ahead, behind) = (client(&[(2, 7), (2, 6)], true), client(&[(1, 9)], true));
        assert_eq!(committed(&[ahead.clone(), behind]), Some((1, 9)));
        assert_eq!(committed(&[ahead.clone(), client(&[], true)]), None);
        assert_eq!(committed(&[client(&[], false), ahead]), Some((2, 7)));
        assert_eq!(committed(&[]), None);
    }
}
