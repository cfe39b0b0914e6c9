//! Texts that go to the libraries and come back.

use std::ffi::{CStr, CString, c_char};

use super::errno::Errno;

/// A text for a call.
pub(super) fn given(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno(libc::EINVAL))
}

/// A text of a structure; empty where there is none.
///
/// # Safety
/// `text` is null or points to bytes that end with a zero.
pub(super) unsafe fn taken(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Up to the first zero.
pub(super) fn of_buffer(buffer: &[u8]) -> String {
    let end = buffer.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&buffer[..end.unwrap_or(buffer.len())]).into_owned()
}
