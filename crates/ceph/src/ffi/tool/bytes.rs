//! The bytes of an image.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::super::bytes::Grain;
use super::super::text::given;
use super::open::OpenImage;
use super::{Trouble, check};

/// A range that has data, or that differs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// The first byte.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
    /// Whether there is data now.
    pub exists: bool,
}

unsafe extern "C" fn add(_offset: u64, len: usize, exists: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the argument is the sum of the call, which nobody else uses meanwhile.
    let sum = unsafe { &mut *argument.cast::<u64>() };
    if exists != 0 {
        *sum = sum.saturating_add(len as u64);
    }
    0
}

impl OpenImage {
    /// Bytes that its own objects take in the state that is set, or with `since` what was written after that
    /// snapshot; what an origin has is not counted. Where `exact` is not wanted whole objects are counted.
    pub fn used(&self, since: Option<&str>, exact: bool) -> Result<u64, Trouble> {
        let since = since.map(given).transpose()?;
        let since = since.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let (size, mut sum) = (self.size()?, 0_u64);
        let (call, sum_at) = (self.image.rbd().rbd_diff_iterate2, (&raw mut sum).cast());
        // SAFETY: the image is open, the name is null or ends with a zero, and the sum outlives the call.
        check(unsafe {
            call(
                self.handle(),
                since,
                0,
                size,
                0,
                u8::from(!exact),
                add,
                sum_at,
            )
        })?;
        Ok(sum)
    }

    /// Reads as many bytes as `buffer` has; fewer at the image's end.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Trouble> {
        Ok(self.image.read(offset, buffer)?)
    }

    /// Writes all of `data`.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), Trouble> {
        Ok(self.image.write(offset, data)?)
    }

    /// Makes a range read as zeroes, and frees its whole objects.
    pub fn zero(&self, offset: u64, len: usize) -> Result<(), Trouble> {
        Ok(self.image.zero(offset, len)?)
    }

    /// Makes durable what was written.
    pub fn flush(&self) -> Result<(), Trouble> {
        Ok(self.image.flush()?)
    }

    /// What of its first `end` bytes has data, or with `since` differs from that snapshot, in order; by whole objects
    /// where that is enough, which a map of the image knows without looking at them.
    pub fn extents(
        &self,
        since: Option<&str>,
        end: u64,
        whole_objects: bool,
    ) -> Result<Vec<Extent>, Trouble> {
        let grain = if whole_objects {
            Grain::Objects
        } else {
            Grain::Written
        };
        let found = self.image.differences(since, (0, end), grain)?;
        let found = found.into_iter().map(|found| Extent {
            offset: found.offset,
            len: found.len,
            exists: found.exists,
        });
        Ok(found.collect())
    }
}
