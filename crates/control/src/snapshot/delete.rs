//! A snapshot is removed.

use firebrick_backend::FaultKind;
use firebrick_db::{Activity, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, SnapshotOperation, SnapshotStatus};
use firebrick_vocabulary::SnapshotUuid;
use serde_json::json;

use super::look::{locked, visible};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::request::Context;
use crate::story::{Step, noted};
use crate::why::Why;

impl Control {
    /// `DELETE /snapshots/{id}` and `os-force_delete`.
    pub async fn delete_snapshot(
        &self,
        context: &Context,
        id: SnapshotUuid,
        force: bool,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let volume = visible(&mut tx, context, id).await?.volume;
        let volume = volumes::get_locked(&mut tx, volume).await?;
        let mut snapshot = locked(&mut tx, context, id).await?;
        if force {
            context.allow_for(Rule::SnapshotAdminActionsForceDelete, &snapshot)?;
        }
        context.allow_for(Rule::VolumeDeleteSnapshot, &snapshot)?;
        let operation = if force {
            SnapshotOperation::ForceDelete
        } else {
            SnapshotOperation::Delete
        };
        if let Some(group) = snapshot.group_snapshot {
            return Err(Error::invalid_snapshot(format_args!(
                "Snapshot status must be available or error and must not be part of a group; it is \
                 part of group snapshot {group}."
            )));
        }
        if !snapshot.status.allows(operation) {
            return Err(Error::invalid_snapshot(format!(
                "Snapshot status must be one of available or error; it is {}.",
                snapshot.status
            )));
        }
        let host = volume.and_then(|volume| volume.host);
        refuse_frozen(&mut tx, host.as_ref()).await?;
        let from = [snapshot.status];
        snapshot.status = SnapshotStatus::Deleting;
        if !snapshots::swap(&mut tx, &from, &snapshot).await?.won() {
            return Err(Error::lost(format_args!("Snapshot {id}")));
        }
        inner
            .begin_for(
                &mut tx,
                context,
                ActivityKind::DeleteSnapshot,
                id.0,
                snapshot.volume,
                json!({}),
            )
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The story: the image's snapshot, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = SnapshotUuid(activity.resource);
    let found = snapshots::get(&mut *inner.db.read().await?, id).await?;
    let found = found.filter(|snapshot| snapshot.status == SnapshotStatus::Deleting);
    let Some(snapshot) = found else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, snapshot.volume).await?;
    let mut home = None;
    if let Some(volume) = volume.filter(|volume| volume.host.is_some()) {
        let home = home.insert(inner.home(&volume).await?);
        let (image, name) = (volume.image(), snapshot.image_name());
        match home.site.remove_snapshot(image, name).await {
            Ok(()) => {}
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let mut tx = inner.db.begin().await?;
    if let Some(home) = home {
        home.stays(&mut tx).await?;
    }
    snapshots::remove(&mut tx, id).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// The snapshot says that it could not be removed; it can be tried again.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let mut tx = inner.db.begin().await?;
    let id = SnapshotUuid(activity.resource);
    if let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::ErrorDeleting;
        let from = [SnapshotStatus::Deleting];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
