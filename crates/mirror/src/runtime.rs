//! Tasks on tokio, and how those of a mirror wait.

use std::future::Future;
use std::time::{Duration, Instant};

use firebrick_edge::{Runtime, Task};
use tokio::runtime::Handle;

/// The runtime of the process: workers are its blocking threads.
pub(crate) struct TokioRuntime {
    handle: Handle,
    start: Instant,
}

impl TokioRuntime {
    /// The runtime in which the caller runs.
    pub(crate) fn current() -> Self {
        Self {
            handle: Handle::current(),
            start: Instant::now(),
        }
    }
}

impl Runtime for TokioRuntime {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) -> Task<'static> {
        Box::pin(tokio::time::sleep(time))
    }

    fn spawn(&self, task: Task<'static>) {
        self.handle.spawn(task);
    }

    fn spawn_worker(&self, worker: Task<'static>) {
        let handle = self.handle.clone();
        self.handle.spawn_blocking(move || handle.block_on(worker));
    }

    fn pause(&self, time: Duration) -> Task<'static> {
        Box::pin(async move { std::thread::sleep(time) })
    }

    fn block<'a>(
        &self,
        most: Duration,
        wait: &'a (dyn Fn(Duration) -> bool + Sync),
    ) -> Task<'a, bool> {
        Box::pin(async move { wait(most) })
    }
}

/// What `future` leads to, if that is within `time`.
pub(crate) async fn within<T>(
    runtime: &dyn Runtime,
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = runtime.sleep(time) => None,
    }
}
