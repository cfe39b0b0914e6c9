//! Time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How long before `later` this was; zero where it was not.
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: goes into records, may jump.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment: for time-outs, never jumps.
    fn elapsed(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose [`Clock::elapsed`] counts from now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(since.as_nanos() as u64)
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
