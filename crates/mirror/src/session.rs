//! What both ends of a connection do alike: frames out, frames in, signs of life.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::wire::{self, Kind};

/// Frames that wait to be written or applied.
pub(crate) const QUEUE: usize = 4;
/// How much is taken from the system at once, in bytes: TLS asks for a few KiB each time.
const INPUT: usize = 256 << 10;
/// After so many heartbeats of silence a connection counts as broken.
const SILENT_BEATS: u32 = 10;

/// What TLS reads from and writes to.
pub(crate) type Wire = BufReader<TcpStream>;

/// A connection whose every message is sent at once.
pub(crate) fn wire(stream: TcpStream) -> io::Result<Wire> {
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(INPUT, stream))
}

/// How long a peer may say nothing.
pub(crate) fn patience(heartbeat: Duration) -> Duration {
    (heartbeat * SILENT_BEATS).max(Duration::from_secs(1))
}

/// Writes what is queued, and a sign of life where there is nothing, until the queue is closed.
pub(crate) async fn write_all(
    mut stream: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Vec<u8>>,
    heartbeat: Duration,
    alive: impl Fn() -> Vec<u8>,
) -> io::Result<()> {
    loop {
        let frame = match tokio::time::timeout(heartbeat, frames.recv()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return stream.shutdown().await,
            Err(_) => alive(),
        };
        stream.write_all(&frame).await?;
        stream.flush().await?;
    }
}

/// Reads the next frame, or gives up on a silent peer.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    patience: Duration,
) -> io::Result<(Kind, Vec<u8>)> {
    match tokio::time::timeout(patience, wire::read(stream)).await {
        Ok(read) => read,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no sign of life for {:.1} s", patience.as_secs_f64()),
        )),
    }
}
