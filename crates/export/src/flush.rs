//! Flushes of one export: one at a time, and each serves all who asked before it began.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::budget::Permit;
use crate::connection::Connection;
use crate::device::Device;
use crate::wire::Tag;

/// Who waits for a flush.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) connection: Arc<Connection>,
    /// The requests that are answered when it is done.
    pub(crate) tags: Vec<Tag>,
    pub(crate) permit: Permit,
}

/// Where those who want a flush gather while another one runs.
#[derive(Debug, Default)]
pub(crate) struct FlushGate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiter>,
    /// [`FlushGate::pass`] runs or is about to.
    busy: bool,
}

impl FlushGate {
    /// Joins those who wait; whether the caller must see to it that [`Self::pass`] is called.
    pub(crate) fn enter(&self, waiter: Waiter) -> bool {
        let mut state = self.state.lock();
        state.waiting.push(waiter);
        !std::mem::replace(&mut state.busy, true)
    }

    /// Flushes once for all who wait; whether others came meanwhile, for whom it must be called again.
    pub(crate) fn pass(&self, device: &dyn Device) -> bool {
        let waiters = std::mem::take(&mut self.state.lock().waiting);
        // Nobody to serve: the clients were dropped before it was their turn.
        if waiters
            .iter()
            .any(|waiter| !waiter.connection.outbox.is_closed())
        {
            let result = crate::pool::guarded(|| device.flush());
            for Waiter {
                connection,
                tags,
                permit,
            } in waiters
            {
                connection.flushed(&tags, result, permit);
            }
        }
        let mut state = self.state.lock();
        state.busy = !state.waiting.is_empty();
        state.busy
    }
}
