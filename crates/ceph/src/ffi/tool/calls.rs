//! Functions that are looked up when they are called first, with the prototypes of Ceph's headers.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use super::super::load::Library;
use super::super::shapes::{
    ImageT, IoctxT, LinkedImageT, OptionsT, ProgressFn, RadosT, SnapMirrorT, SnapSpecT,
};
use super::Trouble;
use super::shapes::{
    CallbackFn, CompletionT, GroupImageT, GroupInfoT, GroupSnapT, ImageInfoT, SnapGroupT, WatcherT,
};

type Text = *const c_char;
type Buffer = *mut c_char;

/// A library stays loaded until the process ends; one that is not here has no functions.
fn loaded(
    once: &'static OnceLock<Option<Library>>,
    name: &'static CStr,
    package: &'static str,
) -> Option<&'static Library> {
    let library = once.get_or_init(|| Library::open(name, package).ok());
    library.as_ref()
}

fn librbd() -> Option<&'static Library> {
    static ONCE: OnceLock<Option<Library>> = OnceLock::new();
    loaded(&ONCE, c"librbd.so.1", "librbd1")
}

fn librados() -> Option<&'static Library> {
    static ONCE: OnceLock<Option<Library>> = OnceLock::new();
    loaded(&ONCE, c"librados.so.2", "librados2")
}

macro_rules! calls {
    ($library:ident; $($name:ident($($arg:ty),* $(,)?) $(-> $ret:ty)?;)*) => {
        $(
            /// The function of that name.
            pub(in super::super) fn $name()
                -> Result<unsafe extern "C" fn($($arg),*) $(-> $ret)?, Trouble>
            {
                type Call = unsafe extern "C" fn($($arg),*) $(-> $ret)?;
                static FOUND: OnceLock<Option<Call>> = OnceLock::new();
                let look = || {
                    let name = concat!(stringify!($name), "\0").as_bytes();
                    let name = CStr::from_bytes_with_nul(name).ok()?;
                    // SAFETY: the prototype is that of the library's header, which is stable.
                    unsafe { $library()?.optional(name) }
                };
                FOUND.get_or_init(look).ok_or(Trouble::Missing(stringify!($name)))
            }
        )*
    };
}

calls! { librados;
    rados_ioctx_set_namespace(IoctxT, Text);
    rados_pool_reverse_lookup(RadosT, i64, Buffer, usize) -> c_int;
    rados_ioctx_get_id(IoctxT) -> i64;
    rados_mgr_command(
        RadosT, *const Text, usize, Text, usize, *mut Buffer, *mut usize, *mut Buffer, *mut usize
    ) -> c_int;
    rados_stat(IoctxT, Text, *mut u64, *mut libc::time_t) -> c_int;
    rados_read(IoctxT, Text, Buffer, usize, u64) -> c_int;
    rados_exec(IoctxT, Text, Text, Text, Text, usize, Buffer, usize) -> c_int;
    rados_notify2(IoctxT, Text, Text, c_int, u64, *mut Buffer, *mut usize) -> c_int;
}

calls! { librbd;
    rbd_open_by_id(IoctxT, Text, *mut ImageT, Text) -> c_int;
    rbd_open_by_id_read_only(IoctxT, Text, *mut ImageT, Text) -> c_int;
    rbd_image_options_set_string(OptionsT, c_int, Text) -> c_int;
    rbd_stat(ImageT, *mut ImageInfoT, usize) -> c_int;
    rbd_get_old_format(ImageT, *mut u8) -> c_int;
    rbd_get_op_features(ImageT, *mut u64) -> c_int;
    rbd_get_flags(ImageT, *mut u64) -> c_int;
    rbd_get_block_name_prefix(ImageT, Buffer, usize) -> c_int;
    rbd_get_stripe_unit(ImageT, *mut u64) -> c_int;
    rbd_get_stripe_count(ImageT, *mut u64) -> c_int;
    rbd_get_data_pool_id(ImageT) -> i64;
    rbd_get_overlap(ImageT, *mut u64) -> c_int;
    rbd_get_create_timestamp(ImageT, *mut libc::timespec) -> c_int;
    rbd_get_access_timestamp(ImageT, *mut libc::timespec) -> c_int;
    rbd_get_modify_timestamp(ImageT, *mut libc::timespec) -> c_int;
    rbd_get_group(ImageT, *mut GroupInfoT, usize) -> c_int;
    rbd_group_info_cleanup(*mut GroupInfoT, usize) -> c_int;
    rbd_get_parent(ImageT, *mut LinkedImageT, *mut SnapSpecT) -> c_int;
    rbd_linked_image_spec_cleanup(*mut LinkedImageT);
    rbd_snap_spec_cleanup(*mut SnapSpecT);
    rbd_watchers_list(ImageT, *mut WatcherT, *mut usize) -> c_int;
    rbd_watchers_list_cleanup(*mut WatcherT, usize);
    rbd_snap_get_timestamp(ImageT, u64, *mut libc::timespec) -> c_int;
    rbd_snap_get_group_namespace(ImageT, u64, *mut SnapGroupT, usize) -> c_int;
    rbd_snap_group_namespace_cleanup(*mut SnapGroupT, usize) -> c_int;
    rbd_snap_get_trash_namespace(ImageT, u64, Buffer, usize) -> c_int;
    rbd_snap_get_mirror_namespace(ImageT, u64, *mut SnapMirrorT, usize) -> c_int;
    rbd_snap_mirror_namespace_cleanup(*mut SnapMirrorT, usize) -> c_int;
    rbd_snap_set_by_id(ImageT, u64) -> c_int;
    rbd_snap_get_limit(ImageT, *mut u64) -> c_int;
    rbd_snap_set_limit(ImageT, u64) -> c_int;
    rbd_snap_create2(ImageT, Text, u32, ProgressFn, *mut c_void) -> c_int;
    rbd_snap_remove2(ImageT, Text, u32, ProgressFn, *mut c_void) -> c_int;
    rbd_snap_remove_by_id(ImageT, u64) -> c_int;
    rbd_snap_rename(ImageT, Text, Text) -> c_int;
    rbd_snap_protect(ImageT, Text) -> c_int;
    rbd_group_list(IoctxT, Buffer, *mut usize) -> c_int;
    rbd_group_create(IoctxT, Text) -> c_int;
    rbd_group_remove(IoctxT, Text) -> c_int;
    rbd_group_rename(IoctxT, Text, Text) -> c_int;
    rbd_group_image_add(IoctxT, Text, IoctxT, Text) -> c_int;
    rbd_group_image_remove(IoctxT, Text, IoctxT, Text) -> c_int;
    rbd_group_image_list(IoctxT, Text, *mut GroupImageT, usize, *mut usize) -> c_int;
    rbd_group_image_list_cleanup(*mut GroupImageT, usize, usize) -> c_int;
    rbd_group_snap_create(IoctxT, Text, Text) -> c_int;
    rbd_group_snap_remove(IoctxT, Text, Text) -> c_int;
    rbd_group_snap_rename(IoctxT, Text, Text, Text) -> c_int;
    rbd_group_snap_list(IoctxT, Text, *mut GroupSnapT, usize, *mut usize) -> c_int;
    rbd_group_snap_list_cleanup(*mut GroupSnapT, usize, usize) -> c_int;
    rbd_group_snap_rollback_with_progress(
        IoctxT, Text, Text, ProgressFn, *mut c_void
    ) -> c_int;
    rbd_namespace_list(IoctxT, Buffer, *mut usize) -> c_int;
    rbd_namespace_exists(IoctxT, Text, *mut bool) -> c_int;
    rbd_namespace_create(IoctxT, Text) -> c_int;
    rbd_namespace_remove(IoctxT, Text) -> c_int;
    rbd_list_lockers(
        ImageT, *mut c_int, Buffer, *mut usize, Buffer, *mut usize, Buffer, *mut usize, Buffer, *mut usize
    ) -> isize;
    rbd_lock_exclusive(ImageT, Text) -> c_int;
    rbd_lock_shared(ImageT, Text, Text) -> c_int;
    rbd_break_lock(ImageT, Text, Text) -> c_int;
    rbd_metadata_list(ImageT, Text, u64, Buffer, *mut usize, Buffer, *mut usize) -> c_int;
    rbd_trash_remove_with_progress(IoctxT, Text, bool, ProgressFn, *mut c_void) -> c_int;
    rbd_trash_restore(IoctxT, Text, Text) -> c_int;
    rbd_trash_purge_with_progress(IoctxT, libc::time_t, f32, ProgressFn, *mut c_void) -> c_int;
    rbd_mirror_image_get_mode(ImageT, *mut c_int) -> c_int;
    rbd_mirror_image_create_snapshot2(ImageT, u32, *mut u64) -> c_int;
    rbd_mirror_image_get_instance_id(ImageT, Buffer, *mut usize) -> c_int;
    rbd_mirror_image_instance_id_list(
        IoctxT, Text, usize, *mut Buffer, *mut Buffer, *mut usize
    ) -> c_int;
    rbd_mirror_image_instance_id_list_cleanup(*mut Buffer, *mut Buffer, usize);
    rbd_mirror_image_status_summary(IoctxT, *mut c_int, *mut c_int, *mut usize) -> c_int;
    rbd_mirror_mode_set(IoctxT, c_int) -> c_int;
    rbd_mirror_site_name_get(RadosT, Buffer, *mut usize) -> c_int;
    rbd_mirror_site_name_set(RadosT, Text) -> c_int;
    rbd_mirror_peer_bootstrap_create(IoctxT, Buffer, *mut usize) -> c_int;
    rbd_mirror_peer_bootstrap_import(IoctxT, c_int, Text) -> c_int;
    rbd_mirror_peer_site_add(IoctxT, Buffer, usize, c_int, Text, Text) -> c_int;
    rbd_mirror_peer_site_remove(IoctxT, Text) -> c_int;
    rbd_mirror_peer_site_set_name(IoctxT, Text, Text) -> c_int;
    rbd_mirror_peer_site_set_client_name(IoctxT, Text, Text) -> c_int;
    rbd_mirror_peer_site_set_direction(IoctxT, Text, c_int) -> c_int;
    rbd_mirror_peer_site_get_attributes(
        IoctxT, Text, Buffer, *mut usize, Buffer, *mut usize, *mut usize
    ) -> c_int;
    rbd_mirror_peer_site_set_attributes(IoctxT, Text, Text, Text, usize) -> c_int;
    rbd_copy_with_progress3(ImageT, IoctxT, Text, OptionsT, ProgressFn, *mut c_void) -> c_int;
    rbd_deep_copy_with_progress(ImageT, IoctxT, Text, OptionsT, ProgressFn, *mut c_void) -> c_int;
    rbd_aio_create_completion(*mut c_void, CallbackFn, *mut CompletionT) -> c_int;
    rbd_aio_read2(ImageT, u64, usize, Buffer, CompletionT, c_int) -> c_int;
    rbd_aio_write2(ImageT, u64, usize, Text, CompletionT, c_int) -> c_int;
    rbd_aio_get_return_value(CompletionT) -> isize;
    rbd_aio_release(CompletionT);
}

#[cfg(test)]
mod tests {
    use super::*;

    calls! { librbd;
        rbd_of_the_year_2100(ImageT) -> c_int;
    }

    #[test]
    fn a_function_that_is_not_there_is_named() {
        let missing = rbd_of_the_year_2100().err().unwrap();
        assert_eq!(missing, Trouble::Missing("rbd_of_the_year_2100"));
        assert_eq!(missing.errno(), libc::EOPNOTSUPP);
    }
}
