//! The snapshots of images that backups are made of: hidden ones, which are no snapshots of the API.

use std::collections::BTreeSet;

use firebrick_backend::{Backend, Fault, FaultKind};
use firebrick_db::{Backup, Connection, backups};
use firebrick_db::{Column, Listing};
use firebrick_state::BackupStatus;
use firebrick_vocabulary::{BackupId, ImageId, SnapshotName, VolumeId};

use crate::moving::is_ours as is_of_copy;
use crate::story::{Step, Stop};

/// What their names begin with.
const HIDDEN: &str = "backup-";

/// The snapshot of the image that a backup of a volume is made of.
pub(super) fn hidden_name(id: BackupId) -> Step<SnapshotName> {
    let name = SnapshotName::new(format!("{HIDDEN}{id}"));
    name.map_err(|error| Stop::never(error.to_string()))
}

/// Whether a snapshot of an image is none of the API's.
pub(crate) fn is_hidden(name: &SnapshotName) -> bool {
    of_backup(name).is_some() || is_of_copy(name)
}

/// Of which backup that snapshot is.
fn of_backup(name: &SnapshotName) -> Option<BackupId> {
    name.as_str().strip_prefix(HIDDEN)?.parse().ok()
}

/// The backups of a volume.
pub(super) async fn of_volume(
    connection: &mut Connection,
    volume: VolumeId,
) -> std::result::Result<Vec<Backup>, firebrick_db::Error> {
    let listing = Listing::of(Column::Volume, &volume);
    Ok(backups::list(connection, &listing)
        .await?
        .unwrap_or_default())
}

/// Removes the hidden snapshots that no backup needs any more: those that are being made need
/// theirs, and the next incremental one that of the newest; `made` is as good as whole.
pub(super) async fn tidy(
    site: &dyn Backend,
    image: ImageId,
    of_volume: &[Backup],
    made: Option<BackupId>,
) -> std::result::Result<(), Fault> {
    let whole = |backup: &&Backup| {
        let good = match backup.status {
            BackupStatus::Creating => made == Some(backup.id),
            BackupStatus::Error | BackupStatus::Deleting | BackupStatus::Deleted => false,
            BackupStatus::Available | BackupStatus::Restoring | BackupStatus::ErrorDeleting => true,
        };
        good && backup.snapshot.is_none()
    };
    let newest = of_volume
        .iter()
        .filter(whole)
        .max_by_key(|backup| (backup.data_timestamp, backup.id));
    let making = of_volume
        .iter()
        .filter(|backup| backup.status == BackupStatus::Creating);
    let needed: BTreeSet<BackupId> = making.chain(newest).map(|backup| backup.id).collect();
    for snapshot in site.snapshots(image).await? {
        if of_backup(&snapshot.name).is_some_and(|id| !needed.contains(&id)) {
            gone_is_fine(site.remove_snapshot(image, snapshot.name).await)?;
        }
    }
    Ok(())
}

/// Removes all of them: the image goes, or is somebody else's from now on.
pub(crate) async fn remove_hidden(
    site: &dyn Backend,
    image: ImageId,
) -> std::result::Result<(), Fault> {
    for snapshot in site.snapshots(image).await? {
        if is_hidden(&snapshot.name) {
            gone_is_fine(site.remove_snapshot(image, snapshot.name).await)?;
        }
    }
    Ok(())
}

pub(super) fn gone_is_fine(
    removed: std::result::Result<(), Fault>,
) -> std::result::Result<(), Fault> {
    match removed {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        removed => removed,
    }
}
