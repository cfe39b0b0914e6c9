//! How often progress is written.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use firebrick_vocabulary::ActivityId;
use parking_lot::Mutex;

/// Within one phase, progress is written once in this time at most.
const PAUSE: Duration = Duration::from_secs(1);

/// When progress was last written, and of which phase, for each activity that runs here.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<ActivityId, (&'static str, Instant)>>);

impl Pace {
    /// Whether it is time to write; then that is noted as done.
    pub(crate) fn is_due(&self, id: ActivityId, phase: &'static str) -> bool {
        self.is_due_at(id, phase, Instant::now())
    }

    fn is_due_at(&self, id: ActivityId, phase: &'static str, present: Instant) -> bool {
        let mut written = self.0.lock();
        if let Some((last, at)) = written.get(&id)
            && *last == phase
            && present.duration_since(*at) < PAUSE
        {
            return false;
        }
        written.insert(id, (phase, present));
        true
    }

    /// Forgets an activity that does not run here any more.
    pub(crate) fn forget(&self, id: ActivityId) {
        self.0.lock().remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_phase_is_written_once_a_second() {
        let (pace, present) = (Pace::default(), Instant::now());
        let (one, other) = (ActivityId::random(), ActivityId::random());
        assert!(pace.is_due_at(one, "read", present));
        assert!(!pace.is_due_at(one, "read", present + PAUSE / 2));
        assert!(pace.is_due_at(other, "read", present));
        assert!(pace.is_due_at(one, "write", present));
        assert!(!pace.is_due_at(one, "write", present + PAUSE / 2));
        assert!(pace.is_due_at(one, "write", present + PAUSE));
        pace.forget(one);
        assert!(pace.is_due_at(one, "write", present + PAUSE));
    }
}
