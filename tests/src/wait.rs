//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `condition` holds; fails the test with `what` after `seconds`.
pub fn until(what: &str, seconds: u64, mut condition: impl FnMut() -> bool) {
    until_some(what, seconds, || condition().then_some(()));
}

/// Waits until `look` finds something and returns it; fails the test with `what` after `seconds`.
pub fn until_some<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {seconds} s in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
