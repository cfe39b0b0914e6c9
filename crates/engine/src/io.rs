//! Reading: find the blocks, read the log, check every block.

use firebrick_log::Checksum;
use firebrick_vocabulary::BLOCK_SIZE;

use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::image::{Image, check_range};
use crate::map::Entry;
use crate::state::ImageState;

const DOING: &str = "read an image";
const BLOCK: usize = BLOCK_SIZE as usize;

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    Wait,
    CacheOnly,
}

impl Image {
    /// Fills `buffer` from `offset` (any alignment, within the image). Every block is checked.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.read_with(offset, buffer, Patience::Wait).map(drop)
    }

    /// As [`Self::read`], but only where that needs no wait for the disk; `false` where it would.
    pub fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, Error> {
        self.read_with(offset, buffer, Patience::CacheOnly)
    }

    fn read_with(&self, offset: u64, buffer: &mut [u8], how: Patience) -> Result<bool, Error> {
        let (first, shift) = (offset / BLOCK_SIZE, (offset % BLOCK_SIZE) as usize);
        let blocks = (shift + buffer.len()).div_ceil(BLOCK);
        let entries = {
            let state = self.cell.read();
            check_range(&state, DOING, offset, buffer.len() as u64)?;
            entries(&state, first, blocks)
        };
        if shift == 0 && buffer.len().is_multiple_of(BLOCK) {
            return self.core.read_blocks(&entries, buffer, how);
        }
        let mut whole = vec![0; blocks * BLOCK];
        let read = self.core.read_blocks(&entries, &mut whole, how)?;
        buffer.copy_from_slice(&whole[shift..shift + buffer.len()]);
        Ok(read)
    }
}

/// Where `blocks` blocks from `first` on lie.
pub(crate) fn entries(state: &ImageState, first: u64, blocks: usize) -> Vec<Entry> {
    (first..first + blocks as u64)
        .map(|block| state.map.get(block))
        .collect()
}

impl Core {
    /// Reads the blocks of `entries` into `buffer`, which holds exactly them.
    pub(crate) fn read_blocks(
        &self,
        entries: &[Entry],
        buffer: &mut [u8],
        how: Patience,
    ) -> Result<bool, Error> {
        let mut done = 0;
        while done < entries.len() {
            let run = run_len(&entries[done..]);
            let part = &mut buffer[done * BLOCK..(done + run) * BLOCK];
            let first = entries[done];
            if first.is_some() {
                let read = match how {
                    Patience::Wait => self.log.read(first.at, part).map(|()| true),
                    Patience::CacheOnly => self.log.read_cached(first.at, part),
                };
                if !read? {
                    return Ok(false);
                }
                verify(&entries[done..done + run], part)?;
            } else {
                part.fill(0);
            }
            done += run;
        }
        Ok(true)
    }
}

/// How many of the first entries can be read at once: neighbours in the log, or nothing at all.
fn run_len(entries: &[Entry]) -> usize {
    let first = entries[0];
    let follows = |(i, entry): (usize, &Entry)| {
        if first.is_some() {
            entry.is_some() && entry.at == first.at.plus_blocks(i as u32)
        } else {
            !entry.is_some()
        }
    };
    entries
        .iter()
        .enumerate()
        .take_while(|(i, entry)| follows((*i, entry)))
        .count()
}

fn verify(entries: &[Entry], data: &[u8]) -> Result<(), Error> {
    for (entry, block) in entries.iter().zip(data.chunks_exact(BLOCK)) {
        if Checksum::of(block) != entry.checksum {
            let (segment, offset) = (entry.at.segment, entry.at.offset());
            let why =
                format!("the block at offset {offset} of segment {segment} fails its checksum");
            return Err(Error::new(ErrorKind::Damaged, DOING, why));
        }
    }
    Ok(())
}
