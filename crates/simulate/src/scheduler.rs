//! Tasks of several machines in one thread, in an order from a seed; time passes when they all wait.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use firebrick_edge::{Clock, Runtime, Task, Timestamp};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::START;

/// More turns than that without any time passing are a task that never rests.
const TURNS_MAX: u32 = 1_000_000;

/// Which tasks belong together: those of one process, which end together.
pub type Process = u32;

/// Runs tasks one after the other. Clones are the same.
#[derive(Clone)]
pub struct Scheduler {
    inner: Arc<Mutex<Inner>>,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

struct Inner {
    random: StdRng,
    now: Duration,
    /// The next task, timer.
    next: u64,
    /// The task of each is taken out while it runs.
    tasks: BTreeMap<u64, (Process, Option<Task<'static>>)>,
    timers: BTreeMap<(Duration, u64), Waker>,
    /// Those whose tasks do not run, as if somebody had stopped the process.
    stopped: BTreeSet<Process>,
}

struct TaskWaker {
    ready: Arc<Mutex<BTreeSet<u64>>>,
    task: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().insert(self.task);
    }
}

impl Scheduler {
    /// Nothing runs yet; `seed` chooses who runs when several could.
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            random: StdRng::seed_from_u64(seed),
            now: Duration::ZERO,
            next: 0,
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            stopped: BTreeSet::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            ready: Arc::default(),
        }
    }

    /// Where the tasks of a process run.
    pub fn runtime(&self, process: Process) -> Arc<dyn Runtime> {
        Arc::new(SimulatedRuntime {
            scheduler: self.clone(),
            process,
        })
    }

    /// The wall clock of a machine, which is ahead of the others by `ahead`.
    pub fn clock(&self, ahead: Duration) -> Arc<dyn Clock> {
        Arc::new(MachineClock {
            scheduler: self.clone(),
            ahead,
        })
    }

    /// The time that has passed.
    pub fn elapsed(&self) -> Duration {
        self.inner.lock().now
    }

    /// Begins a task of a process.
    pub fn spawn(&self, process: Process, task: Task<'static>) {
        let mut inner = self.inner.lock();
        let id = inner.next();
        inner.tasks.insert(id, (process, Some(task)));
        self.ready.lock().insert(id);
    }

    /// Ends all tasks of a process, wherever they are.
    pub fn kill(&self, process: Process) {
        let mut gone = Vec::new();
        let mut inner = self.inner.lock();
        inner.tasks.retain(|_, (of, task)| {
            if *of == process {
                gone.push(task.take());
            }
            *of != process
        });
        inner.stopped.remove(&process);
        drop(inner);
        // What they hold may come back here when it is dropped.
        drop(gone);
    }

    /// The tasks of a process do not run, or do again.
    pub fn stop(&self, process: Process, stopped: bool) {
        let mut inner = self.inner.lock();
        if stopped {
            inner.stopped.insert(process);
        } else {
            inner.stopped.remove(&process);
        }
    }

    /// Ends after `time`.
    pub fn sleep(&self, time: Duration) -> Task<'static> {
        let at = self.elapsed() + time;
        Box::pin(Sleep {
            scheduler: self.clone(),
            at,
            timer: None,
        })
    }

    /// One task that can goes on until it waits; whether there is one. No time passes.
    pub fn turn(&self) -> bool {
        let Some((id, process, mut task)) = self.choose() else {
            return false;
        };
        let waker = Waker::from(Arc::new(TaskWaker {
            ready: Arc::clone(&self.ready),
            task: id,
        }));
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut inner = self.inner.lock();
        match polled {
            Poll::Ready(()) => drop(inner.tasks.remove(&id)),
            Poll::Pending => {
                // Where it is not there any more, it has been killed meanwhile.
                if let Some((_, place)) = inner.tasks.get_mut(&id).filter(|(of, _)| *of == process)
                {
                    *place = Some(task);
                    return true;
                }
            }
        }
        drop(inner);
        drop(task);
        true
    }

    /// Everybody goes on for `time`.
    ///
    /// # Panics
    ///
    /// Where they go on for ever without letting time pass.
    pub fn run_for(&self, time: Duration) {
        let end = self.elapsed() + time;
        let mut turns = 0;
        loop {
            while self.turn() {
                turns += 1;
                assert!(turns < TURNS_MAX, "the tasks never rest");
            }
            let mut inner = self.inner.lock();
            let first = inner.timers.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = first.filter(|at| *at <= end) else {
                inner.now = end;
                return;
            };
            if at > inner.now {
                turns = 0;
            }
            inner.now = inner.now.max(at);
            let now = inner.now;
            let later = inner.timers.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut inner.timers, later);
            drop(inner);
            due.into_values().for_each(Waker::wake);
        }
    }

    /// A number below `end`, from the seed.
    pub fn random_below(&self, end: u64) -> u64 {
        self.inner.lock().random.random_range(0..end.max(1))
    }

    fn choose(&self) -> Option<(u64, Process, Task<'static>)> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let mut ready = self.ready.lock();
        ready.retain(|id| inner.tasks.contains_key(id));
        let can = |id: &&u64| {
            let of = inner.tasks.get(*id).map(|(of, _)| of);
            of.is_some_and(|of| !inner.stopped.contains(of))
        };
        let count = ready.iter().filter(can).count();
        if count == 0 {
            return None;
        }
        let nth = inner.random.random_range(0..count);
        let id = *ready.iter().filter(can).nth(nth)?;
        ready.remove(&id);
        let (process, task) = inner.tasks.get_mut(&id)?;
        Some((id, *process, task.take()?))
    }
}

impl Inner {
    const fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Ends at a time.
struct Sleep {
    scheduler: Scheduler,
    at: Duration,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut inner = this.scheduler.inner.lock();
        if inner.now >= this.at {
            return Poll::Ready(());
        }
        let timer = *this.timer.get_or_insert_with(|| inner.next());
        let waker = context.waker().clone();
        inner.timers.insert((this.at, timer), waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            let gone = self.scheduler.inner.lock().timers.remove(&(self.at, timer));
            drop(gone);
        }
    }
}

/// The runtime of one process.
struct SimulatedRuntime {
    scheduler: Scheduler,
    process: Process,
}

impl Runtime for SimulatedRuntime {
    fn elapsed(&self) -> Duration {
        self.scheduler.elapsed()
    }

    fn sleep(&self, time: Duration) -> Task<'static> {
        self.scheduler.sleep(time)
    }

    fn spawn(&self, task: Task<'static>) {
        self.scheduler.spawn(self.process, task);
    }

    fn spawn_worker(&self, worker: Task<'static>) {
        self.scheduler.spawn(self.process, worker);
    }

    fn pause(&self, time: Duration) -> Task<'static> {
        self.scheduler.sleep(time)
    }

    fn block<'a>(
        &self,
        most: Duration,
        wait: &'a (dyn Fn(Duration) -> bool + Sync),
    ) -> Task<'a, bool> {
        let scheduler = self.scheduler.clone();
        Box::pin(async move {
            if wait(Duration::ZERO) {
                return true;
            }
            // Somebody who is woken is so at any time; to look again and again costs too much.
            let time = scheduler.random_below(most.as_micros() as u64 + 1);
            scheduler.sleep(Duration::from_micros(time)).await;
            wait(Duration::ZERO)
        })
    }
}

/// The clock of one machine.
struct MachineClock {
    scheduler: Scheduler,
    ahead: Duration,
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let passed = self.scheduler.elapsed() + self.ahead;
        Timestamp(START + passed.as_nanos() as u64)
    }

    fn elapsed(&self) -> Duration {
        self.scheduler.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(seed: u64) -> Vec<(u64, u64)> {
        let scheduler = Scheduler::new(seed);
        let trace: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
        for task in 0..5 {
            let (runtime, trace) = (scheduler.runtime(task), Arc::clone(&trace));
            let process = u64::from(task);
            runtime.clone().spawn(Box::pin(async move {
                for round in 0..3 {
                    trace.lock().push((process, round));
                    runtime.sleep(Duration::from_secs(1)).await;
                }
            }));
        }
        scheduler.stop(1, true);
        scheduler.run_for(Duration::from_secs(1));
        scheduler.kill(2);
        scheduler.stop(1, false);
        scheduler.run_for(Duration::from_secs(60));
        assert_eq!(scheduler.elapsed(), Duration::from_secs(61));
        std::mem::take(&mut *trace.lock())
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        assert_eq!(traced(7), traced(7));
        assert!((0..20).any(|seed| traced(seed) != traced(7)));
    }

    #[test]
    fn who_is_stopped_waits_and_who_is_killed_is_gone() {
        let trace = traced(3);
        let of = |process| trace.iter().filter(|(of, _)| *of == process).count();
        assert_eq!([0, 1, 2, 3].map(of), [3, 3, 2, 3]);
    }
}
