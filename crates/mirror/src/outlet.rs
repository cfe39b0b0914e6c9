//! The way out to a peer that reads: the log, copies and differences go no faster than they may, and no larger than they
//! have to be.

use std::sync::Arc;

use firebrick_vocabulary::BLOCK_SIZE;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::mirror::Shared;
use crate::packed;
use crate::peers::Peer;
use crate::traffic::Compression;

/// The least that a frame is filled with, in bytes, however little may go.
const FRAME_LEAST: u64 = 16 << 10;
/// So many frames at most go as they are, without a try, behind some that could not be made smaller.
const SKIP_MAX: u32 = 64;

/// The connection has ended.
#[derive(Debug)]
pub(crate) struct Closed;

/// The way out of one connection. Clones are the same. Its queue is bounded and short: where the peer, the network or what may go is slow,
/// whoever sends waits, and the log is read no further.
#[derive(Clone)]
pub(crate) struct Outlet {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    frames: mpsc::Sender<Vec<u8>>,
    /// Whether it understands what is packed.
    packs: bool,
    skips: Arc<Mutex<Skips>>,
}

/// How many frames go without a try to make them smaller: what cannot be made so is often followed by more of its kind.
#[derive(Default)]
struct Skips {
    left: u32,
    last: u32,
}

impl Skips {
    /// Whether the next frame goes without a try.
    const fn next(&mut self) -> bool {
        let skips = self.left > 0;
        self.left = self.left.saturating_sub(1);
        skips
    }

    /// A try was worth it, or was not.
    fn tried(&mut self, worth: bool) {
        self.last = if worth {
            0
        } else {
            (self.last * 2).clamp(1, SKIP_MAX)
        };
        self.left = self.last;
    }
}

impl Outlet {
    /// The way out through `frames`, to a peer that understands what is packed or does not.
    pub(crate) fn new(
        shared: Arc<Shared>,
        peer: Arc<Peer>,
        frames: mpsc::Sender<Vec<u8>>,
        packs: bool,
    ) -> Self {
        Self {
            shared,
            peer,
            frames,
            packs,
            skips: Arc::default(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// Ends with the connection.
    pub(crate) async fn closed(&self) {
        self.frames.closed().await;
    }

    /// About how long a frame should become, at most `most` bytes: less where little may go, so that what goes is
    /// spread over the second.
    pub(crate) fn frame_bytes(&self, most: usize) -> usize {
        let rate = self.peer.allowed(self.shared.store.now()).rate.bytes();
        let some = rate.map_or(most as u64, |rate| (rate / 8).max(FRAME_LEAST));
        most.min(some as usize)
    }

    /// The same in blocks of an image.
    pub(crate) fn part_blocks(&self, most: usize) -> usize {
        let bytes = self.frame_bytes(most * BLOCK_SIZE as usize);
        (bytes / BLOCK_SIZE as usize).max(1)
    }

    /// Waits until anything may go at all. For workers.
    pub(crate) async fn opens(&self) -> Result<(), Closed> {
        self.pace(0).await
    }

    /// Sends a frame, as soon as it may go. For workers.
    pub(crate) async fn send(&self, frame: Vec<u8>) -> Result<(), Closed> {
        let frame = self.pack(frame);
        self.pace(frame.len()).await?;
        self.frames.send(frame).await.map_err(|_| Closed)
    }

    /// Makes a frame smaller, where that is wanted and worth it.
    fn pack(&self, frame: Vec<u8>) -> Vec<u8> {
        let wanted = self.packs && self.peer.compression() == Compression::Lz4;
        if !wanted || self.skips.lock().next() {
            return frame;
        }
        let packed = packed::pack(&frame);
        self.skips.lock().tried(packed.is_some());
        packed.unwrap_or(frame)
    }

    /// Waits until so many bytes may go.
    async fn pace(&self, bytes: usize) -> Result<(), Closed> {
        let Shared { store, runtime, .. } = &*self.shared;
        while !self.frames.is_closed() {
            match self.peer.take(bytes, store.now()) {
                Ok(()) => return Ok(()),
                Err(wait) => runtime.pause(wait).await,
            }
        }
        Err(Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_made_smaller_is_tried_less_and_less() {
        let mut skips = Skips::default();
        let mut tried = Vec::new();
        for frame in 0..300 {
            if !skips.next() {
                tried.push(frame);
                skips.tried(false);
            }
        }
        assert_eq!(tried, [0, 2, 5, 10, 19, 36, 69, 134, 199, 264]);
        while skips.next() {}
        skips.tried(true);
        assert!(
            !skips.next(),
            "what could be is followed by more of its kind"
        );
    }
}
