//! Structures of `rbd/librbd.h` that only the tool needs, as Ceph 16.2 and later have them.

use std::ffi::{c_char, c_int, c_void};

/// `rbd_completion_t`.
pub(super) type CompletionT = *mut c_void;
/// `rbd_callback_t`.
pub(super) type CallbackFn = unsafe extern "C" fn(CompletionT, *mut c_void);

/// `rbd_image_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct ImageInfoT {
    pub(super) size: u64,
    pub(super) obj_size: u64,
    pub(super) num_objs: u64,
    pub(super) order: c_int,
    pub(super) block_name_prefix: [c_char; 24],
    pub(super) parent_pool: i64,
    pub(super) parent_name: [c_char; 96],
}

/// `rbd_group_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct GroupInfoT {
    pub(super) name: *mut c_char,
    pub(super) pool: i64,
}

/// `rbd_snap_group_namespace_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct SnapGroupT {
    pub(super) pool: i64,
    pub(super) group: *mut c_char,
    pub(super) snap: *mut c_char,
}

/// `rbd_group_image_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct GroupImageT {
    pub(super) name: *mut c_char,
    pub(super) pool: i64,
    pub(super) state: c_int,
}

/// `rbd_group_snap_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct GroupSnapT {
    pub(super) name: *mut c_char,
    pub(super) state: c_int,
}

/// `rbd_image_watcher_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct WatcherT {
    pub(super) addr: *mut c_char,
    pub(super) id: i64,
    pub(super) cookie: u64,
}

/// `RBD_SNAP_NAMESPACE_TYPE_GROUP`.
pub(super) const NAMESPACE_GROUP: c_int = 1;
/// `RBD_SNAP_REMOVE_UNPROTECT | RBD_SNAP_REMOVE_FLATTEN`.
pub(super) const REMOVE_FORCE: u32 = 3;
