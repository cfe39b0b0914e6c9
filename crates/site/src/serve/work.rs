//! What goes on in the background, as an operator sees it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::admin::{Work, WorkState};

/// All workers of a site.
#[derive(Default)]
pub(super) struct Works(Mutex<Vec<Arc<Worker>>>);

/// One worker.
pub(super) struct Worker(Mutex<Work>);

impl Works {
    /// Registers a worker.
    pub(super) fn add(&self, name: &str) -> Arc<Worker> {
        let worker = Arc::new(Worker(Mutex::new(Work {
            name: name.to_owned(),
            state: WorkState::Idle,
            progress: String::new(),
            last_error: None,
        })));
        self.0.lock().push(Arc::clone(&worker));
        worker
    }

    /// How all of them are, in the order in which they were added.
    pub(super) fn list(&self) -> Vec<Work> {
        let workers = self.0.lock();
        workers
            .iter()
            .map(|worker| worker.0.lock().clone())
            .collect()
    }
}

impl Worker {
    /// It does something.
    pub(super) fn busy(&self, progress: impl Into<String>) {
        self.set(WorkState::Busy, progress.into());
    }

    /// It has something to do and pauses.
    pub(super) fn throttled(&self, progress: impl Into<String>) {
        self.set(WorkState::Throttled, progress.into());
    }

    /// It has nothing to do.
    pub(super) fn idle(&self, progress: impl Into<String>) {
        self.set(WorkState::Idle, progress.into());
    }

    /// Something went wrong; it goes on with the next.
    pub(super) fn failed(&self, error: &dyn std::fmt::Display) {
        self.0.lock().last_error = Some(error.to_string());
    }

    fn set(&self, state: WorkState, progress: String) {
        let mut work = self.0.lock();
        work.state = state;
        work.progress = progress;
    }
}
