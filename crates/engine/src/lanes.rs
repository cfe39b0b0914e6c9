//! Large writes go to the disk side by side.
//!
//! Each gets its place in the log under the commit lock, is written without it, and becomes part of
//! the store in the order of the places. Until then nobody sees any of it, so what fails on the way
//! leaves nothing behind. Whoever changes anything else waits until none is on its way: changes see
//! a log that ends where the state does.

use firebrick_edge::{Condvar, MutexGuard};
use firebrick_log::{Entry, Reserved};

use crate::apply::NoPast;
use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::state::State;

/// Who waits for the writes on their way.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    changed: Condvar,
}

/// The large writes on their way; part of the state that the commit lock guards.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// How many have a place in the log.
    on_the_way: u64,
    /// The turn of the next that gets a place.
    next: u64,
    /// Whose turn it is to become part of the store.
    turn: u64,
    /// How many wait until there are none.
    waiting: u32,
    /// One has failed: so do those behind it.
    failed: Option<ErrorKind>,
}

impl Lanes {
    /// Waits until no write is on its way, and lets none begin meanwhile.
    pub(crate) fn settle<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.traffic.on_the_way == 0 {
            return state;
        }
        state.traffic.waiting += 1;
        let under_way = |state: &mut State| state.traffic.on_the_way > 0;
        let mut state = self.changed.wait_while(state, under_way);
        state.traffic.waiting -= 1;
        self.changed.notify_all();
        state
    }

    /// Waits until a write may begin.
    fn enter<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let closed = |state: &mut State| {
            let traffic = &state.traffic;
            traffic.waiting > 0 || traffic.failed.is_some()
        };
        self.changed.wait_while(state, closed)
    }

    fn wait_turn<'a>(&self, state: MutexGuard<'a, State>, turn: u64) -> MutexGuard<'a, State> {
        self.changed
            .wait_while(state, |state| state.traffic.turn != turn)
    }

    fn leave(&self, traffic: &mut Traffic, failed: Option<ErrorKind>) {
        traffic.turn += 1;
        traffic.on_the_way -= 1;
        if failed.is_some() {
            traffic.failed = failed;
        }
        if traffic.on_the_way == 0 {
            traffic.failed = None;
        }
        self.changed.notify_all();
    }
}

impl Core {
    /// Writes data beside other large writes, if `check` allows it under the lock; `false` where they
    /// must be appended alone.
    pub(crate) fn write_beside(
        &self,
        entries: &[Entry<'_>],
        check: impl Fn() -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let mut state = self.lanes.enter(self.state.lock());
        check()?;
        let Some(reserved) = self.log.reserve(entries)? else {
            return Ok(false);
        };
        let turn = state.traffic.next;
        state.traffic.next += 1;
        state.traffic.on_the_way += 1;
        drop(state);
        let filled = self.log.fill(&reserved, entries).map_err(Error::from);
        let mut state = self.lanes.wait_turn(self.state.lock(), turn);
        let done = filled.and_then(|()| match state.traffic.failed {
            None => Ok(()),
            Some(kind) => Err(Error::new(
                kind,
                "write to an image",
                "a write before it failed",
            )),
        });
        let done = self.conclude(&mut state, reserved, entries, done);
        let failed = done.as_ref().err().map(|error| error.kind);
        self.lanes.leave(&mut state.traffic, failed);
        done.map(|()| true)
    }

    fn conclude(
        &self,
        state: &mut State,
        reserved: Reserved,
        entries: &[Entry<'_>],
        written: Result<(), Error>,
    ) -> Result<(), Error> {
        if let Err(error) = written {
            self.log.withdraw(&reserved);
            return Err(error);
        }
        let appended = self.log.publish(reserved)?;
        let applied = self.applied(state, entries, &appended, None, &mut NoPast);
        applied.map(drop)
    }
}
