//! The bytes of an image.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::errno::{Errno, check, check_len};
use super::image::Image;
use super::text::given;

/// A range that differs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Difference {
    /// The first byte.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) len: u64,
    /// Whether there is data now.
    pub(crate) exists: bool,
}

unsafe extern "C" fn found(offset: u64, len: usize, exists: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the argument is the list of the call, which nobody else uses meanwhile.
    let all = unsafe { &mut *argument.cast::<Vec<Difference>>() };
    all.push(Difference {
        offset,
        len: len as u64,
        exists: exists != 0,
    });
    0
}

/// How closely differences are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grain {
    /// By what was written.
    Written,
    /// By whole objects, which a map of the image knows without looking at them.
    Objects,
}

impl Image {
    /// Reads as many bytes as `buffer` has; fewer at the image's end.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer has the length that is given.
        check_len(unsafe {
            (self.rbd().rbd_read2)(
                self.handle,
                offset,
                buffer.len(),
                buffer.as_mut_ptr().cast(),
                0,
            )
        })
    }

    /// Writes all of `data`.
    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        // SAFETY: the data has the length that is given.
        let written = check_len(unsafe {
            (self.rbd().rbd_write2)(self.handle, offset, data.len(), data.as_ptr().cast(), 0)
        })?;
        if written == data.len() {
            Ok(())
        } else {
            Err(Errno(libc::EIO))
        }
    }

    /// Makes a range read as zeroes, and frees its whole objects.
    pub(crate) fn zero(&self, offset: u64, len: usize) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check_len(unsafe { (self.rbd().rbd_write_zeroes)(self.handle, offset, len, 0, 0) })
            .map(drop)
    }

    /// Makes durable what was written.
    pub(crate) fn flush(&self) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_flush)(self.handle) }).map(drop)
    }

    /// What of a range has data, or with `since` differs from that snapshot, in order.
    pub(crate) fn differences(
        &self,
        since: Option<&str>,
        (offset, len): (u64, u64),
        grain: Grain,
    ) -> Result<Vec<Difference>, Errno> {
        let since = since.map(given).transpose()?;
        let since = since.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let mut all: Vec<Difference> = Vec::new();
        // SAFETY: the image is open, the name is null or ends with a zero, and `all` outlives the call.
        check(unsafe {
            (self.rbd().rbd_diff_iterate2)(
                self.handle,
                since,
                offset,
                len,
                1,
                u8::from(grain == Grain::Objects),
                found,
                (&raw mut all).cast(),
            )
        })?;
        all.sort_by_key(|difference| difference.offset);
        Ok(all)
    }
}
