//! A folder of files, as the log and the engine see it.
//!
//! Names are relative to the folder and use `/` for folders within it. What a disk promises is what
//! POSIX promises and no more: data is durable once [`DiskFile::sync`] has returned, a new, renamed
//! or removed name once [`Disk::sync_dir`] of its folder has; until then any subset of it may be
//! lost in a crash, a write may be torn at 512 bytes, and the order of unsynced writes means nothing.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::parts::Part;

/// What is written past the cache begins and ends at multiples of this in its file, in bytes.
pub const PAGE: u64 = 4096;

/// How much room the folder's file system has, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DiskSpace {
    /// Size of the file system.
    pub total: u64,
    /// What can still be written to it.
    pub free: u64,
}

/// Keeps other processes out of the folder while it lives.
pub trait DiskLock: Send + Sync {}

/// A folder of files.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new, empty file; fails with `AlreadyExists` where there is one.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing; fails with `NotFound` where there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name, replacing what has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// The names of the files in the folder `dir` (`""` for the top one), sorted, without folders.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Makes the folder `dir` and what is above it; no error where it exists.
    fn create_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Locks the folder against other processes; fails with `WouldBlock` where another holds it.
    fn lock(&self, name: &str) -> io::Result<Box<dyn DiskLock>>;
    /// The room on the file system.
    fn space(&self) -> io::Result<DiskSpace>;
}

/// One open file. Offsets and lengths are in bytes.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`; `UnexpectedEof` where the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// As [`Self::read_at`], but only as far as that needs no wait for the disk; how many bytes that
    /// is (behind them `buffer` holds nothing of use). The disk may begin to read what is missing, so
    /// that who asks for several places before he waits for the first has the disk read all at once.
    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// As [`Self::read_cached_at`], of parts that lie one behind the other; how many bytes of all of them that
    /// is, those of no use included.
    fn read_cached_parts_at(&self, parts: &mut [Part<'_>], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        for part in parts {
            let len = part.len();
            let read = match part {
                Part::Into(buffer) => self.read_cached_at(buffer, offset + done as u64)?,
                Part::Past(len) => *len,
            };
            done += read;
            if read < len {
                break;
            }
        }
        Ok(done)
    }
    /// As [`Self::read_at`], for much at once: past the system's cache where memory is short and the file
    /// system can do that, unless it is there already or has been read once before. `offset` and the length
    /// are multiples of [`PAGE`].
    fn read_around_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(buffer, offset)
    }
    /// Whether all of the range is in the system's cache; `true` where that is not known.
    fn is_cached(&self, _offset: u64, _len: u64) -> bool {
        true
    }
    /// Writes all of `parts`, one behind the other, from `offset` on.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// As [`Self::write_at`], for much that will hardly be read again soon: past the system's cache where
    /// memory is short and the file system can do that, else with the disk at work at once. `offset` and the sum
    /// of the lengths are multiples of [`PAGE`].
    fn write_around_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.write_at(parts, offset)
    }
    /// Makes everything written before durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    /// Starts to write the range to the disk, so that a [`Self::sync`] soon after has less to wait for.
    /// Does not wait, and promises nothing.
    fn begin_sync(&self, _offset: u64, _len: u64) {}
    /// Drops what is cached of the file and has been written, so that the next read asks the disk:
    /// after a failed sync the cache keeps what never got there and takes it for written.
    fn forget_cached(&self) -> io::Result<()>;
    /// Lets the cache drop what it has of the range, as that will hardly be read again: its place in memory is
    /// free at once. What was not written out may stay; promises nothing.
    fn give_up_cached(&self, _offset: u64, _len: u64) {}
    /// Reserves room up to `len`; the file is that long afterwards and reads as zeroes there.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Cuts the file to `len`, or extends it with zeroes.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// The length of the file.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
