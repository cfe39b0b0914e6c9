//! The bytes of one file: as programs see them, and as a power cut leaves them.
//!
//! After a crash each sector holds what it held after some number of the writes to it that were
//! never synced, whatever happened to its neighbours: that is a superset of what page cache, block
//! layer and drive do.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;

/// What a drive writes whole or not at all, in bytes.
const SECTOR: u64 = 512;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// What happened since the last sync, in order.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    /// What programs read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.live
    }

    /// Fills the buffer, or not at all where the file ends before.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> bool {
        let end = offset.saturating_add(buffer.len() as u64);
        let found = self.live.get(offset as usize..end as usize);
        if let Some(bytes) = found {
            buffer.copy_from_slice(bytes);
        }
        found.is_some()
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len() as u64;
        if end > self.len() {
            self.set_len(end);
        }
        self.live[offset as usize..end as usize].copy_from_slice(&bytes);
        self.pending.push(Pending::Write { offset, bytes });
    }

    pub(crate) fn set_len(&mut self, len: u64) {
        let former = self.len();
        if len < former {
            // Should the file grow again, zeroes come back and not what was cut off.
            let bytes = vec![0; (former - len) as usize];
            self.pending.push(Pending::Write { offset: len, bytes });
        }
        self.live.resize(len as usize, 0);
        self.pending.push(Pending::Length(len));
    }

    /// Everything so far survives from here on.
    pub(crate) fn sync(&mut self) {
        let longest = self.longest();
        self.durable.resize(longest, 0);
        for change in std::mem::take(&mut self.pending) {
            if let Pending::Write { offset, bytes } = change {
                let end = offset as usize + bytes.len();
                self.durable[offset as usize..end].copy_from_slice(&bytes);
            }
        }
        self.durable.truncate(self.live.len());
    }

    /// What a failed sync does on Linux: programs still read what was not written, and no later sync
    /// tries again.
    pub(crate) fn lose_unsynced(&mut self) {
        self.pending.clear();
    }

    /// Programs read from here on what has been or will be written.
    pub(crate) fn forget_cached(&mut self) {
        let mut written = Self {
            live: self.live.clone(),
            durable: self.durable.clone(),
            pending: self.pending.clone(),
        };
        written.sync();
        self.live = written.durable;
    }

    /// One of the states in which a power cut may leave the file.
    pub(crate) fn crash(&self, random: &mut StdRng) -> Self {
        let mut left = self.durable.clone();
        left.resize(self.longest(), 0);
        let last = self.last_writes(random);
        for (index, change) in self.pending.iter().enumerate() {
            let Pending::Write { offset, bytes } = change else {
                continue;
            };
            for (sector, from, to) in sectors(*offset, bytes.len() as u64) {
                if last.get(&sector).is_some_and(|last| index <= *last) {
                    let part = &bytes[(from - offset) as usize..(to - offset) as usize];
                    left[from as usize..to as usize].copy_from_slice(part);
                }
            }
        }
        left.truncate(self.length_left(random) as usize);
        Self {
            live: left.clone(),
            durable: left,
            pending: Vec::new(),
        }
    }

    fn longest(&self) -> usize {
        let lengths = self.pending.iter().map(|change| match change {
            Pending::Write { offset, bytes } => *offset as usize + bytes.len(),
            Pending::Length(len) => *len as usize,
        });
        lengths.max().unwrap_or(0).max(self.durable.len())
    }

    /// For each sector the last write that reached it.
    fn last_writes(&self, random: &mut StdRng) -> BTreeMap<u64, usize> {
        let mut last = BTreeMap::new();
        for (index, change) in self.pending.iter().enumerate() {
            let Pending::Write { offset, bytes } = change else {
                continue;
            };
            let share = share(random);
            for (sector, _, _) in sectors(*offset, bytes.len() as u64) {
                if random.random_bool(share) {
                    last.insert(sector, index);
                }
            }
        }
        last
    }

    fn length_left(&self, random: &mut StdRng) -> u64 {
        let mut lengths = vec![self.durable.len() as u64];
        lengths.extend(self.pending.iter().filter_map(|change| match change {
            Pending::Length(len) => Some(*len),
            Pending::Write { .. } => None,
        }));
        lengths[random.random_range(0..lengths.len())]
    }
}

/// How much of one write arrives: mostly all or nothing, so that the interesting combinations of
/// whole writes come up, and sometimes some of its sectors.
fn share(random: &mut StdRng) -> f64 {
    match random.random_range(0..5) {
        0 | 1 => 0.0,
        2 | 3 => 1.0,
        _ => random.random_range(0.0..1.0),
    }
}

/// The sectors of a range: their numbers, and which bytes of the range lie in each.
fn sectors(offset: u64, len: u64) -> impl Iterator<Item = (u64, u64, u64)> {
    let end = offset + len;
    (offset / SECTOR..end.div_ceil(SECTOR)).map(move |sector| {
        let from = offset.max(sector * SECTOR);
        (sector, from, end.min((sector + 1) * SECTOR))
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn left(content: &Content) -> Vec<Vec<u8>> {
        let one = |seed| content.crash(&mut StdRng::seed_from_u64(seed)).live;
        (0..200).map(one).collect()
    }

    #[test]
    fn synced_bytes_survive_every_crash() {
        let mut content = Content::default();
        content.write(100, vec![7; 2000]);
        content.sync();
        assert!(left(&content).iter().all(|left| *left == content.live));
    }

    #[test]
    fn unsynced_bytes_are_whole_torn_or_gone_and_never_invented() {
        let mut content = Content::default();
        content.set_len(4096);
        content.sync();
        content.write(0, vec![1; 4096]);
        content.write(0, vec![2; 4096]);
        let left = left(&content);
        for value in 0..3 {
            assert!(left.contains(&vec![value; 4096]), "all of {value}");
        }
        let torn = |bytes: &Vec<u8>| bytes.iter().any(|byte| *byte != bytes[0]);
        assert!(left.iter().any(torn));
        for bytes in &left {
            for sector in bytes.chunks(512) {
                assert!(sector.iter().all(|byte| *byte == sector[0] && *byte < 3));
            }
        }
    }

    #[test]
    fn an_earlier_write_may_be_lost_while_a_later_one_is_kept() {
        let mut content = Content::default();
        content.set_len(1024);
        content.sync();
        content.write(0, vec![1; 512]);
        content.write(512, vec![1; 512]);
        let later = [vec![0; 512], vec![1; 512]].concat();
        assert!(left(&content).contains(&later));
    }

    #[test]
    fn the_cache_hides_what_a_failed_sync_lost() {
        let mut content = Content::default();
        content.write(0, vec![1; 512]);
        content.sync();
        content.write(0, vec![2; 512]);
        content.lose_unsynced();
        content.write(512, vec![3; 512]);
        assert_eq!(content.live[0], 2);
        content.forget_cached();
        assert_eq!(content.live, [vec![1; 512], vec![3; 512]].concat());
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let mut content = Content::default();
        content.write(0, vec![1; 1024]);
        content.sync();
        content.set_len(512);
        content.set_len(1024);
        content.sync();
        let expected = [vec![1; 512], vec![0; 512]].concat();
        assert!(left(&content).iter().all(|left| *left == expected));
    }
}
