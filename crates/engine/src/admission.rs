//! What of a peer's batch becomes part of the own log.

mod giving_way;
mod handover;

use std::collections::{BTreeMap, BTreeSet};

use firebrick_log::{
    Applied, BatchData, Change, Checksum, Entry, FallBack, ImageOrigin, Promotion, Reign, Taken,
};
use firebrick_vocabulary::{
    BLOCK_SIZE, Epoch, ImageId, Role, Sequence, SnapshotId, StoreId, SyncState,
};
use tracing::warn;

use crate::apply::KnownPast;
use crate::copy::CopyImage;
use crate::error::{Error, ErrorKind};
use crate::keys::LOCAL_KEY;
use crate::peer::{PeerRecord, Stream};
use crate::state::State;
use crate::tombstone::{Bury, tombstone};

const DOING: &str = "apply a peer's records";

/// What is known of an image while a batch is looked through, ahead of its application.
#[derive(Clone, Debug)]
struct Known {
    exists: bool,
    follows: bool,
    copying: bool,
    epoch: Epoch,
    /// Who was promoted to that epoch.
    leader: Option<StoreId>,
    /// `None` where the batch made it uncertain.
    blocks: Option<u64>,
    last_own: Sequence,
    snapshots: Vec<(SnapshotId, Option<Taken>)>,
}

/// A record that will be part of the own log.
pub(crate) enum Admitted<'a> {
    Data {
        image: ImageId,
        block: u64,
        data: [&'a [u8]; 1],
        checksums: &'a [Checksum],
    },
    Discard {
        image: ImageId,
        block: u64,
        blocks: u64,
    },
    Change(Change),
}

/// What a look through a batch found.
pub(crate) type Looked<'a> = (Vec<Admitted<'a>>, BTreeSet<ImageId>);

/// Looks through a batch.
pub(crate) struct Admission<'s, 'a> {
    state: &'s State,
    own: StoreId,
    peer: StoreId,
    stream: Stream,
    /// The sequence that the first admitted record will get.
    next: Sequence,
    known: BTreeMap<ImageId, Known>,
    /// Images whose common state cannot be had any more.
    lost: &'s BTreeSet<ImageId>,
    described: BTreeMap<ImageId, &'a CopyImage>,
    /// What stays of replicas that end.
    bury: Option<&'s Bury>,
    admitted: Vec<Admitted<'a>>,
    /// Images of which something was passed over, as they do not follow the peer or are incomplete.
    passed: BTreeSet<ImageId>,
}

impl Admitted<'_> {
    pub(crate) fn entry(&self) -> Entry<'_> {
        match self {
            Self::Data {
                image,
                block,
                data,
                checksums,
            } => Entry::Data(BatchData {
                image: *image,
                block: *block,
                data,
                checksums,
            }),
            Self::Discard {
                image,
                block,
                blocks,
            } => Entry::Discard {
                image: *image,
                block: *block,
                blocks: *blocks,
            },
            Self::Change(change) => Entry::Change(change),
        }
    }

    /// Says in the record of a return what the image was then, for those who look back at that.
    pub(crate) fn describe(&mut self, past: &KnownPast) {
        if let Self::Change(Change::FallBack { images }) = self {
            for step in images {
                let mut known = past.0.iter();
                let then = known.find(|(image, at, _)| (*image, *at) == (step.image, step.to));
                step.size = then.map(|(_, _, then)| then.meta.size);
                step.name = then.map(|(_, _, then)| then.meta.name.clone());
                step.metadata = then.and_then(|(_, _, then)| then.meta.metadata.clone());
            }
        }
    }

    const fn as_change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            Self::Data { .. } | Self::Discard { .. } => None,
        }
    }

    pub(crate) fn fall_back(&self) -> Option<&Vec<FallBack>> {
        match self {
            Self::Change(Change::FallBack { images }) => Some(images),
            Self::Change(_) | Self::Data { .. } | Self::Discard { .. } => None,
        }
    }
}

impl<'s, 'a> Admission<'s, 'a> {
    pub(crate) fn new(
        own: (StoreId, Sequence),
        state: &'s State,
        peer: StoreId,
        stream: Stream,
    ) -> Self {
        Self {
            state,
            own: own.0,
            peer,
            stream,
            next: own.1,
            known: BTreeMap::new(),
            lost: const { &BTreeSet::new() },
            described: BTreeMap::new(),
            bury: None,
            admitted: Vec::new(),
            passed: BTreeSet::new(),
        }
    }

    /// Without the earlier states of some images, as they cannot be had.
    pub(crate) fn without(self, lost: &'s BTreeSet<ImageId>) -> Self {
        Self { lost, ..self }
    }

    /// With somebody who says what stays of replicas that end.
    pub(crate) fn burying(self, bury: Option<&'s Bury>) -> Self {
        Self { bury, ..self }
    }

    /// What of the records is taken over, in their order, and the images of which something was passed over, as
    /// they do not follow the peer or are incomplete.
    pub(crate) fn run(mut self, records: &'a [PeerRecord<'a>]) -> Result<Looked<'a>, Error> {
        for record in records {
            match record {
                PeerRecord::Data {
                    image,
                    block,
                    data,
                    checksums,
                } => {
                    let blocks = checksums.len() as u64;
                    if data.len() as u64 != blocks * BLOCK_SIZE || blocks == 0 {
                        return Err(refuse("data that are not whole blocks"));
                    }
                    let taken = self.admits(*image, *block, blocks)? as usize;
                    if taken > 0 {
                        let (image, block) = (*image, *block);
                        self.admitted.push(Admitted::Data {
                            image,
                            block,
                            data: [&data[..taken * BLOCK_SIZE as usize]],
                            checksums: &checksums[..taken],
                        });
                    }
                }
                PeerRecord::Discard {
                    image,
                    block,
                    blocks,
                } => {
                    let blocks = self.admits(*image, *block, *blocks)?;
                    if blocks > 0 {
                        let (image, block) = (*image, *block);
                        self.admitted.push(Admitted::Discard {
                            image,
                            block,
                            blocks,
                        });
                    }
                }
                PeerRecord::Describe(image) => {
                    self.described.insert(image.image, image);
                }
                PeerRecord::Change(change) => self.change(change),
                PeerRecord::Handover(handover) => self.handover(handover),
                PeerRecord::Ended(ended) => self.end(ended),
            }
        }
        Ok((self.admitted, self.passed))
    }

    fn known(&mut self, image: ImageId) -> &mut Known {
        let (state, own, peer) = (self.state, self.own, self.peer);
        self.known
            .entry(image)
            .or_insert_with(|| Known::of(state, own, peer, image))
    }

    /// Whether changes of the image in this stream are taken over.
    fn accepts(&mut self, image: ImageId) -> bool {
        let stream = self.stream;
        let known = self.known(image);
        let wanted = match stream {
            Stream::Main => !known.copying,
            Stream::Copy(only) => known.copying && image == only,
        };
        known.exists && known.follows && wanted
    }

    /// How many of the blocks from `block` on are taken over.
    fn admits(&mut self, image: ImageId, block: u64, blocks: u64) -> Result<u64, Error> {
        if !self.accepts(image) {
            self.passed.insert(image);
            return Ok(0);
        }
        let end = block
            .checked_add(blocks)
            .ok_or_else(|| refuse("blocks beyond all numbers"))?;
        match (self.known(image).blocks, self.stream) {
            (Some(size), Stream::Main) if end > size => {
                Err(refuse("blocks beyond the end of their image"))
            }
            // The copy began at a later size; what lies beyond it comes again, or is gone.
            (Some(size), Stream::Copy(_)) => Ok(end.min(size).saturating_sub(block)),
            (Some(_) | None, _) => Ok(blocks),
        }
    }

    fn push(&mut self, change: Change) {
        self.admitted.push(Admitted::Change(change));
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Create { .. } => self.create(change),
            Change::Promote { images } => self.promote(images),
            Change::Demote { images } => {
                let images: Vec<ImageId> = images
                    .iter()
                    .copied()
                    .filter(|image| self.accepts(*image))
                    .collect();
                if !images.is_empty() {
                    self.push(Change::Demote { images });
                }
            }
            Change::Mirroring {
                image,
                enabled: true,
            } => {
                if !self.known(*image).exists {
                    self.begin(*image, None, false);
                }
            }
            Change::Mirroring {
                image,
                enabled: false,
            }
            | Change::Remove { image } => {
                let accepted = self.accepts(*image);
                if accepted {
                    self.bury(*image);
                }
                if accepted || self.known(*image).is_orphan() {
                    self.known(*image).exists = false;
                    self.push(Change::Remove { image: *image });
                }
            }
            Change::Metadata { key, .. } if key.starts_with(LOCAL_KEY) => {}
            // One that the peer alone has.
            Change::SnapshotRemove { snapshot, .. } if snapshot.is_apart() => {}
            // A copy that goes on says once more what an earlier attempt had come to.
            Change::SnapshotCreate {
                image, snapshot, ..
            } if self.stream == Stream::Copy(*image) && self.known(*image).has(*snapshot) => {}
            Change::Rename { image, .. }
            | Change::Resize { image, .. }
            | Change::SnapshotCreate { image, .. }
            | Change::SnapshotRemove { image, .. }
            | Change::Rollback { image, .. }
            | Change::Metadata { image, .. } => {
                if self.accepts(*image) {
                    self.known(*image).learn(change);
                    self.push(change.clone());
                } else {
                    self.passed.insert(*image);
                }
            }
            // What the peer does as a follower of somebody else.
            Change::FallBack { .. }
            | Change::Yield { .. }
            | Change::Adopt { .. }
            | Change::Sync { .. }
            | Change::Base { .. }
            | Change::Restore { .. }
            | Change::Follow { .. } => {}
        }
    }

    fn create(&mut self, change: &Change) {
        let Change::Create {
            image,
            name,
            size,
            origin,
            epoch,
            ..
        } = change
        else {
            return;
        };
        if self.known(*image).exists || self.stream != Stream::Main {
            return;
        }
        let whole = origin.is_none_or(|origin| self.has_origin(&origin));
        let sync = if whole {
            SyncState::Consistent
        } else {
            SyncState::NOTHING_COPIED
        };
        let created = Change::Create {
            image: *image,
            name: name.clone(),
            size: *size,
            origin: origin.filter(|_| whole),
            mirrored: true,
            role: Role::Secondary,
            epoch: *epoch,
            sync,
        };
        let blocks = Some(size.0.div_ceil(BLOCK_SIZE));
        let fresh = Known {
            exists: true,
            follows: true,
            copying: !whole,
            epoch: *epoch,
            leader: Some(self.peer),
            blocks,
            ..Known::NOTHING
        };
        self.known.insert(*image, fresh);
        self.push(created);
    }

    /// Whether a clone can start here as it did there.
    fn has_origin(&mut self, origin: &ImageOrigin) -> bool {
        let known = self.known(origin.image);
        let usable = known.exists && !known.copying;
        match origin.snapshot {
            // A position of the peer's log says nothing here.
            _ if origin.at.is_some() => false,
            Some(snapshot) => {
                let mut all = known.snapshots.iter();
                let here = all.find(|(id, _)| *id == snapshot);
                // Another one may have that id here, unless all of the image is the peer's.
                usable && here.is_some_and(|(_, taken)| known.follows || *taken == origin.taken)
            }
            None => usable && known.follows,
        }
    }

    /// Begins an image that existed at the peer before it was mirrored, or that is lost here.
    fn begin(&mut self, image: ImageId, epoch: Option<Epoch>, handed_on: bool) {
        let Some(described) = self.described.get(&image).copied() else {
            warn!(%image, "the peer mirrors an image that is neither here nor described");
            return;
        };
        // An old record of a former primary: the image begins with what its new one says.
        let elsewhere = described.leader.filter(|leader| *leader != self.peer);
        if epoch.is_none() && elsewhere.is_some() && !handed_on {
            return;
        }
        // A promotion is the peer's own.
        let by_way_of = described.by_way_of(self.peer).filter(|_| epoch.is_none());
        let leader = by_way_of.as_ref().and(described.leader);
        let epoch = epoch.unwrap_or(described.epoch);
        let leader = leader.unwrap_or(self.peer);
        let reign = Reign { epoch, leader };
        let between = (self.own, self.peer);
        if self.state.has_ended_behind(between, image, reign) {
            warn!(%image, "the peer has an image that another site took over, and that ended here");
            self.passed.insert(image);
            return;
        }
        let blocks = Some(described.size.0.div_ceil(BLOCK_SIZE));
        let fresh = Known {
            exists: true,
            follows: true,
            copying: true,
            epoch,
            leader: Some(leader),
            blocks,
            ..Known::NOTHING
        };
        self.known.insert(image, fresh);
        self.push(described.create(epoch, SyncState::NOTHING_COPIED));
        self.admitted.extend(by_way_of.map(Admitted::Change));
    }

    fn promote(&mut self, promotions: &[Promotion]) {
        let mut fallen = Vec::new();
        for promotion in promotions {
            let image = promotion.image;
            let (own, peer) = (self.own, self.peer);
            let known = self.known(image);
            if !known.exists {
                self.begin(image, Some(promotion.epoch), false);
                continue;
            }
            // Two sites that did not hear of each other may have given themselves the same epoch: all
            // agree on whose it is (INV-3).
            if (promotion.epoch, Some(peer)) <= (known.epoch, known.leader) {
                if !known.follows {
                    self.passed.insert(image);
                }
                continue;
            }
            let common = promotion.origin.filter(|origin| origin.peer == own);
            let follows = known.follows;
            let last_own = known.last_own;
            let elsewhere = promotion.origin.filter(|origin| origin.peer != own);
            let leads = known.leader == Some(own);
            let before = known.reign();
            // The peer has handed on what it followed, and so all that it had is here.
            let told = follows && before.is_some() && promotion.after == before;
            let ended = !promotion.forced && self.ended(image, promotion.after);
            let there = |origin| self.is_there(promotion, origin);
            let goes_on = told || ended || elsewhere.is_none_or(there);
            match common {
                _ if !goes_on => self.yield_to(promotion),
                _ if told || ended => self.follow(promotion),
                // What a third site wrote meanwhile is here, and not there.
                Some(_) if !leads && !follows => self.yield_to(promotion),
                None if elsewhere.is_some() => self.follow(promotion),
                _ if follows => self.follow(promotion),
                Some(origin) if last_own <= origin.sequence => self.follow(promotion),
                Some(_) if self.lost.contains(&image) => self.yield_to(promotion),
                Some(origin) => fallen.push(self.fall_back(promotion, origin.sequence)),
                None => self.yield_to(promotion),
            }
            let known = self.known(image);
            known.follows = true;
            known.epoch = promotion.epoch;
            known.leader = Some(peer);
            known.blocks = None;
        }
        if !fallen.is_empty() {
            self.push(Change::FallBack { images: fallen });
        }
    }

    /// Whether this store has of a third one's image just what the peer had where it was promoted: with less
    /// or more it cannot go on with the peer's records.
    fn is_there(&self, promotion: &Promotion, origin: Applied) -> bool {
        let Some(cell) = self.state.cell(promotion.image) else {
            return false;
        };
        let meta = &cell.read().meta;
        // What has arrived is a demotion of that epoch; the peer may have seen a later one.
        let ended = meta.primary_demoted && promotion.epoch == meta.epoch.next();
        let all = ended && !promotion.forced;
        let same = self.state.applied(origin.peer) == origin.sequence;
        let whole = meta.role == Role::Secondary && meta.sync.is_consistent();
        whole && meta.upstream == Some(origin.peer) && (all || same)
    }

    /// Keeps what is to stay of a replica that ends.
    fn bury(&mut self, image: ImageId) {
        let at = self.next.0 + self.admitted.len() as u64;
        let Some(cell) = self.state.cell(image) else {
            return;
        };
        let behind = self.admitted.iter().filter_map(Admitted::as_change);
        let kept = ImageId::made_by(self.own, at);
        let changes = tombstone(self.bury, &cell.read(), behind, kept);
        self.admitted
            .extend(changes.into_iter().map(Admitted::Change));
    }
}

impl Known {
    const NOTHING: Self = Self {
        exists: false,
        follows: false,
        copying: false,
        epoch: Epoch(0),
        leader: None,
        blocks: Some(0),
        last_own: Sequence::ZERO,
        snapshots: Vec::new(),
    };

    fn of(state: &State, own: StoreId, peer: StoreId, image: ImageId) -> Self {
        let Some(cell) = state.cell(image) else {
            return Self::NOTHING;
        };
        let image = cell.read();
        let meta = &image.meta;
        Self {
            exists: true,
            follows: meta.role == Role::Secondary && meta.upstream == Some(peer),
            copying: !meta.sync.is_consistent(),
            epoch: meta.epoch,
            leader: Some(meta.reign(own).leader),
            blocks: Some(image.blocks()),
            last_own: meta.last_own,
            snapshots: image
                .snapshots
                .iter()
                .map(|snapshot| (snapshot.meta.id, snapshot.meta.taken))
                .collect(),
        }
    }

    fn has(&self, snapshot: SnapshotId) -> bool {
        self.snapshots.iter().any(|(id, _)| *id == snapshot)
    }

    /// Whose it is.
    fn reign(&self) -> Option<Reign> {
        let epoch = self.epoch;
        self.leader.map(|leader| Reign { epoch, leader })
    }

    /// An incomplete copy whose primary is gone is of no use to anybody.
    const fn is_orphan(&self) -> bool {
        self.exists && self.follows && self.copying
    }

    fn learn(&mut self, change: &Change) {
        match change {
            Change::Resize { size, .. } => self.blocks = Some(size.0.div_ceil(BLOCK_SIZE)),
            Change::Rollback { .. } => self.blocks = None,
            Change::SnapshotCreate {
                snapshot, taken, ..
            } => self.snapshots.push((*snapshot, *taken)),
            Change::SnapshotRemove { snapshot, .. } => {
                self.snapshots.retain(|(id, _)| id != snapshot);
            }
            Change::Create { .. }
            | Change::Remove { .. }
            | Change::Rename { .. }
            | Change::Metadata { .. }
            | Change::Mirroring { .. }
            | Change::Promote { .. }
            | Change::Demote { .. }
            | Change::FallBack { .. }
            | Change::Yield { .. }
            | Change::Adopt { .. }
            | Change::Sync { .. }
            | Change::Base { .. }
            | Change::Restore { .. }
            | Change::Follow { .. } => {}
        }
    }
}

fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, DOING, format!("the peer sent {why}"))
}
