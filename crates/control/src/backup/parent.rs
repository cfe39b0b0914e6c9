//! Upon which backup an incremental one builds.

use firebrick_backup::Parent;
use firebrick_db::{Backup, Column, Listing, Snapshot, Test, Tx, backups, snapshots};
use firebrick_state::{BackupOperation, BackupStatus};
use firebrick_vocabulary::{ProjectId, SnapshotName, VolumeId};

use super::container;
use super::image::hidden_name;
use super::look::invalid;
use crate::control::Inner;
use crate::error::Result;
use crate::story::{Step, Stop};

/// The newest usable backup of the volume, held; of data that is older than the snapshot, where one is
/// backed up.
pub(super) async fn choose(
    tx: &mut Tx,
    project: &ProjectId,
    volume: VolumeId,
    snapshot: Option<&Snapshot>,
) -> Result<Backup> {
    let usable = Test::OneOf(vec![BackupStatus::Available.to_string()]);
    let listing = Listing::of(Column::Volume, &volume)
        .and(Column::Project, Test::OneOf(vec![project.to_string()]))
        .and(Column::Status, usable);
    let found = backups::list(tx, &listing).await?.unwrap_or_default();
    let older = |backup: &Backup| {
        snapshot.is_none_or(|snapshot| backup.data_timestamp < snapshot.created_at)
    };
    let newest = found
        .into_iter()
        .filter(older)
        .max_by_key(|backup| (backup.data_timestamp, backup.id));
    let held = match newest {
        Some(backup) => backups::get_locked(tx, backup.id).await?,
        None => None,
    };
    held.filter(|backup| backup.status.allows(BackupOperation::Build))
        .ok_or_else(|| invalid("No backups available to do an incremental backup."))
}

/// The backup that `backup` builds upon, and the snapshot of the image that it was made of.
pub(super) async fn of(inner: &Inner, backup: &Backup) -> Step<Option<(Parent, SnapshotName)>> {
    let Some(id) = backup.parent else {
        return Ok(None);
    };
    let connection = &mut *inner.db.read().await?;
    let parent = backups::get(connection, id).await?;
    let parent = parent.ok_or_else(|| Stop::never(format!("its parent {id} is gone")))?;
    let name = match parent.snapshot {
        None => hidden_name(id)?,
        Some(snapshot) => {
            let found = snapshots::get(connection, snapshot).await?;
            found.map_or_else(|| snapshot.snapshot_name(), |it| it.image_name())
        }
    };
    let container = container(&parent)?;
    let id = parent.kept();
    Ok(Some((Parent { container, id }, name)))
}
