//! What the libraries return.

use std::ffi::c_int;
use std::fmt;

/// A failed call, as the number of `errno.h` that it returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Errno(pub(crate) i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0))
    }
}

/// `Err` for a number below zero.
pub(super) fn check(code: c_int) -> Result<c_int, Errno> {
    if code < 0 {
        Err(Errno(code.saturating_neg()))
    } else {
        Ok(code)
    }
}

/// The same of what counts bytes.
pub(super) fn check_len(code: isize) -> Result<usize, Errno> {
    usize::try_from(code).map_err(|_| Errno(i32::try_from(-code).unwrap_or(libc::EIO)))
}
