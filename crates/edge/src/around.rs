//! Reading and writing past the system's cache.
//!
//! For each page that goes through its cache, the system has to find memory and later writes it out
//! on its own; past it, the disk takes the data straight from the buffer, which costs a fraction of the
//! time. In turn, places, lengths and the memory itself must be aligned: what is not is copied into a
//! buffer that is.
//!
//! As long as memory is free ([`free::memory`]), finding it is cheap, and what is in it is read again for nothing: then
//! all goes through the cache. So does what is written to places that are there already. Where memory is
//! not free, what is soon read a second time is worth its place: it is read through the cache from then on
//! ([`crate::again`]).

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::locks::Mutex;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::again::{Marks, Turnover};
use crate::cache;
use crate::disk::PAGE;
use crate::free::{self, Memory};

/// How much is copied at once where memory is not aligned, in bytes.
const BOUNCE: usize = 1 << 20;
/// How many buffers for that are kept.
const BOUNCES_MAX: usize = 4;
const ALIGN: usize = PAGE as usize;

/// How much of all files together was read that was not in the cache.
static TURNOVER: Turnover = Turnover::new();

/// A second handle of a file, made when it is needed first.
#[derive(Debug)]
pub(crate) struct Around {
    /// What is known of memory.
    memory: fn() -> Memory,
    handle: OnceLock<Option<File>>,
    /// The file system has refused such a read or write.
    refused: AtomicBool,
    /// What was read a while ago.
    read: Mutex<Marks>,
}

/// Buffers for what is not aligned, which nobody uses at the moment.
static BOUNCES: Mutex<Vec<Aligned>> = Mutex::new(Vec::new());

/// [`BOUNCE`] bytes from the page boundary `start` on.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    fn take() -> Self {
        BOUNCES.lock().pop().unwrap_or_else(|| {
            let bytes = vec![0; BOUNCE + ALIGN];
            let start = bytes.as_ptr().align_offset(ALIGN).min(ALIGN);
            Self { bytes, start }
        })
    }

    fn give_back(self) {
        let mut idle = BOUNCES.lock();
        if idle.len() < BOUNCES_MAX {
            idle.push(self);
        }
    }
}

impl Default for Around {
    fn default() -> Self {
        Self::new(free::memory)
    }
}

impl Around {
    fn new(memory: fn() -> Memory) -> Self {
        Self {
            memory,
            handle: OnceLock::new(),
            refused: AtomicBool::new(false),
            read: Mutex::default(),
        }
    }

    /// Writes all of `parts` from `offset` on; `false` where that is better done through the cache, or the
    /// file system cannot: then nothing or something of it may have been written.
    pub(crate) fn write(
        &self,
        file: &File,
        parts: &[IoSlice<'_>],
        offset: u64,
    ) -> io::Result<bool> {
        let len = parts.iter().map(|part| part.len() as u64).sum();
        // What was in the file before, in a former life of it, has its place in memory still.
        if self.refused.load(Ordering::Relaxed)
            || (self.memory)().is_ample
            || cache::holds(file, offset, len)
        {
            return Ok(false);
        }
        let Some(direct) = self.handle.get_or_init(|| open(file)) else {
            return Ok(false);
        };
        match write_all(direct, parts, offset) {
            Ok(()) => Ok(true),
            Err(error) => self.refused(error),
        }
    }

    /// Fills `buffer` from `offset` on; `false` where that is better done through the cache, or the
    /// file system cannot.
    pub(crate) fn read(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let aligned = buffer.as_ptr().align_offset(ALIGN) == 0
            && buffer.len().is_multiple_of(ALIGN)
            && offset.is_multiple_of(PAGE);
        if !aligned || self.refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let len = buffer.len() as u64;
        if cache::holds(file, offset, len) {
            return Ok(false);
        }
        let memory = (self.memory)();
        let generation = TURNOVER.count(len, memory.room);
        if memory.is_ample || self.read.lock().meet(generation, offset, len) {
            return Ok(false);
        }
        let Some(direct) = self.handle.get_or_init(|| open(file)) else {
            return Ok(false);
        };
        match read_all(direct, buffer, offset) {
            Ok(all) => Ok(all),
            Err(error) => self.refused(error),
        }
    }

    /// Remembers a refusal of the file system; what else is wrong is an error.
    fn refused(&self, error: Errno) -> io::Result<bool> {
        match error {
            Errno::INVAL | Errno::OPNOTSUPP => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            error => Err(error.into()),
        }
    }
}

/// The same file, opened anew: whether a write goes past the cache is a property of the handle.
fn open(file: &File) -> Option<File> {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let flags = OFlags::DIRECT.bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path);
    opened.ok()
}

fn is_aligned(part: &IoSlice<'_>) -> bool {
    part.as_ptr().align_offset(ALIGN) == 0 && part.len().is_multiple_of(ALIGN)
}

fn write_all(direct: &File, parts: &[IoSlice<'_>], offset: u64) -> Result<(), Errno> {
    if let [part] = parts
        && is_aligned(part)
    {
        return write_one(direct, part, offset);
    }
    let mut bounce = Aligned::take();
    let buffer = &mut bounce.bytes[bounce.start..bounce.start + BOUNCE];
    let done = match parts {
        // A frame: its head is short, its data large.
        [head, data]
            if head.len() <= BOUNCE && head.len().is_multiple_of(ALIGN) && is_aligned(data) =>
        {
            buffer[..head.len()].copy_from_slice(head);
            write_two(direct, &buffer[..head.len()], data, offset)
        }
        parts => write_copied(direct, parts, offset, buffer),
    };
    bounce.give_back();
    done
}

/// Writes what is not aligned, through a buffer that is.
fn write_copied(
    direct: &File,
    parts: &[IoSlice<'_>],
    offset: u64,
    buffer: &mut [u8],
) -> Result<(), Errno> {
    let mut at = offset;
    let mut filled = 0;
    for part in parts {
        let mut rest = &part[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BOUNCE - filled));
            buffer[filled..filled + now.len()].copy_from_slice(now);
            filled += now.len();
            rest = later;
            if filled == BOUNCE {
                write_one(direct, buffer, at)?;
                at += BOUNCE as u64;
                filled = 0;
            }
        }
    }
    write_one(direct, &buffer[..filled], at)
}

/// Writes two aligned parts with one call.
fn write_two(direct: &File, one: &[u8], two: &[u8], offset: u64) -> Result<(), Errno> {
    let slices = [IoSlice::new(one), IoSlice::new(two)];
    let done = loop {
        match rustix::io::pwritev(direct, &slices, offset) {
            Err(Errno::INTR) => {}
            done => break done?,
        }
    };
    if let Some(rest) = done.checked_sub(one.len()) {
        return write_one(direct, &two[rest..], offset + done as u64);
    }
    write_one(direct, &one[done..], offset + done as u64)?;
    write_one(direct, two, offset + one.len() as u64)
}

/// `false` where the file ends before: a read through the cache then says so.
fn read_all(direct: &File, buffer: &mut [u8], offset: u64) -> Result<bool, Errno> {
    let mut done = 0;
    while done < buffer.len() {
        match rustix::io::pread(direct, &mut buffer[done..], offset + done as u64) {
            Ok(count) if count > 0 && count.is_multiple_of(ALIGN) => done += count,
            Ok(_) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn write_one(direct: &File, bytes: &[u8], offset: u64) -> Result<(), Errno> {
    let mut done = 0;
    while done < bytes.len() {
        match rustix::io::pwrite(direct, &bytes[done..], offset + done as u64) {
            // A short write ends at the end of the file system's room.
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::again::PART;

    const fn scarce() -> Memory {
        Memory {
            is_ample: false,
            room: u64::MAX,
        }
    }

    const fn ample() -> Memory {
        Memory {
            is_ample: true,
            room: u64::MAX,
        }
    }

    fn written(parts: &[IoSlice<'_>]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = File::create(&path).unwrap();
        let around = Around::new(scarce);
        // Where the file system cannot, there is nothing to be seen.
        if !around.write(&file, parts, PAGE).unwrap() {
            return parts.iter().flat_map(|part| part.to_vec()).collect();
        }
        let mut bytes = Vec::new();
        File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes.split_off(ALIGN)
    }

    #[test]
    fn what_is_not_aligned_arrives_whole() {
        let bytes: Vec<u8> = (0..3 * BOUNCE + ALIGN).map(|n| (n / 7) as u8).collect();
        let (one, two) = bytes.split_at(BOUNCE + 11);
        assert!(written(&[IoSlice::new(one), IoSlice::new(two)]) == bytes);
    }

    #[test]
    fn a_head_and_aligned_data_arrive_whole() {
        let head: Vec<u8> = (0..2 * ALIGN).map(|n| (n / 3) as u8).collect();
        let mut buffer = Aligned::take();
        let start = buffer.start;
        buffer.bytes.fill(9);
        let data = &buffer.bytes[start..start + BOUNCE];
        let all = [&head[..], data].concat();
        assert!(written(&[IoSlice::new(&head), IoSlice::new(data)]) == all);
    }

    #[test]
    fn what_is_aligned_arrives_whole() {
        let mut buffer = Aligned::take();
        let start = buffer.start;
        for (n, byte) in buffer.bytes.iter_mut().enumerate() {
            *byte = (n / 5) as u8;
        }
        let bytes = &buffer.bytes[start..start + BOUNCE];
        assert!(written(&[IoSlice::new(bytes)]) == bytes);
    }

    #[test]
    fn reads_arrive_whole_and_the_second_goes_through_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = File::create_new(dir.path().join("f")).unwrap();
        let bytes: Vec<u8> = (0..3 * PART as usize).map(|n| (n / 9) as u8).collect();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let around = Around::new(scarce);
        let mut buffer = Aligned::take();
        let start = buffer.start;
        let room = &mut buffer.bytes[start..start + PART as usize];
        // Where the file system cannot, or keeps all files in memory, there is nothing to be seen.
        if !around.read(&file, room, 0).unwrap() {
            assert!(!cache::holds(&file, 0, PAGE) || cache::holds(&file, 0, 3 * PART));
            return;
        }
        assert!(*room == bytes[..PART as usize]);
        assert!(around.read(&file, room, PART).unwrap());
        assert!(*room == bytes[PART as usize..2 * PART as usize]);
        assert!(!around.read(&file, room, PART).unwrap());
        // What did not stay in the cache is not worth its place there.
        assert!(around.read(&file, room, PART).unwrap());
        // Neither is there anything behind the end.
        assert!(!around.read(&file, room, 3 * PART).unwrap());
        assert!(!around.read(&file, room, 2 * PART + PAGE).unwrap());
        assert!(!around.read(&file, room, 512).unwrap());
    }

    #[test]
    fn places_in_the_cache_are_used_again() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; PART as usize]).unwrap();
        let around = Around::new(scarce);
        let buffer = Aligned::take();
        let start = buffer.start;
        let part = IoSlice::new(&buffer.bytes[start..start + PART as usize]);
        let held = cache::holds(&file, 0, PART);
        assert_eq!(around.write(&file, &[part], 0).unwrap(), !held);
    }

    #[test]
    fn free_memory_is_filled() {
        let file = tempfile::tempfile().unwrap();
        let around = Around::new(ample);
        let mut buffer = Aligned::take();
        let start = buffer.start;
        let room = &mut buffer.bytes[start..start + PART as usize];
        assert!(!around.write(&file, &[IoSlice::new(room)], 0).unwrap());
        file.set_len(PART).unwrap();
        assert!(!around.read(&file, room, 0).unwrap());
    }
}
