//! The way out to a peer that reads: the log, copies and differences go no faster than they may.

use std::sync::Arc;

use firebrick_vocabulary::BLOCK_SIZE;
use tokio::sync::mpsc;

use crate::mirror::Shared;
use crate::peers::Peer;

/// The least that a frame is filled with, in bytes, however little may go.
const FRAME_LEAST: u64 = 16 << 10;

/// The connection has ended.
#[derive(Debug)]
pub(crate) struct Closed;

/// The way out of one connection. Its queue is bounded and short: where the peer, the network or what may go is slow,
/// whoever sends waits, and the log is read no further.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    frames: mpsc::Sender<Vec<u8>>,
}

impl Outlet {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        peer: Arc<Peer>,
        frames: mpsc::Sender<Vec<u8>>,
    ) -> Self {
        Self {
            shared,
            peer,
            frames,
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
        self.pace(frame.len()).await?;
        self.frames.send(frame).await.map_err(|_| Closed)
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
