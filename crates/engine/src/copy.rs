//! The first copy of an image that existed before it was mirrored.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_log::{Change, Reign, Taken};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageName, Role, Sequence, SnapshotId, SnapshotName,
    StoreId, SyncState,
};
use serde::{Deserialize, Serialize};

use crate::apply::found;
use crate::error::{Error, ErrorKind};
use crate::keys::LOCAL_KEY;
use crate::peer::{PeerRecord, Stream};
use crate::state::{ImageMeta, Snapshot};
use crate::store::Store;
use crate::sync_mode;
use crate::view::MapView;

const DOING: &str = "copy an image";

/// What an image is, for a peer that does not have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyImage {
    /// Its id.
    pub image: ImageId,
    /// Its name.
    pub name: ImageName,
    /// Its size.
    pub size: Bytes,
    /// Its epoch.
    pub epoch: Epoch,
    /// The primary of that epoch; `None` where the peer does not say.
    #[serde(default)]
    pub leader: Option<StoreId>,
    /// Its metadata, without what concerns the one store alone.
    pub metadata: BTreeMap<String, String>,
}

/// An image at one position, to be copied from.
pub struct CopySource {
    /// The newest record that belongs to it; durable.
    pub position: Sequence,
    /// The image.
    pub image: CopyImage,
    /// Whether its primary was demoted.
    pub demoted: bool,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<SnapshotSource>,
    /// Its newest state.
    pub head: MapView,
}

/// A snapshot to be copied from.
pub struct SnapshotSource {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// The record that took it.
    pub taken: Option<Taken>,
    /// The size of the image then.
    pub size: Bytes,
    /// Its blocks.
    pub map: MapView,
}

/// The image follows `peer` in that reign; nobody knows whether it goes on there without a gap.
pub(crate) fn follow(image: ImageId, peer: StoreId, reign: Reign) -> Change {
    Change::Follow {
        image,
        epoch: reign.epoch,
        peer,
        leader: Some(reign.leader).filter(|leader| *leader != peer),
        after: None,
        planned: false,
    }
}

impl CopyImage {
    pub(crate) fn of(meta: &ImageMeta, own: StoreId) -> Self {
        let shared = meta
            .metadata
            .iter()
            .filter(|(key, _)| !key.starts_with(LOCAL_KEY));
        Self {
            image: meta.id,
            name: meta.name.clone(),
            size: meta.size,
            epoch: meta.epoch,
            leader: Some(meta.reign(own).leader),
            metadata: shared
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        }
    }

    /// Whose it is, in the words of `peer`.
    pub fn reign(&self, peer: StoreId) -> Reign {
        Reign {
            epoch: self.epoch,
            leader: self.leader.unwrap_or(peer),
        }
    }

    /// What says behind its beginning that `peer` is not its primary, where that is so.
    pub(crate) fn by_way_of(&self, peer: StoreId) -> Option<Change> {
        let leader = self.leader.filter(|leader| *leader != peer)?;
        let reign = Reign {
            epoch: self.epoch,
            leader,
        };
        Some(follow(self.image, peer, reign))
    }

    pub(crate) fn create(&self, epoch: Epoch, sync: SyncState) -> Change {
        Change::Create {
            image: self.image,
            name: self.name.clone(),
            size: self.size,
            origin: None,
            mirrored: true,
            role: Role::Secondary,
            epoch,
            sync,
        }
    }
}

impl Store {
    /// What the image is, for a peer that does not have it.
    pub fn describe(&self, image: ImageId) -> Result<CopyImage, Error> {
        let state = self.core.lock();
        found(&state, DOING, image).map(|cell| CopyImage::of(&cell.read().meta, self.id()))
    }

    /// The image at this moment, with everything up to it durable. It costs nothing, and nothing
    /// that is written later changes it.
    pub fn copy_source(&self, image: ImageId) -> Result<CopySource, Error> {
        let source = {
            let mut state = self.core.lock();
            // Under the lock nobody appends, so blocks and position belong together.
            let position = self.core.log.head().sequence;
            let cell = Arc::clone(found(&state, DOING, image)?);
            let image = cell.read();
            let shared = image
                .snapshots
                .iter()
                .filter(|snapshot| !snapshot.meta.divergent);
            let snapshots = shared.map(|snapshot| {
                let Snapshot { meta, branch, at } = snapshot.clone();
                let blocks = meta.size.0.div_ceil(BLOCK_SIZE);
                SnapshotSource {
                    id: meta.id,
                    name: meta.name,
                    taken: meta.taken,
                    size: meta.size,
                    map: MapView::hold(&self.core, &mut state, (branch, at), blocks),
                }
            });
            let snapshots = snapshots.collect();
            let place = (image.branch, position);
            CopySource {
                position,
                image: CopyImage::of(&image.meta, self.id()),
                demoted: image.meta.role == Role::Secondary && image.meta.primary_demoted,
                snapshots,
                head: MapView::hold(&self.core, &mut state, place, image.blocks()),
            }
        };
        // What a crash could take back must not reach the peer.
        self.flush()?;
        Ok(source)
    }

    /// Lets an image that follows `peer` wait for a copy, though it is complete. Whether it follows that.
    pub fn copy_again(&self, peer: StoreId, image: ImageId) -> Result<bool, Error> {
        let mut state = self.core.lock();
        let meta = state.cell(image).map(|cell| cell.read().meta.clone());
        let follows =
            |meta: &ImageMeta| meta.role == Role::Secondary && meta.upstream == Some(peer);
        if !meta.is_some_and(|meta| follows(&meta)) {
            return Ok(false);
        }
        let change = Change::Sync {
            image,
            state: SyncState::NOTHING_COPIED,
        };
        self.core.commit(&mut state, &[change])?;
        Ok(true)
    }

    /// Lets images in sync mode of which `peer` is the primary, and which came by way of another site so far, follow it
    /// itself, where it is one that this store reads: its flushes wait for that, and nobody else says what is here. How
    /// far they have come of its own log nobody knows, so they wait for what differs.
    pub fn follow_directly(&self, peer: StoreId) -> Result<(), Error> {
        let mut state = self.core.lock();
        let mut changes = Vec::new();
        for (id, cell) in state.images.range(..) {
            let meta = &cell.read().meta;
            let led = meta.mirrored && meta.leader == Some(peer) && meta.upstream != Some(peer);
            if meta.role == Role::Secondary && led && sync_mode::of(meta).is_some() {
                let reign = meta.reign(self.id());
                changes.push(follow(*id, peer, reign));
                changes.push(Change::Sync {
                    image: *id,
                    state: SyncState::NOTHING_COPIED,
                });
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.core.commit_of(&mut state, peer, &changes).map(drop)
    }

    /// Begins a copy: the image that waits for it becomes empty, with the size and name given.
    pub fn copy_begin(&self, peer: StoreId, image: &CopyImage) -> Result<(), Error> {
        let mut state = self.core.lock();
        let meta = found(&state, DOING, image.image)?.read().meta.clone();
        refuse_foreign(&meta, peer)?;
        let mut changes = vec![
            Change::Remove { image: image.image },
            image.create(image.epoch, SyncState::NOTHING_COPIED),
        ];
        changes.extend(image.by_way_of(peer));
        changes.extend(image.metadata.iter().map(|(key, value)| Change::Metadata {
            image: image.image,
            key: key.clone(),
            value: Some(value.clone()),
        }));
        self.core.commit_of(&mut state, peer, &changes).map(drop)
    }

    /// Takes over a part of a copy, and how far it has come with it, as one frame.
    pub fn copy_apply(
        &self,
        peer: StoreId,
        image: ImageId,
        records: &[PeerRecord<'_>],
        progress: Option<SyncState>,
    ) -> Result<(), Error> {
        let progress = progress.map(|state| (image, state));
        self.follow(peer, Sequence::ZERO, records, Stream::Copy(image), progress)
            .map(|(position, _)| position)
            .map(drop)
    }

    /// Ends a copy: the image is what the peer's log says up to the cursor, and follows from there. `demoted` says
    /// whether its primary is, where the peer says that.
    pub fn copy_end(
        &self,
        peer: StoreId,
        image: ImageId,
        (reign, demoted): (Reign, Option<bool>),
    ) -> Result<(), Error> {
        let mut state = self.core.lock();
        let meta = found(&state, DOING, image)?.read().meta.clone();
        refuse_foreign(&meta, peer)?;
        let mut changes = vec![Change::Sync {
            image,
            state: SyncState::Consistent,
        }];
        let is_newer = reign > meta.reign(self.id());
        // What the log said of a demotion was passed over, or was of an earlier reign.
        if is_newer || (demoted == Some(false) && meta.primary_demoted) {
            changes.insert(0, follow(image, peer, reign));
        }
        if demoted == Some(true) && (is_newer || !meta.primary_demoted) {
            let images = vec![image];
            changes.push(Change::Demote { images });
        }
        self.core.commit_of(&mut state, peer, &changes).map(drop)
    }
}

fn refuse_foreign(meta: &ImageMeta, peer: StoreId) -> Result<(), Error> {
    if meta.upstream == Some(peer) && !meta.sync.is_consistent() {
        return Ok(());
    }
    let why = format!("{} does not wait for a copy from that peer", meta.name);
    Err(Error::new(ErrorKind::Invalid, DOING, why))
}
