//! The threads that wait for the cluster, so that the runtime never does.
//!
//! There are at most so many, each makes one call at a time, and a call has its time. Who asked waits no longer
//! than that, or goes away earlier: then a call that has not begun is dropped, and one that runs is asked to
//! give up. A thread whose call has not ended in its time does not count any more ([`crate::running`]).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::ffi::Cancel;
use crate::running::Running;

/// Calls that may wait for a thread; more would never be answered in time.
const QUEUE_MAX: usize = 1024;

/// Calls that may hang at once; more threads than this and those that work are not started.
const HANGING_MAX: usize = 64;

struct Job {
    call: Cancel,
    within: Duration,
    work: Box<dyn FnOnce(&Cancel) + Send>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    running: Running,
    most: usize,
}

impl Shared {
    /// How many threads there may be now.
    fn most(&self) -> usize {
        self.most + self.running.overdue().min(HANGING_MAX)
    }
}

/// A bounded number of threads.
pub(crate) struct Threads {
    shared: Arc<Shared>,
}

/// Asks the call to give up when nobody waits for it any more.
struct Waiting(Cancel);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.ask();
    }
}

impl Threads {
    /// At most `most` of them; they are started when they are needed.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                wake: Condvar::new(),
                running: Running::default(),
                most,
            }),
        }
    }

    /// Makes a call on one of them, and waits for it as long as it tells of progress at least so often.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        doing: &str,
        within: Duration,
        work: impl FnOnce(&Cancel) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let cancel = Cancel::default();
        let waiting = Waiting(cancel.clone());
        let (answer, mut answered) = oneshot::channel();
        let made = move |call: &Cancel| {
            if !call.is_asked() {
                // Nobody may wait any more.
                let _ = answer.send(work(call));
            }
        };
        let call = cancel.clone();
        let work = Box::new(made);
        self.push(doing, Job { call, within, work })?;
        let result = loop {
            let left = within.saturating_sub(cancel.silence());
            let result = timeout(left, &mut answered).await;
            if result.is_ok() || cancel.silence() >= within {
                break result;
            }
        };
        drop(waiting);
        match result {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::new(
                FaultKind::Internal,
                doing,
                "the call ended without an answer",
            )),
            Err(_) => {
                let why = format!(
                    "the cluster has not answered for {:.0} s",
                    within.as_secs_f64()
                );
                Err(Fault::new(FaultKind::TimedOut, doing, why))
            }
        }
    }

    /// Does something on one of them that nobody waits for, and that should take no longer than that.
    pub(crate) fn later(
        &self,
        doing: &str,
        within: Duration,
        work: impl FnOnce(&Cancel) + Send + 'static,
    ) -> Result<(), Fault> {
        let (call, work) = (Cancel::default(), Box::new(work));
        self.push(doing, Job { call, within, work })
    }

    fn push(&self, doing: &str, job: Job) -> Result<(), Fault> {
        let mut queue = self.shared.queue.lock();
        if queue.jobs.len() >= QUEUE_MAX {
            let why = format!("{QUEUE_MAX} calls wait for the cluster already");
            return Err(Fault::new(FaultKind::Unreachable, doing, why));
        }
        queue.jobs.push_back(job);
        if queue.idle >= queue.jobs.len() || queue.threads >= self.shared.most() {
            self.shared.wake.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let started = thread::Builder::new()
            .name("ceph".to_owned())
            .spawn(move || work_on(&shared));
        match started {
            Ok(_) => queue.threads += 1,
            Err(_) if queue.threads > 0 => {}
            Err(error) => {
                queue.jobs.pop_back();
                return Err(Fault::new(FaultKind::Internal, doing, error));
            }
        }
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // They are not waited for: the cluster may never answer.
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

fn work_on(shared: &Shared) {
    loop {
        let job = {
            let mut queue = shared.queue.lock();
            loop {
                if queue.closed {
                    return;
                }
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                // One that hung has come back.
                if queue.threads > shared.most() {
                    queue.threads -= 1;
                    return;
                }
                queue.idle += 1;
                shared.wake.wait(&mut queue);
                queue.idle -= 1;
            }
        };
        let Job { call, within, work } = job;
        call.hear();
        let runs = shared.running.begin(&call, within);
        // Who waits for it is told, as its answer never comes.
        let ended = catch_unwind(AssertUnwindSafe(|| work(&call)));
        drop(runs);
        if ended.is_err() {
            tracing::error!("a call to the cluster failed in an unforeseen way");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_call_that_hangs_ends_in_time_and_is_asked_to_give_up() {
        let threads = Threads::new(1);
        let (gave_up, has_given_up) = mpsc::channel();
        let hang = move |cancel: &Cancel| {
            while !cancel.is_asked() {
                thread::yield_now();
            }
            gave_up.send(()).unwrap();
            Ok(())
        };
        let short = Duration::from_millis(20);
        let fault = threads.call("hang", short, hang).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::TimedOut);
        has_given_up.recv_timeout(LONG).unwrap();
        assert_eq!(threads.call("go on", LONG, |_| Ok(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_is_never_made() {
        let threads = Threads::new(1);
        let (go, may_go) = mpsc::channel::<()>();
        let busy = threads.call("hold the only thread", LONG, move |_| {
            may_go.recv_timeout(LONG).unwrap();
            Ok(())
        });
        let late = threads.call::<()>("never", Duration::ZERO, |_| panic!("it was made"));
        let (busy, late) = tokio::join!(busy, async {
            let late = late.await;
            go.send(()).unwrap();
            late
        });
        busy.unwrap();
        assert_eq!(late.unwrap_err().kind, FaultKind::TimedOut);
        assert_eq!(threads.call("after it", LONG, |_| Ok(2)).await, Ok(2));
    }

    #[tokio::test]
    async fn a_call_that_tells_of_progress_is_waited_for() {
        let threads = Threads::new(1);
        let short = Duration::from_millis(50);
        let go_on = move |call: &Cancel| {
            let begun = std::time::Instant::now();
            while begun.elapsed() < 4 * short {
                call.hear();
                thread::yield_now();
            }
            Ok(call.is_asked())
        };
        assert_eq!(threads.call("go on", short, go_on).await, Ok(false));
    }

    #[tokio::test]
    async fn a_thread_that_hangs_is_replaced_until_it_comes_back() {
        let threads = Threads::new(1);
        let (go, may_go) = mpsc::channel::<()>();
        let hang = move |_: &Cancel| {
            may_go.recv_timeout(LONG).unwrap();
            Ok(())
        };
        let fault = threads.call("hang", Duration::from_millis(20), hang).await;
        assert_eq!(fault.unwrap_err().kind, FaultKind::TimedOut);
        // Who waits for a call may notice a little earlier than who makes it.
        while threads.shared.running.overdue() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(threads.call("go on", LONG, |_| Ok(4)).await, Ok(4));
        go.send(()).unwrap();
        while threads.shared.queue.lock().threads > 1 {
            assert_eq!(threads.call("still", LONG, |_| Ok(5)).await, Ok(5));
        }
    }

    #[tokio::test]
    async fn a_call_that_panics_is_answered() {
        let threads = Threads::new(1);
        let fault = threads.call::<()>("fall", LONG, |_| panic!("meant")).await;
        assert_eq!(fault.unwrap_err().kind, FaultKind::Internal);
        assert_eq!(threads.call("go on", LONG, |_| Ok(3)).await, Ok(3));
    }
}
