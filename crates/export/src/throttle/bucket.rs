//! The levels of all limits, and how they move. Knows no clock and never waits.

use std::time::Duration;

use firebrick_vocabulary::{Limit, Limits, Rates};

use super::{Cost, Direction};

/// A level counts billionths of a unit, so that a rate by the second and a time in nanoseconds
/// multiply without a rest.
const SCALE: u128 = 1_000_000_000;
/// A limit without a burst lets this part of a second's worth through at once: without any, requests
/// that come two by two would be held up at a rate far below the limit.
const AT_ONCE: u128 = 10;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unit {
    Request,
    Byte,
}

/// Which limit a bucket stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Kind {
    unit: Unit,
    /// `None` for both together.
    direction: Option<Direction>,
    /// Whether it holds a burst to its rate, not the long run to the average.
    peak: bool,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    kind: Kind,
    /// Units a second.
    rate: u64,
    room: u128,
    level: u128,
}

/// All buckets of a device.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    all: Vec<Bucket>,
    request_size: Option<u64>,
    /// When the levels were last brought up to date.
    at: Duration,
}

impl Buckets {
    /// Makes these the limits.
    pub(super) fn set(&mut self, limits: &Limits, now: Duration) {
        self.sink(now);
        let former = std::mem::take(&mut self.all);
        self.add(Unit::Request, &limits.requests);
        self.add(Unit::Byte, &limits.bytes);
        for bucket in &mut self.all {
            let same = former.iter().find(|other| other.kind == bucket.kind);
            bucket.level = same.map_or(0, |same| same.level.min(bucket.room));
        }
        self.request_size = limits.request_size.map(std::num::NonZeroU64::get);
    }

    fn add(&mut self, unit: Unit, rates: &Rates) {
        let read = Some(Direction::Read);
        let write = Some(Direction::Write);
        for (direction, limit) in [
            (None, rates.total),
            (read, rates.read),
            (write, rates.write),
        ] {
            let Some(Limit { average, burst }) = limit else {
                continue;
            };
            let mut add = |peak, rate: u64, room| {
                self.all.push(Bucket {
                    kind: Kind {
                        unit,
                        direction,
                        peak,
                    },
                    rate,
                    room,
                    level: 0,
                });
            };
            let at_once = |rate: u64| u128::from(rate) * SCALE / AT_ONCE;
            match burst {
                None => add(false, average.get(), at_once(average.get())),
                Some(burst) => {
                    let seconds = u128::from(burst.seconds.get());
                    let room = u128::from(burst.rate.get()) * seconds * SCALE;
                    add(false, average.get(), room);
                    add(true, burst.rate.get(), at_once(burst.rate.get()));
                }
            }
        }
    }

    /// Brings the levels up to date.
    pub(super) fn sink(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        for bucket in &mut self.all {
            let sunk = u128::from(bucket.rate).saturating_mul(passed);
            bucket.level = bucket.level.saturating_sub(sunk);
        }
    }

    /// How long until a request fits.
    pub(super) fn wait(&self, cost: Cost) -> Duration {
        self.wait_for(cost, |_| true)
    }

    /// How long until a request fits as far as limits of its own direction go.
    pub(super) fn wait_alone(&self, cost: Cost) -> Duration {
        self.wait_for(cost, |kind| kind.direction.is_some())
    }

    /// Whether there is a limit of reads and writes together.
    pub(super) fn have_common(&self) -> bool {
        let mut buckets = self.all.iter();
        buckets.any(|bucket| bucket.kind.direction.is_none())
    }

    fn wait_for(&self, cost: Cost, which: impl Fn(Kind) -> bool) -> Duration {
        let buckets = self.all.iter().filter(|bucket| which(bucket.kind));
        let waits = buckets.map(|bucket| {
            let units = self.units(bucket.kind, cost);
            if units == 0 {
                return 0;
            }
            let above = bucket
                .level
                .saturating_sub(bucket.room.saturating_sub(units));
            above.div_ceil(u128::from(bucket.rate))
        });
        let longest = waits.max().unwrap_or(0);
        Duration::from_nanos(u64::try_from(longest).unwrap_or(u64::MAX))
    }

    /// Lets a request through.
    pub(super) fn take(&mut self, cost: Cost) {
        for i in 0..self.all.len() {
            let units = self.units(self.all[i].kind, cost);
            self.all[i].level += units;
        }
    }

    /// What a request costs in a bucket, in billionths.
    fn units(&self, kind: Kind, cost: Cost) -> u128 {
        if kind
            .direction
            .is_some_and(|direction| direction != cost.direction)
        {
            return 0;
        }
        let bytes = u128::from(cost.bytes) * SCALE;
        match kind.unit {
            Unit::Byte => bytes,
            Unit::Request => match self.request_size {
                Some(size) => (bytes / u128::from(size)).max(SCALE),
                None => SCALE,
            },
        }
    }
}
