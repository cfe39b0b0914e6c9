//! What comes from a peer.

use firebrick_log::{Change, Checksum};
use firebrick_vocabulary::ImageId;

use crate::copy::CopyImage;

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
