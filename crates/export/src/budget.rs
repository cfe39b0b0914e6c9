//! How much memory the requests of one connection may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What a request takes beyond its data, in bytes; bounds requests without data.
const REQUEST_COST: usize = 256;

/// A limit on the bytes in flight.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: Mutex<usize>,
    returned: Condvar,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: Mutex::new(0),
            returned: Condvar::new(),
        })
    }

    /// Takes what a request of `len` bytes needs, where that is free. Whoever is alone may exceed the
    /// limit: else a large request would never run.
    pub(crate) fn try_take(self: &Arc<Self>, len: usize) -> Option<Permit> {
        let mut used = self.used.lock();
        self.take_from(&mut used, len)
    }

    /// As [`Self::try_take`], but waits until it is free.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Permit {
        let mut used = self.used.lock();
        loop {
            if let Some(permit) = self.take_from(&mut used, len) {
                return permit;
            }
            self.returned.wait(&mut used);
        }
    }

    fn take_from(self: &Arc<Self>, used: &mut usize, len: usize) -> Option<Permit> {
        let amount = len + REQUEST_COST;
        (*used == 0 || *used + amount <= self.limit).then(|| {
            *used += amount;
            Permit {
                budget: Arc::clone(self),
                amount,
            }
        })
    }

    /// Whether no request is under way, and no reply waits.
    pub(crate) fn is_idle(&self) -> bool {
        *self.used.lock() == 0
    }

    /// As [`Self::wait_until_idle`], but no longer than `most`; whether it is so.
    pub(crate) fn is_idle_within(&self, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut used = self.used.lock();
        while *used > 0 {
            if self.returned.wait_until(&mut used, until).timed_out() {
                return *used == 0;
            }
        }
        true
    }

    /// Waits until every permit was returned: no request is running, no reply is waiting.
    pub(crate) fn wait_until_idle(&self) {
        let mut used = self.used.lock();
        while *used > 0 {
            self.returned.wait(&mut used);
        }
    }
}

/// A share of a [`Budget`]; returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    budget: Arc<Budget>,
    amount: usize,
}

impl Permit {
    /// Gives back what a request of `len` bytes does not need.
    pub(crate) fn shrink(&mut self, len: usize) {
        let spare = self.amount.saturating_sub(len + REQUEST_COST);
        if spare > 0 {
            self.amount -= spare;
            *self.budget.used.lock() -= spare;
            self.budget.returned.notify_all();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.budget.used.lock() -= self.amount;
        self.budget.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_but_for_one() {
        let budget = Budget::new(1000);
        let large = budget.try_take(5000).unwrap();
        assert!(budget.try_take(1).is_none());
        assert!(!budget.is_idle());
        drop(large);
        assert!(budget.is_idle());
        let mut large = budget.try_take(5000).unwrap();
        large.shrink(100);
        let other = budget.try_take(100).unwrap();
        assert!(!budget.is_idle_within(Duration::from_millis(1)));
        drop((large, other));
        assert!(budget.is_idle_within(Duration::ZERO));
        let small = budget.try_take(100).unwrap();
        assert!(budget.try_take(500).is_none());
        drop(small);
        budget.wait_until_idle();
    }

    #[test]
    fn who_waits_goes_on() {
        let budget = Budget::new(1000);
        let first = budget.take(900);
        std::thread::scope(|scope| {
            scope.spawn(|| drop(budget.take(900)));
            drop(first);
        });
        budget.wait_until_idle();
    }
}
