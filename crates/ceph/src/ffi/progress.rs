//! What long calls are told meanwhile.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Asks a call to give up, and hears of it. librbd looks at it wherever it reports progress.
#[derive(Clone, Debug)]
pub(crate) struct Cancel(Arc<Call>);

#[derive(Debug)]
struct Call {
    asked: AtomicBool,
    heard: Mutex<Instant>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(Call {
            asked: AtomicBool::new(false),
            heard: Mutex::new(Instant::now()),
        }))
    }
}

impl Cancel {
    /// Asks for it.
    pub(crate) fn ask(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// The call lives.
    pub(crate) fn hear(&self) {
        *self.0.heard.lock() = Instant::now();
    }

    /// How long nothing has been heard of the call; at first, since this was made.
    pub(crate) fn silence(&self) -> Duration {
        self.0.heard.lock().elapsed()
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
    cancel.hear();
    if cancel.is_asked() {
        -libc::ECANCELED
    } else {
        0
    }
}
