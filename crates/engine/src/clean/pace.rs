//! How fast guests may write where room is scarce: each is slowed a little, instead of some being
//! stopped until a segment has been cleaned.
//!
//! The less room is left, the longer a write waits. Half of what counts as scarce is where guests
//! write as fast as cleaning wins room; so that is about where it stays under load.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use firebrick_edge::Mutex;
use firebrick_vocabulary::BLOCK_SIZE;

use crate::bell::Bell;
use crate::commit::Core;

/// A guest sleeps only for so long at least; until then what it owes adds up.
const GRAIN: Duration = Duration::from_micros(100);
/// The longest that one write waits.
const LONGEST: Duration = Duration::from_millis(250);
/// How much slower than cleaning guests become at most.
const SLOWEST: f64 = 16.0;
/// How fast cleaning is, as long as it has not shown, in bytes a second.
const GUESS: u64 = 32 << 20;
/// What one step tells about how fast cleaning is.
const SHARE: f64 = 0.3;

/// What guests know of the room that is left.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The room for guests when somebody looked.
    free: AtomicU64,
    /// The log's byte count then.
    bytes: AtomicU64,
    /// With less than this guests are slowed.
    scarce: AtomicU64,
    /// How much room cleaning wins, in bytes a second; 0 where nobody cleans.
    rate: AtomicU64,
    /// When the next write may begin.
    next: Mutex<Duration>,
    /// Rung when room becomes scarce.
    cleaner: Bell,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            free: AtomicU64::new(u64::MAX),
            bytes: AtomicU64::new(0),
            scarce: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            next: Mutex::default(),
            cleaner: Bell::default(),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [free, scarce, rate] =
            [&self.free, &self.scarce, &self.rate].map(|it| it.load(Ordering::Relaxed));
        write!(
            f,
            "{free} bytes free, slowed below {scarce}, {rate} won a second"
        )
    }
}

impl Pace {
    /// With less than that guests are slowed.
    pub(super) fn scarce_below(&self, scarce: u64) {
        self.scarce.store(scarce, Ordering::Relaxed);
    }

    /// So much is free while the log has got `bytes`.
    pub(super) fn look(&self, free: u64, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.free.store(free, Ordering::Relaxed);
    }

    /// A step of cleaning won so much.
    pub(super) fn won(&self, bytes: u64, took: Duration) {
        if took.is_zero() || bytes == 0 {
            return;
        }
        let now = bytes as f64 / took.as_secs_f64();
        let before = self.rate.load(Ordering::Relaxed) as f64;
        let rate = if before > 0.0 {
            // Of what it costs, not of what it wins: a segment in which all was dead says little.
            1.0 / ((1.0 - SHARE) / before + SHARE / now)
        } else {
            now
        };
        self.rate.store(rate.max(1.0) as u64, Ordering::Relaxed);
    }

    /// Waits until room becomes scarce, at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) {
        let nobody = |rate: u64| (rate == 0).then_some(GUESS);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let _known = self.rate.fetch_update(set, fetch, nobody);
        self.cleaner.wait(timeout);
    }

    /// How long a write of `len` bytes has to wait now, while the log has got `bytes`.
    fn delay(&self, len: u64, bytes: u64) -> Duration {
        let written = bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        let free = self.free.load(Ordering::Relaxed).saturating_sub(written);
        let scarce = self.scarce.load(Ordering::Relaxed);
        if free >= scarce {
            return Duration::ZERO;
        }
        self.cleaner.ring();
        slowed(len, free, scarce, self.rate.load(Ordering::Relaxed))
    }
}

/// How long a write of `len` bytes waits while `free` of `scarce` bytes are left and cleaning wins
/// `rate` bytes a second.
pub(crate) fn slowed(len: u64, free: u64, scarce: u64, rate: u64) -> Duration {
    if free >= scarce || rate == 0 {
        return Duration::ZERO;
    }
    let slower = ((scarce - free) as f64 / free.max(1) as f64).min(SLOWEST);
    Duration::from_secs_f64(slower * len as f64 / rate as f64).min(LONGEST)
}

impl Core {
    /// Makes a guest that is about to write `len` bytes wait a little, where room is scarce or a
    /// checkpoint is under way that gets late.
    pub(crate) fn pace(&self, len: u64) {
        let delay = self.delay(len);
        if delay.is_zero() {
            return;
        }
        let now = self.clock.elapsed();
        let begin = {
            let mut next = self.cleaning.pace.next.lock();
            *next = ((*next).max(now) + delay).min(now + LONGEST);
            *next
        };
        let wait = begin.saturating_sub(now);
        if wait >= GRAIN {
            std::thread::sleep(wait);
        }
    }

    /// Whether a write waits now.
    pub(crate) fn is_slowed(&self) -> bool {
        !self.delay(BLOCK_SIZE).is_zero()
    }

    fn delay(&self, len: u64) -> Duration {
        let bytes = self.log.bytes_appended();
        let scarce = self.cleaning.pace.delay(len, bytes);
        scarce.max(self.checkpoint_delay(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn guests_write_as_fast_as_room_is_won_where_half_of_the_scarce_room_is_left() {
        let rate = 40 * MIB;
        let wait = slowed(4096, 10 * MIB, 20 * MIB, rate);
        assert_eq!(wait, Duration::from_secs_f64(4096.0 / rate as f64));
        assert_eq!(slowed(4096, 20 * MIB, 20 * MIB, rate), Duration::ZERO);
        assert_eq!(slowed(4096, MIB, 20 * MIB, 0), Duration::ZERO);
    }

    #[test]
    fn the_less_room_the_longer_and_never_for_long() {
        let mut before = Duration::ZERO;
        for free in (0..20).rev() {
            let wait = slowed(4096, free * MIB, 20 * MIB, 40 * MIB);
            assert!(wait >= before);
            before = wait;
        }
        assert!(before < Duration::from_millis(2), "{before:?}");
        assert_eq!(slowed(1 << 30, 0, 20 * MIB, 1), LONGEST);
    }

    #[test]
    fn what_guests_wrote_since_somebody_looked_is_gone() {
        let pace = Pace::default();
        assert_eq!(pace.delay(4096, 1 << 40), Duration::ZERO, "nobody looked");
        pace.won(MIB, Duration::from_secs(1));
        pace.scarce_below(10 * MIB);
        pace.look(20 * MIB, 100);
        assert_eq!(pace.delay(4096, 100), Duration::ZERO);
        assert_eq!(pace.delay(4096, 100 + 9 * MIB), Duration::ZERO);
        assert!(pace.delay(4096, 100 + 15 * MIB) > Duration::ZERO);
    }

    #[test]
    fn the_cleaner_is_called_when_room_becomes_scarce() {
        let pace = Pace::default();
        pace.scarce_below(10 * MIB);
        pace.look(MIB, 0);
        std::thread::scope(|scope| {
            let cleaner = scope.spawn(|| pace.wait(Duration::from_secs(600)));
            while !cleaner.is_finished() {
                pace.delay(4096, 0);
                std::thread::yield_now();
            }
        });
    }
}
