//! The threads that wait for the disk, so that the readers of connections need not.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::connection::Connection;
use crate::device::DeviceError;
use crate::registry::Export;

/// How many exports can flush at once. They have threads of their own, because reads must not wait
/// behind them, and because a store serves all flushes that wait with one.
const FLUSHERS: usize = 16;

/// The threads for reads and large writes, and those for flushes.
#[derive(Debug)]
pub(crate) struct Pools {
    workers: Pool<Arc<Connection>>,
    flushers: Pool<Arc<Export>>,
}

impl Pools {
    pub(crate) fn start(workers: usize) -> io::Result<Self> {
        Ok(Self {
            workers: Pool::start(
                "nbd-work",
                workers.max(1),
                |connection: Arc<Connection>, queue| {
                    let (job, more) = connection.next_job();
                    if more {
                        queue.push(Arc::clone(&connection));
                    }
                    if let Some(job) = job {
                        let done = guarded(|| {
                            connection.perform(job);
                            Ok(())
                        });
                        if done.is_err() {
                            connection.outbox.close();
                        }
                    }
                },
            )?,
            flushers: Pool::start("nbd-flush", FLUSHERS, |export: Arc<Export>, queue| {
                if export.gate.pass(&*export.device) {
                    queue.push(export);
                }
            })?,
        })
    }

    /// Has a worker perform the jobs of a connection.
    pub(crate) fn serve(&self, connection: Arc<Connection>) {
        self.workers.queue.push(connection);
    }

    /// Has a flusher flush an export for those at its gate.
    pub(crate) fn flush(&self, export: Arc<Export>) {
        self.flushers.queue.push(export);
    }

    /// Ends the threads once they have done what was left to them.
    pub(crate) fn stop(&self) {
        self.workers.stop();
        self.flushers.stop();
    }
}

/// Calls a device; a bug in it costs the client its session, not the server a thread.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, DeviceError>) -> Result<T, DeviceError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        tracing::error!("a device panicked; its client is dropped");
        Err(DeviceError::Gone)
    })
}

#[derive(Debug)]
struct Pool<T> {
    queue: Arc<Queue<T>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<T: Send + 'static> Pool<T> {
    fn start(name: &str, threads: usize, serve: fn(T, &Queue<T>)) -> io::Result<Self> {
        let pool = Self {
            queue: Arc::new(Queue::new()),
            threads: Mutex::default(),
        };
        for _ in 0..threads {
            let queue = Arc::clone(&pool.queue);
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    while let Some(task) = queue.pop() {
                        serve(task, &queue);
                    }
                });
            match thread {
                Ok(thread) => pool.threads.lock().push(thread),
                Err(error) => {
                    pool.stop();
                    return Err(error);
                }
            }
        }
        Ok(pool)
    }

    fn stop(&self) {
        self.queue.state.lock().stopped = true;
        self.queue.filled.notify_all();
        for thread in self.threads.lock().drain(..) {
            // It catches the panics of devices; of its own there is nothing more to say.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<QueueState<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct QueueState<T> {
    tasks: VecDeque<T>,
    stopped: bool,
}

impl<T> Queue<T> {
    fn new() -> Self {
        let state = QueueState {
            tasks: VecDeque::new(),
            stopped: false,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
        }
    }

    fn push(&self, task: T) {
        self.state.lock().tasks.push_back(task);
        self.filled.notify_one();
    }

    fn pop(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                return Some(task);
            }
            if state.stopped {
                return None;
            }
            self.filled.wait(&mut state);
        }
    }
}
