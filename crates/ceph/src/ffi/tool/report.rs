//! What long calls tell meanwhile.

use std::ffi::{c_int, c_void};

use parking_lot::Mutex;

/// Who is told how far a call is: so much of so much.
pub trait Report: Send {
    /// So much of so much is done; the unit is the call's own.
    fn at(&mut self, done: u64, total: u64);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Report for Quiet {
    fn at(&mut self, _done: u64, _total: u64) {}
}

/// Who is told, as the argument of [`told`]: librbd tells from threads of its own.
pub(super) struct Told<'a>(Mutex<&'a mut dyn Report>);

impl<'a> Told<'a> {
    pub(super) fn new(report: &'a mut dyn Report) -> Self {
        Self(Mutex::new(report))
    }

    /// Valid for as long as this lives.
    pub(super) fn argument(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }
}

/// The `librbd_progress_fn_t` of the tool's calls.
pub(super) unsafe extern "C" fn told(done: u64, total: u64, argument: *mut c_void) -> c_int {
    // SAFETY: the argument is that of a `Told` which outlives the call.
    let told = unsafe { &*argument.cast::<Told<'_>>() };
    told.0.lock().at(done, total);
    0
}
