//! The stream: the own log as a peer gets it.

mod told;

use std::collections::BTreeSet;
use std::sync::Arc;

use firebrick_edge::Runtime;
use firebrick_engine::Store;
use firebrick_log::{Change, Checksum, Frame, FrameRecord, Location};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, Sequence};

use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use crate::message;
use crate::relay::{Relay, Sent};
use crate::wire::{self, Kind};
use told::Place;

const DOING: &str = "send the log";
/// About how long a frame to the peer becomes, in bytes.
pub(crate) const BATCH_BYTES: usize = 1 << 20;
/// About how many records a frame to the peer gets.
const BATCH_RECORDS: usize = 4096;
/// How much is read from the log at once at most, in bytes, where records are small.
const RUN_BYTES: usize = 256 << 10;

/// What comes next for a peer.
pub(crate) enum Next {
    /// Nothing now.
    Nothing,
    /// A batch as a frame, and what it says.
    Batch(Vec<u8>, Said),
    /// This site got a difference itself, of which the log says nothing: behind that record the peer needs one, too.
    Jump(Sequence),
}

/// What one batch said about images, for those who copy and count.
#[derive(Default)]
pub(crate) struct Said {
    /// Images that began with this batch, or that the peer follows from here on, and at which record.
    pub(crate) created: Vec<(ImageId, Sequence)>,
    /// Images that ended for the peer.
    pub(crate) ended: Vec<ImageId>,
    /// Images that are other ones now, so that copies of what they were are of no use.
    pub(crate) jumped: Vec<ImageId>,
}

/// The main stream of one connection.
pub(crate) struct Stream {
    store: Arc<Store>,
    /// What it gets of other logs.
    relay: Arc<Relay>,
    /// Images that the peer follows as this site's own: nothing of another log is for them, before it knows that.
    as_own: BTreeSet<ImageId>,
    /// Images that it follows as another site's: of this site's own records only those are for it behind which there is
    /// no gap in all of them.
    by_way: BTreeSet<ImageId>,
    log: Durable,
    /// A difference comes next.
    jumps: bool,
    /// Everything up to this record has been sent.
    cursor: Sequence,
    /// What was read last.
    data: Vec<u8>,
    /// Images that are being copied; their records come with the copy.
    pub(crate) deferred: BTreeSet<ImageId>,
}

impl Stream {
    pub(crate) fn new(
        store: Arc<Store>,
        runtime: Arc<dyn Runtime>,
        (relay, as_own): (Arc<Relay>, BTreeSet<ImageId>),
        from: Sequence,
    ) -> Result<Self, Error> {
        let log = Durable::new(Arc::clone(&store), runtime, from)?;
        let cursor = Sequence(from.0.saturating_sub(1));
        Ok(Self {
            store,
            by_way: relay.by_way(),
            relay,
            as_own,
            log,
            jumps: false,
            cursor,
            data: Vec::new(),
            deferred: BTreeSet::new(),
        })
    }

    pub(crate) const fn cursor(&self) -> Sequence {
        self.cursor
    }

    /// Everything up to this record has been looked at.
    pub(crate) fn seen(&self) -> Sequence {
        self.log.seen().max(self.cursor)
    }

    /// What comes next for the peer; a batch is of about `most` bytes.
    pub(crate) async fn next(&mut self, most: usize) -> Result<Next, Error> {
        if self.jumps {
            return Ok(Next::Jump(self.cursor));
        }
        let mut batch = wire::begin(Kind::Batch);
        let upto = batch.len();
        message::put_batch(&mut batch, Sequence::ZERO);
        let (mut records, mut said, mut any) = (0, Said::default(), false);
        while batch.len() < most && records < BATCH_RECORDS {
            let (store, relay) = (&self.store, &self.relay);
            let Some(frame) = self.log.next(|frame| tells(store, relay, frame)).await? else {
                break;
            };
            if told::jumps(relay, &frame) {
                self.jumps = true;
                if !any {
                    return Ok(Next::Jump(self.cursor));
                }
                break;
            }
            if !any {
                batch.reserve(most + RUN_BYTES);
            }
            any = true;
            self.cursor = frame.position.sequence;
            // What another site said is not this one's to tell, but to those who do not hear it from there.
            let of = frame.applied.map(|applied| applied.peer);
            if of.is_none_or(|of| self.relay.tells_any(of)) {
                records += frame.records.len();
                self.put(&mut batch, &frame, &mut said)?;
            } else {
                self.put_ends(&mut batch, &frame, &mut said);
            }
        }
        batch[upto..upto + 8].copy_from_slice(&self.cursor.0.to_le_bytes());
        Ok(if any {
            Next::Batch(wire::seal(batch), said)
        } else {
            Next::Nothing
        })
    }

    fn put(&mut self, batch: &mut Vec<u8>, frame: &Frame, said: &mut Said) -> Result<(), Error> {
        let (store, relay) = (Arc::clone(&self.store), Arc::clone(&self.relay));
        let mut sent = Sent::new(&store, relay.is_on());
        let of = frame.applied.map(|applied| applied.peer);
        if let Some(of) = of {
            self.turn(batch, frame, of, said);
        }
        let by_way = self.by_way.clone();
        let mut has = |image, sequence| match of {
            None if by_way.contains(&image) => sent.tells(image, sequence),
            None => sent.has(image, sequence),
            Some(of) => sent.tells(image, sequence) && relay.tells(of, image),
        };
        let mut run = Run::default();
        for (i, record) in frame.records.iter().enumerate() {
            let sequence = frame.first.plus(i as u64);
            match record {
                FrameRecord::Data {
                    image,
                    block,
                    checksums,
                    at,
                    ..
                } => {
                    if !self.deferred.contains(image) && has(*image, sequence) {
                        if !run.is_followed_by(*at, checksums) {
                            self.put_run(batch, &mut run)?;
                        }
                        run.add(*image, *block, *at, checksums);
                    }
                }
                FrameRecord::Discard {
                    image,
                    block,
                    blocks,
                } => {
                    if !self.deferred.contains(image) && has(*image, sequence) {
                        self.put_run(batch, &mut run)?;
                        message::put_discard(batch, *image, *block, *blocks);
                    }
                }
                FrameRecord::Change(change) => {
                    self.put_run(batch, &mut run)?;
                    match of {
                        None => self.change(batch, change, sequence, said),
                        Some(of) => {
                            let place = Place {
                                frame,
                                sequence,
                                of,
                            };
                            self.told_change(batch, place, change, said);
                        }
                    }
                }
            }
        }
        self.put_run(batch, &mut run)
    }

    /// What another site said is not this one's to tell, but that images ended by it: a peer that has just read of an
    /// earlier time here, when this site was primary of them, would wait for ever for something to copy.
    fn put_ends(&self, batch: &mut Vec<u8>, frame: &Frame, said: &mut Said) {
        for image in ended(&self.store, frame) {
            said.ended.push(image);
            self.put_end(batch, image);
            message::put_change(batch, &Change::Remove { image });
        }
    }

    /// Whose an image was that has ended: what led to that is told no more, and the peer may have it in an earlier
    /// reign.
    fn put_end(&self, batch: &mut Vec<u8>, image: ImageId) {
        if let Some(ended) = self.store.end_of(image).filter(|_| self.relay.is_on()) {
            message::put_ended(batch, &ended);
        }
    }

    /// Empties the run.
    fn put_run(&mut self, batch: &mut Vec<u8>, run: &mut Run<'_>) -> Result<(), Error> {
        let Run { at, parts, .. } = std::mem::take(run);
        let Some(at) = at else {
            return Ok(());
        };
        if let [(image, block, checksums)] = parts[..] {
            return put_data(&self.store, batch, image, block, at, checksums);
        }
        let blocks: usize = parts.iter().map(|(_, _, checksums)| checksums.len()).sum();
        // Not cleared before: zeroes would only be written over.
        self.data.resize(blocks * BLOCK_SIZE as usize, 0);
        self.store.read_log(at, &mut self.data)?;
        let mut rest = &self.data[..];
        for (image, block, checksums) in parts {
            let (data, behind) = rest.split_at(checksums.len() * BLOCK_SIZE as usize);
            verify(image, block, data, checksums)?;
            message::put_data(batch, image, block, checksums);
            batch.extend_from_slice(data);
            rest = behind;
        }
        Ok(())
    }

    fn sends(&self, image: ImageId, sequence: Sequence) -> bool {
        !self.deferred.contains(&image) && self.has(image, sequence)
    }

    /// Whether the peer gets that own record, which is about the image.
    fn has(&self, image: ImageId, sequence: Sequence) -> bool {
        let told = || self.relay.is_on() && self.store.told(image).has(sequence);
        let own = !self.by_way.contains(&image) && self.store.sends(image, sequence);
        own || told()
    }

    fn change(
        &mut self,
        batch: &mut Vec<u8>,
        change: &Change,
        sequence: Sequence,
        said: &mut Said,
    ) {
        match change {
            Change::Create { image, .. } => {
                if self.sends(*image, sequence) {
                    said.created.push((*image, sequence));
                    message::put_change(batch, &self.created(change, sequence));
                }
            }
            // These end the image at the peer, and with it a copy that is under way.
            Change::Remove { image }
            | Change::Mirroring {
                image,
                enabled: false,
            } => {
                // One that began anew since does not say any more what was told of it before.
                if self.has(*image, sequence) || self.relay.is_on() {
                    said.ended.push(*image);
                    self.put_end(batch, *image);
                    message::put_change(batch, change);
                }
            }
            Change::Mirroring {
                image,
                enabled: true,
            } => {
                if self.sends(*image, sequence) {
                    self.describe(batch, *image);
                    message::put_change(batch, change);
                }
            }
            Change::Promote { images } => {
                let mut images = images.clone();
                // Also of those that are being copied: until that ends, the peer may turn to an earlier primary of
                // which it hears late.
                images.retain(|promotion| self.has(promotion.image, sequence));
                for promotion in &mut images {
                    if self.deferred.contains(&promotion.image) {
                        // Whatever the peer has of it from elsewhere, it does not go on with that: the records
                        // behind are left out.
                        promotion.origin = None;
                        promotion.forced = true;
                    } else {
                        said.created.push((promotion.image, sequence));
                    }
                    self.describe(batch, promotion.image);
                }
                if !images.is_empty() {
                    message::put_change(batch, &Change::Promote { images });
                }
            }
            Change::Demote { .. }
            | Change::Rename { .. }
            | Change::Resize { .. }
            | Change::SnapshotCreate { .. }
            | Change::SnapshotRemove { .. }
            | Change::Rollback { .. }
            | Change::Metadata { .. }
            | Change::FallBack { .. }
            | Change::Yield { .. }
            | Change::Adopt { .. }
            | Change::Sync { .. }
            | Change::Base { .. }
            | Change::Restore { .. }
            | Change::Follow { .. } => {
                if let Some(change) = own_change(change, |image| self.sends(image, sequence)) {
                    message::put_change(batch, &change);
                }
            }
        }
    }

    /// The beginning of an image as peers get it: where what it was cloned from is another site's to tell, or is told
    /// no more, they may have that as it was at another time. A place in this log, which says nothing there, tells
    /// them so.
    fn created(&self, change: &Change, sequence: Sequence) -> Change {
        let mut created = change.clone();
        let gets = |image| {
            if self.by_way.contains(&image) {
                self.has(image, sequence)
            } else {
                self.store.sends(image, sequence)
            }
        };
        if let Change::Create {
            origin: Some(origin),
            ..
        } = &mut created
            && !gets(origin.image)
        {
            origin.at.get_or_insert(sequence);
        }
        created
    }

    /// A peer that lacks the image needs its name and size. One that is gone by now needs nothing.
    fn describe(&self, batch: &mut Vec<u8>, image: ImageId) {
        if let Ok(described) = self.store.describe(image) {
            message::put_describe(batch, &described);
        }
    }
}

/// What of a change inside images a peer gets, if it gets changes of the images for which `sends`.
pub(crate) fn own_change(change: &Change, sends: impl Fn(ImageId) -> bool) -> Option<Change> {
    match change {
        Change::Demote { images } => {
            let images: Vec<ImageId> = images
                .iter()
                .copied()
                .filter(|image| sends(*image))
                .collect();
            (!images.is_empty()).then_some(Change::Demote { images })
        }
        Change::Rename { image, .. }
        | Change::Resize { image, .. }
        | Change::SnapshotCreate { image, .. }
        | Change::SnapshotRemove { image, .. }
        | Change::Rollback { image, .. }
        | Change::Metadata { image, .. } => sends(*image).then(|| change.clone()),
        // Beginnings, ends and roles are the stream's; the rest concerns the one store alone.
        Change::Create { .. }
        | Change::Remove { .. }
        | Change::Mirroring { .. }
        | Change::Promote { .. }
        | Change::FallBack { .. }
        | Change::Yield { .. }
        | Change::Adopt { .. }
        | Change::Sync { .. }
        | Change::Base { .. }
        | Change::Restore { .. }
        | Change::Follow { .. } => None,
    }
}

/// Records whose data lie one behind the other in the log, to be read at once.
#[derive(Default)]
struct Run<'a> {
    /// Where the data begin; `None` where there are no records.
    at: Option<Location>,
    blocks: u32,
    parts: Vec<(ImageId, u64, &'a [Checksum])>,
}

impl<'a> Run<'a> {
    fn is_followed_by(&self, at: Location, checksums: &[Checksum]) -> bool {
        let blocks = self.blocks as usize + checksums.len();
        blocks * BLOCK_SIZE as usize <= RUN_BYTES
            && self.at.map(|first| first.plus_blocks(self.blocks)) == Some(at)
    }

    fn add(&mut self, image: ImageId, block: u64, at: Location, checksums: &'a [Checksum]) {
        self.at.get_or_insert(at);
        self.blocks += checksums.len() as u32;
        self.parts.push((image, block, checksums));
    }
}

/// Whether there is something in the frame that the peer must have.
fn tells(store: &Store, relay: &Relay, frame: &Frame) -> bool {
    if let Some(applied) = frame.applied {
        return relay.tells_any(applied.peer) || ended(store, frame).next().is_some();
    }
    let mut records = frame.records.iter().enumerate();
    let mut sent = Sent::new(store, relay.is_on());
    records.any(|(i, record)| match record {
        FrameRecord::Data { image, .. } | FrameRecord::Discard { image, .. } => {
            sent.has(*image, frame.first.plus(i as u64))
        }
        FrameRecord::Change(Change::Base { .. } | Change::Restore { .. }) => false,
        FrameRecord::Change(_) => true,
    })
}

/// The images that ended with a frame and are not here since: a copy that begins anew ends one too.
fn ended(store: &Store, frame: &Frame) -> impl Iterator<Item = ImageId> {
    let removed = frame.records.iter().filter_map(|record| match record {
        FrameRecord::Change(Change::Remove { image }) => Some(*image),
        FrameRecord::Change(_) | FrameRecord::Data { .. } | FrameRecord::Discard { .. } => None,
    });
    removed.filter(|image| store.image(*image).is_err())
}

/// Blocks of an image, read from the log and verified: a peer must never get what rotted here.
pub(crate) fn put_data(
    store: &Store,
    frame: &mut Vec<u8>,
    image: ImageId,
    block: u64,
    at: Location,
    checksums: &[Checksum],
) -> Result<(), Error> {
    message::put_data(frame, image, block, checksums);
    let start = frame.len();
    frame.resize(start + checksums.len() * BLOCK_SIZE as usize, 0);
    let data = frame.get_mut(start..).unwrap_or_default();
    store.read_log(at, data)?;
    verify(image, block, data, checksums)
}

fn verify(image: ImageId, block: u64, data: &[u8], checksums: &[Checksum]) -> Result<(), Error> {
    let damaged = data
        .chunks_exact(BLOCK_SIZE as usize)
        .zip(checksums)
        .position(|(block, checksum)| Checksum::of(block) != *checksum);
    match damaged {
        None => Ok(()),
        Some(i) => {
            let block = block + i as u64;
            let why = format!("block {block} of image {image} is damaged on this disk");
            Err(Error::new(ErrorKind::Store, DOING, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_what_lies_together_and_is_not_too_long() {
        let at = |unit| Location { segment: 3, unit };
        let sums = [Checksum(0); 64];
        let mut run = Run::default();
        assert!(!run.is_followed_by(at(8), &sums[..1]), "it is empty");
        run.add(ImageId(uuid::Uuid::from_u128(1)), 7, at(8), &sums[..2]);
        assert!(run.is_followed_by(at(24), &sums[..1]));
        assert!(!run.is_followed_by(at(16), &sums[..1]), "another place");
        assert!(run.is_followed_by(at(24), &sums[..62]));
        assert!(!run.is_followed_by(at(24), &sums[..63]), "too long");
    }
}
