//! Texts and times that the libraries write where they are told to.

use std::ffi::c_char;

use super::super::text::of_buffer;
use super::{Trouble, check};

/// The longest text that is taken.
const MOST: usize = 1 << 24;

/// Calls `read` with more room until a text fits.
pub(super) fn text(read: impl Fn(*mut c_char, usize) -> i32) -> Result<String, Trouble> {
    let mut room = 256;
    loop {
        let mut buffer = vec![0_u8; room];
        match check(read(buffer.as_mut_ptr().cast(), room)) {
            Ok(_) => return Ok(of_buffer(&buffer)),
            Err(Trouble::Errno(libc::ERANGE)) if room < MOST => room *= 4,
            Err(error) => return Err(error),
        }
    }
}

/// As [`text`], where the call says how much room it needs.
pub(super) fn sized(read: impl Fn(*mut c_char, &mut usize) -> i32) -> Result<Vec<u8>, Trouble> {
    let mut room = 1024;
    loop {
        // One call ends its texts with a zero more than it says.
        let mut buffer = vec![0_u8; room + 1];
        let mut len = room;
        match check(read(buffer.as_mut_ptr().cast(), &mut len)) {
            Ok(_) => return Ok(buffer),
            Err(Trouble::Errno(libc::ERANGE)) if room < MOST => room = len.max(room * 2),
            Err(error) => return Err(error),
        }
    }
}

/// Texts that end with zeroes, one behind the other; none of them is empty.
pub(super) fn several(bytes: &[u8]) -> Vec<String> {
    let texts = bytes.split(|byte| *byte == 0);
    let texts = texts.filter(|text| !text.is_empty());
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

/// Nanoseconds since the Unix epoch; 0 where the time is not known.
pub(super) fn time(read: impl FnOnce(*mut libc::timespec) -> i32) -> Result<u64, Trouble> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    check(read(&raw mut time))?;
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    Ok(u64::try_from(nanos).unwrap_or(0))
}
