//! Reading parts of what lies in a row in a file, and nothing of what lies between them, at one go.

#![expect(
    unsafe_code,
    reason = "what is not wanted is read into one place, which no safe slices can say"
)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use crate::disk::PAGE;

/// A part of a row of bytes in a file.
#[derive(Debug)]
pub enum Part<'a> {
    /// Is read into this.
    Into(&'a mut [u8]),
    /// So many bytes are of no use.
    Past(usize),
}

impl Part<'_> {
    /// Its length, in bytes.
    pub const fn len(&self) -> usize {
        match self {
            Self::Into(buffer) => buffer.len(),
            Self::Past(len) => *len,
        }
    }

    /// Whether it has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where bytes of no use go: all to the same place, so that it stays in the processor's cache.
type Nowhere = MaybeUninit<[u8; PAGE as usize]>;

/// The most pieces that one call takes (`IOV_MAX`).
const PIECES_MAX: usize = 1024;

/// Reads the parts from `offset` on as far as that needs no wait for the disk; how many bytes that is. Parts for
/// which one call has no room are left alone.
pub(crate) fn read_cached(file: &File, parts: &mut [Part<'_>], offset: u64) -> io::Result<usize> {
    let mut nowhere = Nowhere::uninit();
    let mut pieces = Vec::with_capacity(parts.len().min(PIECES_MAX));
    for part in parts {
        match part {
            Part::Into(buffer) => pieces.push(libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            }),
            Part::Past(len) => {
                let mut left = *len;
                while left > 0 {
                    let iov_len = left.min(size_of::<Nowhere>());
                    let iov_base = nowhere.as_mut_ptr().cast();
                    pieces.push(libc::iovec { iov_base, iov_len });
                    left -= iov_len;
                }
            }
        }
        if pieces.len() >= PIECES_MAX {
            pieces.truncate(PIECES_MAX);
            break;
        }
    }
    // SAFETY: each piece is memory that lives and is nobody else's until the call returns: one of the buffers, or
    // `nowhere`, within its length, which may be written to several times over and is never read. The descriptor
    // is open as long as `file` is.
    let read = unsafe {
        libc::preadv2(
            file.as_raw_fd(),
            pieces.as_ptr(),
            pieces.len() as libc::c_int,
            offset.cast_signed(),
            libc::RWF_NOWAIT,
        )
    };
    usize::try_from(read).or_else(|_| {
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // A file system without RWF_NOWAIT answers EOPNOTSUPP: then every read may wait.
            Some(libc::EAGAIN | libc::EOPNOTSUPP | libc::EINTR) => Ok(0),
            _ => Err(error),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn parts_get_what_is_theirs() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..60_000u32).map(|i| (i / 7) as u8).collect();
        file.write_all(&content).unwrap();
        let (mut one, mut two, mut three) = ([0; 5000], [0; 1], [0; 300]);
        let mut parts = [
            Part::Into(&mut one),
            Part::Past(10_000),
            Part::Into(&mut two),
            Part::Past(1),
            Part::Into(&mut three),
        ];
        let len: usize = parts.iter().map(Part::len).sum();
        assert_eq!(read_cached(&file, &mut parts, 100).unwrap(), len);
        assert_eq!(one, content[100..5100]);
        assert_eq!(two, content[15_100..15_101]);
        assert_eq!(three, content[15_102..15_402]);
        let mut end = [Part::Past(10), Part::Into(&mut one)];
        assert_eq!(read_cached(&file, &mut end, 59_000).unwrap(), 1000);
        assert_eq!(one[..990], content[59_010..]);
    }

    #[test]
    fn more_parts_than_a_call_takes_are_read_in_part() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 3000]).unwrap();
        let mut bytes = vec![[0u8; 1]; 1500];
        let mut parts: Vec<Part<'_>> = bytes
            .iter_mut()
            .flat_map(|byte| [Part::Into(byte), Part::Past(1)])
            .collect();
        assert_eq!(read_cached(&file, &mut parts, 0).unwrap(), PIECES_MAX);
        assert_eq!(
            bytes.iter().filter(|byte| byte[0] == 7).count(),
            PIECES_MAX / 2
        );
    }
}
