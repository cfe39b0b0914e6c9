//! The snapshots by which an image is mirrored that has no journal.

use super::errno::{Errno, check};
use super::image::Image;
use super::shapes::SnapMirrorT;

impl Image {
    /// Takes a mirror snapshot of a primary: what copies get next.
    pub(crate) fn take_mirror_snap(&self) -> Result<(), Errno> {
        let mut id = 0;
        // SAFETY: the image is open, and the id outlives the call.
        check(unsafe {
            (self.rbd().rbd_mirror_image_create_snapshot2)(self.handle, 0, &raw mut id)
        })
        .map(drop)
    }

    /// Whether all of a mirror snapshot is here.
    pub(crate) fn is_whole_mirror_snap(&self, id: u64) -> Result<bool, Errno> {
        let mut found = SnapMirrorT::EMPTY;
        let size = size_of::<SnapMirrorT>();
        // SAFETY: the image is open, and the structure has the size that is given.
        check(unsafe {
            (self.rbd().rbd_snap_get_mirror_namespace)(self.handle, id, &raw mut found, size)
        })?;
        // SAFETY: librbd has filled it, and nothing that it points to is used.
        unsafe { (self.rbd().rbd_snap_mirror_namespace_cleanup)(&raw mut found, size) };
        Ok(found.complete)
    }

    /// What is read from now on is the snapshot of that number.
    pub(crate) fn look_at_id(&self, id: u64) -> Result<(), Errno> {
        // SAFETY: the image is open.
        check(unsafe { (self.rbd().rbd_snap_set_by_id)(self.handle, id) }).map(drop)
    }
}
