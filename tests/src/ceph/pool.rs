//! The pairs of clusters that the stories of this process share.

use std::mem;
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::CephPair;

/// So many stories of two clusters are told at once.
const MOST: usize = 2;

static POOL: Mutex<Pool> = Mutex::new(Pool {
    free: Vec::new(),
    made: 0,
    waiting: 0,
});
static CHANGED: Condvar = Condvar::new();

struct Pool {
    free: Vec<CephPair>,
    /// Those that are free, and those that are lent.
    made: usize,
    /// Stories that wait for a pair.
    waiting: usize,
}

/// A pair that one story has to itself.
pub(super) struct Lent(Option<CephPair>);

impl Lent {
    /// One that is free, or a new one, or that of the next story that ends.
    pub(super) fn take() -> Self {
        let mut pool = pool();
        loop {
            if let Some(pair) = pool.free.pop() {
                return Self(Some(pair));
            }
            if pool.made < MOST {
                pool.made += 1;
                drop(pool);
                // Counted already, and not counted any more where it does not start.
                let mut lent = Self(None);
                lent.0 = Some(CephPair::start());
                return lent;
            }
            pool.waiting += 1;
            pool = CHANGED.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.waiting -= 1;
        }
    }
}

impl Deref for Lent {
    type Target = CephPair;

    fn deref(&self) -> &CephPair {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Lent {
    /// A story that failed may have left anything, so its pair ends with it; so does one that nobody waits for.
    fn drop(&mut self) {
        let mut pool = pool();
        let pair = mem::take(&mut self.0);
        let ended = match pair {
            Some(pair) if pool.free.len() < pool.waiting && !std::thread::panicking() => {
                pool.free.push(pair);
                None
            }
            ended => {
                pool.made -= 1;
                ended
            }
        };
        drop(pool);
        CHANGED.notify_one();
        drop(ended);
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}
