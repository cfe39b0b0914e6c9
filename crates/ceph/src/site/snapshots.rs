//! Snapshots.

use std::collections::BTreeSet;

use firebrick_backend::{DRILL_SNAPSHOT, Fault, FaultKind, SnapshotInfo};
use firebrick_vocabulary::{Bytes, ImageId, SnapshotId, SnapshotName};

use super::{Shared, exports, part};
use crate::fault::Doing;
use crate::ffi::{Cancel, Image, Kind, Opening, Snap};
use crate::link::Link;

/// The end of the name of a snapshot of which a clone is being made.
pub(super) const OF_CLONES: &str = ".clone_snap";
/// The end that Cinder gives to the same of a volume that is gone.
const OF_GONE: &str = ".deleted";
/// The begin of those of the mirroring.
const OF_MIRRORING: &str = ".rbd-mirror.";
/// The begin of those that a reader of the newest state holds.
pub(super) const OF_READERS: &str = "firebrick-reader-";

/// Whether it is one that nobody asked for.
pub(super) fn is_internal(snap: &Snap) -> bool {
    let name = snap.name.as_str();
    name.ends_with(OF_CLONES)
        || name.ends_with(OF_GONE)
        || name.starts_with(OF_MIRRORING)
        || name.starts_with(OF_READERS)
        || name.starts_with(DRILL_SNAPSHOT)
}

fn described(snap: &Snap, doing: &str) -> Result<SnapshotInfo, Fault> {
    Ok(SnapshotInfo {
        id: SnapshotId(snap.id),
        name: SnapshotName::new(snap.name.as_str())
            .map_err(|error| Fault::new(FaultKind::Unsupported, doing, error))?,
        size: Bytes(snap.size),
    })
}

/// One snapshot that somebody took.
pub(super) fn find(image: &Image, name: &str, doing: &str) -> Result<Option<Snap>, Fault> {
    let snaps = image.snaps().doing(doing)?;
    Ok(snaps
        .into_iter()
        .find(|snap| snap.kind == Kind::User && snap.name == name))
}

/// The fault of a snapshot that is not there.
pub(super) fn missing(name: &str, doing: &str) -> Fault {
    Fault::new(
        FaultKind::NotFound,
        doing,
        format!("there is no snapshot {name}"),
    )
}

/// Takes a snapshot.
pub(super) fn create(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    name: &SnapshotName,
    doing: &str,
) -> Result<SnapshotInfo, Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    if let Some(snap) = find(&image, name.as_str(), doing)? {
        return described(&snap, doing);
    }
    part::primary(link, &image, &notes, doing)?;
    image.take(name.as_str()).doing(doing)?;
    let taken = find(&image, name.as_str(), doing)?;
    described(&taken.ok_or_else(|| missing(name.as_str(), doing))?, doing)
}

/// RBD's groups take snapshots that no image can be cloned of before Ceph 19, so this kind of site says that it
/// has no consistent groups, and is asked for one snapshot after the other.
pub(super) fn together(wanted: &[(ImageId, SnapshotName)]) -> Result<Vec<SnapshotInfo>, Fault> {
    let doing = "take snapshots of several images";
    let images: BTreeSet<ImageId> = wanted.iter().map(|(image, _)| *image).collect();
    let (kind, why) = if images.len() < wanted.len() {
        (FaultKind::Invalid, "an image is named twice")
    } else {
        (
            FaultKind::Unsupported,
            "a Ceph site has no moment that several images share",
        )
    };
    Err(Fault::new(kind, doing, why))
}

/// Those that somebody took, oldest first.
pub(super) fn list(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    doing: &str,
) -> Result<Vec<SnapshotInfo>, Fault> {
    let (image, _, _) = shared.names.open(link, id, Opening::Looking, doing)?;
    let snaps = image.snaps().doing(doing)?;
    let users = snaps
        .iter()
        .filter(|snap| snap.kind == Kind::User && !is_internal(snap));
    users.map(|snap| described(snap, doing)).collect()
}

/// Returns the image to a snapshot of its own.
pub(super) fn roll_back(
    shared: &Shared,
    link: &Link,
    (id, name): (ImageId, &SnapshotName),
    cancel: &Cancel,
    doing: &str,
) -> Result<(), Fault> {
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    if exports::is_writable(link, id, doing)? {
        let why = "somebody may be writing to it";
        return Err(Fault::new(FaultKind::Busy, doing, why));
    }
    find(&image, name.as_str(), doing)?.ok_or_else(|| missing(name.as_str(), doing))?;
    part::primary(link, &image, &notes, doing)?;
    image.roll_back(name.as_str(), cancel).doing(doing)
}
