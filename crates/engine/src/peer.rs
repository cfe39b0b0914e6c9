//! What comes from a peer.

use firebrick_log::{Change, Checksum, Reign};
use firebrick_vocabulary::{ImageId, Sequence};
use serde::{Deserialize, Serialize};

use crate::copy::CopyImage;
use crate::ended::EndedImage;
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
    /// An image that the peer hands on is another primary's from here on, or is another one.
    Handover(Handover),
    /// An image ended there, of which the log that comes does not say so.
    Ended(EndedImage),
}

/// What a peer says of an image that it follows itself and hands on, where its own log says more than the primary's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    /// The image.
    pub image: ImageId,
    /// What it is by now, for a reader that lacks it; none where it has ended since.
    pub described: Option<CopyImage>,
    /// Whose it is from here on.
    pub reign: Reign,
    /// The reign at whose end it goes on without a gap. `None` where the peer got another state than the one that
    /// followed: what its reader has is to be compared with that.
    pub after: Option<Reign>,
    /// How it came to that.
    pub turn: Turn,
}

/// How an image came to be what a peer says that hands it on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Another site was promoted.
    Taken,
    /// The same, behind a demotion.
    Planned,
    /// The peer has all of it by now, in that reign, whatever it said of it before.
    Complete,
    /// It is there, for a reader that lacks it; any other hears of it in the order of the log.
    There,
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
