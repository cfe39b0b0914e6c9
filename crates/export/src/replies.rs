//! The replies of one round, side by side, so that one call to the system sends them all.

use std::sync::Arc;

use crate::budget::Budget;
use crate::buffers::{Buffer, Buffers};
use crate::outbox::{Frame, Outbox, Patience};
use crate::wire::Head;

/// How many bytes of replies are gathered before they are sent.
pub(crate) const CAPACITY: usize = 256 << 10;

/// Replies that were not sent yet.
#[derive(Debug)]
pub(crate) struct Replies {
    buffer: Option<Buffer>,
    used: usize,
    buffers: Arc<Buffers>,
}

impl Replies {
    pub(crate) fn new(buffers: Arc<Buffers>) -> Self {
        Self {
            buffer: None,
            used: 0,
            buffers,
        }
    }

    /// Whether `len` bytes more can be gathered before these must be sent.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.used + len <= CAPACITY
    }

    /// The next `len` bytes, of which [`Self::keep`] keeps as many as were filled. There must be room.
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        let buffer = self
            .buffer
            .get_or_insert_with(|| self.buffers.take(CAPACITY));
        &mut buffer[self.used..self.used + len]
    }

    /// Keeps `len` bytes of what [`Self::room`] gave.
    pub(crate) fn keep(&mut self, len: usize) {
        self.used += len;
    }

    /// Adds a reply that is nothing but a head. There must be room.
    pub(crate) fn push(&mut self, head: &Head) {
        let bytes = head.bytes();
        self.room(bytes.len()).copy_from_slice(bytes);
        self.keep(bytes.len());
    }

    /// Sends what was gathered; waits while the client has not taken what it asked for before.
    pub(crate) fn send(&mut self, outbox: &Arc<Outbox>, budget: &Arc<Budget>) {
        let used = std::mem::take(&mut self.used);
        if used == 0 {
            return;
        }
        if let Some(buffer) = self.buffer.take() {
            outbox.send(
                Frame::new(buffer, 0, used, budget.take(used)),
                Patience::Waits,
            );
        }
    }
}
