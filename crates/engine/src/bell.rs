//! Calls who does the background work, where somebody is about to need it.

use std::time::Duration;

use firebrick_edge::{Condvar, Mutex};

/// One waits for it, many may ring it.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waits: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    /// Waits until it is rung, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut waits = self.waits.lock();
        *waits = true;
        let waiting = |waits: &mut bool| *waits;
        let (mut waits, _) = self.rung.wait_while_for(waits, waiting, timeout);
        *waits = false;
    }

    /// Never waits.
    pub(crate) fn ring(&self) {
        if let Some(mut waits) = self.waits.try_lock()
            && std::mem::take(&mut *waits)
        {
            self.rung.notify_all();
        }
    }
}
