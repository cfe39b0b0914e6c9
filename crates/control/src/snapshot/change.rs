//! Names, metadata and statuses of snapshots.

use firebrick_db::{properties, snapshots};
use firebrick_policy::Rule;
use firebrick_state::SnapshotStatus;
use firebrick_vocabulary::SnapshotUuid;

use super::look::locked;
use crate::control::Control;
use crate::detail::SnapshotDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen_with;
use crate::request::{Context, Metadata, MetadataWrite, Rename};

impl Control {
    /// `PUT /snapshots/{id}`.
    pub async fn update_snapshot(
        &self,
        context: &Context,
        id: SnapshotUuid,
        change: Rename,
    ) -> Result<SnapshotDetail> {
        let mut tx = self.inner.db.begin().await?;
        let mut snapshot = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeUpdateSnapshot, &snapshot)?;
        refuse_frozen_with(&mut tx, snapshot.volume).await?;
        snapshot.name = change.name.unwrap_or(snapshot.name);
        snapshot.description = change.description.unwrap_or(snapshot.description);
        if !snapshots::rename(&mut tx, &snapshot).await?.won() {
            return Err(Error::no_snapshot(id));
        }
        tx.commit().await?;
        Ok(SnapshotDetail { snapshot })
    }

    /// `os-reset_status` of a snapshot.
    pub async fn reset_snapshot_status(
        &self,
        context: &Context,
        id: SnapshotUuid,
        status: &str,
    ) -> Result<()> {
        let status = parsed(status)?;
        let mut tx = self.inner.db.begin().await?;
        let mut snapshot = locked(&mut tx, context, id).await?;
        let from = [snapshot.status];
        context.allow_for(Rule::SnapshotAdminActionsResetStatus, &snapshot)?;
        snapshot.status = status;
        if !snapshots::swap(&mut tx, &from, &snapshot).await?.won() {
            return Err(Error::lost(format_args!("Snapshot {id}")));
        }
        Ok(tx.commit().await?)
    }

    /// `os-update_snapshot_status`: the progress that a server reports.
    pub async fn update_snapshot_status(
        &self,
        context: &Context,
        id: SnapshotUuid,
        status: &str,
        progress: Option<&str>,
    ) -> Result<()> {
        let status = parsed(status)?;
        let mut tx = self.inner.db.begin().await?;
        let mut snapshot = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::SnapshotActionsUpdateSnapshotStatus, &snapshot)?;
        check_step(snapshot.status, status)?;
        let from = [snapshot.status];
        snapshot.status = status;
        if let Some(progress) = progress {
            progress.clone_into(&mut snapshot.progress);
        }
        if !snapshots::swap(&mut tx, &from, &snapshot).await?.won() {
            return Err(Error::lost(format_args!("Snapshot {id}")));
        }
        Ok(tx.commit().await?)
    }

    /// `GET /snapshots/{id}/metadata`.
    pub async fn snapshot_metadata(&self, context: &Context, id: SnapshotUuid) -> Result<Metadata> {
        let snapshot = self.snapshot(context, id).await?.snapshot;
        context.allow_for(Rule::VolumeGetSnapshotMetadata, &snapshot)?;
        Ok(snapshot.metadata)
    }

    /// `POST` and `PUT /snapshots/{id}/metadata`; returns all of it.
    pub async fn set_snapshot_metadata(
        &self,
        context: &Context,
        id: SnapshotUuid,
        metadata: Metadata,
        how: MetadataWrite,
    ) -> Result<Metadata> {
        let mut tx = self.inner.db.begin().await?;
        let snapshot = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeUpdateSnapshotMetadata, &snapshot)?;
        refuse_frozen_with(&mut tx, snapshot.volume).await?;
        if how == MetadataWrite::Replace {
            properties::clear(&mut tx, id.0).await?;
        }
        properties::merge(&mut tx, id.0, &metadata).await?;
        let all = properties::of(&mut tx, id.0).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// `DELETE /snapshots/{id}/metadata/{key}`.
    pub async fn delete_snapshot_metadata(
        &self,
        context: &Context,
        id: SnapshotUuid,
        key: &str,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let snapshot = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeDeleteSnapshotMetadata, &snapshot)?;
        refuse_frozen_with(&mut tx, snapshot.volume).await?;
        if !properties::remove(&mut tx, id.0, key).await? {
            let text = format!("Snapshot {id} has no metadata with key {key}.");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        Ok(tx.commit().await?)
    }
}

/// The status that a client names.
fn parsed(text: &str) -> Result<SnapshotStatus> {
    text.to_lowercase().parse().map_err(|_| {
        let known: Vec<String> = SnapshotStatus::ALL
            .iter()
            .map(|status| format!("'{status}'"))
            .collect();
        let shown: String = text.chars().take(64).collect();
        let text = format!(
            "Snapshot status: {shown} is invalid, valid statuses are: ({}).",
            known.join(", ")
        );
        Error::new(ErrorKind::Invalid, text)
    })
}

/// Whether a server that takes or removes a snapshot may say that it went from one status to the
/// other: only what is under way can be reported.
fn check_step(from: SnapshotStatus, to: SnapshotStatus) -> Result<()> {
    use SnapshotStatus as S;
    let allowed: &[S] = match from {
        S::Creating => &[S::Creating, S::Available, S::Error],
        S::Deleting => &[S::Deleting, S::ErrorDeleting],
        S::Available
        | S::Error
        | S::ErrorDeleting
        | S::Deleted
        | S::Updating
        | S::Unmanaging
        | S::BackingUp
        | S::Restoring => {
            let text = format!("Snapshot status {from} not allowed for update_snapshot_status");
            return Err(Error::new(ErrorKind::Invalid, text));
        }
    };
    if allowed.contains(&to) {
        return Ok(());
    }
    let text =
        format!("Provided snapshot status {to} not allowed for snapshot with status {from}.");
    Err(Error::new(ErrorKind::Invalid, text))
}
