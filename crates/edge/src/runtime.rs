//! Tasks, and how they wait.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Something that goes on beside others, or that somebody waits for.
pub type Task<'a, T = ()> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where tasks run and time passes for them.
///
/// There are two kinds: those that never block, and **workers**, which have threads of their own, as they
/// read and write the disk and may wait there.
pub trait Runtime: Send + Sync + 'static {
    /// Time since some fixed moment: for time-outs, never jumps.
    fn elapsed(&self) -> Duration;
    /// Ends after `time`; for tasks that never block.
    fn sleep(&self, time: Duration) -> Task<'static>;
    /// Begins a task that never blocks.
    fn spawn(&self, task: Task<'static>);
    /// Begins a worker.
    fn spawn_worker(&self, worker: Task<'static>);
    /// Ends after `time`; for workers.
    fn pause(&self, time: Duration) -> Task<'static>;
    /// Waits in a worker for what `wait` says: whether it is there, after it has blocked for at most as long
    /// as it is told. Ends with that, at the latest after `most`.
    fn block<'a>(
        &self,
        most: Duration,
        wait: &'a (dyn Fn(Duration) -> bool + Sync),
    ) -> Task<'a, bool>;
}
