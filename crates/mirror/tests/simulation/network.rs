//! A network in memory that delays, cuts, partitions, and lets connections hang.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{self, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use firebrick_edge::Task;
use firebrick_mirror::{Arrival, Duplex, Error, Fingerprint, Listener, Network, PeerOptions, Wire};
use firebrick_simulate::Scheduler;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often a connection is tried again below, while nothing gets through.
const AGAIN: Duration = Duration::from_secs(1);

/// The network between all sites, which are known by their numbers. Clones are the same.
#[derive(Clone)]
pub(crate) struct Cables {
    scheduler: Scheduler,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// The two directions of each connection one behind the other.
    pipes: Vec<Pipe>,
    ports: BTreeMap<usize, Port>,
    /// Directions in which nothing gets through.
    blocked: BTreeSet<(usize, usize)>,
    /// Those who wait for one to be open again.
    stalled: Vec<Waker>,
    /// How long everything takes at most, and how many bytes get through in a second.
    delay: Duration,
    rate: u64,
}

#[derive(Default)]
struct Port {
    waiting: VecDeque<Arrival>,
    waker: Option<Waker>,
}

/// One direction of a connection.
struct Pipe {
    from: usize,
    to: usize,
    parts: VecDeque<Part>,
    bytes: usize,
    /// How many bytes are on their way at most.
    window: usize,
    last: Duration,
    /// Nobody reads any more.
    deaf: bool,
    /// Whoever writes knows that.
    told: bool,
    /// Whoever writes never will.
    silent: bool,
    /// Whoever writes can no more.
    cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Part {
    at: Duration,
    what: What,
}

enum What {
    /// The bytes, and how many of them have been read.
    Bytes(Vec<u8>, usize),
    End,
    Reset,
}

impl Pipe {
    fn wake(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    fn push(&mut self, at: Duration, what: What) {
        self.last = self.last.max(at);
        let at = self.last;
        self.parts.push_back(Part { at, what });
        self.reader.take().into_iter().for_each(Waker::wake);
    }
}

impl Cables {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        let inner = Inner {
            pipes: Vec::new(),
            ports: BTreeMap::new(),
            blocked: BTreeSet::new(),
            stalled: Vec::new(),
            delay: Duration::from_millis(1),
            rate: 1 << 30,
        };
        Self {
            scheduler,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Where a site is reached from now on.
    pub(crate) fn port(&self, site: usize) -> Box<dyn Listener> {
        let former = self.inner.lock().ports.insert(site, Port::default());
        // Who waited there comes back here when that is dropped.
        drop(former);
        Box::new(SimulatedPort {
            cables: self.clone(),
            site,
        })
    }

    /// How a site reaches others.
    pub(crate) fn of(&self, site: usize) -> Arc<dyn Network> {
        Arc::new(SimulatedNetwork {
            cables: self.clone(),
            site,
        })
    }

    /// Nothing gets from one site to the other, or it does again.
    pub(crate) fn block(&self, way: (usize, usize), blocked: bool) {
        let mut inner = self.inner.lock();
        if blocked {
            inner.blocked.insert(way);
            return;
        }
        inner.blocked.remove(&way);
        inner.stalled.drain(..).for_each(Waker::wake);
        inner.pipes.iter_mut().for_each(Pipe::wake);
    }

    /// Everything gets through.
    pub(crate) fn heal(&self, sites: usize) {
        for from in 0..sites {
            for to in 0..sites {
                self.block((from, to), false);
            }
        }
        self.slow(Duration::from_millis(1), 1 << 30);
    }

    /// Everything takes up to `delay`, and `rate` bytes a second get through.
    pub(crate) fn slow(&self, delay: Duration, rate: u64) {
        let mut inner = self.inner.lock();
        inner.delay = delay;
        inner.rate = rate;
    }

    /// Breaks the connections of a site, anywhere in what is on its way.
    pub(crate) fn cut(&self, site: usize) {
        let now = self.scheduler.elapsed();
        let inner = &mut *self.inner.lock();
        for pipe in &mut inner.pipes {
            if (pipe.from != site && pipe.to != site) || pipe.cut {
                continue;
            }
            let mut left = self.scheduler.random_below(pipe.bytes as u64 + 1) as usize;
            pipe.parts.retain_mut(|part| match &mut part.what {
                What::Bytes(bytes, read) => {
                    bytes.truncate(*read + left);
                    left -= bytes.len() - *read;
                    bytes.len() > *read
                }
                What::End | What::Reset => false,
            });
            pipe.cut = true;
            pipe.push(now, What::Reset);
            pipe.wake();
        }
    }

    /// A machine is gone from one moment to the next, and nobody is told.
    pub(crate) fn silence(&self, site: usize) {
        let mut inner = self.inner.lock();
        let own = inner.pipes.iter_mut();
        for pipe in own.filter(|pipe| pipe.from == site || pipe.to == site) {
            pipe.silent |= pipe.to == site;
            // Its own ends say nothing when they are dropped.
            pipe.cut |= pipe.from == site;
        }
    }

    fn open(&self, from: usize, to: usize) -> Option<Wire> {
        let mut inner = self.inner.lock();
        if !inner.ports.contains_key(&to) {
            return None;
        }
        let there = inner.pipes.len();
        for (from, to) in [(from, to), (to, from)] {
            let window = 1 << (9 + self.scheduler.random_below(12));
            inner.pipes.push(Pipe {
                from,
                to,
                parts: VecDeque::new(),
                bytes: 0,
                window,
                last: Duration::ZERO,
                deaf: false,
                told: false,
                silent: false,
                cut: false,
                reader: None,
                writer: None,
            });
        }
        let end = |reads, writes| End {
            cables: self.clone(),
            reads,
            writes,
            timer: None,
        };
        let wire: Box<dyn Duplex> = Box::new(end(there, there + 1));
        let shown = fingerprint(from);
        let greeting = Box::pin(future::ready(Ok((shown, wire))));
        let port = inner.ports.entry(to).or_default();
        let from = from.to_string();
        port.waiting.push_back(Arrival { from, greeting });
        port.waker.take().into_iter().for_each(Waker::wake);
        Some(Box::new(end(there + 1, there)))
    }

    fn is_blocked(&self, one: usize, other: usize) -> bool {
        let blocked = &self.inner.lock().blocked;
        blocked.contains(&(one, other)) || blocked.contains(&(other, one))
    }
}

/// By what a site is known.
pub(crate) fn fingerprint(site: usize) -> Fingerprint {
    format!("{site:064x}").parse().unwrap()
}

struct SimulatedNetwork {
    cables: Cables,
    site: usize,
}

impl Network for SimulatedNetwork {
    fn connect<'a>(&'a self, peer: &'a PeerOptions) -> Task<'a, Result<Wire, Error>> {
        let to: usize = peer.address.parse().unwrap();
        Box::pin(async move {
            while self.cables.is_blocked(self.site, to) {
                self.cables.scheduler.sleep(AGAIN).await;
            }
            let delay = self.cables.inner.lock().delay;
            self.cables.scheduler.sleep(delay).await;
            self.cables.open(self.site, to).ok_or_else(|| Error {
                kind: firebrick_mirror::ErrorKind::Connection,
                doing: "connect to a peer",
                why: "nobody listens there".to_owned(),
            })
        })
    }
}

struct SimulatedPort {
    cables: Cables,
    site: usize,
}

impl Listener for SimulatedPort {
    fn accept(&mut self) -> Task<'_, io::Result<Arrival>> {
        Box::pin(poll_fn(|context| {
            let mut inner = self.cables.inner.lock();
            let Some(port) = inner.ports.get_mut(&self.site) else {
                return Poll::Pending;
            };
            if let Some(arrival) = port.waiting.pop_front() {
                return Poll::Ready(Ok(arrival));
            }
            port.waker = Some(context.waker().clone());
            Poll::Pending
        }))
    }
}

impl Drop for SimulatedPort {
    fn drop(&mut self) {
        let port = self.cables.inner.lock().ports.remove(&self.site);
        drop(port);
    }
}

/// One end of a connection.
struct End {
    cables: Cables,
    reads: usize,
    writes: usize,
    /// Until when it waits for what is on its way.
    timer: Option<Task<'static>>,
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let now = this.cables.scheduler.elapsed();
        let mut guard = this.cables.inner.lock();
        let inner = &mut *guard;
        let pipe = &mut inner.pipes[this.reads];
        if inner.blocked.contains(&(pipe.from, pipe.to)) {
            inner.stalled.push(context.waker().clone());
            return Poll::Pending;
        }
        pipe.reader = Some(context.waker().clone());
        let Some(part) = pipe.parts.front_mut() else {
            return Poll::Pending;
        };
        if part.at > now {
            let wait = part.at.saturating_sub(now);
            drop(guard);
            let mut timer = this.cables.scheduler.sleep(wait);
            let _later = timer.as_mut().poll(context);
            this.timer = Some(timer);
            return Poll::Pending;
        }
        match &mut part.what {
            What::End => Poll::Ready(Ok(())),
            What::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            What::Bytes(bytes, read) => {
                let len = (bytes.len() - *read).min(buffer.remaining());
                buffer.put_slice(&bytes[*read..*read + len]);
                *read += len;
                if *read == bytes.len() {
                    pipe.parts.pop_front();
                }
                pipe.bytes = pipe.bytes.saturating_sub(len);
                pipe.writer.take().into_iter().for_each(Waker::wake);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.cables.scheduler.elapsed();
        let mut guard = self.cables.inner.lock();
        let inner = &mut *guard;
        let pipe = &mut inner.pipes[self.writes];
        // That nobody reads any more has to get here first.
        let tells = pipe.deaf && !pipe.silent;
        pipe.told |= tells && !inner.blocked.contains(&(pipe.to, pipe.from));
        if pipe.cut || pipe.told {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = bytes.len().min(pipe.window - pipe.bytes.min(pipe.window));
        if len == 0 {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let delay = self
            .cables
            .scheduler
            .random_below(inner.delay.as_nanos() as u64);
        let takes = Duration::from_secs_f64(len as f64 / inner.rate as f64);
        let begins = now.max(pipe.last);
        pipe.bytes += len;
        let at = (begins + takes).max(now + Duration::from_nanos(delay));
        pipe.push(at, What::Bytes(bytes[..len].to_vec(), 0));
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let pipe = &mut self.cables.inner.lock().pipes[self.writes];
        if !pipe.cut {
            pipe.push(Duration::ZERO, What::End);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut inner = self.cables.inner.lock();
        let writes = &mut inner.pipes[self.writes];
        if !writes.cut {
            writes.push(Duration::ZERO, What::End);
            writes.cut = true;
        }
        let reads = &mut inner.pipes[self.reads];
        reads.deaf = true;
        reads.writer.take().into_iter().for_each(Waker::wake);
    }
}
