//! The entries of a journal, in their order.

use std::collections::VecDeque;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, Digest};

use super::super::Trouble;
use super::super::open::OpenPool;
use super::JournalHeader;
use crate::journal::Bytes;

/// What stands before each entry.
const PREAMBLE: u64 = 0x3141_5926_5358_9793;
const VERSION: u8 = 1;

/// An entry, or a place where one cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalEntry {
    /// The tag: who wrote it, and since when.
    pub tag: u64,
    /// Its number within the tag.
    pub number: u64,
    /// The event, as librbd encodes it; or why there is none.
    pub event: Result<Vec<u8>, String>,
}

/// The entries of one of the objects that take turns, then those of the next one at its place.
struct Lane {
    /// The next object that is read.
    object: u64,
    ready: VecDeque<JournalEntry>,
}

impl OpenPool {
    /// Reads a journal, and hands on each entry that not all of its readers have committed, and each that is damaged,
    /// until `each` says that it is enough. Of each of the objects that take turns, one is in memory.
    pub fn journal_entries<E: From<Trouble>>(
        self: &Arc<Self>,
        header: &JournalHeader,
        mut each: impl FnMut(JournalEntry) -> Result<(), E>,
    ) -> Result<(), E> {
        let pool = match &header.pool {
            Some(pool) => self.connection().pool(pool, self.namespace())?,
            None => Arc::clone(self),
        };
        let committed = header.committed();
        let width = u64::from(header.splay_width.max(1));
        let first = header.minimum_set.saturating_mul(width);
        let end = header.active_set.saturating_add(1).saturating_mul(width);
        let lane = |object| Lane {
            object,
            ready: VecDeque::new(),
        };
        let mut lanes: Vec<Lane> = (first..first + width).map(lane).collect();
        loop {
            for lane in &mut lanes {
                while lane.ready.is_empty() && lane.object < end {
                    let name = format!("{}{}", header.prefix, lane.object);
                    let bytes = pool.object(&name)?.unwrap_or_default();
                    lane.ready = of_object(&bytes, &name);
                    lane.object += width;
                }
            }
            // Within a lane they are in order, so the first of all is the first of one of them.
            let heads = lanes.iter_mut().filter_map(|lane| {
                let head = lane.ready.front()?;
                Some(((head.tag, head.number), lane))
            });
            let Some((_, lane)) = heads.min_by_key(|(place, _)| *place) else {
                return Ok(());
            };
            let Some(entry) = lane.ready.pop_front() else {
                continue;
            };
            if entry.event.is_err() || Some((entry.tag, entry.number)) > committed {
                each(entry)?;
            }
        }
    }
}

/// The entries of an object; where one is damaged that is said, and the next one looked for.
fn of_object(bytes: &[u8], name: &str) -> VecDeque<JournalEntry> {
    let mut entries: VecDeque<JournalEntry> = VecDeque::new();
    let mut at = 0;
    while at < bytes.len() {
        if let Some((entry, len)) = entry(&bytes[at..]) {
            entries.push_back(entry);
            at += len;
            continue;
        }
        // It stands behind the one before it, whatever its own number was.
        let (tag, number) = entries
            .back()
            .map_or((0, 0), |last| (last.tag, last.number));
        let event = Err(format!("{name} is damaged at byte {at}"));
        entries.push_back(JournalEntry { tag, number, event });
        let preamble = PREAMBLE.to_le_bytes();
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let next = rest
            .windows(preamble.len())
            .position(|some| some == preamble);
        at = next.map_or(bytes.len(), |next| at + 1 + next);
    }
    entries
}

/// The entry with which the bytes begin, and its length; `None` where there is none that is whole.
fn entry(bytes: &[u8]) -> Option<(JournalEntry, usize)> {
    let mut rest = Bytes(bytes);
    if rest.u64()? != PREAMBLE || rest.u8()? != VERSION {
        return None;
    }
    let (number, tag) = (rest.u64()?, rest.u64()?);
    let event = rest.text()?.to_vec();
    let len = bytes.len() - rest.0.len();
    if rest.u32()? != checksum(&bytes[..len]) {
        return None;
    }
    let event = Ok(event);
    Some((JournalEntry { tag, number, event }, len + size_of::<u32>()))
}

/// CRC-32C as Ceph has it: begun with nothing, and not inverted.
fn checksum(bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, 0);
    digest.update(bytes);
    !(digest.finalize() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(tag: u64, number: u64, event: &[u8]) -> Vec<u8> {
        let mut bytes = PREAMBLE.to_le_bytes().to_vec();
        bytes.push(VERSION);
        bytes.extend(number.to_le_bytes());
        bytes.extend(tag.to_le_bytes());
        bytes.extend(u32::try_from(event.len()).unwrap().to_le_bytes());
        bytes.extend(event);
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn a_damaged_entry_does_not_hide_those_behind_it() {
        let mut bytes = [
            encoded(1, 0, b"a"),
            encoded(1, 4, b"bb"),
            encoded(2, 8, b"c"),
        ]
        .concat();
        let whole = of_object(&bytes, "o");
        let places: Vec<_> = whole.iter().map(|it| (it.tag, it.number)).collect();
        assert_eq!(places, [(1, 0), (1, 4), (2, 8)]);
        assert_eq!(whole[1].event, Ok(b"bb".to_vec()));
        // One bit of the event in the middle.
        let at = 34 + 29;
        bytes[at] ^= 1;
        let found = of_object(&bytes, "o");
        assert_eq!(found[1].event, Err("o is damaged at byte 34".to_owned()));
        assert_eq!((&found[0], &found[2]), (&whole[0], &whole[2]));
        // One that ends too soon.
        let found = of_object(&bytes[..bytes.len() - 1], "o");
        assert!(found.len() == 3 && found[2].event.is_err());
    }

    #[test]
    fn the_checksum_is_that_of_ceph() {
        // `ceph_crc32c(0, "foo bar baz", 11)`, as Ceph's own test has it.
        assert_eq!(checksum(b"foo bar baz"), 4_119_623_852);
    }
}
