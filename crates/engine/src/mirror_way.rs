//! The way in which an image is mirrored, in one value: what it says of modes, flushes and mirror snapshots.

use firebrick_vocabulary::{ImageId, ImageMirrorMode, Interval, MirrorWay};

use crate::error::{Error, ErrorKind};
use crate::image::ImageInfo;
use crate::keys::{MIRROR_INTERVAL_KEY, SYNC_MODE_KEY};
use crate::store::Store;

impl ImageInfo {
    /// How often its primary is to take mirror snapshots by itself, if it is to.
    pub fn mirror_interval(&self) -> Option<Interval> {
        self.metadata.get(MIRROR_INTERVAL_KEY)?.parse().ok()
    }

    /// The way in which it is mirrored, if it is.
    pub fn mirror_way(&self) -> MirrorWay {
        match (self.mode, self.sync_mode) {
            (ImageMirrorMode::Snapshot, _) => MirrorWay::Snapshot(self.mirror_interval()),
            (ImageMirrorMode::Journal, Some(mode)) => MirrorWay::Sync(mode),
            (ImageMirrorMode::Journal, None) => MirrorWay::Journal,
        }
    }
}

impl Store {
    /// Mirrors an image that is mirrored in that way from here on. All of it is one frame, the first mirror
    /// snapshot included: sync mode and snapshot mode are never beside each other.
    ///
    /// [`ErrorKind::Invalid`] where the image is not mirrored.
    pub fn set_mirror_way(&self, id: ImageId, way: MirrorWay) -> Result<(), Error> {
        self.alter("set the way in which an image is mirrored", |alteration| {
            let before = alteration.changeable(id)?;
            if !before.mirrored {
                let why = format!("{} is not mirrored", before.name);
                return Err(alteration.error(ErrorKind::Invalid, why));
            }
            if before.mirror_way() == way {
                return Ok(());
            }
            if before.sync_mode != way.sync_mode() {
                let mode = way.sync_mode().map(|mode| mode.to_string());
                alteration.set(id, SYNC_MODE_KEY, mode.as_deref())?;
            }
            if before.mode != way.mode() {
                alteration.change_mode(id, way.mode())?;
            }
            let MirrorWay::Snapshot(interval) = way else {
                return Ok(());
            };
            if before.mirror_interval() != interval {
                let interval = interval.map(|interval| interval.to_string());
                alteration.set(id, MIRROR_INTERVAL_KEY, interval.as_deref())?;
            }
            if before.mode == ImageMirrorMode::Snapshot {
                return Ok(());
            }
            alteration.take_mirror_snapshots(&[id])
        })
    }
}
