//! Names, metadata and statuses of backups.

use firebrick_db::{backups, properties};
use firebrick_policy::Rule;
use firebrick_state::BackupStatus;
use firebrick_vocabulary::BackupId;

use super::look::{self, locked};
use super::request::UpdateBackup;
use crate::control::Control;
use crate::detail::BackupDetail;
use crate::error::{Error, Result};
use crate::request::Context;

impl Control {
    /// `PUT /backups/{id}`.
    pub async fn update_backup(
        &self,
        context: &Context,
        id: BackupId,
        change: UpdateBackup,
    ) -> Result<BackupDetail> {
        let mut tx = self.inner.db.begin().await?;
        let mut backup = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::BackupUpdate, &backup)?;
        backup.name = change.name.unwrap_or(backup.name);
        backup.description = change.description.unwrap_or(backup.description);
        let from = [backup.status];
        if !backups::swap(&mut tx, &from, &backup).await?.won() {
            return Err(Error::lost(format_args!("Backup {id}")));
        }
        if let Some(metadata) = change.metadata {
            properties::clear(&mut tx, id.0).await?;
            properties::merge(&mut tx, id.0, &metadata).await?;
            backup.metadata = metadata;
        }
        let detail = look::one(&mut tx, backup).await?;
        tx.commit().await?;
        Ok(detail)
    }

    /// `os-reset_status` of a backup.
    pub async fn reset_backup_status(
        &self,
        context: &Context,
        id: BackupId,
        status: &str,
    ) -> Result<()> {
        let wanted = status.to_lowercase().parse();
        let wanted = wanted.ok().filter(|status: &BackupStatus| {
            matches!(status, BackupStatus::Available | BackupStatus::Error)
        });
        let mut tx = self.inner.db.begin().await?;
        let mut backup = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::BackupAdminActionsResetStatus, &backup)?;
        let from = [backup.status];
        backup.status = wanted.ok_or_else(|| {
            let shown: String = status.chars().take(64).collect();
            Error::invalid_input(format!(
                "Backup status: {shown} is invalid, valid statuses are: ['available', 'error']."
            ))
        })?;
        if !backups::swap(&mut tx, &from, &backup).await?.won() {
            return Err(Error::lost(format_args!("Backup {id}")));
        }
        Ok(tx.commit().await?)
    }
}
