//! What the threads that serve one client share.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::budget::{Budget, Permit};
use crate::buffers::{Buffer, Buffers, HEADROOM};
use crate::device::{DeviceError, DeviceWrite};
use crate::flush::Waiter;
use crate::link::Link;
use crate::outbox::{Frame, Outbox, Patience};
use crate::pool::Pools;
use crate::registry::Export;
use crate::wire::{CACHE_MAX, Command, Errno, HEAD_MAX, Head, ReplyStyle, Tag};

/// How much one read for a cache request reads, in bytes: so long a dropped client goes on costing.
const CACHE_STEP: usize = 1 << 20;

/// What the whole server shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) pools: Pools,
}

/// A client that has chosen an export.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) export: Arc<Export>,
    pub(crate) style: ReplyStyle,
    /// What the client was told; holds for as long as it is connected.
    pub(crate) read_only: bool,
    pub(crate) allocation: bool,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) link: Arc<Link>,
    jobs: Mutex<VecDeque<Job>>,
}

/// How a client wants to be served, as it was agreed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) style: ReplyStyle,
    pub(crate) read_only: bool,
    /// Whether it may ask what ranges hold.
    pub(crate) allocation: bool,
}

/// Who flushes where nobody does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FlushBy {
    /// The thread that asks.
    Caller,
    /// A thread made for that, so that the caller need not wait.
    Flusher,
}

/// A request that waits for a worker.
#[derive(Debug)]
pub(crate) enum Job {
    /// A read that may wait for the disk.
    Read {
        tag: Tag,
        len: u32,
        /// The buffer, with so many bytes of the data behind its headroom, where some are there.
        begun: Option<(Buffer, usize)>,
        permit: Permit,
    },
    /// A read whose data nobody wants yet.
    Cache { tag: Tag, len: u64, permit: Permit },
    /// A large write, its data behind the headroom of the buffer.
    Write {
        tag: Tag,
        len: u32,
        fua: bool,
        buffer: Buffer,
        permit: Permit,
    },
}

impl Connection {
    pub(crate) fn new(
        link: Arc<Link>,
        export: Arc<Export>,
        terms: Terms,
        memory: usize,
        shared: Arc<Shared>,
    ) -> Arc<Self> {
        Arc::new(Self {
            export,
            style: terms.style,
            read_only: terms.read_only,
            allocation: terms.allocation,
            outbox: Outbox::new(Arc::clone(&link)),
            budget: Budget::new(memory),
            shared,
            link,
            jobs: Mutex::default(),
        })
    }

    /// Leaves jobs to the workers. Each connection has its own queue, and the workers take one job of
    /// each in turn, so that a busy client does not starve the others.
    pub(crate) fn submit(self: &Arc<Self>, jobs: &mut Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut queue = self.jobs.lock();
        let idle = queue.is_empty();
        queue.extend(jobs.drain(..));
        drop(queue);
        if idle {
            self.shared.pools.serve(Arc::clone(self));
        }
    }

    /// Whether nobody can be answered any more: the server stops, the export ends, or the client is gone.
    pub(crate) fn is_gone(&self) -> bool {
        let mut socket = [PollFd::new(self.link.socket(), PollFlags::empty())];
        let polled = poll(&mut socket, Some(&Timespec::default()));
        let hung_up = polled.is_ok()
            && socket[0]
                .revents()
                .intersects(PollFlags::HUP | PollFlags::ERR);
        hung_up || self.outbox.is_closed()
    }

    /// The next job, and whether there are more. For workers.
    pub(crate) fn next_job(&self) -> (Option<Job>, bool) {
        let mut queue = self.jobs.lock();
        let job = queue.pop_front();
        (job, !queue.is_empty())
    }

    /// Performs a job. For workers.
    pub(crate) fn perform(self: &Arc<Self>, job: Job) {
        if self.outbox.is_closed() {
            return;
        }
        match job {
            Job::Read {
                tag,
                len,
                begun,
                permit,
            } => self.read(tag, len, begun, permit),
            Job::Cache { tag, len, permit } => self.cache(tag, len, permit),
            Job::Write {
                tag,
                len,
                fua,
                buffer,
                permit,
            } => {
                let written = DeviceWrite {
                    offset: tag.offset,
                    data: &buffer[HEADROOM..HEADROOM + len as usize],
                };
                match self.export.device.write(&[written]) {
                    Ok(()) if fua => {
                        let mut permit = permit;
                        permit.shrink(HEAD_MAX);
                        self.flush(vec![tag], permit, FlushBy::Flusher);
                    }
                    Ok(()) => self.answer(Head::done(self.style, tag), permit),
                    Err(error) => self.refuse(Command::Write, tag, error, permit),
                }
            }
        }
    }

    fn read(self: &Arc<Self>, tag: Tag, len: u32, begun: Option<(Buffer, usize)>, permit: Permit) {
        let (mut buffer, done) =
            begun.unwrap_or_else(|| (self.shared.buffers.take(len as usize), 0));
        let rest = &mut buffer[HEADROOM + done..HEADROOM + len as usize];
        match self.export.device.read(tag.offset + done as u64, rest) {
            Ok(()) => {
                let frame = read_frame(self.style, tag, len, buffer, permit);
                self.outbox.send(frame, Patience::Never);
            }
            Err(error) => self.refuse(Command::Read, tag, error, permit),
        }
    }

    fn cache(self: &Arc<Self>, tag: Tag, len: u64, permit: Permit) {
        let mut buffer = self.shared.buffers.take(CACHE_STEP);
        let (mut at, end) = (tag.offset, tag.offset + len.min(CACHE_MAX));
        while at < end && !self.outbox.is_closed() {
            let step = (end - at).min(CACHE_STEP as u64);
            let data = &mut buffer[..step as usize];
            if let Err(error) = self.export.device.read(at, data) {
                return self.refuse(Command::Cache, tag, error, permit);
            }
            at += step;
        }
        self.answer(Head::done(self.style, tag), permit);
    }

    /// Answers the requests `tags` once everything that is written by now is durable.
    pub(crate) fn flush(self: &Arc<Self>, tags: Vec<Tag>, permit: Permit, by: FlushBy) {
        let waiter = Waiter {
            connection: Arc::clone(self),
            tags,
            permit,
        };
        if !self.export.gate.enter(waiter) {
            return;
        }
        let more = match by {
            FlushBy::Flusher => true,
            FlushBy::Caller => self.export.gate.pass(&*self.export.device),
        };
        if more {
            self.shared.pools.flush(Arc::clone(&self.export));
        }
    }

    /// Answers requests that waited for a flush.
    pub(crate) fn flushed(&self, tags: &[Tag], result: Result<(), DeviceError>, permit: Permit) {
        let errno = match result.map_err(|error| errno_of(Command::Flush, error)) {
            Ok(()) => None,
            Err(Some(errno)) => Some(errno),
            Err(None) => return self.outbox.close(),
        };
        let mut buffer = self.shared.buffers.take(tags.len() * HEAD_MAX);
        let mut end = 0;
        for tag in tags {
            let head = match errno {
                None => Head::done(self.style, *tag),
                Some(errno) => Head::failed(self.style, *tag, errno),
            };
            let bytes = head.bytes();
            buffer[end..end + bytes.len()].copy_from_slice(bytes);
            end += bytes.len();
        }
        self.outbox
            .send(Frame::new(buffer, 0, end, permit), Patience::Never);
    }

    fn refuse(&self, command: Command, tag: Tag, error: DeviceError, permit: Permit) {
        match errno_of(command, error) {
            Some(errno) => self.answer(Head::failed(self.style, tag, errno), permit),
            None => self.outbox.close(),
        }
    }

    fn answer(&self, head: Head, permit: Permit) {
        let mut buffer = self.shared.buffers.take(0);
        let bytes = head.bytes();
        buffer[..bytes.len()].copy_from_slice(bytes);
        self.outbox
            .send(Frame::new(buffer, 0, bytes.len(), permit), Patience::Never);
    }
}

/// A read's reply, whose data lies behind the headroom of `buffer`.
pub(crate) fn read_frame(
    style: ReplyStyle,
    tag: Tag,
    len: u32,
    mut buffer: Buffer,
    permit: Permit,
) -> Frame {
    let head = Head::read(style, tag, len);
    let start = HEADROOM - head.bytes().len();
    buffer[start..HEADROOM].copy_from_slice(head.bytes());
    Frame::new(buffer, start, HEADROOM + len as usize, permit)
}

/// What a client is told; `None` where the session ends instead.
pub(crate) fn errno_of(command: Command, error: DeviceError) -> Option<Errno> {
    match error {
        DeviceError::NotWritable => Some(Errno::NotPermitted),
        DeviceError::NoSpace => Some(Errno::NoSpace),
        DeviceError::OutOfRange => Some(beyond_the_end(command)),
        DeviceError::Io => Some(Errno::Io),
        DeviceError::Gone => None,
    }
}

/// The error for a range beyond the end.
pub(crate) fn beyond_the_end(command: Command) -> Errno {
    match command {
        Command::Write | Command::WriteZeroes => Errno::NoSpace,
        Command::Read
        | Command::Disconnect
        | Command::Flush
        | Command::Trim
        | Command::Cache
        | Command::BlockStatus
        | Command::Other => Errno::Invalid,
    }
}
