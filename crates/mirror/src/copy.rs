//! A first copy as the serving side sends it: snapshots, the newest state, and what came after.

use std::sync::Arc;

use firebrick_edge::Runtime;
use firebrick_engine::{
    Changed, CopySource, Difference, ErrorKind as EngineError, MapView, Reign, SnapshotSource,
    Store,
};
use firebrick_log::{Change, Checksum, Frame, FrameRecord, Location};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, Sequence, SyncState};
use tracing::info;

use crate::durable::Durable;
use crate::error::Error;
use crate::message::{self, ToReader};
use crate::relay::Relay;
use crate::stream::{own_change, put_data};
use crate::wire::{self, Kind};

/// Blocks in one part of a copy at most.
pub(crate) const PART_BLOCKS: usize = 512;

/// One copy.
///
/// The newest state is sent as it was at one position, and then every record of the image behind
/// the position where the copy first began, up to where the main stream is. A copy that is taken up
/// again sends the rest from a later state: applying all records from the first position on, in
/// order, leads to the same end whatever the blocks were before (INV-2).
pub(crate) struct Copy {
    store: Arc<Store>,
    runtime: Arc<dyn Runtime>,
    /// What else the reader gets.
    relay: Arc<Relay>,
    image: ImageId,
    /// Whose the image is where the copy has come to.
    reign: Reign,
    /// Whether that one is demoted there.
    demoted: bool,
    /// Blocks were sent as they are there: before, the image is in no state.
    settled: Sequence,
    source: CopySource,
    /// Whether it goes on where an earlier attempt ended.
    resumed: bool,
    /// Behind this record everything must be sent again.
    catch_from: Sequence,
    phase: Phase,
    /// The request that it answers.
    ticket: u64,
    /// Keeps the log behind that record.
    _kept: Option<Difference>,
}

enum Phase {
    Begin { next_block: u64 },
    Snapshot { index: usize, next_block: u64 },
    Head { next_block: u64 },
    CatchUp { log: Box<Durable>, at: Sequence },
    End,
}

/// What a step of a copy leads to.
pub(crate) enum Step {
    /// A frame for the peer.
    Frame(Vec<u8>),
    /// Nothing now: the main stream has to come on first.
    Wait,
    /// The copy has reached the main stream; the last frame of it.
    Done(Vec<u8>),
}

impl Copy {
    /// Prepares to copy `image`, from where an earlier attempt came to if that is possible. `None`
    /// where this site is not the one to copy it from (any more).
    pub(crate) fn new(
        store: &Arc<Store>,
        runtime: &Arc<dyn Runtime>,
        relay: &Arc<Relay>,
        (image, reached): (ImageId, Option<SyncState>),
    ) -> Result<Option<Self>, Error> {
        let Some(info) = store.image(image).ok().map(|image| image.info()) else {
            return Ok(None);
        };
        let tells = |of| relay.tells(of, image) && info.sync.is_consistent();
        if !info.mirrored || !info.upstream.is_none_or(tells) {
            return Ok(None);
        }
        // Of what this site follows, the ids of snapshots are no records of this log.
        let reached = reached.filter(|_| info.upstream.is_none());
        let source = match store.copy_source(image) {
            Ok(source) => source,
            // Removed between the two looks.
            Err(error) if error.kind == EngineError::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let resumed = match reached {
            Some(SyncState::Copying { next_block, at }) if resumable(&source, at) => {
                Some((next_block, at))
            }
            Some(_) | None => None,
        };
        Ok(Some(Self {
            store: Arc::clone(store),
            runtime: Arc::clone(runtime),
            relay: Arc::clone(relay),
            image,
            reign: Reign {
                epoch: source.image.epoch,
                leader: source.image.leader.unwrap_or(store.id()),
            },
            demoted: source.demoted,
            settled: source.position,
            catch_from: resumed.map_or(source.position, |(_, at)| at),
            resumed: resumed.is_some(),
            phase: Phase::Begin {
                next_block: resumed.map_or(0, |(next_block, _)| next_block),
            },
            source,
            ticket: 0,
            _kept: None,
        }))
    }

    /// What the log says of an image behind a difference that was sent: all that is left of its copy.
    /// `None` where it is gone.
    pub(crate) fn behind(
        store: &Arc<Store>,
        runtime: &Arc<dyn Runtime>,
        relay: &Arc<Relay>,
        (image, reign, demoted): (ImageId, Reign, bool),
        difference: Difference,
    ) -> Result<Option<Self>, Error> {
        let source = match store.copy_source(image) {
            Ok(source) => source,
            Err(error) if error.kind == EngineError::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let at = difference.position;
        let log = Durable::new(Arc::clone(store), Arc::clone(runtime), at.next())?;
        Ok(Some(Self {
            store: Arc::clone(store),
            runtime: Arc::clone(runtime),
            relay: Arc::clone(relay),
            image,
            reign,
            demoted,
            settled: at,
            source,
            resumed: true,
            catch_from: at,
            phase: Phase::CatchUp {
                log: Box::new(log),
                at,
            },
            ticket: 0,
            _kept: Some(difference),
        }))
    }

    /// The same, as the answer to that request.
    pub(crate) fn answering(self, ticket: u64) -> Self {
        Self { ticket, ..self }
    }

    pub(crate) const fn image(&self) -> ImageId {
        self.image
    }

    /// Whether it goes on where an earlier attempt ended.
    pub(crate) const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The next part, of so many blocks at most; `main` is up to where the main stream has been sent.
    pub(crate) async fn step(&mut self, main: Sequence, blocks: usize) -> Result<Step, Error> {
        match &mut self.phase {
            Phase::Begin { next_block } => {
                let next_block = *next_block;
                info!(
                    image = %self.source.image.name, at = %self.source.position, resumed = self.resumed,
                    "an image is copied to a peer"
                );
                self.phase = if self.resumed {
                    Phase::Head { next_block }
                } else {
                    Phase::Snapshot {
                        index: 0,
                        next_block: 0,
                    }
                };
                let image = self.source.image.clone();
                let begin = ToReader::CopyBegin {
                    image,
                    resumed: self.resumed,
                };
                Ok(Step::Frame(wire::message(&begin)))
            }
            Phase::Snapshot { index, next_block } => {
                let (index, next_block) = (*index, *next_block);
                self.snapshot(index, next_block, blocks).map(Step::Frame)
            }
            Phase::Head { next_block } => {
                let next_block = *next_block;
                self.head(next_block, blocks).map(Step::Frame)
            }
            Phase::CatchUp { .. } => self.catch_up(main, blocks * BLOCK_SIZE as usize).await,
            Phase::End => Ok(Step::Wait),
        }
    }

    /// A part of a snapshot, by its difference to the one before.
    fn snapshot(&mut self, index: usize, next_block: u64, blocks: usize) -> Result<Vec<u8>, Error> {
        let snapshots = &self.source.snapshots;
        let Some(snapshot) = snapshots.get(index) else {
            self.phase = Phase::Head { next_block: 0 };
            return self.head(0, blocks);
        };
        let mut part = self.begin(None);
        if next_block == 0 {
            self.resize(&mut part, snapshot.size);
        }
        let older = index
            .checked_sub(1)
            .and_then(|i| snapshots.get(i))
            .map(|older| &older.map);
        let changed = snapshot.map.changed_since(older, next_block, blocks)?;
        put_blocks(&self.store, &mut part, self.image, &changed)?;
        self.phase = match changed.last() {
            Some(last) if changed.len() == blocks => Phase::Snapshot {
                index,
                next_block: last.block + 1,
            },
            Some(_) | None => {
                self.name(&mut part, snapshot);
                Phase::Snapshot {
                    index: index + 1,
                    next_block: 0,
                }
            }
        };
        Ok(wire::seal(part))
    }

    /// A part of the newest state, by its difference to the last snapshot. Which snapshot was the
    /// last when an earlier attempt began is not known, so what follows that one starts from nothing.
    fn head(&mut self, next_block: u64, most: usize) -> Result<Vec<u8>, Error> {
        let last = self.source.snapshots.last().filter(|_| !self.resumed);
        let older: Option<&MapView> = last.map(|last| &last.map);
        let changed = self.source.head.changed_since(older, next_block, most)?;
        let done = changed.len() < most;
        let reached = changed.last().map_or(next_block, |last| last.block + 1);
        let progress = SyncState::Copying {
            next_block: reached,
            at: self.catch_from,
        };
        let mut part = self.begin(Some(progress));
        self.resize(&mut part, self.source.image.size);
        if self.resumed {
            let end = if done {
                self.source.head.blocks()
            } else {
                reached
            };
            let blocks = end.saturating_sub(next_block);
            message::put_discard(&mut part, self.image, next_block, blocks);
        }
        put_blocks(&self.store, &mut part, self.image, &changed)?;
        self.phase = if done {
            let runtime = Arc::clone(&self.runtime);
            let from = self.catch_from.next();
            let log = Durable::new(Arc::clone(&self.store), runtime, from)?;
            Phase::CatchUp {
                log: Box::new(log),
                at: self.catch_from,
            }
        } else {
            Phase::Head {
                next_block: reached,
            }
        };
        Ok(wire::seal(part))
    }

    /// Records of the image behind the copied state.
    async fn catch_up(&mut self, main: Sequence, most: usize) -> Result<Step, Error> {
        let mut part = self.begin(None);
        let empty = part.len();
        let image = self.image;
        let relay = Arc::clone(&self.relay);
        let Phase::CatchUp { log, at } = &mut self.phase else {
            return Ok(Step::Wait);
        };
        while *at < main && part.len() < most {
            let Some(frame) = log.next(|_| true).await? else {
                break;
            };
            *at = frame.position.sequence;
            let of = frame.applied.map(|applied| applied.peer);
            if of.is_some_and(|of| !relay.tells(of, image)) {
                continue;
            }
            let turned = put_frame(&self.store, &relay, (image, &frame), &mut part)?;
            self.reign = turned.reign.unwrap_or(self.reign);
            if *at > self.settled {
                self.demoted = turned.demoted.unwrap_or(self.demoted);
            }
        }
        if part.len() > empty {
            return Ok(Step::Frame(wire::seal(part)));
        }
        // Both are at ends of frames, so they meet exactly.
        if *at != main || *at < self.settled {
            return Ok(Step::Wait);
        }
        self.phase = Phase::End;
        let end = ToReader::CopyEnd {
            image: self.image,
            epoch: self.reign.epoch,
            leader: Some(self.reign.leader).filter(|leader| *leader != self.store.id()),
            demoted: Some(self.demoted),
            ticket: Some(self.ticket),
        };
        Ok(Step::Done(wire::message(&end)))
    }

    /// An empty part.
    fn begin(&self, progress: Option<SyncState>) -> Vec<u8> {
        let mut part = wire::begin(Kind::Copy);
        message::put_copy(&mut part, self.image, progress);
        part
    }

    fn resize(&self, part: &mut Vec<u8>, size: Bytes) {
        message::put_change(
            part,
            &Change::Resize {
                image: self.image,
                size,
            },
        );
    }

    fn name(&self, part: &mut Vec<u8>, snapshot: &SnapshotSource) {
        let (image, name) = (self.image, snapshot.name.clone());
        message::put_change(
            part,
            &Change::SnapshotCreate {
                image,
                snapshot: snapshot.id,
                name,
                taken: snapshot.taken,
            },
        );
    }
}

/// What a frame says of whose an image is behind it.
#[derive(Default)]
struct Turned {
    reign: Option<Reign>,
    /// Whether that one is demoted.
    demoted: Option<bool>,
}

/// What a frame of the log has of an image for who copies that, but for whose it is: that the end of the copy says.
fn put_frame(
    store: &Store,
    relay: &Relay,
    (image, frame): (ImageId, &Frame),
    part: &mut Vec<u8>,
) -> Result<Turned, Error> {
    let mut turned = Turned::default();
    for (i, record) in frame.records.iter().enumerate() {
        let sequence = frame.first.plus(i as u64);
        let told = |of| relay.is_on() && store.told(of).has(sequence);
        let sends = |of: ImageId| of == image && (store.sends(of, sequence) || told(of));
        match record {
            FrameRecord::Data {
                image,
                block,
                checksums,
                at,
                ..
            } if sends(*image) => put_data(store, part, *image, *block, *at, checksums)?,
            FrameRecord::Discard {
                image,
                block,
                blocks,
            } if sends(*image) => message::put_discard(part, *image, *block, *blocks),
            FrameRecord::Data { .. } | FrameRecord::Discard { .. } => {}
            FrameRecord::Change(Change::Promote { images }) => {
                let mine = images.iter().find(|promotion| promotion.image == image);
                let own = mine.map(|promotion| Reign {
                    epoch: promotion.epoch,
                    leader: store.id(),
                });
                if own.is_some() {
                    turned.reign = own;
                    turned.demoted = Some(false);
                }
            }
            FrameRecord::Change(Change::Demote { images })
                if images.contains(&image) && sends(image) =>
            {
                turned.demoted = Some(true);
            }
            FrameRecord::Change(Change::Follow {
                image: of,
                epoch,
                peer,
                leader,
                ..
            }) if *of == image => {
                turned.reign = Some(Reign {
                    epoch: *epoch,
                    leader: leader.unwrap_or(*peer),
                });
                turned.demoted = Some(false);
            }
            FrameRecord::Change(change) => {
                if let Some(change) = own_change(change, sends) {
                    message::put_change(part, &change);
                }
            }
        }
    }
    Ok(turned)
}

/// Blocks as data and discards, neighbours together.
pub(crate) fn put_blocks(
    store: &Store,
    part: &mut Vec<u8>,
    image: ImageId,
    changed: &[Changed],
) -> Result<(), Error> {
    let alike = |one: &Changed, next: &Changed| {
        one.block + 1 == next.block
            && match (one.entry, next.entry) {
                (Some(one), Some(next)) => one.at.plus_blocks(1) == next.at,
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    };
    for run in changed.chunk_by(alike) {
        let Some(first) = run.first() else { continue };
        match first.entry {
            None => message::put_discard(part, image, first.block, run.len() as u64),
            Some(entry) => {
                let sums: Vec<Checksum> = run
                    .iter()
                    .filter_map(|block| block.entry)
                    .map(|entry| entry.checksum)
                    .collect();
                let at: Location = entry.at;
                put_data(store, part, image, first.block, at, &sums)?;
            }
        }
    }
    Ok(())
}

/// Whether a copy that had come to its newest state, taken at `at`, can go on: a snapshot that was
/// made since would get blocks that are younger than itself.
fn resumable(source: &CopySource, at: Sequence) -> bool {
    let newest = source
        .snapshots
        .iter()
        .map(|snapshot| snapshot.id.0)
        .max()
        .unwrap_or_default();
    at > Sequence::ZERO && at <= source.position && newest <= at.0
}

const _: () = assert!(PART_BLOCKS * BLOCK_SIZE as usize + (1 << 20) < wire::RECORDS_MAX);
