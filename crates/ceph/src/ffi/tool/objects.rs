//! Objects of a pool below its images.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::ptr;

use super::super::text::given;
use super::open::OpenPool;
use super::{Trouble, calls, check};

/// How long those who watch an object may take to hear of a change, in milliseconds; what the `rbd` tool grants.
const HEARD: u64 = 5000;
/// The most bytes that are read at once.
const PIECE: usize = 8 << 20;

impl OpenPool {
    /// All keys of an object that begin so, with their values; none where there is no such object.
    pub fn object_keys(
        &self,
        object: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        Ok(self.pool.keys(object, prefix)?)
    }

    /// All bytes of an object; `None` where there is none.
    pub fn object(&self, object: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let (stat, read) = (calls::rados_stat()?, calls::rados_read()?);
        let (name, pool) = (given(object)?, self.pool.handle());
        let (mut size, mut time) = (0_u64, 0);
        // SAFETY: the pool is a handle, the name ends with a zero, and what is written outlives the call.
        match check(unsafe { stat(pool, name.as_ptr(), &raw mut size, &raw mut time) }) {
            Ok(_) => {}
            Err(Trouble::Errno(libc::ENOENT)) => return Ok(None),
            Err(error) => return Err(error),
        }
        let size = usize::try_from(size).map_err(|_| Trouble::Errno(libc::EFBIG))?;
        let mut bytes = vec![0_u8; size];
        let mut at = 0;
        while at < size {
            let piece = &mut bytes[at..size.min(at + PIECE)];
            let (to, len) = (piece.as_mut_ptr().cast(), piece.len());
            // SAFETY: the pool is a handle, the name ends with a zero, and the buffer has the length that is given.
            let got = check(unsafe { read(pool, name.as_ptr(), to, len, at as u64) })?;
            let got = usize::try_from(got).unwrap_or(0);
            if got == 0 {
                break;
            }
            at += got;
        }
        // It may have become shorter meanwhile.
        bytes.truncate(at);
        Ok(Some(bytes))
    }

    /// Has the object's own code do something, which answers nothing: a class, a method, and what that takes.
    pub fn execute(
        &self,
        object: &str,
        (class, method): (&str, &str),
        input: &[u8],
    ) -> Result<(), Trouble> {
        let call = calls::rados_exec()?;
        let texts: Result<Vec<CString>, _> =
            [object, class, method].map(given).into_iter().collect();
        let [object, class, method]: [CString; 3] = texts?
            .try_into()
            .map_err(|_| Trouble::Errno(libc::EINVAL))?;
        // SAFETY: the pool is a handle, the texts end with zeroes, the input has the length that is given, and no
        // room is given for an answer.
        check(unsafe {
            call(
                self.pool.handle(),
                object.as_ptr(),
                class.as_ptr(),
                method.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                ptr::null_mut(),
                0,
            )
        })
        .map(drop)
    }

    /// Tells those who watch an object that it has changed, and waits until they have heard it.
    pub fn notify(&self, object: &str) -> Result<(), Trouble> {
        let (call, object) = (calls::rados_notify2()?, given(object)?);
        // SAFETY: the pool is a handle, the name ends with a zero, nothing is said, and no answer is wanted.
        check(unsafe {
            call(
                self.pool.handle(),
                object.as_ptr(),
                c"".as_ptr(),
                0,
                HEARD,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })
        .map(drop)
    }
}
