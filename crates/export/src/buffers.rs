//! Memory for the data of requests, used again and again: neither zeroed nor mapped anew each time. That of
//! large requests lies together (`arena`).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::Mutex;

use crate::arena::Arena;

/// Room before the data of a buffer, for a reply's header.
pub(crate) const HEADROOM: usize = 64;
/// Where data begins, as an address: aligned, so that it can go past the system's cache as it lies.
const ALIGN: usize = 4096;
/// The smallest buffer, in bytes.
const LEAST: usize = 4 << 10;
/// Sizes: 4 KiB, 8 KiB, … 64 MiB.
const CLASSES: usize = 15;
/// From this length on data goes past the system's cache, and up to [`TOGETHER_MAX`] its buffer is a piece of the arena.
const TOGETHER_MIN: usize = 256 << 10;
const TOGETHER_MAX: usize = 1 << 20;
/// How many bytes the buffers that nobody uses may take, beside the arena.
const IDLE_MAX: usize = 64 << 20;

/// The buffers that nobody uses at the moment.
#[derive(Debug)]
pub(crate) struct Buffers {
    idle: Mutex<Idle>,
    arena: Mutex<Arena>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            arena: Mutex::new(Arena::new(HEADROOM + ALIGN + TOGETHER_MAX)),
        }
    }
}

#[derive(Debug, Default)]
struct Idle {
    // The one used last comes first: it is most likely still in the processor's cache.
    classes: [Vec<BytesMut>; CLASSES],
    bytes: usize,
}

impl Buffers {
    /// A buffer of `len` bytes or more behind its headroom. It may hold what an earlier request left
    /// there: only what was filled since may be sent.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        if (TOGETHER_MIN..=TOGETHER_MAX).contains(&len) {
            let piece = self.arena.lock().take();
            if let Some(bytes) = piece {
                return self.buffer(bytes, Kind::Piece);
            }
        }
        let capacity = len.next_power_of_two().max(LEAST);
        let mut idle = self.idle.lock();
        let reused = idle.classes.get_mut(class_of(capacity)).and_then(Vec::pop);
        if let Some(bytes) = &reused {
            idle.bytes -= bytes.len();
        }
        drop(idle);
        let bytes = reused.unwrap_or_else(|| BytesMut::zeroed(HEADROOM + ALIGN + capacity));
        self.buffer(bytes, Kind::Alone)
    }

    fn buffer(self: &Arc<Self>, bytes: BytesMut, kind: Kind) -> Buffer {
        Buffer {
            start: start_of(&bytes),
            bytes,
            kind,
            home: Arc::clone(self),
        }
    }

    fn give_back(&self, bytes: BytesMut, kind: Kind) {
        if kind == Kind::Piece {
            return self.arena.lock().give_back(bytes);
        }
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

/// Where the memory of a buffer comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// It is a piece of the arena.
    Piece,
    /// It was allocated for itself.
    Alone,
}

/// A buffer; returns to its [`Buffers`] when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: BytesMut,
    start: usize,
    kind: Kind,
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
        self.home
            .give_back(std::mem::take(&mut self.bytes), self.kind);
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
    fn large_ones_lie_together_as_long_as_there_is_room() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<_> = (0..100).map(|_| buffers.take(TOGETHER_MAX)).collect();
        let pieces = |many: &[Buffer]| many.iter().filter(|one| one.kind == Kind::Piece).count();
        let together = pieces(&many);
        assert!(together > 32 && together < 100, "{together}");
        for buffer in &many {
            assert_eq!(buffer[HEADROOM..].as_ptr().align_offset(ALIGN), 0);
            assert!(buffer.len() >= HEADROOM + TOGETHER_MAX);
        }
        drop(many);
        let again: Vec<_> = (0..100).map(|_| buffers.take(TOGETHER_MIN)).collect();
        assert_eq!(pieces(&again), together);
        let others = [TOGETHER_MIN - 1, TOGETHER_MAX + 1].map(|len| buffers.take(len).kind);
        assert_eq!(others, [Kind::Alone; 2]);
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
