//! Limits of a device: its clients wait until their requests fit.
//!
//! Each limit is a level that rises with what is let through and sinks at the limit's rate. A request
//! passes when all levels that concern it have room; one that is larger than that room passes when the
//! level is at zero. So no more passes within any time than the rate times that time and the room (or
//! the largest request). Whoever waits stands in one of two queues, for reads and for writes: a read
//! limit does not hold up writes, and where both wait for a common limit they take turns.

mod bucket;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use firebrick_edge::Clock;
use firebrick_vocabulary::Limits;
use parking_lot::Mutex;

use crate::wire::{CACHE_MAX, Command, Request};
use bucket::Buckets;

/// How long a client that waits may take to see that it is gone.
const SLICE: Duration = Duration::from_millis(100);
/// How long a client waits for another one that may go first and is about to.
const TURN: Duration = Duration::from_millis(1);

/// Which way data goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    const fn other(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }
}

/// What a request costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cost {
    pub(crate) direction: Direction,
    pub(crate) bytes: u64,
}

impl Cost {
    /// `None` where the request is free: it moves and changes nothing. What only changes what is known
    /// about a range is a write of no bytes.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let (direction, bytes) = match request.command {
            _ if request.len == 0 => return None,
            Command::Read => (Direction::Read, request.len),
            Command::Cache => (Direction::Read, request.len.min(CACHE_MAX)),
            Command::Write => (Direction::Write, request.len),
            Command::Trim | Command::WriteZeroes => (Direction::Write, 0),
            Command::Disconnect | Command::Flush | Command::BlockStatus | Command::Other => {
                return None;
            }
        };
        Some(Self { direction, bytes })
    }
}

/// The limits of one device, for all its clients together.
pub struct Throttle {
    clock: Arc<dyn Clock>,
    /// Whether there are any limits, so that nothing is locked where there are none.
    limited: AtomicBool,
    state: Mutex<State>,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("limited", &self.limited)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    buckets: Buckets,
    reads: VecDeque<Waiter>,
    writes: VecDeque<Waiter>,
    tickets: u64,
    /// Which direction was let through last.
    last: Option<Direction>,
}

/// Whoever stands in a queue; only the first of it has anything to wait for but its turn.
#[derive(Debug)]
struct Waiter {
    ticket: u64,
    cost: Cost,
    thread: Thread,
}

impl Throttle {
    /// One that limits nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            limited: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Changes the limits, from now on and for those who wait already. What was used up under a
    /// former limit of the same kind stays used up.
    pub fn set(&self, limits: &Limits) {
        let mut state = self.state.lock();
        state.buckets.set(limits, self.clock.elapsed());
        self.limited.store(!limits.is_none(), Ordering::Release);
        state.wake_first();
    }

    /// Lets a request through where it need not wait.
    pub(crate) fn try_pass(&self, cost: Cost) -> bool {
        if !self.limited.load(Ordering::Acquire) {
            return true;
        }
        let mut state = self.state.lock();
        state.queue(cost.direction).is_empty() && state.admit(cost, self.clock.elapsed()).is_ok()
    }

    /// Waits until a request may go through; `false` where `gone` says that nobody wants it any more.
    pub(crate) fn pass(&self, cost: Cost, gone: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        state.queue(cost.direction).push_back(Waiter {
            ticket,
            cost,
            thread: thread::current(),
        });
        let passed = loop {
            if gone() {
                break false;
            }
            let queue = state.queue(cost.direction);
            let first = queue.front().is_some_and(|first| first.ticket == ticket);
            let wait = if first {
                match state.admit(cost, self.clock.elapsed()) {
                    Ok(()) => break true,
                    Err(wait) => wait.min(SLICE),
                }
            } else {
                SLICE
            };
            // A wake-up in between is kept for the thread.
            drop(state);
            thread::park_timeout(wait);
            state = self.state.lock();
        };
        state
            .queue(cost.direction)
            .retain(|waiter| waiter.ticket != ticket);
        state.wake_first();
        passed
    }
}

impl State {
    fn queue(&mut self, direction: Direction) -> &mut VecDeque<Waiter> {
        match direction {
            Direction::Read => &mut self.reads,
            Direction::Write => &mut self.writes,
        }
    }

    /// Has those look again who stand first.
    fn wake_first(&self) {
        let first = [self.reads.front(), self.writes.front()];
        for waiter in first.into_iter().flatten() {
            waiter.thread.unpark();
        }
    }

    /// Lets a request through that nobody of its direction stands before, or says how long to wait.
    fn admit(&mut self, cost: Cost, now: Duration) -> Result<(), Duration> {
        self.buckets.sink(now);
        let wait = self.buckets.wait(cost);
        if !wait.is_zero() {
            return Err(wait);
        }
        let other = self.queue(cost.direction.other()).front();
        let other = other.map(|waiter| waiter.cost);
        if let Some(other) = other
            && self.last == Some(cost.direction)
            && self.buckets.have_common()
            && self.buckets.wait_alone(other).is_zero()
        {
            return Err(self.buckets.wait(other).max(TURN));
        }
        self.buckets.take(cost);
        self.last = Some(cost.direction);
        Ok(())
    }
}
