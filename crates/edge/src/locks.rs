//! Locks whose waiters sleep.
//!
//! Those of the standard library, but for two things. Whoever panics while holding one leaves it as it is. And
//! they are here because of what they do *not* do: other ones first give up their turn on the processor a few times
//! (`sched_yield`), in the hope that the holder is done soon. Beside a thread that computes, as the cleaner does,
//! that costs all of its turn, and nobody wakes who is not asleep: a guest waited for milliseconds
//! where it now waits until the lock is free.

use std::sync::{self, PoisonError, TryLockError};
use std::time::Duration;

/// Lets one at a time at what it holds.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized>(sync::Mutex<T>);

/// The turn of one; ends where it is dropped.
pub type MutexGuard<'a, T> = sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for its turn.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its turn, where nobody else has one.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Lets many look at what it holds, or one change it.
#[derive(Debug, Default)]
pub struct RwLock<T: ?Sized>(sync::RwLock<T>);

/// The look of one of many; ends where it is dropped.
pub type RwLockReadGuard<'a, T> = sync::RwLockReadGuard<'a, T>;

/// The turn of one who may change it; ends where it is dropped.
pub type RwLockWriteGuard<'a, T> = sync::RwLockWriteGuard<'a, T>;

impl<T> RwLock<T> {
    /// A lock around `value`.
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits until nobody changes it. Whoever looks already must not wait a second time: somebody who
    /// wants to change it may have come in between.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody looks at it or changes it.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where those who hold a [`Mutex`] wait for a change that others make. Others have their turn meanwhile.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    /// One at which nobody waits.
    pub const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// Waits to be called; may also return without that.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::wait`], at most `timeout`.
    pub fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> MutexGuard<'a, T> {
        let waited = self.0.wait_timeout(guard, timeout);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits as long as `still` says so; it is asked again at each call.
    pub fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        still: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let waited = self.0.wait_while(guard, still);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::wait_while`], at most `timeout`; whether it ended because of that.
    pub fn wait_while_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        still: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let waited = self.0.wait_timeout_while(guard, timeout, still);
        let (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
        (guard, result.timed_out())
    }

    /// Calls all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_panics_leaves_it_as_it_is() {
        let (one, many) = (Mutex::new(1), RwLock::new(1));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let (mut one, mut many) = (one.lock(), many.write());
            (*one, *many) = (2, 2);
            panic!("while it holds both");
        }));
        assert!(panicked.is_err());
        assert_eq!(*one.lock(), 2);
        assert_eq!(*many.read(), 2);
        assert_eq!(*many.write(), 2);
        assert_eq!(one.try_lock().as_deref(), Some(&2));
        let _held = one.lock();
        assert!(one.try_lock().is_none());
    }

    #[test]
    fn who_waits_is_called_or_gives_up() {
        let (state, changed) = (Mutex::new(0), Condvar::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2 {
                    *state.lock() += 1;
                    changed.notify_all();
                }
            });
            let found = changed.wait_while(state.lock(), |value| *value < 2);
            assert_eq!(*found, 2);
        });
        let (guard, late) =
            changed.wait_while_for(state.lock(), |value| *value < 3, Duration::from_millis(1));
        assert!(late);
        let (_guard, late) = changed.wait_while_for(guard, |_| false, Duration::from_secs(60));
        assert!(!late);
    }
}
