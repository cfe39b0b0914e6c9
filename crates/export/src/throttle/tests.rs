//! Limits under a simulated clock.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicUsize, Ordering};

use firebrick_simulate::SimulatedClock;
use firebrick_vocabulary::{Burst, Limit, Rates};
use proptest::prelude::*;

use super::*;

const READ: Cost = Cost {
    direction: Direction::Read,
    bytes: 4096,
};
const WRITE: Cost = Cost {
    direction: Direction::Write,
    bytes: 4096,
};

fn limit(average: u64, burst: Option<(u64, u32)>) -> Option<Limit> {
    let burst = burst.map(|(rate, seconds)| Burst {
        rate: NonZeroU64::new(rate).unwrap(),
        seconds: NonZeroU32::new(seconds).unwrap(),
    });
    NonZeroU64::new(average).map(|average| Limit { average, burst })
}

fn throttle(limits: &Limits) -> (Arc<SimulatedClock>, Throttle) {
    let clock = Arc::new(SimulatedClock::new());
    let shared: Arc<dyn Clock> = Arc::<SimulatedClock>::clone(&clock);
    let throttle = Throttle::new(shared);
    throttle.set(limits);
    (clock, throttle)
}

fn requests(total: Option<Limit>) -> Limits {
    Limits {
        requests: Rates {
            total,
            ..Rates::default()
        },
        ..Limits::default()
    }
}

/// How many pass within `millis`, asked for every millisecond until refused.
fn count(clock: &SimulatedClock, throttle: &Throttle, cost: Cost, millis: u64) -> u64 {
    let mut passed = 0;
    for _ in 0..millis {
        while throttle.try_pass(cost) {
            passed += 1;
        }
        clock.advance(Duration::from_millis(1));
    }
    passed
}

#[test]
fn without_limits_everything_passes() {
    let (_, throttle) = throttle(&Limits::default());
    assert!((0..10_000).all(|_| throttle.try_pass(READ)));
}

#[test]
fn an_average_holds_in_the_long_run() {
    let (clock, throttle) = throttle(&requests(limit(100, None)));
    let passed = count(&clock, &throttle, READ, 10_000);
    assert!((1000..=1010).contains(&passed), "{passed}");
}

#[test]
fn a_burst_comes_first_and_holds_its_own_rate() {
    let (clock, throttle) = throttle(&requests(limit(100, Some((1000, 2)))));
    let first = count(&clock, &throttle, READ, 1000);
    assert!((1000..=1100).contains(&first), "{first}");
    let _ = count(&clock, &throttle, READ, 9000);
    let late = count(&clock, &throttle, READ, 10_000);
    assert!((999..=1001).contains(&late), "{late}");
}

#[test]
fn large_requests_count_by_their_size() {
    let limits = Limits {
        request_size: NonZeroU64::new(4096),
        ..requests(limit(100, None))
    };
    let (clock, throttle) = throttle(&limits);
    let large = Cost {
        bytes: 1 << 20,
        ..READ
    };
    let passed = count(&clock, &throttle, large, 25_600);
    assert_eq!(passed, 10);
}

#[test]
fn a_request_larger_than_the_room_passes_at_last() {
    let limits = Limits {
        bytes: Rates {
            write: limit(1 << 20, None),
            ..Rates::default()
        },
        ..Limits::default()
    };
    let (clock, throttle) = throttle(&limits);
    let large = Cost {
        bytes: 4 << 20,
        ..WRITE
    };
    assert_eq!(count(&clock, &throttle, large, 12_000), 3);
    assert!((0..1000).all(|_| throttle.try_pass(READ)));
}

#[test]
fn a_change_holds_at_once_and_gives_no_new_burst() {
    let (clock, throttle) = throttle(&requests(limit(10, Some((100, 1)))));
    let _ = count(&clock, &throttle, READ, 5000);
    throttle.set(&requests(limit(20, Some((100, 1)))));
    let passed = count(&clock, &throttle, READ, 1000);
    assert!((19..=21).contains(&passed), "{passed}");
    throttle.set(&Limits::default());
    assert!((0..1000).all(|_| throttle.try_pass(READ)));
}

#[test]
fn reads_and_writes_take_turns() {
    let (clock, throttle) = throttle(&requests(limit(100, None)));
    while throttle.try_pass(READ) {}
    let (reads, writes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (cost, counter) in [
            (READ, &reads),
            (READ, &reads),
            (READ, &reads),
            (WRITE, &writes),
        ] {
            let (throttle, over) = (&throttle, &over);
            scope.spawn(move || {
                while throttle.pass(cost, || over.load(Ordering::SeqCst)) {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // Time passes only once all four wait.
        for _ in 0..20 {
            while throttle.state.lock().waiting() < 4 {
                std::thread::yield_now();
            }
            clock.advance(Duration::from_millis(10));
            let before = reads.load(Ordering::SeqCst) + writes.load(Ordering::SeqCst);
            throttle.state.lock().wake_first();
            while reads.load(Ordering::SeqCst) + writes.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
        }
        over.store(true, Ordering::SeqCst);
        throttle.state.lock().wake_first();
    });
    let writes = writes.load(Ordering::SeqCst);
    assert!((9..=11).contains(&writes), "{writes}");
}

#[test]
fn whoever_is_gone_waits_no_longer() {
    let (_, throttle) = throttle(&requests(limit(1, None)));
    assert!(throttle.try_pass(READ));
    assert!(!throttle.pass(READ, || true));
    assert_eq!(throttle.state.lock().waiting(), 0);
}

impl State {
    fn waiting(&self) -> usize {
        self.reads.len() + self.writes.len()
    }
}

proptest! {
    #[test]
    fn never_more_than_the_rate_and_the_room(
        average in 1_u64..5000,
        factor in prop::option::of((1_u64..20, 1_u32..5)),
        steps in prop::collection::vec((0_u64..50_000, any::<bool>(), 1_u64..65_536), 1..400),
    ) {
        let burst = factor.map(|(factor, seconds)| (average * factor, seconds));
        let bytes = average * 1000;
        let byte_burst = burst.map(|(rate, seconds)| (rate * 1000, seconds));
        let limits = Limits {
            bytes: Rates { total: limit(bytes, byte_burst), ..Rates::default() },
            ..requests(limit(average, burst))
        };
        let (clock, throttle) = throttle(&limits);
        let room = |rate: u64, burst: Option<(u64, u32)>| burst.map_or(rate as f64 / 10.0, |(rate, seconds)| {
            rate as f64 * f64::from(seconds)
        });
        let (mut requests, mut sum) = (0_u64, 0_u64);
        for (micros, read, bytes_of_it) in steps {
            clock.advance(Duration::from_micros(micros));
            let direction = if read { Direction::Read } else { Direction::Write };
            while throttle.try_pass(Cost { direction, bytes: bytes_of_it }) {
                requests += 1;
                sum += bytes_of_it;
            }
            let passed = clock.elapsed().as_secs_f64();
            let most = average as f64 * passed + room(average, burst).max(1.0);
            prop_assert!(requests as f64 <= most + 0.001, "{requests} > {most}");
            let most = bytes as f64 * passed + room(bytes, byte_burst).max(65_536.0);
            prop_assert!(sum as f64 <= most + 0.001, "{sum} > {most}");
        }
    }
}
