//! What comes from a peer.

use firebrick_log::{Change, Checksum};
use firebrick_vocabulary::{ImageId, Sequence};

use crate::copy::CopyImage;
use crate::state::Window;

/// A record of a peer's log.
#[derive(Clone, Debug)]
pub enum PeerRecord<'a> {
    /// Blocks got new content, which the caller has checked against the checksums.
    Data {
        /// Of which image.
        image: ImageId,
        /// The first block.
        block: u64,
        /// The bytes of whole blocks.
        data: &'a [u8],
        /// A checksum for each block.
        checksums: Vec<Checksum>,
    },
    /// Blocks read as zeroes from here on.
    Discard {
        /// Of which image.
        image: ImageId,
        /// The first block.
        block: u64,
        /// How many.
        blocks: u64,
    },
    /// Anything else.
    Change(Change),
    /// What the image of the next change is, in case it is not known here.
    Describe(CopyImage),
}

/// Which of a peer's records are taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stream {
    /// Those of complete images.
    Main,
    /// Those of the one image that is being copied.
    Copy(ImageId),
}

/// Which records about an image peers get.
#[derive(Clone, Copy, Debug)]
pub struct SentRecords(pub(crate) Option<Window>);

impl SentRecords {
    /// Whether record `sequence`, which is about the image, is one of them.
    pub fn has(self, sequence: Sequence) -> bool {
        self.0.is_some_and(|window| window.has(sequence))
    }
}
