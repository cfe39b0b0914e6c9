//! Memory for the data of requests, used again and again: neither zeroed nor mapped anew each time.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::Mutex;

/// Room before the data of a buffer, for a reply's header.
pub(crate) const HEADROOM: usize = 64;
/// Where data begins, as an address: aligned, so that it can go past the system's cache as it lies.
const ALIGN: usize = 4096;
/// The smallest buffer, in bytes.
const LEAST: usize = 4 << 10;
/// Sizes: 4 KiB, 8 KiB, … 64 MiB.
const CLASSES: usize = 15;
/// How many bytes the buffers that nobody uses may take.
const IDLE_MAX: usize = 64 << 20;

/// The buffers that nobody uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    // The one used last comes first: it is most likely still in the processor's cache.
    classes: [Vec<Vec<u8>>; CLASSES],
    bytes: usize,
}

impl Buffers {
    /// A buffer of `len` bytes or more behind its headroom. It may hold what an earlier request left
    /// there: only what was filled since may be sent.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let capacity = len.next_power_of_two().max(LEAST);
        let mut idle = self.idle.lock();
        let reused = idle.classes.get_mut(class_of(capacity)).and_then(Vec::pop);
        if let Some(bytes) = &reused {
            idle.bytes -= bytes.len();
        }
        drop(idle);
        let bytes = reused.unwrap_or_else(|| vec![0; HEADROOM + ALIGN + capacity]);
        Buffer {
            start: start_of(&bytes),
            bytes,
            home: Arc::clone(self),
        }
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut idle = self.idle.lock();
        if idle.bytes + bytes.len() > IDLE_MAX {
            return;
        }
        if let Some(class) = idle
            .classes
            .get_mut(class_of(bytes.len() - HEADROOM - ALIGN))
        {
            let len = bytes.len();
            class.push(bytes);
            idle.bytes += len;
        }
    }
}

fn class_of(capacity: usize) -> usize {
    (capacity / LEAST).trailing_zeros() as usize
}

/// Where the headroom begins, so that what follows on it is aligned.
fn start_of(bytes: &[u8]) -> usize {
    bytes[HEADROOM..].as_ptr().align_offset(ALIGN).min(ALIGN)
}

/// A buffer; returns to its [`Buffers`] when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    home: Arc<Buffers>,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.take(5000);
        assert!(buffer.len() >= HEADROOM + 8192);
        assert_eq!(buffer[HEADROOM..].as_ptr().align_offset(ALIGN), 0);
        buffer[0] = 7;
        drop(buffer);
        assert_eq!(buffers.take(8192)[0], 7);
        assert!(buffers.take(8193).len() >= HEADROOM + 16384);
        assert!(buffers.take(0).len() >= HEADROOM + LEAST);
    }

    #[test]
    fn what_lies_idle_is_bounded() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<_> = (0..5).map(|_| buffers.take(32 << 20)).collect();
        drop(many);
        assert!(buffers.idle.lock().bytes <= IDLE_MAX);
        // Larger than any class: works, and is not kept.
        drop(buffers.take(128 << 20));
        assert!(buffers.idle.lock().bytes <= IDLE_MAX);
    }
}
