//! A backup is removed.

use firebrick_backup::remove;
use firebrick_db::{Activity, Backup, Column, Listing, Tx, backups, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, BackupOperation, BackupStatus, MessageDetail};
use firebrick_vocabulary::BackupId;
use serde_json::json;
use tracing::info;

use super::create::stop_making;
use super::image::{gone_is_fine, hidden_name};
use super::look::{invalid, locked};
use super::{container, refused};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::request::Context;
use crate::story::{Step, noted};
use crate::why::Why;

impl Control {
    /// `DELETE /backups/{id}` and `os-force_delete`.
    pub async fn delete_backup(&self, context: &Context, id: BackupId, force: bool) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut backup = locked(&mut tx, context, id).await?;
        if force {
            context.allow_for(Rule::BackupAdminActionsForceDelete, &backup)?;
        }
        context.allow_for(Rule::BackupDelete, &backup)?;
        inner.backups()?;
        let operation = if force {
            BackupOperation::ForceDelete
        } else {
            BackupOperation::Delete
        };
        if !backup.status.allows(operation) {
            return Err(invalid("Backup status must be available or error"));
        }
        if has_dependents(&mut tx, id).await? {
            return Err(invalid("Incremental backups exist for this backup."));
        }
        stop_making(&mut tx, id).await?;
        let from = [backup.status];
        backup.status = BackupStatus::Deleting;
        if !backups::swap(&mut tx, &from, &backup).await?.won() {
            return Err(Error::lost(format_args!("Backup {id}")));
        }
        let kind = ActivityKind::DeleteBackup;
        inner.begin(&mut tx, context, kind, id.0, json!({})).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

async fn has_dependents(tx: &mut Tx, id: BackupId) -> Result<bool> {
    let upon = Listing::of(Column::Parent, &id);
    Ok(backups::total(tx, &upon).await?.0 > 0)
}

/// The story: objects, the image's hidden snapshot, the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = BackupId(activity.resource);
    let found = backups::get(&mut *inner.db.read().await?, id).await?;
    let Some(backup) = found.filter(|backup| backup.status == BackupStatus::Deleting) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let repository = &*inner.backups()?.repository;
    if !is_shared(inner, &backup).await? {
        let removed = remove(repository, &container(&backup)?, backup.kept()).await;
        removed.map_err(|fault| refused(&fault))?;
    }
    forget(inner, &backup).await?;
    let mut tx = inner.db.begin().await?;
    backups::remove(&mut tx, id).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// Whether another backup that stays is in the same objects.
async fn is_shared(inner: &Inner, backup: &Backup) -> Step<bool> {
    let all = backups::of_kept(&mut *inner.db.read().await?, backup.kept()).await?;
    let stays = |other: &Backup| {
        other.id != backup.id
            && other.container == backup.container
            && other.status != BackupStatus::Deleting
    };
    Ok(all.iter().any(stays))
}

/// The hidden snapshot goes. A site that does not answer keeps it until the volume's next backup, or its
/// end: the backup itself does not wait for that.
async fn forget(inner: &Inner, backup: &Backup) -> Step {
    let volume = volumes::get(&mut *inner.db.read().await?, backup.volume).await?;
    let Some(volume) = volume.filter(|volume| volume.host.is_some()) else {
        return Ok(());
    };
    let home = inner.home(&volume).await?;
    let removed = home
        .site
        .remove_snapshot(volume.image(), hidden_name(backup.id)?);
    if let Err(fault) = gone_is_fine(removed.await) {
        info!(backup = %backup.id, %fault, "the snapshot of a removed backup stays for now");
    }
    Ok(())
}

/// The backup says that it could not be removed; it can be forced.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = BackupId(activity.resource);
    let mut tx = inner.db.begin().await?;
    if let Some(mut backup) = backups::get_locked(&mut tx, id).await? {
        backup.status = BackupStatus::ErrorDeleting;
        let usual = MessageDetail::BackupDeleteDriverError;
        let reason = why.note().unwrap_or(why.detail_or(usual).text());
        backup.fail_reason = Some(reason.chars().take(255).collect());
        let from = [BackupStatus::Deleting];
        noted(backups::swap(&mut tx, &from, &backup).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
