//! What the threads that serve one client share.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use crate::budget::{Budget, Permit};
use crate::buffers::{Buffer, Buffers, HEADROOM};
use crate::device::{DeviceError, DeviceWrite};
use crate::flush::Waiter;
use crate::outbox::{Frame, Outbox, Patience};
use crate::pool::Pools;
use crate::registry::Export;
use crate::wire::{Command, Errno, Head, ReplyStyle, SIMPLE_LEN};

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
    pub(crate) socket: Arc<Socket>,
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

/// A request that waits for a worker.
#[derive(Debug)]
pub(crate) enum Job {
    /// A read that may wait for the disk.
    Read {
        cookie: u64,
        offset: u64,
        len: u32,
        permit: Permit,
    },
    /// A large write, its data behind the headroom of the buffer.
    Write {
        cookie: u64,
        offset: u64,
        len: u32,
        fua: bool,
        buffer: Buffer,
        permit: Permit,
    },
}

impl Connection {
    pub(crate) fn new(
        socket: Arc<Socket>,
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
            outbox: Outbox::new(Arc::clone(&socket)),
            budget: Budget::new(memory),
            shared,
            socket,
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
        let mut socket = [PollFd::new(&*self.socket, PollFlags::empty())];
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
                cookie,
                offset,
                len,
                permit,
            } => self.read(cookie, offset, len, permit),
            Job::Write {
                cookie,
                offset,
                len,
                fua,
                buffer,
                permit,
            } => {
                let data = &buffer[HEADROOM..HEADROOM + len as usize];
                match self.export.device.write(&[DeviceWrite { offset, data }]) {
                    Ok(()) if fua => self.flush(vec![cookie], permit),
                    Ok(()) => self.answer(Head::done(cookie), permit),
                    Err(error) => self.refuse(Command::Write, cookie, error, permit),
                }
            }
        }
    }

    fn read(self: &Arc<Self>, cookie: u64, offset: u64, len: u32, permit: Permit) {
        let mut buffer = self.shared.buffers.take(len as usize);
        let end = HEADROOM + len as usize;
        match self.export.device.read(offset, &mut buffer[HEADROOM..end]) {
            Ok(()) => {
                let frame = read_frame(self.style, cookie, offset, len, buffer, permit);
                self.outbox.send(frame, Patience::Never);
            }
            Err(error) => self.refuse(Command::Read, cookie, error, permit),
        }
    }

    /// Answers the requests `cookies` once everything that is written by now is durable.
    pub(crate) fn flush(self: &Arc<Self>, cookies: Vec<u64>, permit: Permit) {
        let waiter = Waiter {
            connection: Arc::clone(self),
            cookies,
            permit,
        };
        if self.export.gate.enter(waiter) {
            self.shared.pools.flush(Arc::clone(&self.export));
        }
    }

    /// Answers requests that waited for a flush.
    pub(crate) fn flushed(&self, cookies: &[u64], result: Result<(), DeviceError>, permit: Permit) {
        let errno = match result.map_err(|error| errno_of(Command::Flush, error)) {
            Ok(()) => None,
            Err(Some(errno)) => Some(errno),
            Err(None) => return self.outbox.close(),
        };
        let mut buffer = self.shared.buffers.take(cookies.len() * SIMPLE_LEN);
        let mut end = 0;
        for cookie in cookies {
            let head = match errno {
                None => Head::done(*cookie),
                Some(errno) => Head::failed(self.style, Command::Flush, *cookie, errno),
            };
            buffer[end..end + SIMPLE_LEN].copy_from_slice(head.bytes());
            end += SIMPLE_LEN;
        }
        self.outbox
            .send(Frame::new(buffer, 0, end, permit), Patience::Never);
    }

    fn refuse(&self, command: Command, cookie: u64, error: DeviceError, permit: Permit) {
        match errno_of(command, error) {
            Some(errno) => {
                self.answer(Head::failed(self.style, command, cookie, errno), permit);
            }
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
    cookie: u64,
    offset: u64,
    len: u32,
    mut buffer: Buffer,
    permit: Permit,
) -> Frame {
    let head = Head::read(style, cookie, offset, len);
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
        | Command::BlockStatus
        | Command::Other => Errno::Invalid,
    }
}
