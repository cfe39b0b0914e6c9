//! What long calls are told meanwhile.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a call to give up. librbd looks at it wherever it reports progress.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for it.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The argument for [`report`]; valid for as long as this lives.
    pub(super) fn argument(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }
}

/// The `librbd_progress_fn_t` of every call: goes on until somebody asked it not to.
pub(super) unsafe extern "C" fn report(_done: u64, _total: u64, argument: *mut c_void) -> c_int {
    // SAFETY: the argument is that of a `Cancel` which outlives the call.
    let cancel = unsafe { &*argument.cast::<Cancel>() };
    if cancel.is_asked() {
        -libc::ECANCELED
    } else {
        0
    }
}
