//! Snapshots of an image, and what is cloned of them.

use std::ffi::c_int;
use std::ptr;

use super::errno::{Errno, check};
use super::image::Image;
use super::pool::listed;
use super::progress::{Cancel, report};
use super::shapes::{
    LinkedImageT, NAMESPACE_MIRROR, NAMESPACE_TRASH, NAMESPACE_USER, SnapInfoT, SnapSpecT,
};
use super::text::{given, taken};

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Somebody took it.
    User,
    /// Somebody removed it, but clones need it still.
    Trashed,
    /// The mirroring took it.
    Mirror,
    /// Another one, as those of librbd's groups.
    Other,
}

/// A snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Snap {
    /// Its number in the pool.
    pub(crate) id: u64,
    /// Its name.
    pub(crate) name: String,
    /// The image's size then.
    pub(crate) size: u64,
    /// What it is for.
    pub(crate) kind: Kind,
}

/// Another image that is linked with this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Linked {
    /// Its pool.
    pub(crate) pool: String,
    /// Its name.
    pub(crate) name: String,
    /// librbd's own id of it.
    pub(crate) id: String,
    /// Whether it is in the trash.
    pub(crate) trashed: bool,
}

pub(super) const NO_LINK: LinkedImageT = LinkedImageT {
    pool_id: 0,
    pool_name: ptr::null_mut(),
    pool_namespace: ptr::null_mut(),
    image_id: ptr::null_mut(),
    image_name: ptr::null_mut(),
    trash: false,
};

/// # Safety
/// librbd has put texts there.
unsafe fn linked(found: &LinkedImageT) -> Linked {
    // SAFETY: the caller says so.
    unsafe {
        Linked {
            pool: taken(found.pool_name),
            name: taken(found.image_name),
            id: taken(found.image_id),
            trashed: found.trash,
        }
    }
}

impl Image {
    /// All its snapshots, oldest first.
    pub(crate) fn snaps(&self) -> Result<Vec<Snap>, Errno> {
        let snaps = self.named_snaps()?.into_iter();
        let snaps = snaps.map(|(id, name, size)| {
            let kind = self.kind(id)?;
            Ok(Snap {
                id,
                name,
                size,
                kind,
            })
        });
        snaps.collect()
    }

    /// The number, the name and the size of each snapshot, oldest first.
    pub(super) fn named_snaps(&self) -> Result<Vec<(u64, String, u64)>, Errno> {
        let rbd = self.rbd();
        let none = SnapInfoT {
            id: 0,
            size: 0,
            name: ptr::null(),
        };
        let read = |buffer: *mut SnapInfoT, len: &mut usize| {
            let mut count = i32::try_from(*len).unwrap_or(i32::MAX);
            // SAFETY: the buffer has room for as many as `count` says.
            let code = unsafe { (rbd.rbd_snap_list)(self.handle, buffer, &raw mut count) };
            // Where all fit, the room stays as it is: behind them stands one without a name.
            if code < 0 {
                *len = usize::try_from(count).unwrap_or(0);
            }
            code
        };
        let mut room = listed(none, read)?;
        let named = room.iter().take_while(|snap| !snap.name.is_null());
        // SAFETY: librbd has put texts there.
        let snaps = named.map(|snap| (snap.id, unsafe { taken(snap.name) }, snap.size));
        let mut snaps: Vec<_> = snaps.collect();
        // SAFETY: librbd has filled the list, which ends with one without a name, and it is used no more.
        unsafe { (rbd.rbd_snap_list_end)(room.as_mut_ptr()) };
        snaps.sort_by_key(|(id, ..)| *id);
        Ok(snaps)
    }

    /// What a snapshot is for, as `rbd_snap_namespace_type_t`.
    pub(super) fn kind_number(&self, id: u64) -> Result<c_int, Errno> {
        let mut kind = 0;
        // SAFETY: the image is open, and the kind outlives the call.
        check(unsafe { (self.rbd().rbd_snap_get_namespace_type)(self.handle, id, &raw mut kind) })?;
        Ok(kind)
    }

    fn kind(&self, id: u64) -> Result<Kind, Errno> {
        Ok(match self.kind_number(id)? {
            NAMESPACE_USER => Kind::User,
            NAMESPACE_TRASH => Kind::Trashed,
            NAMESPACE_MIRROR => Kind::Mirror,
            _ => Kind::Other,
        })
    }

    /// Takes a snapshot.
    pub(crate) fn take(&self, name: &str) -> Result<(), Errno> {
        let name = given(name)?;
        // SAFETY: the image is open, and the name ends with a zero.
        check(unsafe { (self.rbd().rbd_snap_create)(self.handle, name.as_ptr()) }).map(drop)
    }

    /// Removes a snapshot; clones of the second format do not hinder that.
    pub(crate) fn remove_snap(&self, name: &str) -> Result<(), Errno> {
        let name = given(name)?;
        // SAFETY: the image is open, and the name ends with a zero.
        check(unsafe { (self.rbd().rbd_snap_remove)(self.handle, name.as_ptr()) }).map(drop)
    }

    /// Whether a snapshot is protected, as clones of the first format need it.
    pub(crate) fn is_protected(&self, name: &str) -> Result<bool, Errno> {
        let (name, mut protected) = (given(name)?, 0);
        // SAFETY: the image is open, the name ends with a zero, and the answer outlives the call.
        check(unsafe {
            (self.rbd().rbd_snap_is_protected)(self.handle, name.as_ptr(), &raw mut protected)
        })?;
        Ok(protected != 0)
    }

    /// Ends that.
    pub(crate) fn unprotect(&self, name: &str) -> Result<(), Errno> {
        let name = given(name)?;
        // SAFETY: the image is open, and the name ends with a zero.
        check(unsafe { (self.rbd().rbd_snap_unprotect)(self.handle, name.as_ptr()) }).map(drop)
    }

    /// Returns it to a snapshot.
    pub(crate) fn roll_back(&self, name: &str, cancel: &Cancel) -> Result<(), Errno> {
        let name = given(name)?;
        // SAFETY: the image is open, the name ends with a zero, and `cancel` outlives the call.
        check(unsafe {
            (self.rbd().rbd_snap_rollback_with_progress)(
                self.handle,
                name.as_ptr(),
                report,
                cancel.argument(),
            )
        })
        .map(drop)
    }

    /// What is read from now on is that snapshot, or without a name the newest state.
    pub(crate) fn look_at(&self, name: Option<&str>) -> Result<(), Errno> {
        let name = name.map(given).transpose()?;
        let text = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        // SAFETY: the image is open, and the name is null or ends with a zero.
        check(unsafe { (self.rbd().rbd_snap_set)(self.handle, text) }).map(drop)
    }

    /// Copies what it shows of its origin, of which it is independent then.
    pub(crate) fn flatten(&self, cancel: &Cancel) -> Result<(), Errno> {
        // SAFETY: the image is open, and `cancel` outlives the call.
        check(unsafe {
            (self.rbd().rbd_flatten_with_progress)(self.handle, report, cancel.argument())
        })
        .map(drop)
    }

    /// The clones of what it shows: of the snapshot that is set, or of all.
    pub(crate) fn children(&self) -> Result<Vec<Linked>, Errno> {
        let rbd = self.rbd();
        let read = |buffer: *mut LinkedImageT, len: &mut usize| {
            // SAFETY: the buffer has room for as many as `len` says.
            unsafe { (rbd.rbd_list_children3)(self.handle, buffer, len) }
        };
        let mut all = listed(NO_LINK, read)?;
        // SAFETY: librbd has put texts there.
        let children = all.iter().map(|found| unsafe { linked(found) });
        let children = children.collect();
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe { (rbd.rbd_linked_image_spec_list_cleanup)(all.as_mut_ptr(), all.len()) };
        Ok(children)
    }

    /// What it is a clone of.
    pub(crate) fn parent(&self) -> Result<Option<Linked>, Errno> {
        let rbd = self.rbd();
        let mut image = NO_LINK;
        let mut snap = SnapSpecT {
            id: 0,
            namespace_type: 0,
            name: ptr::null_mut(),
        };
        // SAFETY: the image is open, and both structures outlive the call.
        match check(unsafe { (rbd.rbd_get_parent)(self.handle, &raw mut image, &raw mut snap) }) {
            Err(Errno(libc::ENOENT)) => return Ok(None),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        // SAFETY: librbd has put texts there.
        let parent = unsafe { linked(&image) };
        // SAFETY: librbd has filled them, and they are used no more.
        unsafe {
            (rbd.rbd_linked_image_spec_cleanup)(&raw mut image);
            (rbd.rbd_snap_spec_cleanup)(&raw mut snap);
        }
        Ok(Some(parent))
    }
}
