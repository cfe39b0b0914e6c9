//! Calls that run, and which of them should have ended.
//!
//! The settings of a connection let each request to the cluster fail in time. But librbd waits for good for some of what
//! failed so: where an OSD dies in the middle of a demotion, the thread that made it never returns, nor does any
//! other call of that connection. Nobody can end them, so they are left behind, and others take their places.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The calls that run.
#[derive(Default)]
pub(crate) struct Running(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    next: u64,
    /// By when each should have ended.
    ends: BTreeMap<u64, Instant>,
}

/// One that runs, for as long as this lives.
pub(crate) struct Runs<'a> {
    all: &'a Running,
    number: u64,
}

impl Running {
    /// One begins that may take so long.
    pub(crate) fn begin(&self, within: Duration) -> Runs<'_> {
        let mut calls = self.0.lock();
        let number = calls.next;
        calls.next += 1;
        calls.ends.insert(number, Instant::now() + within);
        Runs { all: self, number }
    }

    /// How many should have ended.
    pub(crate) fn overdue(&self) -> usize {
        let now = Instant::now();
        let calls = self.0.lock();
        calls.ends.values().filter(|end| **end < now).count()
    }
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        self.all.0.lock().ends.remove(&self.number);
    }
}
