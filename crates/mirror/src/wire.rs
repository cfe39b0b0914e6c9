//! Frames on a connection: a kind, a length, and so many bytes.

use std::io;

use firebrick_vocabulary::BLOCK_SIZE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest frame that carries records, in bytes: what the log's longest frame becomes.
pub(crate) const RECORDS_MAX: usize = 160 << 20;
/// The longest message.
const MESSAGE_MAX: usize = 16 << 20;
/// The longest answer to a question for a block: its ticket and its bytes.
const BLOCK_MAX: usize = 8 + BLOCK_SIZE as usize;
/// The kind and the length, in bytes.
pub(crate) const HEAD: usize = 5;

/// What a frame carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A message as JSON.
    Message = 1,
    /// A batch of the log.
    Batch = 2,
    /// A part of a copy.
    Copy = 3,
    /// A block that was asked for, or that there is none.
    Block = 4,
    /// Another frame, made smaller; only for who said that it understands that.
    Packed = 5,
}

impl Kind {
    /// What that byte means.
    pub(crate) const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Message),
            2 => Some(Self::Batch),
            3 => Some(Self::Copy),
            4 => Some(Self::Block),
            5 => Some(Self::Packed),
            _ => None,
        }
    }

    /// The longest payload of the kind, in bytes.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Message => MESSAGE_MAX,
            Self::Batch | Self::Copy | Self::Packed => RECORDS_MAX,
            Self::Block => BLOCK_MAX,
        }
    }
}

/// Begins a frame; [`seal`] ends it.
pub(crate) fn begin(kind: Kind) -> Vec<u8> {
    vec![kind as u8, 0, 0, 0, 0]
}

/// Writes the length into a frame that is complete.
pub(crate) fn seal(mut frame: Vec<u8>) -> Vec<u8> {
    let len = (frame.len() - HEAD) as u32;
    frame[1..HEAD].copy_from_slice(&len.to_le_bytes());
    frame
}

/// A message as a frame.
pub(crate) fn message<T: Serialize>(message: &T) -> Vec<u8> {
    let mut frame = begin(Kind::Message);
    // Our own messages are always JSON; an empty one would be refused by the other side.
    if let Ok(text) = serde_json::to_vec(message) {
        frame.extend_from_slice(&text);
    }
    seal(frame)
}

/// Understands a message.
pub(crate) fn parse<T: DeserializeOwned>(payload: &[u8]) -> io::Result<T> {
    serde_json::from_slice(payload)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads one frame. Memory grows with what arrives, not with what is announced.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await?;
    let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let kind = Kind::of(head[0]).ok_or_else(|| invalid("a frame of an unknown kind"))?;
    if len > kind.most() {
        return Err(invalid("a frame that is too long"));
    }
    let mut payload = Vec::with_capacity(len.min(2 << 20));
    let got = (&mut *stream)
        .take(len as u64)
        .read_to_end(&mut payload)
        .await?;
    if got < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((kind, payload))
}
