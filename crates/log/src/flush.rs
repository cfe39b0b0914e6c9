//! Group commit: one sync serves all that wait for it.

use std::sync::Arc;

use firebrick_edge::DiskFile;
use firebrick_edge::{Condvar, Mutex};
use firebrick_vocabulary::Position;

use crate::error::{Error, ErrorKind};

const DOING: &str = "flush the log";

/// What is durable, and who makes it so.
pub(crate) struct Flusher {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    durable: Position,
    /// Somebody syncs now; what they sync may have been appended before or after one came.
    running: bool,
    poisoned: bool,
}

/// What has to be synced to make everything up to a position durable, oldest first.
pub(crate) struct Unsynced {
    pub(crate) head: Position,
    pub(crate) files: Vec<Arc<dyn DiskFile>>,
}

impl Flusher {
    pub(crate) fn new(durable: Position) -> Self {
        let state = State {
            durable,
            running: false,
            poisoned: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn durable(&self) -> Position {
        self.state.lock().durable
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.state.lock().poisoned
    }

    /// From here on nothing is acknowledged.
    pub(crate) fn poison(&self) {
        self.state.lock().poisoned = true;
        self.changed.notify_all();
    }

    /// Makes everything up to `target` durable. The first to come syncs what `unsynced` says; those
    /// who come meanwhile wait, and the first of them syncs for all others.
    pub(crate) fn flush(
        &self,
        target: Position,
        unsynced: impl FnOnce() -> Unsynced,
    ) -> Result<Position, Error> {
        let mut state = self.state.lock();
        loop {
            if state.poisoned {
                return Err(Error::new(ErrorKind::Poisoned, DOING));
            }
            if state.durable >= target {
                return Ok(state.durable);
            }
            if !state.running {
                break;
            }
            state = self.changed.wait(state);
        }
        state.running = true;
        drop(state);
        let Unsynced { head, files } = unsynced();
        // Older segments first is not needed for correctness, as nothing is durable before the last
        // sync has returned; it lets the disk work in order.
        let synced = files.iter().try_for_each(|file| file.sync());
        let mut state = self.state.lock();
        state.running = false;
        self.changed.notify_all();
        match synced {
            Ok(()) => {
                state.durable = state.durable.max(head);
                Ok(state.durable)
            }
            Err(error) => {
                // After a failed fsync the kernel may have dropped the dirty pages: a second one
                // would succeed without having written anything.
                state.poisoned = true;
                Err(Error::io(DOING, error))
            }
        }
    }
}
