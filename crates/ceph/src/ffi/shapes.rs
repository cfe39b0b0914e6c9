//! Structures and numbers of `rados/librados.h` and `rbd/librbd.h`, as Ceph 16.2 and later have them.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// `rados_t`.
pub(super) type RadosT = *mut c_void;
/// `rados_ioctx_t`.
pub(super) type IoctxT = *mut c_void;
/// `rbd_image_t`.
pub(super) type ImageT = *mut c_void;
/// `rbd_image_options_t`.
pub(super) type OptionsT = *mut c_void;
/// `librbd_progress_fn_t`.
pub(super) type ProgressFn = unsafe extern "C" fn(u64, u64, *mut c_void) -> c_int;
/// The callback of `rbd_diff_iterate2`.
pub(super) type DiffFn = unsafe extern "C" fn(u64, usize, c_int, *mut c_void) -> c_int;

/// `rbd_image_spec_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct ImageSpecT {
    pub(super) id: *mut c_char,
    pub(super) name: *mut c_char,
}

/// `rbd_linked_image_spec_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct LinkedImageT {
    pub(super) pool_id: i64,
    pub(super) pool_name: *mut c_char,
    pub(super) pool_namespace: *mut c_char,
    pub(super) image_id: *mut c_char,
    pub(super) image_name: *mut c_char,
    pub(super) trash: bool,
}

/// `rbd_snap_spec_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SnapSpecT {
    pub(super) id: u64,
    pub(super) namespace_type: c_int,
    pub(super) name: *mut c_char,
}

/// `rbd_snap_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SnapInfoT {
    pub(super) id: u64,
    pub(super) size: u64,
    pub(super) name: *const c_char,
}

/// `rbd_trash_image_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct TrashInfoT {
    pub(super) id: *mut c_char,
    pub(super) name: *mut c_char,
    pub(super) source: c_int,
    pub(super) deletion_time: libc::time_t,
    pub(super) deferment_end_time: libc::time_t,
}

/// `rbd_mirror_peer_site_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct PeerSiteT {
    pub(super) uuid: *mut c_char,
    pub(super) direction: c_int,
    pub(super) site_name: *mut c_char,
    pub(super) mirror_uuid: *mut c_char,
    pub(super) client_name: *mut c_char,
    pub(super) last_seen: libc::time_t,
}

/// `rbd_mirror_image_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct MirrorInfoT {
    pub(super) global_id: *mut c_char,
    pub(super) state: c_int,
    pub(super) primary: bool,
}

/// `rbd_mirror_image_site_status_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SiteStatusT {
    pub(super) mirror_uuid: *mut c_char,
    pub(super) state: c_int,
    pub(super) description: *mut c_char,
    pub(super) last_update: libc::time_t,
    pub(super) up: bool,
}

/// `rbd_mirror_image_global_status_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct GlobalStatusT {
    pub(super) name: *mut c_char,
    pub(super) info: MirrorInfoT,
    pub(super) site_statuses_count: u32,
    pub(super) site_statuses: *mut SiteStatusT,
}

/// `rbd_snap_mirror_namespace_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SnapMirrorT {
    pub(super) state: c_int,
    pub(super) mirror_peer_uuids_count: usize,
    pub(super) mirror_peer_uuids: *mut c_char,
    pub(super) complete: bool,
    pub(super) primary_mirror_uuid: *mut c_char,
    pub(super) primary_snap_id: u64,
    pub(super) last_copied_object_number: u64,
}

impl SnapMirrorT {
    /// To be filled by librbd.
    pub(super) const EMPTY: Self = Self {
        state: 0,
        mirror_peer_uuids_count: 0,
        mirror_peer_uuids: ptr::null_mut(),
        complete: false,
        primary_mirror_uuid: ptr::null_mut(),
        primary_snap_id: 0,
        last_copied_object_number: 0,
    };
}

/// `RBD_IMAGE_OPTION_FEATURES`.
pub(super) const OPTION_FEATURES: c_int = 1;
/// `RBD_IMAGE_OPTION_ORDER`.
pub(super) const OPTION_ORDER: c_int = 2;
/// `RBD_IMAGE_OPTION_CLONE_FORMAT`.
pub(super) const OPTION_CLONE_FORMAT: c_int = 12;
/// `RBD_POOL_STAT_OPTION_IMAGE_PROVISIONED_BYTES`.
pub(super) const STAT_PROVISIONED: c_int = 1;
/// `RBD_SNAP_NAMESPACE_TYPE_USER`.
pub(super) const NAMESPACE_USER: c_int = 0;
/// `RBD_SNAP_NAMESPACE_TYPE_TRASH`.
pub(super) const NAMESPACE_TRASH: c_int = 2;
/// `RBD_SNAP_NAMESPACE_TYPE_MIRROR`.
pub(super) const NAMESPACE_MIRROR: c_int = 3;
/// `RBD_MIRROR_IMAGE_DISABLING`.
pub(super) const MIRROR_DISABLING: c_int = 0;
/// `RBD_MIRROR_IMAGE_ENABLED`.
pub(super) const MIRROR_ENABLED: c_int = 1;
/// `RBD_MIRROR_IMAGE_DISABLED`.
pub(super) const MIRROR_DISABLED: c_int = 2;
/// `RBD_TRASH_IMAGE_SOURCE_USER`.
pub(super) const TRASH_USER: c_int = 0;
