//! Reading: find the blocks, read the log, check every block.

use std::ops::Range;

use firebrick_index::{Entry, View};
use firebrick_log::Location;
use firebrick_vocabulary::BLOCK_SIZE;

use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::gather::{self, All, BLOCK, run_len, runs, sound};
use crate::image::{Image, check_range};

const DOING: &str = "read an image";
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

    /// As [`Self::read`], but only as far as that needs no wait for the disk: how many bytes from
    /// `offset` on that is, whole blocks or all.
    pub fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        self.read_with(offset, buffer, Patience::CacheOnly)
    }

    /// How many bytes were read; all of them, with patience.
    fn read_with(&self, offset: u64, buffer: &mut [u8], how: Patience) -> Result<usize, Error> {
        let (first, shift) = (offset / BLOCK_SIZE, (offset % BLOCK_SIZE) as usize);
        let blocks = (shift + buffer.len()).div_ceil(BLOCK);
        let range = (offset, buffer.len() as u64);
        if shift == 0 && buffer.len().is_multiple_of(BLOCK) {
            return Ok(self.read_whole(range, first, buffer, how)? * BLOCK);
        }
        let mut whole = vec![0; blocks * BLOCK];
        let read = self.read_whole(range, first, &mut whole, how)? * BLOCK;
        let read = read.saturating_sub(shift).min(buffer.len());
        buffer[..read].copy_from_slice(&whole[shift..shift + read]);
        Ok(read)
    }

    /// How many blocks were read.
    fn read_whole(
        &self,
        range: (u64, u64),
        first: u64,
        buffer: &mut [u8],
        how: Patience,
    ) -> Result<usize, Error> {
        let mut former = None;
        loop {
            let Some(entries) = self.entries(range, first, buffer.len() / BLOCK, how)? else {
                return Ok(0);
            };
            if how == Patience::CacheOnly {
                return self.core.read_cached_blocks(&entries, buffer);
            }
            match self.core.read_blocks(&entries, buffer) {
                // They may have been overwritten meanwhile, and cleaned away.
                Err(error) if error.kind == ErrorKind::Damaged => {
                    if former.as_ref() == Some(&entries) {
                        return Err(error);
                    }
                    former = Some(entries);
                }
                done => return done.map(|()| entries.len()),
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
    pub(crate) fn read_blocks(&self, entries: &[Entry], buffer: &mut [u8]) -> Result<(), Error> {
        let mut places = self.index.places(entries)?;
        let mut sources = self.log.sources();
        // With several parts, the disk is asked for all of them before any is waited for.
        let mut late: Vec<Range<usize>> =
            if run_len(&places) == places.len() && places.first().is_some_and(Option::is_some) {
                std::iter::once(0..places.len()).collect()
            } else {
                gather::cached(&mut sources, entries, &places, buffer, All::Asked)
            };
        let mut next = 0;
        while let Some(some) = late.get(next).cloned() {
            next += 1;
            let Some(at) = places[some.start] else {
                continue;
            };
            let part = &mut buffer[some.start * BLOCK..some.end * BLOCK];
            let read = sources.read(at, part).map_err(Error::from);
            let checked = read.and_then(|()| match sound(&entries[some.clone()], part) {
                good if good < some.len() => Err(Error::damaged_block(at.plus_blocks(good as u32))),
                _ => Ok(()),
            });
            if let Err(error) = checked {
                // The cleaner may have moved it between the two looks.
                let now = self.index.places(&entries[some.clone()])?;
                if now == places[some.clone()] {
                    return Err(error);
                }
                late.extend(runs(&now).map(|run| some.start + run.start..some.start + run.end));
                places[some].copy_from_slice(&now);
            }
        }
        Ok(())
    }

    /// As [`Self::read_blocks`], but only as far as that needs no wait for the disk, nor a second look:
    /// how many blocks that is.
    fn read_cached_blocks(&self, entries: &[Entry], buffer: &mut [u8]) -> Result<usize, Error> {
        let places = self.index.places(entries)?;
        let mut sources = self.log.sources();
        let late = gather::cached(&mut sources, entries, &places, buffer, All::UpToTheFirst);
        let first = late.iter().map(|late| late.start).min();
        Ok(first.unwrap_or(entries.len()))
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
}
