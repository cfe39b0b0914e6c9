//! Calls that run, and which of them should have ended, or told of progress.
//!
//! The settings of a connection let each request to the cluster fail in time. But librbd waits for good for some of what
//! failed so: where an OSD dies in the middle of a demotion, the thread that made it never returns, nor does any
//! other call of that connection. Nobody can end them, so they are left behind, and others take their places.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::ffi::Cancel;

/// The calls that run.
#[derive(Default)]
pub(crate) struct Running(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    next: u64,
    /// How long nothing need be heard of each.
    patience: BTreeMap<u64, (Cancel, Duration)>,
}

/// One that runs, for as long as this lives.
pub(crate) struct Runs<'a> {
    all: &'a Running,
    number: u64,
}

impl Running {
    /// One begins, of which nothing need be heard for so long.
    pub(crate) fn begin(&self, call: &Cancel, within: Duration) -> Runs<'_> {
        let mut calls = self.0.lock();
        let number = calls.next;
        calls.next += 1;
        calls.patience.insert(number, (call.clone(), within));
        Runs { all: self, number }
    }

    /// Of how many nothing was heard for longer.
    pub(crate) fn overdue(&self) -> usize {
        let calls = self.0.lock();
        let all = calls.patience.values();
        all.filter(|(call, within)| call.silence() > *within)
            .count()
    }
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        self.all.0.lock().patience.remove(&self.number);
    }
}
