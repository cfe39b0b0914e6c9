//! What goes out to one client: whoever has a reply sends it, one at a time, and nobody who serves
//! others as well ever waits for a slow client.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rustix::net::SendFlags;

use crate::budget::Permit;
use crate::buffers::Buffer;
use crate::link::Link;

/// How many frames one call to the system takes.
const GATHER: usize = 16;

/// Bytes to be sent, one reply or several.
#[derive(Debug)]
pub(crate) struct Frame {
    buffer: Buffer,
    start: usize,
    end: usize,
    // Returned once the bytes are sent or given up.
    _permit: Permit,
}

impl Frame {
    /// The bytes `start..end` of `buffer`.
    pub(crate) fn new(buffer: Buffer, start: usize, end: usize, permit: Permit) -> Self {
        Self {
            buffer,
            start,
            end,
            _permit: permit,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

/// Whether the sender may wait until the client reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// It may: it serves this client alone.
    Waits,
    /// It has more to do meanwhile: a thread of the connection's own sends.
    Leaves,
    /// It may not: what does not go out at once is left to a thread of the connection's own.
    Never,
}

/// The replies that wait for one client.
#[derive(Debug)]
pub(crate) struct Outbox {
    link: Arc<Link>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Frame>,
    /// Somebody sends at the moment, and will send what is queued meanwhile.
    sending: bool,
    /// The sending was left to the helper.
    left: bool,
    helper: bool,
    closed: bool,
}

impl Outbox {
    pub(crate) fn new(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self {
            link,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Sends a frame behind those that wait already. Where the connection is closed, it is dropped.
    pub(crate) fn send(self: &Arc<Self>, frame: Frame, patience: Patience) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.queue.push_back(frame);
        if state.sending {
            return;
        }
        state.sending = true;
        drop(state);
        match patience {
            Patience::Leaves => self.leave_to_helper(VecDeque::new()),
            Patience::Waits | Patience::Never => self.drain(patience),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Drops what waits and ends the connection.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let dropped = std::mem::take(&mut state.queue);
        self.changed.notify_all();
        drop(state);
        drop(dropped);
        self.link.shut();
    }

    fn drain(self: &Arc<Self>, patience: Patience) {
        let mut batch = VecDeque::new();
        loop {
            // An empty batch, too: something may be left of an earlier one.
            match self.transmit(&mut batch, patience) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.leave_to_helper(batch);
                }
                Err(error) => {
                    tracing::debug!(%error, "a client does not take its replies");
                    batch.clear();
                    self.close();
                }
            }
            let mut state = self.state.lock();
            if state.queue.is_empty() {
                state.sending = false;
                return;
            }
            std::mem::swap(&mut state.queue, &mut batch);
        }
    }

    /// Sends all of `batch`; where that fails, what was not sent remains in it.
    fn transmit(&self, batch: &mut VecDeque<Frame>, patience: Patience) -> io::Result<()> {
        let flags = match patience {
            Patience::Waits => SendFlags::NOSIGNAL,
            Patience::Never | Patience::Leaves => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        };
        while !batch.is_empty() {
            let sent = self.transmit_some(batch, flags)?;
            consume(batch, sent);
        }
        self.link.flush(flags)
    }

    fn transmit_some(&self, batch: &VecDeque<Frame>, flags: SendFlags) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); GATHER];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(batch) {
            *slice = IoSlice::new(frame.bytes());
            count += 1;
        }
        self.link.send(&slices[..count], flags)
    }

    fn leave_to_helper(self: &Arc<Self>, mut batch: VecDeque<Frame>) {
        let mut state = self.state.lock();
        if state.closed {
            state.sending = false;
            return;
        }
        batch.append(&mut state.queue);
        state.queue = batch;
        state.left = true;
        if state.helper {
            self.changed.notify_all();
            return;
        }
        state.helper = true;
        drop(state);
        let outbox = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("nbd-send".to_owned())
            .spawn(move || outbox.help());
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for a slow client");
            self.close();
        }
    }

    /// Sends what others left, until the connection is closed.
    fn help(self: Arc<Self>) {
        loop {
            let mut state = self.state.lock();
            while !state.left && !state.closed {
                self.changed.wait(&mut state);
            }
            if state.closed {
                return;
            }
            state.left = false;
            drop(state);
            self.drain(Patience::Waits);
        }
    }
}

fn consume(batch: &mut VecDeque<Frame>, mut sent: usize) {
    while let Some(frame) = batch.front_mut() {
        let len = frame.bytes().len();
        if sent < len {
            frame.start += sent;
            return;
        }
        sent -= len;
        batch.pop_front();
    }
}
