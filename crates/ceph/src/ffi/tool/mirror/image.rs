//! How an image is mirrored.

use std::fmt;
use std::ptr;

use super::super::super::shapes::MirrorInfoT;
use super::super::super::text::{of_buffer, taken};
use super::super::open::OpenImage;
use super::super::texts::sized;
use super::super::{Trouble, calls, check};

/// By what the peer follows an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImageMode {
    /// Every write goes through a journal.
    Journal,
    /// Snapshots are copied.
    Snapshot,
}

impl fmt::Display for ImageMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Journal => "journal",
            Self::Snapshot => "snapshot",
        })
    }
}

/// How an image is mirrored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageMirroring {
    /// By what.
    pub mode: ImageMode,
    /// `enabled`, or what is on its way.
    pub state: &'static str,
    /// By what both sites know it.
    pub global_id: String,
    /// Whether it is written here.
    pub primary: bool,
}

/// `RBD_MIRROR_IMAGE_DISABLED`.
const DISABLED: i32 = 2;

impl OpenImage {
    /// How it is mirrored; `None` where it is not.
    pub fn mirroring(&self) -> Result<Option<ImageMirroring>, Trouble> {
        let mut info = MirrorInfoT {
            global_id: ptr::null_mut(),
            state: DISABLED,
            primary: false,
        };
        let (rbd, size) = (self.image.rbd(), size_of::<MirrorInfoT>());
        let call = rbd.rbd_mirror_image_get_info;
        // SAFETY: the image is open, and the structure has the size that is given.
        match check(unsafe { call(self.handle(), &raw mut info, size) }) {
            Ok(_) => {}
            // Said of images that are not mirrored, by some versions.
            Err(Trouble::Errno(libc::ENOENT)) => return Ok(None),
            Err(error) => return Err(error),
        }
        // SAFETY: librbd has put a text there.
        let global_id = unsafe { taken(info.global_id) };
        let (state, primary) = (info.state, info.primary);
        // SAFETY: librbd has filled it, and it is used no more.
        unsafe { (rbd.rbd_mirror_image_get_info_cleanup)(&raw mut info) };
        if state == DISABLED {
            return Ok(None);
        }
        let mut mode = 0;
        // SAFETY: the image is open, and the mode outlives the call.
        check(unsafe { calls::rbd_mirror_image_get_mode()?(self.handle(), &raw mut mode) })?;
        Ok(Some(ImageMirroring {
            mode: if mode == 0 {
                ImageMode::Journal
            } else {
                ImageMode::Snapshot
            },
            state: match state {
                0 => "disabling",
                1 => "enabled",
                3 => "creating",
                _ => "unknown",
            },
            global_id,
            primary,
        }))
    }

    /// Begins to mirror it; nothing happens where it is mirrored so already.
    pub fn enable_mirroring(&self, mode: ImageMode) -> Result<(), Trouble> {
        let mode = match mode {
            ImageMode::Journal => 0,
            ImageMode::Snapshot => 1,
        };
        let call = self.image.rbd().rbd_mirror_image_enable2;
        // SAFETY: the image is open.
        check(unsafe { call(self.handle(), mode) }).map(drop)
    }

    /// Ends to mirror it; with `force` also where it is not primary.
    pub fn disable_mirroring(&self, force: bool) -> Result<(), Trouble> {
        let call = self.image.rbd().rbd_mirror_image_disable;
        // SAFETY: the image is open.
        check(unsafe { call(self.handle(), force) }).map(drop)
    }

    /// Makes it primary; `force` where the former primary is lost.
    pub fn promote(&self, force: bool) -> Result<(), Trouble> {
        Ok(self.image.promote(force)?)
    }

    /// Makes it secondary.
    pub fn demote(&self) -> Result<(), Trouble> {
        Ok(self.image.demote()?)
    }

    /// Has the daemon copy all of it again.
    pub fn resync(&self) -> Result<(), Trouble> {
        Ok(self.image.resync()?)
    }

    /// Takes a mirror snapshot; its id.
    pub fn take_mirror_snapshot(&self) -> Result<u64, Trouble> {
        let (call, mut id) = (calls::rbd_mirror_image_create_snapshot2()?, 0);
        // SAFETY: the image is open, and the id outlives the call.
        check(unsafe { call(self.handle(), 0, &raw mut id) })?;
        Ok(id)
    }

    /// By what the daemon that mirrors it calls itself; `None` where no daemon has it.
    pub fn mirror_instance(&self) -> Result<Option<String>, Trouble> {
        let call = calls::rbd_mirror_image_get_instance_id()?;
        // SAFETY: the image is open, and the buffer has the room that is given.
        match sized(|buffer, room| unsafe { call(self.handle(), buffer, room) }) {
            Ok(id) => Ok(Some(of_buffer(&id))),
            Err(Trouble::Errno(libc::ENOENT)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
