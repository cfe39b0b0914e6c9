//! What the system's cache holds of a file, and when that goes to the disk.

#![expect(unsafe_code, reason = "no safe wrapper has these system calls")]

use std::fs::File;
use std::num::NonZeroU64;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::Advice;

use crate::disk::PAGE;

/// The number of `cachestat`, the same on every machine Linux runs on
/// (<https://man7.org/linux/man-pages/man2/cachestat.2.html>).
const CACHESTAT: libc::c_long = 451;

/// `struct cachestat_range`, in bytes.
#[repr(C)]
struct Range {
    offset: u64,
    len: u64,
}

/// `struct cachestat`, in pages.
#[derive(Default)]
#[repr(C)]
struct Found {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// The system is older than the call.
static UNKNOWN: AtomicBool = AtomicBool::new(false);

/// What the cache has of the range; `None` where the system does not tell.
fn look(file: &File, offset: u64, len: u64) -> Option<Found> {
    if UNKNOWN.load(Ordering::Relaxed) {
        return None;
    }
    let range = Range { offset, len };
    let mut found = Found::default();
    // SAFETY: both pointers are to live memory laid out as the call has it, which it reads and writes
    // before it returns; the descriptor is open as long as `file` is.
    let done = unsafe {
        libc::syscall(
            CACHESTAT,
            file.as_raw_fd(),
            &raw const range,
            &raw mut found,
            0,
        )
    };
    if done != 0 {
        UNKNOWN.store(true, Ordering::Relaxed);
        return None;
    }
    Some(found)
}

/// Whether the cache holds all pages of the range; `false` where the system does not tell.
pub(crate) fn holds(file: &File, offset: u64, len: u64) -> bool {
    let pages = (offset + len).div_ceil(PAGE) - offset / PAGE;
    look(file, offset, len).is_some_and(|found| found.cached >= pages)
}

/// Has the cache let go of the range, if all that it has of it is on the disk: else the system would look for
/// whoever uses it, on every processor. What stays is no matter.
pub(crate) fn give_up(file: &File, offset: u64, len: u64) {
    let is_settled = |found: &Found| found.cached > 0 && found.dirty + found.writeback == 0;
    if look(file, offset, len).as_ref().is_none_or(is_settled) {
        let _ = rustix::fs::fadvise(file, offset, NonZeroU64::new(len), Advice::DontNeed);
    }
}

/// Has the disk begin to write what of the range is in the cache alone, without a wait for it. Nothing of it
/// is durable before a sync, so an error, which would only mean that nothing was begun, is no matter.
pub(crate) fn begin_write_out(file: &File, offset: u64, len: u64) {
    let (offset, len) = (offset.cast_signed(), len.cast_signed());
    // SAFETY: the call takes numbers alone, and the descriptor is open as long as `file` is.
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};

    use super::*;

    #[test]
    fn what_is_on_its_way_to_the_disk_stays_in_the_cache() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 4 * PAGE as usize]).unwrap();
        begin_write_out(&file, 0, 4 * PAGE);
        assert_ne!(holds(&file, 0, 4 * PAGE), UNKNOWN.load(Ordering::Relaxed));
    }

    #[test]
    fn what_is_given_up_is_on_the_disk_alone() {
        const TMPFS: i64 = 0x0102_1994;
        let mut file = tempfile::tempfile().unwrap();
        let is_memory = rustix::fs::fstatfs(&file).unwrap().f_type == TMPFS;
        // Somebody may be looking at a page just then.
        let is_gone = |file: &mut File| {
            file.rewind().unwrap();
            file.write_all(&[7; 4 * PAGE as usize]).unwrap();
            file.sync_all().unwrap();
            give_up(file, 0, 4 * PAGE);
            !holds(file, 0, 4 * PAGE)
        };
        assert!(is_memory || (0..100).any(|_| is_gone(&mut file)));
        file.rewind().unwrap();
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        assert!(is_memory || all == [7; 4 * PAGE as usize]);
    }

    #[test]
    fn what_was_written_a_moment_ago_is_held_and_what_never_was_is_not() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 4 * PAGE as usize]).unwrap();
        let held = holds(&file, 0, 4 * PAGE);
        assert_ne!(held, UNKNOWN.load(Ordering::Relaxed));
        assert_eq!(holds(&file, 100, PAGE), held);
        assert!(!holds(&file, 0, 5 * PAGE));
    }
}
