//! What both ends of a connection do alike: frames out, frames in, signs of life.

use std::io;
use std::time::Duration;

use firebrick_edge::Runtime;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::peers::Peer;
use crate::runtime::within;
use crate::wire::{self, Kind};

/// Frames that wait to be written or applied.
pub(crate) const QUEUE: usize = 4;
/// After so many heartbeats of silence a connection counts as broken.
const SILENT_BEATS: u32 = 10;

/// How long a peer may say nothing.
pub(crate) fn patience(heartbeat: Duration) -> Duration {
    (heartbeat * SILENT_BEATS).max(Duration::from_secs(1))
}

/// Writes to a peer what is queued, and a sign of life where there is nothing, until the queue is closed.
pub(crate) async fn write_all(
    peer: &Peer,
    mut stream: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Vec<u8>>,
    (runtime, heartbeat): (&dyn Runtime, Duration),
    alive: impl Fn() -> Vec<u8>,
) -> io::Result<()> {
    loop {
        let frame = match within(runtime, heartbeat, frames.recv()).await {
            Some(Some(frame)) => frame,
            Some(None) => return stream.shutdown().await,
            None => alive(),
        };
        stream.write_all(&frame).await?;
        stream.flush().await?;
        peer.sent(&frame);
    }
}

/// Reads the next frame, or gives up on a silent peer.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    (runtime, patience): (&dyn Runtime, Duration),
) -> io::Result<(Kind, Vec<u8>)> {
    match within(runtime, patience, wire::read(stream)).await {
        Some(read) => read,
        None => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no sign of life for {:.1} s", patience.as_secs_f64()),
        )),
    }
}
