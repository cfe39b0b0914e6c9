//! Reading: find the blocks, read the log, check every block.

use firebrick_index::{Entry, View};
use firebrick_log::{Checksum, Location};
use firebrick_vocabulary::BLOCK_SIZE;

use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::image::{Image, check_range};

const DOING: &str = "read an image";
const BLOCK: usize = BLOCK_SIZE as usize;
/// How often a part of the index that is not in memory is loaded before it is done under the lock.
const LOADS_MAX: u32 = 3;

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
        let range = (offset, buffer.len() as u64);
        if shift == 0 && buffer.len().is_multiple_of(BLOCK) {
            return self.read_whole(range, first, buffer, how);
        }
        let mut whole = vec![0; blocks * BLOCK];
        let read = self.read_whole(range, first, &mut whole, how)?;
        buffer.copy_from_slice(&whole[shift..shift + buffer.len()]);
        Ok(read)
    }

    fn read_whole(
        &self,
        range: (u64, u64),
        first: u64,
        buffer: &mut [u8],
        how: Patience,
    ) -> Result<bool, Error> {
        let mut former = None;
        loop {
            let Some(entries) = self.entries(range, first, buffer.len() / BLOCK, how)? else {
                return Ok(false);
            };
            match self.core.read_blocks(&entries, buffer, how) {
                // They may have been overwritten meanwhile, and cleaned away.
                Err(error) if error.kind == ErrorKind::Damaged => {
                    if former.as_ref() == Some(&entries) {
                        return Err(error);
                    }
                    former = Some(entries);
                }
                done => return done,
            }
        }
    }

    /// Where `blocks` blocks from `first` on lie, all at one moment; `None` where that cannot be known
    /// without the disk.
    fn entries(
        &self,
        range: (u64, u64),
        first: u64,
        blocks: usize,
        how: Patience,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let mut entries = Vec::with_capacity(blocks);
        for attempt in 0.. {
            let view = {
                let state = self.cell.read();
                check_range(&state, DOING, range.0, range.1)?;
                let index = &self.core.index;
                if index.get_cached(&state.view, first, blocks, &mut entries) {
                    return Ok(Some(entries));
                }
                if how == Patience::CacheOnly {
                    return Ok(None);
                }
                if attempt == LOADS_MAX {
                    index.get(&state.view, first, blocks, &mut entries)?;
                    return Ok(Some(entries));
                }
                state.view.clone()
            };
            // Outside the image's lock, as writers wait for that.
            self.core.index.get(&view, first, blocks, &mut entries)?;
            entries.clear();
        }
        Ok(None)
    }
}

impl Core {
    /// Where `blocks` blocks from `first` on lie in a view that does not change.
    pub(crate) fn entries(
        &self,
        view: &View,
        first: u64,
        blocks: usize,
    ) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(blocks);
        self.index.get(view, first, blocks, &mut entries)?;
        Ok(entries)
    }

    /// Reads the blocks of `entries` into `buffer`, which holds exactly them.
    pub(crate) fn read_blocks(
        &self,
        entries: &[Entry],
        buffer: &mut [u8],
        how: Patience,
    ) -> Result<bool, Error> {
        let mut places = self.places(entries)?;
        let mut done = 0;
        while done < entries.len() {
            let run = run_len(&places[done..]);
            let part = &mut buffer[done * BLOCK..(done + run) * BLOCK];
            let some = done..done + run;
            let Some(at) = places[done] else {
                part.fill(0);
                done += run;
                continue;
            };
            let read = match how {
                Patience::Wait => self.log.read(at, part).map(|()| true),
                Patience::CacheOnly => self.log.read_cached(at, part),
            };
            let checked = match read {
                Ok(false) => return Ok(false),
                Ok(true) => verify(&entries[some.clone()], at, part),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = checked {
                // The cleaner may have moved it between the two looks.
                let now = self.places(&entries[some.clone()])?;
                if now == places[some.clone()] {
                    return Err(error);
                }
                places[some].copy_from_slice(&now);
                continue;
            }
            done += run;
        }
        Ok(true)
    }

    /// Reads whole blocks that were written together, by the name of the first.
    pub(crate) fn read_named(&self, name: Location, buffer: &mut [u8]) -> Result<(), Error> {
        let blocks = (buffer.len() / BLOCK) as u32;
        let places: Result<Vec<_>, _> = (0..blocks)
            .map(|i| self.index.place(name.plus_blocks(i)).map(Some))
            .collect();
        let places = places?;
        let mut done = 0;
        while let Some(at) = places.get(done).copied().flatten() {
            let run = run_len(&places[done..]);
            self.log
                .read(at, &mut buffer[done * BLOCK..(done + run) * BLOCK])?;
            done += run;
        }
        Ok(())
    }

    /// Where the bytes of blocks are now.
    fn places(&self, entries: &[Entry]) -> Result<Vec<Option<Location>>, Error> {
        let mut known = (0, false);
        let place = |entry: &Entry| {
            let Some(name) = entry.some().map(|entry| entry.at) else {
                return Ok(None);
            };
            if known.0 != name.segment {
                known = (name.segment, self.index.has_moved(name.segment));
            }
            if known.1 {
                self.index.place(name).map(Some)
            } else {
                Ok(Some(name))
            }
        };
        Ok(entries.iter().map(place).collect::<Result<_, _>>()?)
    }
}

/// How many of the first blocks can be read at once: neighbours on the disk, or nothing at all.
fn run_len(places: &[Option<Location>]) -> usize {
    let follows = |(i, place): (usize, &Option<Location>)| match (places[0], place) {
        (Some(first), Some(place)) => *place == first.plus_blocks(i as u32),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let run = places.iter().enumerate();
    run.take_while(|(i, place)| follows((*i, place))).count()
}

fn verify(entries: &[Entry], at: Location, data: &[u8]) -> Result<(), Error> {
    for (i, (entry, block)) in entries.iter().zip(data.chunks_exact(BLOCK)).enumerate() {
        if Checksum::of(block) != entry.checksum {
            return Err(Error::damaged_block(at.plus_blocks(i as u32)));
        }
    }
    Ok(())
}
