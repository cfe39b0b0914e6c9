//! Snapshots: names for positions of an image.

use std::collections::BTreeSet;

use firebrick_edge::Timestamp;
use firebrick_log::{Change, Taken};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, Sequence, SnapshotId, SnapshotName};

use crate::apply::found;
use crate::error::{Error, ErrorKind};
use crate::keys;
use crate::mirror_snapshots::{is_of_mirroring, refuse_mirror, refuse_reserved};
use crate::state::{ImageState, Snapshot, State};
use crate::store::Store;
use crate::view::MapView;

/// How many images one call takes snapshots of at one position.
pub const SNAPSHOTS_AT_ONCE_MAX: usize = 4096;

/// A snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotInfo {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// The size of the image then.
    pub size: Bytes,
    /// It keeps what a former primary wrote that the new one never got.
    pub divergent: bool,
    /// It must not be removed.
    pub protected: bool,
    /// When it was taken, or came to this store; zero where that is not known.
    pub time: Timestamp,
    /// The record of this store that took it.
    pub at: Sequence,
}

impl SnapshotInfo {
    pub(crate) fn of(image: &ImageState, snapshot: &Snapshot) -> Self {
        let meta = snapshot.meta.clone();
        let protected = keys::protected(meta.id);
        Self {
            protected: image.meta.metadata.contains_key(&protected),
            id: meta.id,
            name: meta.name,
            size: meta.size,
            divergent: meta.divergent,
            time: Timestamp(meta.time),
            at: snapshot.at,
        }
    }
}

impl Store {
    /// Takes a snapshot. The same name again is no error and takes no second one.
    pub fn create_snapshot(&self, id: ImageId, name: SnapshotName) -> Result<SnapshotInfo, Error> {
        const DOING: &str = "take a snapshot";
        let mut taken = self.take_snapshots(DOING, &[(id, name)])?;
        taken.pop().ok_or_else(|| Error::no_image(DOING, id))
    }

    /// Takes snapshots of several images, all at one position: no write to any of them lies between
    /// two, and a crash leaves all or none. The answers are in the order of `wanted`.
    ///
    /// The same again is no error and takes no second ones; [`ErrorKind::Exists`] where only some are
    /// there, as the others could not be of the same position any more. [`ErrorKind::Invalid`] where
    /// an image is named twice, or more than [`SNAPSHOTS_AT_ONCE_MAX`] are.
    pub fn create_snapshots(
        &self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Error> {
        self.take_snapshots("take snapshots together", wanted)
    }

    fn take_snapshots(
        &self,
        doing: &'static str,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Error> {
        let images: BTreeSet<ImageId> = wanted.iter().map(|(id, _)| *id).collect();
        if images.len() < wanted.len() || wanted.len() > SNAPSHOTS_AT_ONCE_MAX {
            let why = format!("it takes up to {SNAPSHOTS_AT_ONCE_MAX} images, each once");
            return Err(Error::new(ErrorKind::Invalid, doing, why));
        }
        let mut state = self.core.lock();
        let mut changes = Vec::with_capacity(wanted.len());
        // The lock keeps others from appending, so these are the records' own sequences.
        let mut next = self.core.log.next_sequence();
        for (id, name) in wanted {
            refuse_reserved(doing, name)?;
            self.changeable(&state, doing, *id)?;
            let image = found(&state, doing, *id)?.read();
            if image.snapshot_named(name).is_some() {
                continue;
            }
            check_limit(&image, doing)?;
            changes.push(Change::SnapshotCreate {
                image: *id,
                snapshot: new_snapshot_id(&image, next),
                name: name.clone(),
                taken: Some(Taken {
                    by: self.id(),
                    at: next,
                }),
            });
            next = next.next();
        }
        if !changes.is_empty() && changes.len() < wanted.len() {
            let missing = changes.len();
            let why = format!(
                "{missing} of {} are missing, and the others are of an earlier position",
                wanted.len()
            );
            return Err(Error::new(ErrorKind::Exists, doing, why));
        }
        if !changes.is_empty() {
            self.core.commit(&mut state, &changes)?;
        }
        let taken = wanted.iter().map(|(id, name)| {
            let image = found(&state, doing, *id)?.read();
            let taken = image.snapshot_named(name);
            let taken = taken.map(|taken| SnapshotInfo::of(&image, taken));
            taken.ok_or_else(|| Error::no_image(doing, *id))
        });
        taken.collect()
    }

    /// The snapshots of an image, oldest first.
    pub fn snapshots(&self, id: ImageId) -> Result<Vec<SnapshotInfo>, Error> {
        let state = self.core.lock();
        let image = found(&state, "list snapshots", id)?.read();
        Ok(infos(&image))
    }

    /// The blocks of a snapshot, whatever becomes of it.
    pub fn snapshot_map(&self, id: ImageId, name: &SnapshotName) -> Result<MapView, Error> {
        const DOING: &str = "look at a snapshot";
        let mut state = self.core.lock();
        let (place, blocks) = {
            let image = found(&state, DOING, id)?.read();
            let id = snapshot_id(&image, DOING, name)?;
            let snapshot = image.snapshot(id);
            let snapshot = snapshot.ok_or_else(|| Error::no_image(DOING, image.meta.id))?;
            let blocks = snapshot.meta.size.0.div_ceil(BLOCK_SIZE);
            ((snapshot.branch, snapshot.at), blocks)
        };
        Ok(MapView::hold(&self.core, &mut state, place, blocks))
    }

    /// Removes a snapshot; [`ErrorKind::NotFound`] where there is none of that name,
    /// [`ErrorKind::Busy`] where it is protected.
    pub fn remove_snapshot(&self, id: ImageId, name: &SnapshotName) -> Result<(), Error> {
        const DOING: &str = "remove a snapshot";
        refuse_mirror(DOING, name)?;
        let mut state = self.core.lock();
        self.changeable(&state, DOING, id)?;
        let snapshot = {
            let image = found(&state, DOING, id)?.read();
            let snapshot = snapshot_id(&image, DOING, name)?;
            check_unprotected(&image, snapshot, DOING, name)?;
            snapshot
        };
        self.core
            .commit(
                &mut state,
                &[Change::SnapshotRemove {
                    image: id,
                    snapshot,
                }],
            )
            .map(drop)
    }

    /// Keeps a snapshot from being removed, or no longer.
    pub fn protect_snapshot(
        &self,
        id: ImageId,
        name: &SnapshotName,
        protected: bool,
    ) -> Result<(), Error> {
        const DOING: &str = "protect a snapshot";
        refuse_mirror(DOING, name)?;
        let snapshot = {
            let state = self.core.lock();
            let image = found(&state, DOING, id)?.read();
            snapshot_id(&image, DOING, name)?
        };
        self.set_metadata(id, &keys::protected(snapshot), protected.then_some("yes"))
    }

    /// Returns the image to what it was at the snapshot, its size included. Copies nothing.
    pub fn roll_back(&self, id: ImageId, name: &SnapshotName) -> Result<(), Error> {
        const DOING: &str = "roll an image back";
        let mut state = self.core.lock();
        self.changeable(&state, DOING, id)?;
        let snapshot = {
            let image = found(&state, DOING, id)?.read();
            let snapshot = snapshot_id(&image, DOING, name)?;
            check_shared(&image, snapshot, DOING, name)?;
            snapshot
        };
        self.core
            .commit(
                &mut state,
                &[Change::Rollback {
                    image: id,
                    snapshot,
                }],
            )
            .map(drop)
    }
}

/// The snapshots of an image, oldest first.
pub(crate) fn infos(image: &ImageState) -> Vec<SnapshotInfo> {
    let all = image.snapshots.iter();
    all.map(|snapshot| SnapshotInfo::of(image, snapshot))
        .collect()
}

/// The id of a snapshot that record `next` takes.
pub(crate) fn new_snapshot_id(image: &ImageState, next: Sequence) -> SnapshotId {
    // Another site, whose log is longer, may have given that number to a snapshot already.
    let newest = image.snapshots.highest_shared().map_or(0, |id| id.0);
    SnapshotId(next.0.max(newest + 1))
}

/// Whether somebody took it, and not mirroring.
fn is_users(taken: &Snapshot) -> bool {
    !taken.meta.divergent && !is_of_mirroring(&taken.meta.name)
}

/// Refuses one snapshot more than the image may have.
pub(crate) fn check_limit(image: &ImageState, doing: &'static str) -> Result<(), Error> {
    let limit = image.meta.metadata.get(keys::SNAPSHOT_LIMIT_KEY);
    let Some(limit) = limit.and_then(|limit| limit.parse::<usize>().ok()) else {
        return Ok(());
    };
    if image
        .snapshots
        .iter()
        .filter(|taken| is_users(taken))
        .count()
        < limit
    {
        return Ok(());
    }
    let why = format!("{} may have {limit} snapshots", image.meta.name);
    Err(Error::new(ErrorKind::Limit, doing, why))
}

/// Refuses to remove what is protected.
pub(crate) fn check_unprotected(
    image: &ImageState,
    id: SnapshotId,
    doing: &'static str,
    name: &SnapshotName,
) -> Result<(), Error> {
    if !image.meta.metadata.contains_key(&keys::protected(id)) {
        return Ok(());
    }
    let why = format!("{}@{name} is protected", image.meta.name);
    Err(Error::new(ErrorKind::Busy, doing, why))
}

/// Refuses to return a mirrored image to what its peers do not have.
pub(crate) fn check_shared(
    image: &ImageState,
    id: SnapshotId,
    doing: &'static str,
    name: &SnapshotName,
) -> Result<(), Error> {
    if !(image.meta.mirrored && id.is_apart()) {
        return Ok(());
    }
    let why = format!(
        "the peers of {} do not have {name}: clone it, and copy the difference",
        image.meta.name
    );
    Err(Error::new(ErrorKind::Invalid, doing, why))
}

/// Refuses to remove an image that has snapshots that somebody took.
pub(crate) fn removable(
    store: &Store,
    state: &State,
    doing: &'static str,
    id: ImageId,
) -> Result<(), Error> {
    let meta = store.changeable(state, doing, id)?;
    let image = found(state, doing, id)?.read();
    if image.snapshots.iter().any(is_users) {
        let why = format!("{} has snapshots; remove them first", meta.name);
        return Err(Error::new(ErrorKind::Busy, doing, why));
    }
    Ok(())
}

pub(crate) fn snapshot_id(
    image: &ImageState,
    doing: &'static str,
    name: &SnapshotName,
) -> Result<SnapshotId, Error> {
    let found = image.snapshot_named(name).map(|snapshot| snapshot.meta.id);
    found.ok_or_else(|| {
        let why = format!("there is no snapshot {}@{name}", image.meta.name);
        Error::new(ErrorKind::NotFound, doing, why)
    })
}
