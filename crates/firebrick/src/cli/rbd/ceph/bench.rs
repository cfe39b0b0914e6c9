//! `bench`: what guests get, measured as librbd gives it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use firebrick_ceph::tool::{Advice, OpenImage, Requests, Trouble};
use firebrick_vocabulary::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::site::{Ceph, Doing as _, trouble};
use super::spec::Spec;
use crate::cli::rbd::args::{BenchArgs, IoPattern, IoType};
use crate::cli::rbd::error::{EINVAL, EIO, refuse};
use crate::cli::rbd::show::bench::{HEADINGS, Ops, Plan};
use crate::exit::Failure;
use crate::printer::Printer;

/// No request is larger; what librbd counts of one is a number of 31 bits.
const REQUEST_MAX: u64 = 1 << 30;
/// How often it is said how it goes.
const TICK: Duration = Duration::from_secs(1);
/// Over how many of these times a rate is told.
const WINDOW: usize = 5;

/// `rbd bench`
pub(super) fn run(ceph: &Ceph, args: &BenchArgs) -> Result<(), Failure> {
    let plan = Plan::of(args)?;
    let spec = Spec::of(&ceph.common, &args.spec)?;
    let image = if plan.kind == IoType::Read {
        ceph.look(&spec)?
    } else {
        spec.only_image()?;
        ceph.change(&spec)?
    };
    let size = image.size().doing("failed to get image size")?;
    plan.check(Bytes(size), Bytes(REQUEST_MAX))?;
    if plan.kind != IoType::Read {
        // What others left in the cache is not of this.
        image.flush().doing("failed to flush")?;
    }
    Printer::line(&plan.head());
    Printer::line(HEADINGS);
    let began = Instant::now();
    let ops = all(&plan, &image, size)?;
    for line in plan.summary(began.elapsed(), ops) {
        Printer::line(&line);
    }
    Ok(())
}

/// Does all of it, until it is durable.
fn all(plan: &Plan, image: &OpenImage, size: u64) -> Result<Ops, Failure> {
    let mut dice = SmallRng::seed_from_u64(plan.total);
    let len =
        usize::try_from(plan.size).map_err(|_| refuse(EINVAL, "rbd: io-size is too large"))?;
    let data = vec![dice.random_range(1..=u8::MAX); len].into_boxed_slice();
    let advice = match plan.pattern {
        IoPattern::Rand => Advice::Random,
        IoPattern::Seq | IoPattern::FullSeq => Advice::Sequential,
    };
    let threads = usize::try_from(plan.threads).unwrap_or(usize::MAX);
    let mut requests = Requests::new(image, threads, data, advice);
    let mut places = Places::new(plan, size);
    let mut ops = Ops::default();
    let mut pace = Pace::new();
    let failed = |error: Trouble| bad(plan, &error);
    for number in 0..plan.total.div_ceil(plan.size) {
        let offset = places.next(number, &mut dice);
        if dice.random_range(0..100) < plan.read_share {
            requests.read(offset).map_err(failed)?;
            ops.reads += 1;
        } else {
            requests.write(offset).map_err(failed)?;
            ops.writes += 1;
        }
        pace.tell(plan, ops.reads + ops.writes);
    }
    requests.wait().map_err(failed)?;
    drop(requests);
    if plan.kind != IoType::Read {
        image.flush().doing("failed to flush at the end")?;
    }
    Ok(ops)
}

fn bad(plan: &Plan, error: &Trouble) -> Failure {
    let what = if plan.kind == IoType::Read {
        "read"
    } else {
        "write"
    };
    let text = trouble(&format!("{what} error"), error).to_string();
    let errno = u8::try_from(error.errno()).unwrap_or(EIO);
    refuse(errno, format!("{text}\nbench failed"))
}

/// Where requests go.
struct Places {
    pattern: IoPattern,
    size: u64,
    threads: u64,
    /// How many requests fit into the image side by side.
    slots: u64,
}

impl Places {
    fn new(plan: &Plan, image: u64) -> Self {
        Self {
            pattern: plan.pattern,
            size: plan.size,
            threads: plan.threads,
            slots: (image / plan.size).max(1),
        }
    }

    /// The place of the request of that number. In sequence, each of those that go at once has a part of the image of
    /// its own, and all of them what is left behind these parts.
    fn next(&mut self, number: u64, dice: &mut SmallRng) -> u64 {
        let part = self.slots / self.threads;
        let slot = match self.pattern {
            IoPattern::Rand => dice.random_range(0..self.slots),
            IoPattern::Seq if number % self.slots < part * self.threads => {
                let number = number % self.slots;
                number % self.threads * part + number / self.threads
            }
            IoPattern::Seq | IoPattern::FullSeq => number % self.slots,
        };
        slot * self.size
    }
}

/// How fast it went in the last seconds.
struct Pace {
    began: Instant,
    last: Duration,
    counted: u64,
    window: VecDeque<(Duration, u64)>,
}

impl Pace {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            last: Duration::ZERO,
            counted: 0,
            window: VecDeque::new(),
        }
    }

    /// Says it where the time has come.
    fn tell(&mut self, plan: &Plan, ops: u64) {
        let elapsed = self.began.elapsed();
        let since = elapsed.saturating_sub(self.last);
        if since < TICK {
            return;
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back((since, ops - self.counted));
        (self.last, self.counted) = (elapsed, ops);
        let time: Duration = self.window.iter().map(|(time, _)| *time).sum();
        let count: u64 = self.window.iter().map(|(_, count)| count).sum();
        let rate = count as f64 / time.as_secs_f64();
        // Those that go at the moment have not ended.
        let ended = ops.saturating_sub(plan.threads);
        Printer::line(&plan.tick(elapsed, ended, rate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pattern: IoPattern, slots: u64, count: u64) -> Vec<u64> {
        let mut places = Places {
            pattern,
            size: 1,
            threads: 3,
            slots,
        };
        let mut dice = SmallRng::seed_from_u64(1);
        (0..count)
            .map(|number| places.next(number, &mut dice))
            .collect()
    }

    #[test]
    fn every_place_has_its_turn() {
        assert_eq!(places(IoPattern::FullSeq, 4, 6), [0, 1, 2, 3, 0, 1]);
        // Three parts of two, and one that is left.
        assert_eq!(places(IoPattern::Seq, 7, 9), [0, 2, 4, 1, 3, 5, 6, 0, 2]);
        // Fewer places than threads.
        assert_eq!(places(IoPattern::Seq, 2, 3), [0, 1, 0]);
        assert!(
            places(IoPattern::Rand, 5, 100)
                .iter()
                .all(|place| *place < 5)
        );
    }
}
