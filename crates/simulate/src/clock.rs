//! Time that passes when a test says so.

use std::time::Duration;

use firebrick_edge::{Clock, Timestamp};
use parking_lot::Mutex;

/// Nanoseconds between the Unix epoch and the moment at which every such clock starts.
pub(crate) const START: u64 = 1_700_000_000_000_000_000;

/// A clock that stands still until [`Self::advance`].
#[derive(Debug, Default)]
pub struct SimulatedClock {
    elapsed: Mutex<Duration>,
}

impl SimulatedClock {
    /// A clock at its start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        *self.elapsed.lock() += by;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp(START + self.elapsed().as_nanos() as u64)
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_when_told() {
        let clock = SimulatedClock::new();
        let before = clock.now();
        assert_eq!(clock.now(), before);
        clock.advance(Duration::from_secs(3));
        assert_eq!(before.until(clock.now()), Duration::from_secs(3));
        assert_eq!(clock.elapsed(), Duration::from_secs(3));
    }
}
