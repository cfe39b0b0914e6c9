//! Images come and go, and change their name, size and metadata.

use std::sync::Arc;

use firebrick_log::{Change, ImageOrigin};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageName, Role, Sequence, SnapshotName, SyncState,
};

use crate::apply::{NoPast, Past, found};
use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::keys::LOCAL_KEY;
use crate::light::Light;
use crate::snapshots::removable;
use crate::state::{ImageMeta, State};
use crate::store::Store;

/// An image to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewImage {
    /// Its id.
    pub id: ImageId,
    /// Its name; no other image of the store may have it.
    pub name: ImageName,
    /// Its size: whole blocks of 4 KiB; what of an origin lies beyond it is not part of a clone.
    pub size: Bytes,
    /// What it starts as; without, it reads as zeroes.
    pub origin: Option<NewOrigin>,
    /// Whether it is mirrored from its first record on.
    pub mirrored: bool,
}

/// What a clone starts as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewOrigin {
    /// The image.
    pub image: ImageId,
    /// A snapshot of it; without, its state now.
    pub snapshot: Option<SnapshotName>,
    /// What it was at this record of the log, instead; it must be retained.
    pub at: Option<Sequence>,
}

const CREATE: &str = "create an image";
const RENAME: &str = "rename an image";
const RESIZE: &str = "resize an image";
const REMOVE: &str = "remove an image";
/// The largest image: what the block map's numbers and NBD's offsets are sure to hold.
pub(crate) const SIZE_MAX: u64 = 1 << 60;

impl Store {
    /// Makes an image, primary here. The same again is no error.
    pub fn create_image(&self, new: NewImage) -> Result<Arc<Image>, Error> {
        check_size(CREATE, new.size)?;
        if let Some(NewOrigin {
            image,
            at: Some(at),
            ..
        }) = new.origin
        {
            return self.with_past(image, at, |state, past| self.make_image(state, new, past));
        }
        self.make_image(&mut self.core.lock(), new, &mut NoPast)
    }

    fn make_image(
        &self,
        state: &mut State,
        new: NewImage,
        past: &mut dyn Past,
    ) -> Result<Arc<Image>, Error> {
        if let Some(cell) = state.cell(new.id) {
            let found = cell.read();
            if found.meta.name == new.name && found.meta.size == new.size {
                return Ok(self.handle(new.id, cell));
            }
            let why = format!("{} exists, and not as asked", new.id);
            return Err(Error::new(ErrorKind::Exists, CREATE, why));
        }
        refuse_name(state, CREATE, &new.name)?;
        let origin = new
            .origin
            .map(|origin| resolve(state, &origin))
            .transpose()?;
        let change = Change::Create {
            image: new.id,
            name: new.name,
            size: new.size,
            origin,
            mirrored: new.mirrored,
            role: Role::Primary,
            epoch: Epoch::FIRST,
            sync: SyncState::Consistent,
        };
        self.core.commit_as(state, &[change], None, past)?;
        Ok(self.handle(new.id, found(state, CREATE, new.id)?))
    }

    /// The image of that id; [`ErrorKind::NotFound`] where there is none.
    pub fn image(&self, id: ImageId) -> Result<Arc<Image>, Error> {
        let state = self.core.lock();
        found(&state, "look for an image", id).map(|cell| self.handle(id, cell))
    }

    /// The image of that name.
    pub fn image_named(&self, name: &ImageName) -> Option<Arc<Image>> {
        let state = self.core.lock();
        let id = state.names.get(name)?;
        state.cell(*id).map(|cell| self.handle(*id, cell))
    }

    /// All images.
    pub fn images(&self) -> Vec<Arc<Image>> {
        // Others need not wait for handles to be made.
        let images = self.core.lock().images.clone();
        let images = images.range(..);
        images.map(|(id, cell)| self.handle(*id, cell)).collect()
    }

    /// Gives the image another name.
    pub fn rename_image(&self, id: ImageId, name: ImageName) -> Result<(), Error> {
        let mut state = self.core.lock();
        let meta = self.changeable(&state, RENAME, id)?;
        if meta.name == name {
            return Ok(());
        }
        refuse_name(&state, RENAME, &name)?;
        self.core
            .commit(&mut state, &[Change::Rename { image: id, name }])
            .map(drop)
    }

    /// Gives the image another size; what lies beyond a smaller one is dropped.
    pub fn resize_image(&self, id: ImageId, size: Bytes) -> Result<(), Error> {
        check_size(RESIZE, size)?;
        let mut state = self.core.lock();
        if self.changeable(&state, RESIZE, id)?.size == size {
            return Ok(());
        }
        self.core
            .commit(&mut state, &[Change::Resize { image: id, size }])
            .map(drop)
    }

    /// Removes the image; [`ErrorKind::Busy`] where it has snapshots that somebody took.
    pub fn remove_image(&self, id: ImageId) -> Result<(), Error> {
        let mut state = self.core.lock();
        removable(self, &state, REMOVE, id)?;
        self.core
            .commit(&mut state, &[Change::Remove { image: id }])
            .map(drop)
    }

    /// Sets a key of the image's metadata, or removes it with `None`. Keys that begin with `local.`
    /// concern this store alone: they are not mirrored, and secondaries have them too.
    pub fn set_metadata(&self, id: ImageId, key: &str, value: Option<&str>) -> Result<(), Error> {
        const DOING: &str = "set metadata of an image";
        let mut state = self.core.lock();
        let known = found(&state, DOING, id)?
            .read()
            .meta
            .metadata
            .get(key)
            .cloned();
        if known.as_deref() == value {
            return Ok(());
        }
        if !key.starts_with(LOCAL_KEY) {
            self.changeable(&state, DOING, id)?;
        }
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.core
            .commit(
                &mut state,
                &[Change::Metadata {
                    image: id,
                    key,
                    value,
                }],
            )
            .map(drop)
    }

    /// The metadata of an image that may be changed here and now.
    pub(crate) fn changeable(
        &self,
        state: &State,
        doing: &'static str,
        id: ImageId,
    ) -> Result<Light<ImageMeta>, Error> {
        let meta = found(state, doing, id)?.read().meta.clone();
        self.core.may_change(&meta, doing)?;
        Ok(meta)
    }
}

fn check_size(doing: &'static str, size: Bytes) -> Result<(), Error> {
    if size.0.is_multiple_of(BLOCK_SIZE) && size.0 <= SIZE_MAX {
        return Ok(());
    }
    let why = format!("the size {} is not a multiple of 4 KiB up to 1 EiB", size.0);
    Err(Error::new(ErrorKind::Invalid, doing, why))
}

fn refuse_name(state: &State, doing: &'static str, name: &ImageName) -> Result<(), Error> {
    if state.names.contains_key(name) {
        let why = format!("there is an image {name} already");
        return Err(Error::new(ErrorKind::Exists, doing, why));
    }
    Ok(())
}

fn resolve(state: &State, origin: &NewOrigin) -> Result<ImageOrigin, Error> {
    let image = found(state, CREATE, origin.image)?.read();
    if !image.meta.sync.is_consistent() {
        let why = format!("{} is not complete yet", image.meta.name);
        return Err(Error::new(ErrorKind::Inconsistent, CREATE, why));
    }
    let named = |name| {
        let snapshot = image.snapshot_named(name);
        snapshot.ok_or_else(|| {
            let why = format!("there is no snapshot {}@{name}", image.meta.name);
            Error::new(ErrorKind::NotFound, CREATE, why)
        })
    };
    let snapshot = origin.snapshot.as_ref().map(named).transpose()?;
    Ok(ImageOrigin {
        image: origin.image,
        snapshot: snapshot.map(|snapshot| snapshot.meta.id),
        taken: snapshot.and_then(|snapshot| snapshot.meta.taken),
        at: origin.at,
    })
}
