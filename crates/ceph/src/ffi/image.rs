//! An open image.

use std::ptr;
use std::sync::Arc;

use super::errno::{Errno, check};
use super::pool::Pool;
use super::progress::{Cancel, report};
use super::shapes::ImageT;
use super::tables::Rbd;
use super::text::{given, of_buffer};

/// How an image is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opening {
    /// To be changed.
    Changing,
    /// To be looked at: nobody is told of it, and what it says is as of now.
    Looking,
}

/// An open image; it keeps the pool open.
pub(crate) struct Image {
    pub(super) handle: ImageT,
    pool: Arc<Pool>,
}

// SAFETY: an image may be used from any thread.
unsafe impl Send for Image {}

impl Image {
    /// Opens the image of that name.
    pub(crate) fn open(pool: &Arc<Pool>, name: &str, how: Opening) -> Result<Self, Errno> {
        let (rbd, name) = (pool.rbd(), given(name)?);
        let mut handle = ptr::null_mut();
        let open = match how {
            Opening::Changing => rbd.rbd_open,
            Opening::Looking => rbd.rbd_open_read_only,
        };
        // SAFETY: the pool is a handle, the name ends with a zero, and no snapshot is asked for.
        check(unsafe { open(pool.handle(), name.as_ptr(), &raw mut handle, ptr::null()) })?;
        let pool = Arc::clone(pool);
        Ok(Self { handle, pool })
    }

    /// One that is open already.
    pub(super) fn opened(handle: ImageT, pool: &Arc<Pool>) -> Self {
        let pool = Arc::clone(pool);
        Self { handle, pool }
    }

    pub(super) fn rbd(&self) -> &'static Rbd {
        self.pool.rbd()
    }

    /// librbd's own id.
    pub(crate) fn id(&self) -> Result<String, Errno> {
        let mut buffer = [0_u8; 256];
        // SAFETY: the buffer has the length that is given.
        check(unsafe {
            (self.rbd().rbd_get_id)(self.handle, buffer.as_mut_ptr().cast(), buffer.len())
        })?;
        Ok(of_buffer(&buffer))
    }

    /// Its size in bytes, of the snapshot where one is set.
    pub(crate) fn size(&self) -> Result<u64, Errno> {
        let mut size = 0;
        // SAFETY: the image is open, and the size outlives the call.
        check(unsafe { (self.rbd().rbd_get_size)(self.handle, &raw mut size) })?;
        Ok(size)
    }

    /// Its features, as bits of [`super::feature`].
    pub(crate) fn features(&self) -> Result<u64, Errno> {
        let mut features = 0;
        // SAFETY: the image is open, and the features outlive the call.
        check(unsafe { (self.rbd().rbd_get_features)(self.handle, &raw mut features) })?;
        Ok(features)
    }

    /// Switches features on or off.
    pub(crate) fn set_features(&self, features: u64, on: bool) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_update_features)(self.handle, features, u8::from(on)) })
            .map(drop)
    }

    /// Makes it that large; smaller only where `shrink` allows it.
    pub(crate) fn resize(&self, size: u64, shrink: bool, cancel: &Cancel) -> Result<(), Errno> {
        // SAFETY: the image is open, and `cancel` outlives the call.
        check(unsafe {
            (self.rbd().rbd_resize2)(self.handle, size, shrink, report, cancel.argument())
        })
        .map(drop)
    }

    /// Takes the exclusive lock from whoever holds it, whom the cluster shuts out; nobody is no error.
    pub(crate) fn break_lock(&self) -> Result<(), Errno> {
        let (mut mode, mut owner, mut count) = (0, ptr::null_mut(), 1);
        // SAFETY: the image is open, and there is room for as many owners as are asked for.
        let found = check(unsafe {
            (self.rbd().rbd_lock_get_owners)(
                self.handle,
                &raw mut mode,
                &raw mut owner,
                &raw mut count,
            )
        });
        let broken = match found {
            Err(Errno(libc::ENOENT)) => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) if owner.is_null() => return Ok(()),
            // SAFETY: the image is open, and librbd has put a text there.
            Ok(_) => check(unsafe { (self.rbd().rbd_lock_break)(self.handle, mode, owner) }),
        };
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { (self.rbd().rbd_lock_get_owners_cleanup)(&raw mut owner, count) };
        match broken {
            Ok(_) | Err(Errno(libc::ENOENT)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A value of its metadata.
    pub(crate) fn note(&self, key: &str) -> Result<Option<String>, Errno> {
        let key = given(key)?;
        let mut room = 4096;
        loop {
            let mut buffer = vec![0_u8; room];
            let mut len = room;
            // SAFETY: the buffer has the length that is given.
            let code = unsafe {
                (self.rbd().rbd_metadata_get)(
                    self.handle,
                    key.as_ptr(),
                    buffer.as_mut_ptr().cast(),
                    &raw mut len,
                )
            };
            match check(code) {
                Ok(_) => return Ok(Some(of_buffer(&buffer))),
                Err(Errno(libc::ENOENT)) => return Ok(None),
                Err(Errno(libc::ERANGE)) => room = len.max(room * 2),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes a value of its metadata, which is mirrored with it.
    pub(crate) fn set_note(&self, key: &str, value: &str) -> Result<(), Errno> {
        let (key, value) = (given(key)?, given(value)?);
        // SAFETY: the image is open, and the texts end with zeroes.
        check(unsafe { (self.rbd().rbd_metadata_set)(self.handle, key.as_ptr(), value.as_ptr()) })
            .map(drop)
    }

    /// Removes a value of its metadata; none is no error.
    pub(crate) fn remove_note(&self, key: &str) -> Result<(), Errno> {
        let key = given(key)?;
        // SAFETY: the image is open, and the text ends with a zero.
        match check(unsafe { (self.rbd().rbd_metadata_remove)(self.handle, key.as_ptr()) }) {
            Ok(_) | Err(Errno(libc::ENOENT)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: the image is open, and nobody uses it any more.
        unsafe { (self.rbd().rbd_close)(self.handle) };
    }
}
