//! An operator says what the status of a volume is.

use firebrick_db::{attachments, volumes};
use firebrick_policy::Rule;
use firebrick_state::{AttachStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;

use super::look::locked;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::request::{Context, ResetStatus};

/// What an operator may say of a migration.
const MIGRATION_STATUSES: [&str; 6] = [
    "none",
    "starting",
    "migrating",
    "completing",
    "success",
    "error",
];

impl Control {
    /// `os-reset_status`.
    pub async fn reset_volume_status(
        &self,
        context: &Context,
        id: VolumeId,
        reset: ResetStatus,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = locked(&mut tx, context, id).await?;
        let from = [volume.status];
        context.allow_for(Rule::VolumeAdminActionsResetStatus, &volume)?;
        if let Some(text) = &reset.status {
            let status: VolumeStatus = text
                .to_lowercase()
                .parse()
                .map_err(|_| unknown("status", text))?;
            if status == VolumeStatus::Deleting {
                return Err(Error::invalid_volume("Cannot reset-state to deleting"));
            }
            let attached = !attachments::of_volume(&mut tx, id).await?.is_empty();
            if status == VolumeStatus::InUse && !attached {
                return Err(Error::invalid_volume(
                    "Cannot reset-state to in-use for a volume without attachments",
                ));
            }
            volume.status = status;
            volume.previous_status = None;
        }
        if let Some(text) = &reset.attach_status {
            let parsed = text.to_lowercase().parse::<AttachStatus>();
            volume.attach_status = parsed.map_err(|_| unknown("attach_status", text))?;
        }
        if let Some(text) = reset.migration_status {
            let lower = text.to_lowercase();
            if !MIGRATION_STATUSES.contains(&lower.as_str()) {
                return Err(unknown("migration_status", &text));
            }
            volume.migration_status = (lower != "none").then_some(lower);
        }
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        Ok(tx.commit().await?)
    }
}

fn unknown(field: &str, text: &str) -> Error {
    Error::invalid_input(format!("{field} must not be {text:?}"))
}
