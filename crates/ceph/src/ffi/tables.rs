//! The functions that are called, with the prototypes of Ceph's headers.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use super::load::{Library, Missing};
use super::shapes::{
    DiffFn, GlobalStatusT, ImageSpecT, ImageT, IoctxT, LinkedImageT, MirrorInfoT, OptionsT,
    PeerSiteT, ProgressFn, RadosT, SnapInfoT, SnapMirrorT, SnapSpecT, TrashInfoT,
};

macro_rules! table {
    ($(#[$doc:meta])* $table:ident, $file:literal, $package:literal;
     always { $($name:ident($($arg:ty),*) $(-> $ret:ty)?;)* }
     newer { $($newer:ident($($newer_arg:ty),*) $(-> $newer_ret:ty)?;)* }) => {
        $(#[$doc])*
        #[expect(clippy::struct_field_names, reason = "they are the library's")]
        pub(super) struct $table {
            $(pub(super) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
            $(pub(super) $newer: Option<unsafe extern "C" fn($($newer_arg),*) $(-> $newer_ret)?>,)*
        }

        impl $table {
            fn load() -> Result<Self, Missing> {
                let library = Library::open($file, $package)?;
                Ok(Self {
                    // SAFETY: the prototype is that of the library's header, which is stable.
                    $($name: unsafe { library.required(symbol(concat!(stringify!($name), "\0")))? },)*
                    // SAFETY: the prototype is that of the library's header, which is stable.
                    $($newer: unsafe { library.optional(symbol(concat!(stringify!($newer), "\0"))) },)*
                })
            }
        }
    };
}

fn symbol(name: &'static str) -> &'static CStr {
    CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or_default()
}

type Text = *const c_char;
type Buffer = *mut c_char;

table! {
    /// librados.
    Rados, c"librados.so.2", "librados2";
    always {
    rados_create2(*mut RadosT, Text, Text, u64) -> c_int;
    rados_conf_read_file(RadosT, Text) -> c_int;
    rados_conf_set(RadosT, Text, Text) -> c_int;
    rados_connect(RadosT) -> c_int;
    rados_shutdown(RadosT);
    rados_cluster_fsid(RadosT, Buffer, usize) -> c_int;
    rados_getaddrs(RadosT, *mut Buffer) -> c_int;
    rados_blocklist_add(RadosT, Text, u32) -> c_int;
    rados_ioctx_create(RadosT, Text, *mut IoctxT) -> c_int;
    rados_ioctx_destroy(IoctxT);
    rados_mon_command(
        RadosT, *const Text, usize, Text, usize, *mut Buffer, *mut usize, *mut Buffer, *mut usize
    ) -> c_int;
    rados_buffer_free(Buffer);
    rados_create_write_op() -> *mut c_void;
    rados_release_write_op(*mut c_void);
    rados_write_op_omap_set2(
        *mut c_void, *const Text, *const Text, *const usize, *const usize, usize
    );
    rados_write_op_omap_rm_keys2(*mut c_void, *const Text, *const usize, usize);
    rados_write_op_operate(*mut c_void, IoctxT, Text, *mut libc::time_t, c_int) -> c_int;
    rados_create_read_op() -> *mut c_void;
    rados_release_read_op(*mut c_void);
    rados_read_op_omap_get_vals2(
        *mut c_void, Text, Text, u64, *mut *mut c_void, *mut u8, *mut c_int
    );
    rados_read_op_operate(*mut c_void, IoctxT, Text, c_int) -> c_int;
    rados_omap_get_next2(
        *mut c_void, *mut Buffer, *mut Buffer, *mut usize, *mut usize
    ) -> c_int;
    rados_omap_get_end(*mut c_void);
    }
    newer {}
}

table! {
    /// librbd.
    Rbd, c"librbd.so.1", "librbd1";
    always {
    rbd_list2(IoctxT, *mut ImageSpecT, *mut usize) -> c_int;
    rbd_image_spec_list_cleanup(*mut ImageSpecT, usize);
    rbd_image_options_create(*mut OptionsT);
    rbd_image_options_destroy(OptionsT);
    rbd_image_options_set_uint64(OptionsT, c_int, u64) -> c_int;
    rbd_create4(IoctxT, Text, u64, OptionsT) -> c_int;
    rbd_clone3(IoctxT, Text, Text, IoctxT, Text, OptionsT) -> c_int;
    rbd_open(IoctxT, Text, *mut ImageT, Text) -> c_int;
    rbd_open_read_only(IoctxT, Text, *mut ImageT, Text) -> c_int;
    rbd_close(ImageT) -> c_int;
    rbd_get_id(ImageT, Buffer, usize) -> c_int;
    rbd_get_size(ImageT, *mut u64) -> c_int;
    rbd_get_features(ImageT, *mut u64) -> c_int;
    rbd_update_features(ImageT, u64, u8) -> c_int;
    rbd_resize2(ImageT, u64, bool, ProgressFn, *mut c_void) -> c_int;
    rbd_rename(IoctxT, Text, Text) -> c_int;
    rbd_remove_with_progress(IoctxT, Text, ProgressFn, *mut c_void) -> c_int;
    rbd_lock_get_owners(ImageT, *mut c_int, *mut Buffer, *mut usize) -> c_int;
    rbd_lock_get_owners_cleanup(*mut Buffer, usize);
    rbd_lock_break(ImageT, c_int, Text) -> c_int;
    rbd_metadata_get(ImageT, Text, Buffer, *mut usize) -> c_int;
    rbd_metadata_set(ImageT, Text, Text) -> c_int;
    rbd_metadata_remove(ImageT, Text) -> c_int;
    rbd_snap_create(ImageT, Text) -> c_int;
    rbd_snap_remove(ImageT, Text) -> c_int;
    rbd_snap_rollback_with_progress(ImageT, Text, ProgressFn, *mut c_void) -> c_int;
    rbd_snap_unprotect(ImageT, Text) -> c_int;
    rbd_snap_is_protected(ImageT, Text, *mut c_int) -> c_int;
    rbd_snap_list(ImageT, *mut SnapInfoT, *mut c_int) -> c_int;
    rbd_snap_list_end(*mut SnapInfoT);
    rbd_snap_get_namespace_type(ImageT, u64, *mut c_int) -> c_int;
    rbd_snap_set(ImageT, Text) -> c_int;
    rbd_snap_set_by_id(ImageT, u64) -> c_int;
    rbd_snap_get_mirror_namespace(ImageT, u64, *mut SnapMirrorT, usize) -> c_int;
    rbd_snap_mirror_namespace_cleanup(*mut SnapMirrorT, usize) -> c_int;
    rbd_flatten_with_progress(ImageT, ProgressFn, *mut c_void) -> c_int;
    rbd_list_children3(ImageT, *mut LinkedImageT, *mut usize) -> c_int;
    rbd_linked_image_spec_list_cleanup(*mut LinkedImageT, usize);
    rbd_linked_image_spec_cleanup(*mut LinkedImageT);
    rbd_snap_spec_cleanup(*mut SnapSpecT);
    rbd_get_parent(ImageT, *mut LinkedImageT, *mut SnapSpecT) -> c_int;
    rbd_read2(ImageT, u64, usize, Buffer, c_int) -> isize;
    rbd_write2(ImageT, u64, usize, Text, c_int) -> isize;
    rbd_write_zeroes(ImageT, u64, usize, c_int, c_int) -> isize;
    rbd_flush(ImageT) -> c_int;
    rbd_diff_iterate2(ImageT, Text, u64, u64, u8, u8, DiffFn, *mut c_void) -> c_int;
    rbd_trash_move(IoctxT, Text, u64) -> c_int;
    rbd_trash_list(IoctxT, *mut TrashInfoT, *mut usize) -> c_int;
    rbd_trash_list_cleanup(*mut TrashInfoT, usize);
    rbd_trash_remove_with_progress(IoctxT, Text, bool, ProgressFn, *mut c_void) -> c_int;
    rbd_pool_stats_create(*mut *mut c_void);
    rbd_pool_stats_destroy(*mut c_void);
    rbd_pool_stats_option_add_uint64(*mut c_void, c_int, *mut u64) -> c_int;
    rbd_pool_stats_get(IoctxT, *mut c_void) -> c_int;
    rbd_mirror_mode_get(IoctxT, *mut c_int) -> c_int;
    rbd_mirror_peer_site_list(IoctxT, *mut PeerSiteT, *mut c_int) -> c_int;
    rbd_mirror_peer_site_list_cleanup(*mut PeerSiteT, c_int);
    rbd_mirror_image_enable2(ImageT, c_int) -> c_int;
    rbd_mirror_image_disable(ImageT, bool) -> c_int;
    rbd_mirror_image_promote(ImageT, bool) -> c_int;
    rbd_mirror_image_demote(ImageT) -> c_int;
    rbd_mirror_image_resync(ImageT) -> c_int;
    rbd_mirror_image_create_snapshot2(ImageT, u32, *mut u64) -> c_int;
    rbd_mirror_image_get_info(ImageT, *mut MirrorInfoT, usize) -> c_int;
    rbd_mirror_image_get_global_status(ImageT, *mut GlobalStatusT, usize) -> c_int;
    rbd_mirror_image_get_info_cleanup(*mut MirrorInfoT);
    rbd_mirror_image_global_status_cleanup(*mut GlobalStatusT);
    rbd_mirror_image_global_status_list(
        IoctxT, Text, usize, *mut Buffer, *mut GlobalStatusT, *mut usize
    ) -> c_int;
    rbd_mirror_image_global_status_list_cleanup(*mut Buffer, *mut GlobalStatusT, usize);
    }
    newer {}
}

/// Both libraries.
pub(super) struct Libraries {
    pub(super) rados: Rados,
    pub(super) rbd: Rbd,
}

/// The libraries, loaded the first time that somebody asks.
pub(super) fn libraries() -> Result<&'static Libraries, Missing> {
    static LOADED: OnceLock<Result<Libraries, Missing>> = OnceLock::new();
    let load = || {
        Ok(Libraries {
            rados: Rados::load()?,
            rbd: Rbd::load()?,
        })
    };
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}
