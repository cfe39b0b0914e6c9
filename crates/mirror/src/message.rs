//! What two sites say to each other.

use firebrick_engine::{
    CopyImage, EndedImage, Handover, HeldImage, ImageOrigin, PeerRecord, Target,
};
use firebrick_log::{Change, Checksum};
use firebrick_vocabulary::{
    BLOCK_SIZE, Epoch, ImageId, Lag, Position, Sequence, SnapshotName, StoreId, SyncState,
};
use serde::{Deserialize, Serialize};

use crate::digests::Digests;
use crate::door::Join;
use crate::relay::Sources;
use crate::wire::{self, Kind};

/// The version spoken here.
pub(crate) const VERSION: u32 = 6;

/// A copy that a reader wants.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) image: ImageId,
    /// How far an earlier one has come.
    pub(crate) reached: Option<SyncState>,
    /// There is something of it, and only what differs is wanted.
    #[serde(default)]
    pub(crate) compare: bool,
    /// The end of the copy names it; greater than those of earlier requests.
    #[serde(default)]
    pub(crate) ticket: u64,
}

/// What the side that reads says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToServer {
    /// First.
    Hello {
        version: u32,
        name: String,
        store: StoreId,
        /// In which forms it understands frames besides plain ones; those that did not say so yet, in none.
        #[serde(default)]
        accepts: Vec<String>,
    },
    /// After the welcome: from which record on, and which images it holds, complete or not.
    Subscribe {
        from: Sequence,
        images: Vec<(ImageId, bool)>,
        /// From whom else it reads; it gets what this site follows of others. Those that do not say so get nothing of
        /// the kind.
        #[serde(default)]
        sources: Option<Sources>,
    },
    /// Everything up to there is durable at the reader, but for what it passed over of images that do not follow
    /// this store, or are incomplete.
    Confirm {
        sequence: Sequence,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        passed_over: Vec<ImageId>,
    },
    /// An image must be copied, perhaps from where an earlier attempt came to.
    CopyRequest(Request),
    /// A copy is complete and durable.
    Synced { image: ImageId },
    /// A good copy of a block is wanted: one with that checksum, of the newest state or of any snapshot
    /// of the image. Answered by a frame of its own kind.
    Fetch {
        ticket: u64,
        image: ImageId,
        block: u64,
        checksum: u32,
    },
    /// While it catches up: the images that it has of those that were named.
    Held { images: Vec<HeldImage>, last: bool },
    /// Which of the blocks of the last question it lacks, as runs: first block and count.
    Lacks { runs: Vec<(u64, u64)> },
    /// Which of the leaves of the last question differ, and the digests of their blocks.
    Leaves { differing: Vec<(u64, String)> },
    /// Instead of the first: it wants to be a peer.
    Join(Join),
    /// The checksums of an image's ranges at a snapshot are wanted, from a block on up to another one.
    Digests {
        ticket: u64,
        image: ImageId,
        snapshot: SnapshotName,
        from: u64,
        to: u64,
    },
    /// Which of these images is it primary of?
    Leads { ticket: u64, images: Vec<ImageId> },
    /// Nothing but a sign of life.
    Alive,
}

/// What the side that serves says, besides records.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToReader {
    /// Who serves, and up to where its log is durable.
    Welcome {
        version: u32,
        name: String,
        store: StoreId,
        head: Position,
    },
    /// It is a peer from here on. The connection ends.
    Joined { name: String, store: StoreId },
    /// The connection ends, because.
    Refused { why: String },
    /// A copy begins; where it is not resumed, the reader's image becomes empty.
    CopyBegin { image: CopyImage, resumed: bool },
    /// A copy has reached the stream.
    CopyEnd {
        image: ImageId,
        epoch: Epoch,
        /// The primary of that epoch, where it is another one.
        #[serde(default)]
        leader: Option<StoreId>,
        /// Whether that is demoted; none where the peer does not say.
        #[serde(default)]
        demoted: Option<bool>,
        /// The request that it answers; none where the peer does not say.
        #[serde(default)]
        ticket: Option<u64>,
    },
    /// The reader lacks records that the log does not have any more, and gets the difference: all that it
    /// is to have, and images that are here and not to be touched.
    CatchUp {
        targets: Vec<Target>,
        others: Vec<ImageId>,
        /// Images that have ended, of which the reader has not read.
        #[serde(default)]
        ended: Vec<EndedImage>,
        last: bool,
    },
    /// What comes is staged for that image, which starts as it was or as its parent was.
    Stage {
        image: Box<CopyImage>,
        parent: Option<ImageOrigin>,
    },
    /// What does the reader have of that image?
    Inquire { image: ImageId },
    /// What was staged for an image is what it was at that record; what came behind follows.
    AdoptOne { target: Box<Target>, at: Sequence },
    /// Are these blocks of the image what their digests say? As runs: first block and count.
    Compare {
        image: ImageId,
        runs: Vec<(u64, u64)>,
        digests: String,
    },
    /// The same for leaves of 256 blocks.
    CompareLeaves {
        image: ImageId,
        leaves: Vec<u64>,
        digests: String,
    },
    /// All of the difference was sent: images become what was staged, and with that the reader has
    /// everything up to that record.
    Adopt { to: Sequence },
    /// The newest record.
    Alive { head: Position },
    /// What the reader has not confirmed, by image; of images that are not named it has confirmed all.
    Behind {
        images: Vec<(ImageId, Lag)>,
        /// Images of which it does not know how far it is behind their primary itself.
        #[serde(default)]
        unknown: Vec<ImageId>,
    },
    /// Checksums that were asked for; none where the image or the snapshot is not there.
    Digests {
        ticket: u64,
        digests: Option<Digests>,
    },
    /// Of the images that were asked about, those that are primary here.
    Leads { ticket: u64, images: Vec<ImageId> },
}

/// A batch of the log.
pub(crate) struct Batch<'a> {
    /// Everything up to this record has been sent.
    pub(crate) upto: Sequence,
    pub(crate) records: Vec<PeerRecord<'a>>,
}

/// A part of a copy.
pub(crate) struct CopyPart<'a> {
    pub(crate) image: ImageId,
    pub(crate) progress: Option<SyncState>,
    pub(crate) records: Vec<PeerRecord<'a>>,
}

const DATA: u8 = 1;
const DISCARD: u8 = 2;
const CHANGE: u8 = 3;
const DESCRIBE: u8 = 4;
/// Only for those that said from whom they read.
const HANDOVER: u8 = 5;
/// For the same.
const ENDED: u8 = 6;

/// The head of a batch's frame.
pub(crate) fn put_batch(frame: &mut Vec<u8>, upto: Sequence) {
    frame.extend_from_slice(&upto.0.to_le_bytes());
}

/// The head of a copy part's frame.
pub(crate) fn put_copy(frame: &mut Vec<u8>, image: ImageId, progress: Option<SyncState>) {
    frame.extend_from_slice(image.0.as_bytes());
    let (flag, next_block, at) = match progress {
        None => (0, 0, 0),
        Some(SyncState::Copying { next_block, at }) => (1, next_block, at.0),
        Some(SyncState::Consistent) => (2, 0, 0),
    };
    frame.push(flag);
    frame.extend_from_slice(&u64::to_le_bytes(next_block));
    frame.extend_from_slice(&u64::to_le_bytes(at));
}

/// The head of a data record; the bytes of the blocks follow it.
pub(crate) fn put_data(frame: &mut Vec<u8>, image: ImageId, block: u64, checksums: &[Checksum]) {
    frame.push(DATA);
    frame.extend_from_slice(image.0.as_bytes());
    frame.extend_from_slice(&block.to_le_bytes());
    frame.extend_from_slice(&(checksums.len() as u32).to_le_bytes());
    for checksum in checksums {
        frame.extend_from_slice(&checksum.0.to_le_bytes());
    }
}

pub(crate) fn put_discard(frame: &mut Vec<u8>, image: ImageId, block: u64, blocks: u64) {
    frame.push(DISCARD);
    frame.extend_from_slice(image.0.as_bytes());
    frame.extend_from_slice(&block.to_le_bytes());
    frame.extend_from_slice(&blocks.to_le_bytes());
}

pub(crate) fn put_change(frame: &mut Vec<u8>, change: &Change) {
    put_json(frame, CHANGE, change);
}

pub(crate) fn put_describe(frame: &mut Vec<u8>, image: &CopyImage) {
    put_json(frame, DESCRIBE, image);
}

pub(crate) fn put_handover(frame: &mut Vec<u8>, handover: &Handover) {
    put_json(frame, HANDOVER, handover);
}

pub(crate) fn put_ended(frame: &mut Vec<u8>, ended: &EndedImage) {
    put_json(frame, ENDED, ended);
}

fn put_json<T: Serialize>(frame: &mut Vec<u8>, tag: u8, value: &T) {
    if let Ok(text) = serde_json::to_vec(value) {
        frame.push(tag);
        frame.extend_from_slice(&(text.len() as u32).to_le_bytes());
        frame.extend_from_slice(&text);
    }
}

/// The answer to a question for a block, as a frame: the bytes, or that there are none.
pub(crate) fn lent(ticket: u64, data: Option<&[u8]>) -> Vec<u8> {
    let mut frame = wire::begin(Kind::Block);
    frame.extend_from_slice(&ticket.to_le_bytes());
    frame.extend_from_slice(data.unwrap_or_default());
    wire::seal(frame)
}

/// Understands such an answer.
pub(crate) fn block(payload: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    let mut rest = payload;
    let ticket = u64_of(&mut rest)?;
    match rest.len() as u64 {
        0 => Some((ticket, None)),
        BLOCK_SIZE => Some((ticket, Some(rest))),
        _ => None,
    }
}

/// Understands a batch; `None` where it makes no sense. Data are not verified yet.
pub(crate) fn batch(payload: &[u8]) -> Option<Batch<'_>> {
    let mut rest = payload;
    let upto = Sequence(u64_of(&mut rest)?);
    Some(Batch {
        upto,
        records: records(rest)?,
    })
}

/// Understands a part of a copy.
pub(crate) fn copy_part(payload: &[u8]) -> Option<CopyPart<'_>> {
    let mut rest = payload;
    let image = image_of(&mut rest)?;
    let flag = take(&mut rest, 1)?[0];
    let (next_block, at) = (u64_of(&mut rest)?, Sequence(u64_of(&mut rest)?));
    let progress = match flag {
        0 => None,
        1 => Some(SyncState::Copying { next_block, at }),
        _ => return None,
    };
    Some(CopyPart {
        image,
        progress,
        records: records(rest)?,
    })
}

fn records(mut rest: &[u8]) -> Option<Vec<PeerRecord<'_>>> {
    let mut records = Vec::new();
    while !rest.is_empty() {
        records.push(record(&mut rest)?);
    }
    Some(records)
}

fn record<'a>(rest: &mut &'a [u8]) -> Option<PeerRecord<'a>> {
    match take(rest, 1)?[0] {
        DATA => {
            let (image, block) = (image_of(rest)?, u64_of(rest)?);
            let blocks = u32_of(rest)? as usize;
            let sums = take(rest, blocks.checked_mul(4)?)?;
            let data = take(rest, blocks.checked_mul(BLOCK_SIZE as usize)?)?;
            let checksums = sums
                .chunks_exact(4)
                .map(|raw| Checksum(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]])))
                .collect();
            Some(PeerRecord::Data {
                image,
                block,
                data,
                checksums,
            })
        }
        DISCARD => {
            let (image, block, blocks) = (image_of(rest)?, u64_of(rest)?, u64_of(rest)?);
            Some(PeerRecord::Discard {
                image,
                block,
                blocks,
            })
        }
        CHANGE => {
            let len = u32_of(rest)? as usize;
            serde_json::from_slice(take(rest, len)?)
                .ok()
                .map(PeerRecord::Change)
        }
        DESCRIBE => {
            let len = u32_of(rest)? as usize;
            serde_json::from_slice(take(rest, len)?)
                .ok()
                .map(PeerRecord::Describe)
        }
        HANDOVER => {
            let len = u32_of(rest)? as usize;
            serde_json::from_slice(take(rest, len)?)
                .ok()
                .map(PeerRecord::Handover)
        }
        ENDED => {
            let len = u32_of(rest)? as usize;
            serde_json::from_slice(take(rest, len)?)
                .ok()
                .map(PeerRecord::Ended)
        }
        _ => None,
    }
}

/// Whether every block is what it was at the other side.
pub(crate) fn is_whole(records: &[PeerRecord<'_>]) -> bool {
    records.iter().all(|record| match record {
        PeerRecord::Data {
            data, checksums, ..
        } => data
            .chunks_exact(BLOCK_SIZE as usize)
            .zip(checksums)
            .all(|(block, checksum)| Checksum::of(block) == *checksum),
        PeerRecord::Discard { .. }
        | PeerRecord::Change(_)
        | PeerRecord::Describe(_)
        | PeerRecord::Handover(_)
        | PeerRecord::Ended(_) => true,
    })
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn u32_of(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_of(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn image_of(rest: &mut &[u8]) -> Option<ImageId> {
    let raw = take(rest, 16)?.try_into().ok()?;
    Some(ImageId(uuid::Uuid::from_bytes(raw)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the sites said to each other before there were forms.
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Former {
        Hello {
            version: u32,
            name: String,
            store: StoreId,
        },
    }

    #[test]
    fn who_names_no_forms_understands_plain_frames_alone() {
        let former = Former::Hello {
            version: VERSION,
            name: "b".to_owned(),
            store: StoreId::random(),
        };
        let text = serde_json::to_vec(&former).unwrap();
        match wire::parse(&text).unwrap() {
            ToServer::Hello { accepts, .. } => assert!(accepts.is_empty()),
            other => panic!("{other:?}"),
        }
        // And one that does is understood by a site that knows of none.
        let hello = ToServer::Hello {
            version: VERSION,
            name: "b".to_owned(),
            store: StoreId::random(),
            accepts: vec![crate::packed::LZ4.to_owned()],
        };
        let text = serde_json::to_vec(&hello).unwrap();
        let Former::Hello { version, .. } = wire::parse(&text).unwrap();
        assert_eq!(version, VERSION);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = batch(&bytes);
            let _ = copy_part(&bytes);
            let _ = super::block(&bytes);
        }

        #[test]
        fn a_batch_that_was_cut_is_no_batch(block: u64, cut in 1_usize..4200) {
            let image = ImageId::random();
            let mut frame = Vec::new();
            put_batch(&mut frame, Sequence(7));
            put_discard(&mut frame, image, block, 3);
            put_data(&mut frame, image, block, &[Checksum::of(&[5; 4096])]);
            frame.extend_from_slice(&[5; 4096]);
            let whole = batch(&frame);
            prop_assert!(whole.is_some_and(|b| b.records.len() == 2 && is_whole(&b.records)));
            let cut = cut.min(4128);
            let shorter = batch(&frame[..frame.len() - cut]);
            prop_assert!(shorter.is_none_or(|b| b.records.len() < 2));
        }
    }
}
