//! Snapshots: names for positions of an image.

use firebrick_edge::Timestamp;
use firebrick_log::Change;
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, SnapshotId, SnapshotName};

use crate::apply::found;
use crate::error::{Error, ErrorKind};
use crate::state::{ImageState, Snapshot};
use crate::store::Store;
use crate::view::MapView;

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
    /// When it was taken, or came to this store; zero where that is not known.
    pub time: Timestamp,
}

impl From<&Snapshot> for SnapshotInfo {
    fn from(snapshot: &Snapshot) -> Self {
        let meta = snapshot.meta.clone();
        Self {
            id: meta.id,
            name: meta.name,
            size: meta.size,
            divergent: meta.divergent,
            time: Timestamp(meta.time),
        }
    }
}

impl Store {
    /// Takes a snapshot. The same name again is no error and takes no second one.
    pub fn create_snapshot(&self, id: ImageId, name: SnapshotName) -> Result<SnapshotInfo, Error> {
        const DOING: &str = "take a snapshot";
        let mut state = self.core.lock();
        self.changeable(&state, DOING, id)?;
        let newest = {
            let image = found(&state, DOING, id)?.read();
            if let Some(known) = image.snapshot_named(&name) {
                return Ok(known.into());
            }
            image.snapshots.highest().map_or(0, |id| id.0)
        };
        // The lock keeps others from appending, so this is the record's own sequence; unless another
        // site, whose log is longer, has given that number to a snapshot of the image already.
        let snapshot = SnapshotId(self.core.log.next_sequence().0.max(newest + 1));
        let change = Change::SnapshotCreate {
            image: id,
            snapshot,
            name,
        };
        self.core.commit(&mut state, &[change])?;
        let image = found(&state, DOING, id)?.read();
        let taken = image.snapshot(snapshot).map(SnapshotInfo::from);
        taken.ok_or_else(|| Error::no_image(DOING, id))
    }

    /// The snapshots of an image, oldest first.
    pub fn snapshots(&self, id: ImageId) -> Result<Vec<SnapshotInfo>, Error> {
        let state = self.core.lock();
        let image = found(&state, "list snapshots", id)?.read();
        Ok(image.snapshots.iter().map(SnapshotInfo::from).collect())
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

    /// Removes a snapshot; [`ErrorKind::NotFound`] where there is none of that name.
    pub fn remove_snapshot(&self, id: ImageId, name: &SnapshotName) -> Result<(), Error> {
        const DOING: &str = "remove a snapshot";
        let mut state = self.core.lock();
        self.changeable(&state, DOING, id)?;
        let snapshot = snapshot_id(&found(&state, DOING, id)?.read(), DOING, name)?;
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

    /// Returns the image to what it was at the snapshot, its size included. Copies nothing.
    pub fn roll_back(&self, id: ImageId, name: &SnapshotName) -> Result<(), Error> {
        const DOING: &str = "roll an image back";
        let mut state = self.core.lock();
        self.changeable(&state, DOING, id)?;
        let snapshot = snapshot_id(&found(&state, DOING, id)?.read(), DOING, name)?;
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

fn snapshot_id(
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
