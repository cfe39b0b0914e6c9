//! The bytes of images: how what is in one gets out of a site, and into one.

use async_trait::async_trait;
use firebrick_vocabulary::{Bytes, Sequence, SnapshotName};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The most bytes that one extent or one write carries.
pub const TRANSFER_MAX: usize = 4 << 20;

/// A state of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewOf {
    /// As it is now.
    Head,
    /// A snapshot.
    Snapshot(SnapshotName),
    /// As it was at that record.
    At(Sequence),
}

/// Neighbouring blocks of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extent {
    /// The first byte.
    pub offset: u64,
    /// What is there.
    pub content: Content,
}

/// What an extent has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// These bytes, at most [`TRANSFER_MAX`].
    Data(Vec<u8>),
    /// So many zeroes that take no room.
    Hole(u64),
}

impl Extent {
    /// The first byte behind it.
    pub fn end(&self) -> u64 {
        self.offset
            + match &self.content {
                Content::Data(data) => data.len() as u64,
                Content::Hole(len) => *len,
            }
    }
}

/// A state of an image, read from its beginning to its end.
#[async_trait]
pub trait Reader: Send {
    /// The size of the image in that state.
    fn size(&self) -> Bytes;

    /// The next extent, in their order; `None` at the end. What no extent covers is as in the older
    /// state, or (without an older one) a hole. After a fault the reader is of no use any more.
    async fn next(&mut self) -> Result<Option<Extent>, Fault>;
}

/// An image that is being written.
#[async_trait]
pub trait Writer: Send {
    /// Writes at most [`TRANSFER_MAX`] bytes from byte `offset` on.
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Fault>;
    /// Makes a range read as zeroes, and frees what of it can be freed.
    async fn discard(&mut self, offset: u64, len: u64) -> Result<(), Fault>;
    /// Makes durable what was written.
    async fn flush(&mut self) -> Result<(), Fault>;
}
