//! Messages on a stream: a length and that many bytes of JSON.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest message, in bytes: room for the exports and images of a large site.
const MESSAGE_MAX: usize = 16 << 20;

/// Sends one message.
pub(crate) async fn send<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let len = frame.len() - 4;
    if len > MESSAGE_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {len} bytes; the most is {MESSAGE_MAX}"),
        ));
    }
    frame[..4].copy_from_slice(&(len as u32).to_be_bytes());
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Receives one message; `None` where the other side closed between two.
pub(crate) async fn receive<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut head = [0; 4];
    if stream.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..]).await?;
    let len = u32::from_be_bytes(head) as usize;
    if len > MESSAGE_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {len} bytes is announced; the most is {MESSAGE_MAX}"),
        ));
    }
    // Grows with what arrives, so that an announced length alone takes no memory.
    let mut body = Vec::with_capacity(len.min(64 << 10));
    let got = stream.take(len as u64).read_to_end(&mut body).await?;
    if got < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Sends bytes as they are; the message before says how many.
pub(crate) async fn send_bytes(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Receives as many bytes as the message before said, at most `most`.
pub(crate) async fn receive_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    len: usize,
    most: usize,
) -> io::Result<Vec<u8>> {
    if len > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{len} bytes are announced; the most is {most}"),
        ));
    }
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
