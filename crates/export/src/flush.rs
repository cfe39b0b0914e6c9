//! Flushes of one export: one at a time, and each serves all who asked before it began. Where others must have what
//! they cover as well, any number of them waits for that, and no thread does.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::budget::Permit;
use crate::connection::Connection;
use crate::device::{Device, DeviceError, Flushed};
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
    /// Flushes that are done here and not elsewhere.
    held: Vec<Arc<Held>>,
    /// Nobody is to be answered any more.
    ended: bool,
}

/// Who waits until others have what a flush covers.
#[derive(Debug)]
struct Held(Mutex<Vec<Waiter>>);

impl Flushed for Held {
    fn answer(&self, result: Result<(), DeviceError>) {
        answer(std::mem::take(&mut *self.0.lock()), result);
    }
}

fn answer(waiters: Vec<Waiter>, result: Result<(), DeviceError>) {
    for Waiter {
        connection,
        tags,
        permit,
    } in waiters
    {
        connection.flushed(&tags, result, permit);
    }
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
            match crate::pool::guarded(|| device.flush()) {
                Ok(()) if device.is_synchronous() => self.hold(waiters, device),
                result => answer(waiters, result),
            }
        }
        let mut state = self.state.lock();
        state.busy = !state.waiting.is_empty();
        state.busy
    }

    /// Leaves it to the device when these are answered.
    fn hold(&self, mut waiters: Vec<Waiter>, device: &dyn Device) {
        let held = {
            let mut state = self.state.lock();
            state.held.retain(|held| !held.0.lock().is_empty());
            // Whoever closes a connection forgets its waiters behind that, under this lock: none is left.
            waiters.retain(|waiter| !waiter.connection.outbox.is_closed());
            if state.ended || waiters.is_empty() {
                return;
            }
            let held = Arc::new(Held(Mutex::new(waiters)));
            state.held.push(Arc::clone(&held));
            held
        };
        let flushed: Weak<dyn Flushed> = Arc::downgrade(&held) as Weak<dyn Flushed>;
        device.hold_flush(flushed);
    }

    /// Lets go of what a connection, which is closed, waits for elsewhere.
    pub(crate) fn forget(&self, connection: &Arc<Connection>) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        for held in &state.held {
            let mut waiters = held.0.lock();
            gone.extend(
                waiters.extract_if(.., |waiter| Arc::ptr_eq(&waiter.connection, connection)),
            );
        }
        state.held.retain(|held| !held.0.lock().is_empty());
        drop(state);
        // What they hold of a budget comes back outside of the locks.
        drop(gone);
    }

    /// Nobody who waits for others is answered any more.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        let held = std::mem::take(&mut state.held);
        drop(state);
        for held in held {
            let gone = std::mem::take(&mut *held.0.lock());
            drop(gone);
        }
    }
}
