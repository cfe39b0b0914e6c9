//! Sync mode: what an image says of it. Who waits for whom is the mirror's business.

use firebrick_log::Change;
use firebrick_vocabulary::{Epoch, ImageId, ImageMirrorMode, Role, Sequence, SyncMode};

use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::keys::SYNC_MODE_KEY;
use crate::mirror_snapshots::by_snapshots;
use crate::state::{ImageMeta, ImageState};
use crate::store::Store;

/// What has to be at peers before a flush of an image is acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SyncPoint {
    /// The epoch in which the image is primary here; in another one the flush is not to be answered any more.
    pub epoch: Epoch,
    /// Everything up to that record of this log.
    pub upto: Sequence,
    /// How long that may take, and what then.
    pub mode: SyncMode,
}

/// The sync mode of an image, if it is mirrored in one.
pub(crate) fn of(meta: &ImageMeta) -> Option<SyncMode> {
    if !meta.mirrored {
        return None;
    }
    meta.metadata.get(SYNC_MODE_KEY)?.parse().ok()
}

/// The change by which an image has no sync mode any more.
pub(crate) fn forget(image: &ImageState) -> Option<Change> {
    let said = image.meta.metadata.contains_key(SYNC_MODE_KEY);
    said.then(|| Change::Metadata {
        image: image.meta.id,
        key: SYNC_MODE_KEY.to_owned(),
        value: None,
    })
}

/// Refuses a mirroring mode that cannot be beside the sync mode of the image.
pub(crate) fn refuse_beside(
    doing: &'static str,
    meta: &ImageMeta,
    wanted: ImageMirrorMode,
) -> Result<(), Error> {
    if wanted == ImageMirrorMode::Journal || of(meta).is_none() {
        return Ok(());
    }
    let why = format!(
        "{} is in sync mode, and a peer would return to a mirror snapshot; end one of the two first",
        meta.name
    );
    Err(Error::new(ErrorKind::Invalid, doing, why))
}

/// The change by which an image has that sync mode, if it has another one. It may begin to be mirrored with the same
/// frame.
pub(crate) fn set(
    doing: &'static str,
    meta: &ImageMeta,
    wanted: Option<SyncMode>,
    begins: bool,
) -> Result<Option<Change>, Error> {
    if wanted == of(meta) {
        return Ok(None);
    }
    if wanted.is_some() && !meta.mirrored && !begins {
        let why = format!("{} is not mirrored", meta.name);
        return Err(Error::new(ErrorKind::Invalid, doing, why));
    }
    if wanted.is_some() && by_snapshots(meta) {
        let why = format!("{} is mirrored by snapshots", meta.name);
        return Err(Error::new(ErrorKind::Invalid, doing, why));
    }
    Ok(Some(Change::Metadata {
        image: meta.id,
        key: SYNC_MODE_KEY.to_owned(),
        value: wanted.map(|mode| mode.to_string()),
    }))
}

impl Store {
    /// Has flushes of an image wait for its peers, or no longer.
    ///
    /// [`ErrorKind::Invalid`] where the image is not mirrored, or in snapshot mode: what a forced promotion
    /// returns from there is more than what was flushed last.
    pub fn set_sync_mode(&self, id: ImageId, wanted: Option<SyncMode>) -> Result<(), Error> {
        const DOING: &str = "set the sync mode of an image";
        let mut state = self.core.lock();
        let meta = self.changeable(&state, DOING, id)?;
        match set(DOING, &meta, wanted, false)? {
            Some(change) => self.core.commit(&mut state, &[change]).map(drop),
            None => Ok(()),
        }
    }
}

impl Image {
    /// Whether the image has a sync mode, whoever is primary.
    pub fn is_synchronous(&self) -> bool {
        of(&self.cell.read().meta).is_some()
    }

    /// What has to be at peers before a flush of now is acknowledged; `None` where the image has no sync mode, or
    /// is not primary here.
    pub fn sync_point(&self) -> Option<SyncPoint> {
        let state = self.cell.read();
        let meta = &state.meta;
        let mode = of(meta)?;
        (meta.role == Role::Primary && !state.removed).then_some(SyncPoint {
            epoch: meta.epoch,
            upto: meta.last_own,
            mode,
        })
    }
}
