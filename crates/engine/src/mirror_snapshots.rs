//! Mirror snapshots: where a secondary of an image in snapshot mode may be promoted.
//!
//! They are snapshots like any other and reach peers in the order of the log, so a peer that has one has
//! all of it. The primary takes them on demand, with its demotion and with its promotion, and removes the
//! oldest in the frame that takes a new one: at every record there is at least one.

mod returns;

use std::collections::BTreeSet;

use firebrick_edge::Timestamp;
use firebrick_log::{Change, Taken};
use firebrick_vocabulary::{ImageId, ImageMirrorMode, Sequence, SnapshotId, SnapshotName, StoreId};
use uuid::{Builder, Uuid};

use crate::alter::CHANGES_MAX;
use crate::apply::found;
use crate::commit::Core;
use crate::error::{Error, ErrorKind};
use crate::keys::{MIRROR_INTERVAL_KEY, MIRROR_MODE_KEY, protected};
use crate::snapshots::{SnapshotInfo, new_snapshot_id};
use crate::state::{ImageMeta, ImageState, Snapshot, State};
use crate::store::Store;
use crate::sync_mode;

pub(crate) use returns::returns;
use returns::{differs, set_of};

/// Names of snapshots that begin so belong to mirroring.
const RESERVED: &str = ".mirror.";
const PRIMARY: &str = ".mirror.primary.";
const BEYOND: &str = ".mirror.beyond.";
/// Images whose mirror snapshots are taken in one frame: for each a new one and some that go.
const IMAGES_MAX: usize = 2048;
/// The most mirror snapshots of an image that one frame removes.
const PRUNED_MAX: usize = 6;

/// When mirror snapshots were taken, as their names say it: those of one frame have the same point.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MirrorPoint(Uuid);

impl MirrorPoint {
    /// That of a frame with that first record.
    fn new(now: Timestamp, store: StoreId, record: Sequence) -> Self {
        // No two frames of a store have the same, and a run from a seed has the same again.
        let unique = Uuid::new_v5(&store.0, &record.0.to_le_bytes());
        let mut rest = [0; 10];
        rest.copy_from_slice(&unique.as_bytes()[..10]);
        let millis = now.0 / 1_000_000;
        Self(Builder::from_unix_timestamp_millis(millis, &rest).into_uuid())
    }

    /// The point of the mirror snapshot of that name; `None` for any other snapshot.
    pub fn of(name: &SnapshotName) -> Option<Self> {
        let (image, point) = name.as_str().strip_prefix(PRIMARY)?.split_once('.')?;
        Uuid::parse_str(image).ok()?;
        Uuid::parse_str(point).ok().map(Self)
    }

    /// When the primary took it, by its clock, in whole milliseconds.
    pub fn taken(self) -> Timestamp {
        let bytes = self.0.as_bytes();
        let millis = bytes[..6]
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte));
        Timestamp(millis.saturating_mul(1_000_000))
    }

    fn name(self, prefix: &str, image: ImageId) -> Result<SnapshotName, Error> {
        let name = SnapshotName::new(format!("{prefix}{image}.{}", self.0));
        name.map_err(|error| Error::new(ErrorKind::Invalid, TAKING, error.to_string()))
    }
}

/// Whether a snapshot is one of mirroring's own: a mirror snapshot, or what a promotion left behind.
pub fn is_of_mirroring(name: &SnapshotName) -> bool {
    name.as_str().starts_with(RESERVED)
}

/// Refuses a name for a snapshot that users may not give.
pub(crate) fn refuse_reserved(doing: &'static str, name: &SnapshotName) -> Result<(), Error> {
    if !is_of_mirroring(name) {
        return Ok(());
    }
    let why = format!("names of snapshots that begin with {RESERVED} belong to mirroring");
    Err(Error::new(ErrorKind::Invalid, doing, why))
}

/// Refuses that users remove, rename or protect a mirror snapshot.
pub(crate) fn refuse_mirror(doing: &'static str, name: &SnapshotName) -> Result<(), Error> {
    if MirrorPoint::of(name).is_none() {
        return Ok(());
    }
    let why = format!("{name} belongs to mirroring, which removes it itself");
    Err(Error::new(ErrorKind::Invalid, doing, why))
}

/// How the image is mirrored, if it is.
pub(crate) fn mode(meta: &ImageMeta) -> ImageMirrorMode {
    let said = meta.metadata.get(MIRROR_MODE_KEY);
    said.and_then(|said| said.parse().ok()).unwrap_or_default()
}

pub(crate) fn by_snapshots(meta: &ImageMeta) -> bool {
    meta.mirrored && mode(meta) == ImageMirrorMode::Snapshot
}

/// The mirror snapshots that all sites share, oldest first.
fn shared(image: &ImageState) -> impl DoubleEndedIterator<Item = (&Snapshot, MirrorPoint)> {
    let shared = image.snapshots.iter();
    let shared = shared.filter(|taken| !taken.meta.divergent);
    shared.filter_map(|taken| Some((taken, MirrorPoint::of(&taken.meta.name)?)))
}

/// Changes that take mirror snapshots, as one frame.
pub(crate) struct Taking {
    /// The first record of the frame.
    first: Sequence,
    /// The store that takes them.
    by: StoreId,
    point: MirrorPoint,
    pub(crate) changes: Vec<Change>,
}

impl Taking {
    pub(crate) fn new(core: &Core, changes: Vec<Change>) -> Self {
        let first = core.log.next_sequence();
        let by = core.log.store();
        Self {
            first,
            by,
            point: MirrorPoint::new(core.clock.now(), by, first),
            changes,
        }
    }

    fn push(&mut self, image: &ImageState, prefix: &str, beside: u64) -> Result<(), Error> {
        let next = self.first.plus(self.changes.len() as u64);
        let snapshot = SnapshotId(new_snapshot_id(image, next).0 + beside);
        self.changes.push(Change::SnapshotCreate {
            image: image.meta.id,
            snapshot,
            name: self.point.name(prefix, image.meta.id)?,
            taken: Some(Taken {
                by: self.by,
                at: next,
            }),
        });
        Ok(())
    }

    /// Takes one of `image`.
    pub(crate) fn take(&mut self, image: &ImageState) -> Result<(), Error> {
        self.push(image, PRIMARY, 0)
    }

    /// Removes the oldest of `image`, so that with a new one `most` are left; and those that it took as a
    /// former primary and that nobody else has.
    pub(crate) fn prune(&mut self, image: &ImageState, most: usize) {
        let kept = |taken: &&Snapshot| {
            let protected = protected(taken.meta.id);
            image.meta.metadata.contains_key(&protected)
        };
        let there: Vec<&Snapshot> = shared(image).map(|(taken, _)| taken).collect();
        let old = there.len().saturating_sub(most.saturating_sub(1).max(1));
        let alone = image
            .snapshots
            .iter()
            .filter(|taken| taken.meta.divergent && MirrorPoint::of(&taken.meta.name).is_some());
        let gone = there[..old].iter().copied().chain(alone);
        let gone = gone.filter(|taken| !kept(taken)).take(PRUNED_MAX);
        self.changes
            .extend(gone.map(|taken| Change::SnapshotRemove {
                image: image.meta.id,
                snapshot: taken.meta.id,
            }));
    }

    /// Returns a promoted image to `target`, keeps what it was, and takes a mirror snapshot of it.
    pub(crate) fn return_to(
        &mut self,
        state: &State,
        image: &ImageState,
        target: Option<SnapshotId>,
    ) -> Result<(), Error> {
        let target = target.and_then(|id| image.snapshot(id));
        let Some(target) = target.filter(|target| differs(state, image, target)) else {
            return self.take(image);
        };
        self.push(image, BEYOND, 0)?;
        self.changes.push(Change::Rollback {
            image: image.meta.id,
            snapshot: target.meta.id,
        });
        // Its number is none that the one before may have got.
        self.push(image, PRIMARY, 1)
    }

    /// Refuses what does not fit into one frame.
    pub(crate) fn check(&self, doing: &'static str) -> Result<(), Error> {
        if self.changes.len() <= CHANGES_MAX {
            return Ok(());
        }
        let why = format!(
            "{} changes at once; the most is {CHANGES_MAX}",
            self.changes.len()
        );
        Err(Error::new(ErrorKind::Invalid, doing, why))
    }
}

const TAKING: &str = "take mirror snapshots";

impl Store {
    /// Takes mirror snapshots of images, all at one position, and removes the oldest ones. The answers are in
    /// the order of `ids`, and not durable yet.
    ///
    /// [`ErrorKind::Invalid`] where an image is not mirrored in snapshot mode, where there are too many for
    /// one frame, or where one belongs to a group in that mode which is not named itself.
    pub fn take_mirror_snapshots(&self, ids: &[ImageId]) -> Result<Vec<SnapshotInfo>, Error> {
        if ids.len() > IMAGES_MAX {
            let why = format!("it takes up to {IMAGES_MAX} images");
            return Err(Error::new(ErrorKind::Invalid, TAKING, why));
        }
        let mut state = self.core.lock();
        let wanted: BTreeSet<ImageId> = ids.iter().copied().collect();
        for id in &wanted {
            let meta = self.changeable(&state, TAKING, *id)?;
            if !by_snapshots(&meta) {
                let why = format!("snapshot based mirroring is not enabled on {}", meta.name);
                return Err(Error::new(ErrorKind::Invalid, TAKING, why));
            }
            let set = set_of(&state, &meta);
            if !wanted.contains(&set) {
                let why = format!("{} belongs to a group; take one of the group", meta.name);
                return Err(Error::new(ErrorKind::Invalid, TAKING, why));
            }
        }
        let changes = self.mirror_snapshot_changes(&state, wanted)?;
        if !changes.is_empty() {
            self.core.commit(&mut state, &changes)?;
        }
        let taken = ids.iter().map(|id| {
            let image = found(&state, TAKING, *id)?.read();
            let newest = shared(&image).next_back();
            let newest = newest.map(|(newest, _)| SnapshotInfo::of(&image, newest));
            newest.ok_or_else(|| Error::no_image(TAKING, *id))
        });
        taken.collect()
    }

    /// The newest mirror snapshot of an image that all sites share, and whether the image may be another one
    /// now; `None` where there is no image, or it is not mirrored in snapshot mode.
    pub fn newest_mirror_snapshot(&self, id: ImageId) -> Option<(SnapshotInfo, bool)> {
        let state = self.core.glance();
        let image = state.cell(id)?.read();
        let (newest, _) = shared(&image)
            .next_back()
            .filter(|_| by_snapshots(&image.meta))?;
        let newest = (
            SnapshotInfo::of(&image, newest),
            differs(&state, &image, newest),
        );
        Some(newest)
    }

    /// The changes of a frame that takes mirror snapshots of images and nothing before.
    pub(crate) fn mirror_snapshot_changes(
        &self,
        state: &State,
        images: impl IntoIterator<Item = ImageId>,
    ) -> Result<Vec<Change>, Error> {
        let mut taking = Taking::new(&self.core, Vec::new());
        for id in images {
            let image = found(state, TAKING, id)?.read();
            taking.prune(&image, self.core.options.mirror_snapshots);
            taking.take(&image)?;
        }
        taking.check(TAKING)?;
        Ok(taking.changes)
    }

    /// Takes mirror snapshots of what is about to be demoted under the same commit lock, in as many frames
    /// as it takes but the last, whose changes are returned: those of the demotion come behind them.
    pub(crate) fn before_demotion(
        &self,
        state: &mut State,
        ids: &[ImageId],
    ) -> Result<Vec<Change>, Error> {
        let by_snapshots = |id: &&ImageId| {
            let cell = state.cell(**id);
            cell.is_some_and(|cell| by_snapshots(&cell.read().meta))
        };
        let ids: Vec<ImageId> = ids.iter().filter(by_snapshots).copied().collect();
        let mut parts = ids.chunks(IMAGES_MAX).peekable();
        while let Some(part) = parts.next() {
            let changes = self.mirror_snapshot_changes(state, part.iter().copied())?;
            if parts.peek().is_none() {
                return Ok(changes);
            }
            // Nobody writes in between, and a crash behind it leaves snapshots that do no harm.
            self.core.commit(state, &changes)?;
        }
        Ok(Vec::new())
    }

    /// The changes by which an image is mirrored in that mode, or none where it is so already.
    pub(crate) fn mirroring_changes(image: &ImageState, wanted: ImageMirrorMode) -> Vec<Change> {
        let (id, before) = (image.meta.id, mode(&image.meta));
        let mut changes = Vec::new();
        if !image.meta.mirrored {
            changes.push(Change::Mirroring {
                image: id,
                enabled: true,
            });
        }
        match wanted {
            ImageMirrorMode::Snapshot if before != wanted => changes.push(Change::Metadata {
                image: id,
                key: MIRROR_MODE_KEY.to_owned(),
                value: Some(wanted.to_string()),
            }),
            ImageMirrorMode::Journal => changes.extend(forget_mode(image)),
            ImageMirrorMode::Snapshot => {}
        }
        changes
    }

    /// The changes by which an image is mirrored no longer.
    pub(crate) fn end_of_mirroring(image: &ImageState) -> Vec<Change> {
        let mut changes = forget_mode(image);
        changes.extend(sync_mode::forget(image));
        changes.push(Change::Mirroring {
            image: image.meta.id,
            enabled: false,
        });
        changes
    }
}

/// The changes by which an image is in snapshot mode no longer.
fn forget_mode(image: &ImageState) -> Vec<Change> {
    let id = image.meta.id;
    if mode(&image.meta) == ImageMirrorMode::Journal {
        return Vec::new();
    }
    let of_mirror = |taken: &&Snapshot| MirrorPoint::of(&taken.meta.name).is_some();
    let gone = image.snapshots.iter().filter(of_mirror);
    let gone = gone.map(|taken| Change::SnapshotRemove {
        image: id,
        snapshot: taken.meta.id,
    });
    let keys = [MIRROR_MODE_KEY, MIRROR_INTERVAL_KEY].into_iter();
    let said = keys.filter(|key| image.meta.metadata.contains_key(*key));
    let forgotten = said.map(|key| Change::Metadata {
        image: id,
        key: key.to_owned(),
        value: None,
    });
    gone.chain(forgotten).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_it_was_taken() {
        let store = StoreId(Uuid::from_u128(7));
        let now = Timestamp(1_795_210_299_123_456_789);
        let point = MirrorPoint::new(now, store, Sequence(12));
        assert_ne!(point, MirrorPoint::new(now, store, Sequence(13)));
        let image = ImageId(Uuid::from_u128(9));
        let name = point.name(PRIMARY, image).unwrap();
        assert_eq!(MirrorPoint::of(&name), Some(point));
        assert_eq!(point.taken(), Timestamp(1_795_210_299_123_000_000));
        for other in [BEYOND, "x"] {
            let name = point.name(other, image).unwrap();
            assert_eq!(MirrorPoint::of(&name), None, "{name}");
        }
        for text in [".mirror.primary.", ".mirror.primary.a.b"] {
            let name = SnapshotName::new(text).unwrap();
            assert_eq!(MirrorPoint::of(&name), None, "{text}");
            assert!(is_of_mirroring(&name));
        }
    }
}
