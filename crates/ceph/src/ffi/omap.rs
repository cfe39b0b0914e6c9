//! Keys and values that an object of a pool keeps.

use std::collections::BTreeMap;
use std::ptr;

use super::errno::{Errno, check};
use super::pool::Pool;
use super::text::given;

/// The most keys that are read at once.
const AT_ONCE: u64 = 1000;

impl Pool {
    /// Writes one key of an object, which is made where it is not there.
    pub(crate) fn set_key(&self, object: &str, key: &str, value: &[u8]) -> Result<(), Errno> {
        let (object, rados) = (given(object)?, self.rados());
        let (keys, values) = ([key.as_ptr().cast()], [value.as_ptr().cast()]);
        let (key_lens, value_lens) = ([key.len()], [value.len()]);
        // SAFETY: the operation is released below; keys and values outlive it and have the lengths given.
        unsafe {
            let write = (rados.rados_create_write_op)();
            (rados.rados_write_op_omap_set2)(
                write,
                keys.as_ptr(),
                values.as_ptr(),
                key_lens.as_ptr(),
                value_lens.as_ptr(),
                1,
            );
            let code = (rados.rados_write_op_operate)(
                write,
                self.handle(),
                object.as_ptr(),
                ptr::null_mut(),
                0,
            );
            (rados.rados_release_write_op)(write);
            check(code).map(drop)
        }
    }

    /// Removes one key of an object; none is no error.
    pub(crate) fn remove_key(&self, object: &str, key: &str) -> Result<(), Errno> {
        let (object, rados) = (given(object)?, self.rados());
        let (keys, lens) = ([key.as_ptr().cast()], [key.len()]);
        // SAFETY: the operation is released below; the key outlives it and has the length given.
        let code = unsafe {
            let write = (rados.rados_create_write_op)();
            (rados.rados_write_op_omap_rm_keys2)(write, keys.as_ptr(), lens.as_ptr(), 1);
            let code = (rados.rados_write_op_operate)(
                write,
                self.handle(),
                object.as_ptr(),
                ptr::null_mut(),
                0,
            );
            (rados.rados_release_write_op)(write);
            code
        };
        match check(code) {
            Ok(_) | Err(Errno(libc::ENOENT)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All keys of an object that begin so; none where there is no such object.
    pub(crate) fn keys(
        &self,
        object: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, Errno> {
        let mut all = BTreeMap::new();
        let mut after = String::new();
        loop {
            let more = self.some_keys(object, prefix, &after, &mut all)?;
            match all.last_key_value() {
                Some((last, _)) if more => after.clone_from(last),
                Some(_) | None => return Ok(all),
            }
        }
    }

    /// Adds some more; whether there are others.
    fn some_keys(
        &self,
        object: &str,
        prefix: &str,
        after: &str,
        all: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<bool, Errno> {
        let (object, prefix, after) = (given(object)?, given(prefix)?, given(after)?);
        let rados = self.rados();
        let (mut found, mut more, mut said) = (ptr::null_mut(), 0_u8, 0);
        // SAFETY: the operation is released below, and what it writes to outlives it.
        let code = unsafe {
            let read = (rados.rados_create_read_op)();
            (rados.rados_read_op_omap_get_vals2)(
                read,
                after.as_ptr(),
                prefix.as_ptr(),
                AT_ONCE,
                &raw mut found,
                &raw mut more,
                &raw mut said,
            );
            let code = (rados.rados_read_op_operate)(read, self.handle(), object.as_ptr(), 0);
            (rados.rados_release_read_op)(read);
            code
        };
        if !found.is_null() && code >= 0 && said >= 0 {
            self.take(found, all)?;
        }
        if !found.is_null() {
            // SAFETY: it is an iterator of librados, and nobody uses it any more.
            unsafe { (rados.rados_omap_get_end)(found) };
        }
        match check(code).and_then(|_| check(said)) {
            Ok(_) => Ok(more != 0),
            Err(Errno(libc::ENOENT)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take(
        &self,
        found: *mut std::ffi::c_void,
        all: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), Errno> {
        loop {
            let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
            let (mut key_len, mut value_len) = (0, 0);
            // SAFETY: the iterator is one, and the four places are written before they are read.
            check(unsafe {
                (self.rados().rados_omap_get_next2)(
                    found,
                    &raw mut key,
                    &raw mut value,
                    &raw mut key_len,
                    &raw mut value_len,
                )
            })?;
            if key.is_null() {
                return Ok(());
            }
            // SAFETY: the iterator keeps so many bytes there until it is ended.
            let key = unsafe { std::slice::from_raw_parts(key.cast::<u8>(), key_len) };
            let value = if value.is_null() || value_len == 0 {
                Vec::new()
            } else {
                // SAFETY: as above.
                unsafe { std::slice::from_raw_parts(value.cast::<u8>(), value_len) }.to_vec()
            };
            all.insert(String::from_utf8_lossy(key).into_owned(), value);
        }
    }
}
