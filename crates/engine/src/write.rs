//! Writing: whole blocks go straight into the log, parts of blocks are completed under the lock.

use firebrick_log::{BatchData, Checksum, Entry};
use firebrick_vocabulary::BLOCK_SIZE;

use crate::apply::NoPast;
use crate::clean::Made;
use crate::error::{Error, ErrorKind};
use crate::image::{Image, check_range};
use crate::state::State;

const BLOCK: usize = BLOCK_SIZE as usize;
/// How often a write that was refused waits for the cleaner, at most: each time a segment was won,
/// which others may have filled.
const ROOM_TRIES: usize = 256;
/// The same where there is room by all that is known.
const IDLE_TRIES: usize = 2;
const WRITE: &str = "write to an image";
const DISCARD: &str = "discard blocks of an image";

/// One write of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// First byte.
    pub offset: u64,
    /// What to write.
    pub data: &'a [u8],
}

impl Write<'_> {
    fn is_whole(&self) -> bool {
        self.offset.is_multiple_of(BLOCK_SIZE) && self.data.len().is_multiple_of(BLOCK)
    }
}

impl Image {
    /// Performs the writes in their order. Those of whole blocks go into the log as one frame and
    /// are there together or not at all; a write of parts of blocks is a frame of its own. Durable
    /// after the next [`Self::flush`].
    pub fn write(&self, writes: &[Write<'_>]) -> Result<(), Error> {
        self.core.throttle();
        self.core
            .pace(writes.iter().map(|write| write.data.len() as u64).sum());
        if writes.iter().all(Write::is_whole) {
            return self.with_room(|| self.write_whole(writes));
        }
        for write in writes {
            if write.is_whole() {
                self.with_room(|| self.write_whole(std::slice::from_ref(write)))?;
            } else {
                self.with_room(|| self.write_parts(write))?;
            }
        }
        Ok(())
    }

    /// Whether a write waits a little before it is performed, as room is scarce or a checkpoint is late:
    /// who has something to say to others says it before.
    pub fn is_slowed(&self) -> bool {
        self.core.is_slowed()
    }

    /// Tries again after a refusal for want of room, as long as dead data can be cleaned away.
    fn with_room(&self, write: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        let mut idle = 0;
        for _ in 0..ROOM_TRIES {
            let refused = match write() {
                Err(error) if error.kind == ErrorKind::NoSpace => error,
                done => return done,
            };
            match self.core.make_room() {
                Made::Some => {}
                Made::Enough if idle < IDLE_TRIES => idle += 1,
                Made::Enough | Made::Nothing => return Err(refused),
            }
        }
        write()
    }

    fn write_whole(&self, writes: &[Write<'_>]) -> Result<(), Error> {
        // Outside the lock: this is where the time goes.
        let sums: Vec<Vec<Checksum>> = writes
            .iter()
            .map(|write| write.data.chunks_exact(BLOCK).map(Checksum::of).collect())
            .collect();
        let slices: Vec<[&[u8]; 1]> = writes.iter().map(|write| [write.data]).collect();
        let batches: Vec<Entry<'_>> = writes
            .iter()
            .zip(&sums)
            .zip(&slices)
            .filter(|((write, _), _)| !write.data.is_empty())
            .map(|((write, checksums), data)| {
                let block = write.offset / BLOCK_SIZE;
                Entry::Data(BatchData {
                    image: self.id,
                    block,
                    data,
                    checksums,
                })
            })
            .collect();
        let check = || {
            let checked =
                |write: &Write<'_>| self.check(WRITE, write.offset, write.data.len() as u64);
            writes.iter().try_for_each(checked)
        };
        let len: usize = writes.iter().map(|write| write.data.len()).sum();
        if len as u64 >= self.core.options.around_bytes {
            for write in writes {
                self.give_up_overwritten(write.offset / BLOCK_SIZE, write.data.len() / BLOCK);
            }
            if self.core.write_beside(&batches, check)? {
                return Ok(());
            }
        }
        let mut state = self.core.lock();
        check()?;
        self.append(&mut state, &batches)
    }

    /// A write that does not begin or end with a block: what surrounds it is read and written again.
    fn write_parts(&self, write: &Write<'_>) -> Result<(), Error> {
        let first = write.offset / BLOCK_SIZE;
        let shift = (write.offset % BLOCK_SIZE) as usize;
        let blocks = (shift + write.data.len()).div_ceil(BLOCK);
        if blocks == 0 {
            return Ok(());
        }
        self.warm(first, blocks)?;
        let mut state = self.core.lock();
        self.check(WRITE, write.offset, write.data.len() as u64)?;
        let mut whole = vec![0; blocks * BLOCK];
        let last = blocks - 1;
        for i in [0, last] {
            let view = self.cell.read().view.clone();
            let entries = self.core.entries(&view, first + i as u64, 1)?;
            let block = &mut whole[i * BLOCK..(i + 1) * BLOCK];
            self.core.read_blocks(&entries, block)?;
        }
        whole[shift..shift + write.data.len()].copy_from_slice(write.data);
        let checksums: Vec<Checksum> = whole.chunks_exact(BLOCK).map(Checksum::of).collect();
        let data = [&whole[..]];
        let batch = BatchData {
            image: self.id,
            block: first,
            data: &data,
            checksums: &checksums,
        };
        self.append(&mut state, &[Entry::Data(batch)])
    }

    /// Frees the range: it reads as zeroes afterwards. Durable after the next [`Self::flush`].
    pub fn discard(&self, offset: u64, len: u64) -> Result<(), Error> {
        // Before the parts of blocks at the ends: what is refused changes nothing. And before it is known
        // whether there is anything to change.
        self.check(DISCARD, offset, len)?;
        let end = offset + len;
        let first = offset.div_ceil(BLOCK_SIZE);
        let last = end / BLOCK_SIZE;
        if first > last {
            return self.zero_parts(offset, end);
        }
        self.zero_parts(offset, first * BLOCK_SIZE)?;
        self.zero_parts(last * BLOCK_SIZE, end)?;
        if !self.any(first, last)? {
            return Ok(());
        }
        let mut state = self.core.lock();
        self.check(DISCARD, offset, len)?;
        let entry = Entry::Discard {
            image: self.id,
            block: first,
            blocks: last - first,
        };
        self.append(&mut state, &[entry])
    }

    /// Makes the range read as zeroes; takes no room. Durable after the next [`Self::flush`].
    pub fn write_zeroes(&self, offset: u64, len: u64) -> Result<(), Error> {
        self.discard(offset, len)
    }

    /// Returns once everything acknowledged before the call is durable.
    pub fn flush(&self) -> Result<(), Error> {
        self.core.log.flush()?;
        Ok(())
    }

    /// Starts to write what a flush soon to come must wait for. Promises nothing.
    pub fn begin_flush(&self) {
        self.core.log.begin_flush();
    }

    /// Zeroes a part of one block, where anything is mapped there.
    fn zero_parts(&self, offset: u64, end: u64) -> Result<(), Error> {
        let (first, last) = (offset / BLOCK_SIZE, end.div_ceil(BLOCK_SIZE));
        if offset >= end || !self.any(first, last)? {
            return Ok(());
        }
        let zeroes = [0; BLOCK];
        let data = &zeroes[..((end - offset) as usize).min(BLOCK)];
        self.write_parts(&Write { offset, data })
    }

    /// Whether anything is mapped there. Asked before the lock is held, as it may read the disk: who
    /// writes there at the same time cannot expect an order.
    fn any(&self, first: u64, end: u64) -> Result<bool, Error> {
        let view = self.cell.read().view.clone();
        Ok(self.core.index.next_mapped(&view, first, end)?.is_some())
    }

    /// Has the index in memory for the first and the last of the blocks, so that it need not be read
    /// while the lock is held.
    fn warm(&self, first: u64, blocks: usize) -> Result<(), Error> {
        let view = self.cell.read().view.clone();
        self.core.entries(&view, first, 1)?;
        self.core.entries(&view, first + blocks as u64 - 1, 1)?;
        Ok(())
    }

    /// What must hold while the lock is held, before a record is made.
    fn check(&self, doing: &'static str, offset: u64, len: u64) -> Result<(), Error> {
        let image = self.cell.read();
        check_range(&image, doing, offset, len)?;
        self.core.may_change(&image.meta, doing)
    }

    fn append(&self, state: &mut State, entries: &[Entry<'_>]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let appended = self.core.log.append(entries, None)?;
        self.core
            .applied(state, entries, &appended, None, &mut NoPast)
            .map(drop)
    }
}
