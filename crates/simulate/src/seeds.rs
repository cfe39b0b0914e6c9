//! Which seeds a simulation runs with: always the same ones, unless the environment names others.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The first seed, where it is not 0.
const SEED: &str = "FIREBRICK_SEED";
/// How many seeds, where a test does not run as many as it says itself; 1 with a seed.
const ROUNDS: &str = "FIREBRICK_ROUNDS";

/// The seeds of a simulation that runs `rounds` of them by itself. `FIREBRICK_SEED` names another
/// first one, and then only that is run; `FIREBRICK_ROUNDS` says how many.
pub fn seeds(rounds: u64) -> Range<u64> {
    let named = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = named(SEED);
    let rounds = named(ROUNDS).unwrap_or(if seed.is_some() { 1 } else { rounds });
    let first = seed.unwrap_or(0);
    first..first.saturating_add(rounds)
}

/// Runs `story` with each of the [`seeds`], on all processors.
///
/// # Panics
///
/// Where one of them fails: it says which, and how to run that one again.
#[allow(clippy::panic, reason = "this is how a test fails")]
pub fn every_seed(rounds: u64, story: impl Fn(u64) -> Result<(), String> + Sync) {
    let seeds = seeds(rounds);
    let next = AtomicU64::new(seeds.start);
    let failed: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let run = || {
        while failed.lock().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let panicked = Panicked(seed);
            let told = story(seed);
            std::mem::forget(panicked);
            if let Err(why) = told {
                *failed.lock() = Some((seed, why));
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..workers {
            scope.spawn(run);
        }
    });
    if let Some((seed, why)) = failed.into_inner() {
        panic!("{SEED}={seed}: {why}");
    }
}

/// Says of which seed a story was that panicked.
struct Panicked(u64);

impl Drop for Panicked {
    #[allow(clippy::print_stderr, reason = "a test that fails says so there")]
    fn drop(&mut self) {
        eprintln!("{SEED}={}: it panicked", self.0);
    }
}
