//! A pool of images.

use std::ptr;
use std::sync::Arc;

use super::cluster::Cluster;
use super::errno::{Errno, check};
use super::progress::{Cancel, report};
use super::shapes::{
    ImageSpecT, IoctxT, OPTION_CLONE_FORMAT, OPTION_FEATURES, OPTION_ORDER, OptionsT,
    STAT_PROVISIONED, TRASH_USER, TrashInfoT,
};
use super::tables::{Rados, Rbd};
use super::text::{given, taken};

/// A pool of a cluster.
pub(crate) struct Pool {
    handle: IoctxT,
    cluster: Arc<Cluster>,
}

// SAFETY: librbd and librados make a context of their own of it for each call, under locks.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

/// An image of the pool's directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// librbd's own id, which no other image of the pool ever has.
    pub(crate) id: String,
    /// Its name now.
    pub(crate) name: String,
}

/// An image in the trash that somebody put there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trashed {
    /// librbd's own id.
    pub(crate) id: String,
    /// The name that it had.
    pub(crate) name: String,
    /// From when on it may be removed, in seconds of the system's clock.
    pub(crate) until: i64,
}

/// Options of an image that is made; given back when dropped.
struct Options<'a> {
    handle: OptionsT,
    rbd: &'a Rbd,
}

impl Options<'_> {
    fn set(&self, option: i32, value: u64) -> Result<(), Errno> {
        // SAFETY: the handle is one.
        check(unsafe { (self.rbd.rbd_image_options_set_uint64)(self.handle, option, value) })
            .map(drop)
    }
}

impl Drop for Options<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is one, and nobody uses it any more.
        unsafe { (self.rbd.rbd_image_options_destroy)(self.handle) };
    }
}

impl Pool {
    pub(super) fn new(handle: IoctxT, cluster: Arc<Cluster>) -> Self {
        Self { handle, cluster }
    }

    pub(super) fn handle(&self) -> IoctxT {
        self.handle
    }

    pub(super) fn rados(&self) -> &'static Rados {
        &self.cluster.library.rados
    }

    pub(super) fn rbd(&self) -> &'static Rbd {
        &self.cluster.library.rbd
    }

    fn options(&self, features: Option<u64>, order: u64) -> Result<Options<'static>, Errno> {
        let rbd = self.rbd();
        let mut handle = ptr::null_mut();
        // SAFETY: the handle is written before it is read.
        unsafe { (rbd.rbd_image_options_create)(&raw mut handle) };
        let options = Options { handle, rbd };
        options.set(OPTION_ORDER, order)?;
        if let Some(features) = features {
            options.set(OPTION_FEATURES, features)?;
        }
        Ok(options)
    }

    /// Makes an image of so many bytes, in objects of `1 << order` bytes.
    pub(crate) fn create(&self, name: &str, size: u64, order: u64) -> Result<(), Errno> {
        let (options, name) = (self.options(None, order)?, given(name)?);
        // SAFETY: pool and options are handles, and the name ends with a zero.
        check(unsafe { (self.rbd().rbd_create4)(self.handle, name.as_ptr(), size, options.handle) })
            .map(drop)
    }

    /// Makes a clone of a snapshot that need not be protected.
    pub(crate) fn clone_of(
        &self,
        (parent, snapshot): (&str, &str),
        name: &str,
        features: u64,
        order: u64,
    ) -> Result<(), Errno> {
        let options = self.options(Some(features), order)?;
        options.set(OPTION_CLONE_FORMAT, 2)?;
        let (parent, snapshot, name) = (given(parent)?, given(snapshot)?, given(name)?);
        // SAFETY: pool and options are handles, and the names end with zeroes.
        check(unsafe {
            (self.rbd().rbd_clone3)(
                self.handle,
                parent.as_ptr(),
                snapshot.as_ptr(),
                self.handle,
                name.as_ptr(),
                options.handle,
            )
        })
        .map(drop)
    }

    /// Gives an image another name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let (from, to) = (given(from)?, given(to)?);
        // SAFETY: the pool is a handle, and the names end with zeroes.
        check(unsafe { (self.rbd().rbd_rename)(self.handle, from.as_ptr(), to.as_ptr()) }).map(drop)
    }

    /// Removes an image with all its objects.
    pub(crate) fn remove(&self, name: &str, cancel: &Cancel) -> Result<(), Errno> {
        let name = given(name)?;
        // SAFETY: the pool is a handle, the name ends with a zero, and `cancel` outlives the call.
        check(unsafe {
            (self.rbd().rbd_remove_with_progress)(
                self.handle,
                name.as_ptr(),
                report,
                cancel.argument(),
            )
        })
        .map(drop)
    }

    /// Puts an image into the trash, for at least so many seconds.
    pub(crate) fn discard(&self, name: &str, seconds: u64) -> Result<(), Errno> {
        let name = given(name)?;
        // SAFETY: the pool is a handle, and the name ends with a zero.
        check(unsafe { (self.rbd().rbd_trash_move)(self.handle, name.as_ptr(), seconds) }).map(drop)
    }

    /// Removes what is in the trash, once its time is over.
    pub(crate) fn forget(&self, id: &str, cancel: &Cancel) -> Result<(), Errno> {
        let id = given(id)?;
        // SAFETY: the pool is a handle, the id ends with a zero, and `cancel` outlives the call.
        check(unsafe {
            (self.rbd().rbd_trash_remove_with_progress)(
                self.handle,
                id.as_ptr(),
                false,
                report,
                cancel.argument(),
            )
        })
        .map(drop)
    }

    /// The images.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let rbd = self.rbd();
        let none = ImageSpecT {
            id: ptr::null_mut(),
            name: ptr::null_mut(),
        };
        let read = |buffer: *mut ImageSpecT, len: &mut usize| {
            // SAFETY: the buffer has room for as many as `len` says.
            unsafe { (rbd.rbd_list2)(self.handle, buffer, len) }
        };
        let mut all = listed(none, read)?;
        let taken = all.iter().map(|entry| Entry {
            // SAFETY: librbd has put texts there.
            id: unsafe { taken(entry.id) },
            // SAFETY: as above.
            name: unsafe { taken(entry.name) },
        });
        let taken = taken.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_image_spec_list_cleanup)(all.as_mut_ptr(), all.len()) };
        Ok(taken)
    }

    /// What users have put into the trash.
    pub(crate) fn trash(&self) -> Result<Vec<Trashed>, Errno> {
        let rbd = self.rbd();
        let none = TrashInfoT {
            id: ptr::null_mut(),
            name: ptr::null_mut(),
            source: 0,
            deletion_time: 0,
            deferment_end_time: 0,
        };
        let read = |buffer: *mut TrashInfoT, len: &mut usize| {
            // SAFETY: the buffer has room for as many as `len` says.
            unsafe { (rbd.rbd_trash_list)(self.handle, buffer, len) }
        };
        let mut all = listed(none, read)?;
        let users = all.iter().filter(|entry| entry.source == TRASH_USER);
        let taken = users.map(|entry| Trashed {
            // SAFETY: librbd has put texts there.
            id: unsafe { taken(entry.id) },
            // SAFETY: as above.
            name: unsafe { taken(entry.name) },
            until: entry.deferment_end_time,
        });
        let taken = taken.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_trash_list_cleanup)(all.as_mut_ptr(), all.len()) };
        Ok(taken)
    }

    /// The sum of the sizes of all images.
    pub(crate) fn provisioned(&self) -> Result<u64, Errno> {
        let rbd = self.rbd();
        let (mut stats, mut bytes) = (ptr::null_mut(), 0_u64);
        // SAFETY: the handle is written before it is read, `bytes` outlives it, and it is destroyed once.
        unsafe {
            (rbd.rbd_pool_stats_create)(&raw mut stats);
            let added =
                (rbd.rbd_pool_stats_option_add_uint64)(stats, STAT_PROVISIONED, &raw mut bytes);
            let code = if added < 0 {
                added
            } else {
                (rbd.rbd_pool_stats_get)(self.handle, stats)
            };
            (rbd.rbd_pool_stats_destroy)(stats);
            check(code)?;
        }
        Ok(bytes)
    }

    /// Whether images of the pool can be mirrored.
    pub(crate) fn mirrors(&self) -> Result<bool, Errno> {
        let mut mode = 0;
        // SAFETY: the pool is a handle, and the mode outlives the call.
        check(unsafe { (self.rbd().rbd_mirror_mode_get)(self.handle, &raw mut mode) })?;
        Ok(mode != 0)
    }
}

/// Calls `read` with more room until all fits. Where it does not, `read` says how much does.
pub(super) fn listed<T: Copy>(
    none: T,
    mut read: impl FnMut(*mut T, &mut usize) -> i32,
) -> Result<Vec<T>, Errno> {
    let mut room = 64;
    loop {
        let mut buffer = vec![none; room];
        let mut len = room;
        match check(read(buffer.as_mut_ptr(), &mut len)) {
            Ok(_) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(Errno(libc::ERANGE)) => room = len.max(room * 2),
            Err(error) => return Err(error),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: images have contexts of their own; nobody uses this handle any more.
        unsafe { (self.rados().rados_ioctx_destroy)(self.handle) };
    }
}
