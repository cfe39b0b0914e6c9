//! Several changes as one frame: after a crash, and at each peer, all of them are there or none.
//!
//! Who alters looks at images, decides, and says what is to change, all under the commit lock. What
//! is looked at is what was there before the first change.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use firebrick_log::{Change, Taken};
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageMirrorMode, ImageName, Role, Sequence, SnapshotId, SnapshotName,
    StoreId, SyncMode, SyncState,
};

use crate::apply::found;
use crate::error::{Error, ErrorKind};
use crate::image::ImageInfo;
use crate::keys::{self, LOCAL_KEY};
use crate::mirror_snapshots::{Taking, refuse_mirror, refuse_reserved, returns};
use crate::snapshots::{SnapshotInfo, check_shared, new_snapshot_id, removable, snapshot_id};
use crate::state::State;
use crate::store::Store;
use crate::sync_mode;

/// The most changes of one alteration: what fits into a frame with room to spare.
pub(crate) const CHANGES_MAX: usize = 16_384;

/// What one call of [`Store::alter`] does.
pub struct Alteration<'a> {
    store: &'a Store,
    state: &'a State,
    doing: &'static str,
    changes: Vec<Change>,
}

impl Store {
    /// Does what `decide` says as one frame, which is not durable yet. Where it says nothing, or
    /// fails, nothing is changed. `doing` is what errors say was being done.
    pub fn alter<T>(
        &self,
        doing: &'static str,
        decide: impl FnOnce(&mut Alteration<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.core.lock();
        let mut alteration = Alteration {
            store: self,
            state: &state,
            doing,
            changes: Vec::new(),
        };
        let decided = decide(&mut alteration)?;
        let changes = alteration.changes;
        if changes.len() > CHANGES_MAX {
            let why = format!(
                "{} changes at once; the most is {CHANGES_MAX}",
                changes.len()
            );
            return Err(Error::new(ErrorKind::Invalid, doing, why));
        }
        if !changes.is_empty() {
            self.core.commit(&mut state, &changes)?;
        }
        Ok(decided)
    }
}

impl Alteration<'_> {
    /// An error of this alteration.
    pub fn error(&self, kind: ErrorKind, why: impl Into<String>) -> Error {
        Error::new(kind, self.doing, why)
    }

    /// The image of that id.
    pub fn image(&self, id: ImageId) -> Result<ImageInfo, Error> {
        let cell = found(self.state, self.doing, id)?;
        Ok(ImageInfo::of(&cell.read()))
    }

    /// The image of that name.
    pub fn named(&self, name: &ImageName) -> Option<ImageId> {
        self.state.names.get(name).copied()
    }

    /// The names of all images in a namespace, in their order.
    pub fn within<'n>(&'n self, namespace: &'n str) -> impl Iterator<Item = &'n ImageName> {
        let prefix = format!("{namespace}/");
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let names = self.state.names.range::<str, _>(from);
        names
            .map(|(name, _)| name)
            .take_while(move |name| name.as_str().starts_with(&prefix))
            .filter(move |name| name.namespace() == namespace)
    }

    /// The snapshots of an image, oldest first.
    pub fn snapshots(&self, id: ImageId) -> Result<Vec<SnapshotInfo>, Error> {
        let image = found(self.state, self.doing, id)?.read();
        Ok(crate::snapshots::infos(&image))
    }

    /// Makes an image of no size, primary here.
    pub fn create(&mut self, id: ImageId, name: ImageName, mirrored: bool) -> Result<(), Error> {
        self.free(&name)?;
        self.changes.push(Change::Create {
            image: id,
            name,
            size: Bytes::ZERO,
            origin: None,
            mirrored,
            role: Role::Primary,
            epoch: Epoch::FIRST,
            sync: SyncState::Consistent,
        });
        Ok(())
    }

    /// To which mirror snapshots a forced promotion of images would return them; those that are not there
    /// would stay as they are. [`ErrorKind::Inconsistent`] where a group has none of one position.
    pub fn returns(&self, ids: &[ImageId]) -> Result<BTreeMap<ImageId, SnapshotId>, Error> {
        let (returns, missing) = returns(self.state, ids);
        if missing.is_empty() {
            return Ok(returns);
        }
        let why = "no mirror snapshot has all images of the group at one position";
        Err(self.error(ErrorKind::Inconsistent, why))
    }

    /// Makes an image, primary here and not mirrored, of what another one is now, or was at a snapshot; also
    /// of a secondary.
    pub fn clone_image(
        &mut self,
        (of, snapshot): (ImageId, Option<SnapshotId>),
        id: ImageId,
        name: ImageName,
    ) -> Result<(), Error> {
        self.free(&name)?;
        let (meta, size) = {
            let image = found(self.state, self.doing, of)?.read();
            let taken = snapshot.and_then(|id| image.snapshot(id));
            let size = taken.map_or(image.meta.size, |taken| taken.meta.size);
            (image.meta.clone(), size)
        };
        if !meta.sync.is_consistent() {
            let why = format!("the first copy of {} is not complete", meta.name);
            return Err(self.error(ErrorKind::Inconsistent, why));
        }
        let origin = firebrick_log::ImageOrigin {
            image: of,
            snapshot,
            taken: None,
            at: None,
        };
        self.changes.push(Change::Create {
            image: id,
            name,
            size,
            origin: Some(origin),
            mirrored: false,
            role: Role::Primary,
            epoch: Epoch::FIRST,
            sync: SyncState::Consistent,
        });
        Ok(())
    }

    /// The newest record of the log.
    pub fn head(&self) -> Sequence {
        self.store.core.log.head().sequence
    }

    /// Up to which record of a peer's log everything is held here.
    pub fn applied(&self, peer: StoreId) -> Sequence {
        self.state.applied(peer)
    }

    /// Removes an image that has no snapshots; [`ErrorKind::Busy`] where it has.
    pub fn remove(&mut self, image: ImageId) -> Result<(), Error> {
        removable(self.store, self.state, self.doing, image)?;
        self.changes.push(Change::Remove { image });
        Ok(())
    }

    /// Gives an image another name; [`ErrorKind::Exists`] where another image has it.
    pub fn rename(&mut self, image: ImageId, name: ImageName) -> Result<(), Error> {
        self.changeable(image)?;
        if self.named(&name) == Some(image) {
            return Ok(());
        }
        self.free(&name)?;
        self.changes.push(Change::Rename { image, name });
        Ok(())
    }

    /// Sets a key of an image's metadata, or removes it with `None`. Also of an image that this
    /// alteration makes.
    pub fn set(&mut self, image: ImageId, key: &str, value: Option<&str>) -> Result<(), Error> {
        if self.state.cell(image).is_some() && !key.starts_with(LOCAL_KEY) {
            self.changeable(image)?;
        }
        self.changes.push(Change::Metadata {
            image,
            key: key.to_owned(),
            value: value.map(str::to_owned),
        });
        Ok(())
    }

    /// Mirrors an image in that mode from here on. Where snapshot mode begins with it, it has no mirror
    /// snapshot yet: whoever makes the alteration takes one.
    pub fn mirror(&mut self, image: ImageId, mode: ImageMirrorMode) -> Result<(), Error> {
        self.changeable(image)?;
        let held = found(self.state, self.doing, image)?.read();
        sync_mode::refuse_beside(self.doing, &held.meta, mode)?;
        drop(held);
        self.change_mode(image, mode)
    }

    /// The same, where this alteration sees to what cannot be beside the mode.
    pub(crate) fn change_mode(
        &mut self,
        image: ImageId,
        mode: ImageMirrorMode,
    ) -> Result<(), Error> {
        let held = found(self.state, self.doing, image)?.read();
        self.changes.extend(Store::mirroring_changes(&held, mode));
        Ok(())
    }

    /// Has flushes of an image wait for its peers, or no longer; as [`Store::set_sync_mode`], also where this
    /// alteration begins to mirror it.
    pub fn synchronize(&mut self, image: ImageId, mode: Option<SyncMode>) -> Result<(), Error> {
        self.changeable(image)?;
        let mut changes = self.changes.iter();
        let begins = changes.any(|change| {
            matches!(change, Change::Mirroring { image: of, enabled: true } if *of == image)
        });
        let held = found(self.state, self.doing, image)?.read();
        let change = sync_mode::set(self.doing, &held.meta, mode, begins)?;
        self.changes.extend(change);
        Ok(())
    }

    /// Mirrors an image no longer, in whatever mode it is.
    pub fn end_mirroring(&mut self, image: ImageId) -> Result<(), Error> {
        if self.changeable(image)?.mirrored {
            let held = found(self.state, self.doing, image)?.read();
            self.changes.extend(Store::end_of_mirroring(&held));
        }
        Ok(())
    }

    /// Takes mirror snapshots of images that are in snapshot mode, or are so by this alteration, and removes
    /// the oldest ones.
    pub fn take_mirror_snapshots(&mut self, images: &[ImageId]) -> Result<(), Error> {
        let mut taking = Taking::new(&self.store.core, std::mem::take(&mut self.changes));
        for image in images {
            self.changeable(*image)?;
            let held = found(self.state, self.doing, *image)?.read();
            taking.prune(&held, self.store.core.options.mirror_snapshots);
            taking.take(&held)?;
        }
        self.changes = taking.changes;
        Ok(())
    }

    /// Takes a snapshot; [`ErrorKind::Exists`] where there is one of that name,
    /// [`ErrorKind::Limit`] where the image has as many as it may.
    pub fn take_snapshot(
        &mut self,
        image: ImageId,
        name: &SnapshotName,
    ) -> Result<SnapshotId, Error> {
        refuse_reserved(self.doing, name)?;
        self.changeable(image)?;
        let cell = Arc::clone(found(self.state, self.doing, image)?);
        let taken = cell.read();
        if taken.snapshot_named(name).is_some() {
            let why = format!("there is a snapshot {}@{name} already", taken.meta.name);
            return Err(self.error(ErrorKind::Exists, why));
        }
        crate::snapshots::check_limit(&taken, self.doing)?;
        let behind = self.changes.len() as u64;
        let next = self.store.core.log.next_sequence().plus(behind);
        let snapshot = new_snapshot_id(&taken, next);
        self.changes.push(Change::SnapshotCreate {
            image,
            snapshot,
            name: name.clone(),
            taken: Some(Taken {
                by: self.store.id(),
                at: next,
            }),
        });
        Ok(snapshot)
    }

    /// Removes a snapshot; [`ErrorKind::Busy`] where it is protected.
    pub fn remove_snapshot(&mut self, image: ImageId, name: &SnapshotName) -> Result<(), Error> {
        refuse_mirror(self.doing, name)?;
        self.changeable(image)?;
        let snapshot = {
            let held = found(self.state, self.doing, image)?.read();
            let id = snapshot_id(&held, self.doing, name)?;
            crate::snapshots::check_unprotected(&held, id, self.doing, name)?;
            id
        };
        self.changes
            .push(Change::SnapshotRemove { image, snapshot });
        Ok(())
    }

    /// Gives a snapshot another name; [`ErrorKind::Exists`] where another one has it.
    pub fn rename_snapshot(
        &mut self,
        image: ImageId,
        name: &SnapshotName,
        to: &SnapshotName,
    ) -> Result<(), Error> {
        refuse_mirror(self.doing, name)?;
        refuse_reserved(self.doing, to)?;
        let id = {
            let held = found(self.state, self.doing, image)?.read();
            if held.snapshot_named(to).is_some() {
                let why = format!("there is a snapshot {}@{to} already", held.meta.name);
                return Err(self.error(ErrorKind::Exists, why));
            }
            snapshot_id(&held, self.doing, name)?
        };
        self.set(image, &keys::snapshot_name(id), Some(to.as_str()))
    }

    /// Returns an image to a snapshot.
    pub fn roll_back(&mut self, image: ImageId, name: &SnapshotName) -> Result<(), Error> {
        self.changeable(image)?;
        let held = found(self.state, self.doing, image)?.read();
        let snapshot = snapshot_id(&held, self.doing, name)?;
        check_shared(&held, snapshot, self.doing, name)?;
        drop(held);
        self.changes.push(Change::Rollback { image, snapshot });
        Ok(())
    }

    /// The image, if it may be changed here and now.
    pub fn changeable(&self, image: ImageId) -> Result<ImageInfo, Error> {
        self.store.changeable(self.state, self.doing, image)?;
        self.image(image)
    }

    fn free(&self, name: &ImageName) -> Result<(), Error> {
        if self.named(name).is_none() {
            return Ok(());
        }
        let why = format!("there is an image {name} already");
        Err(self.error(ErrorKind::Exists, why))
    }
}
