//! An operator says what the status of a volume is.

use firebrick_db::{Tx, Volume, attachments, volumes};
use firebrick_policy::Rule;
use firebrick_state::{AttachStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;
use tracing::warn;

use super::look::locked;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, ResetStatus};

/// What an operator may say of a migration.
const MIGRATION_STATUSES: [&str; 6] = [
    "migrating",
    "error",
    "success",
    "completing",
    "none",
    "starting",
];

/// What an operator may say of attachments.
const ATTACH_STATUSES: [AttachStatus; 2] = [AttachStatus::Attached, AttachStatus::Detached];

impl Control {
    /// `os-reset_status`. A volume that is said to be detached loses its attachments; their exports end
    /// as soon as sites are compared with what is left.
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
            volume.status = status(&mut tx, id, text).await?;
            volume.previous_status = None;
        }
        if let Some(text) = &reset.migration_status {
            let lower = text.to_lowercase();
            if !MIGRATION_STATUSES.contains(&lower.as_str()) {
                return Err(invalid("migration status", text, &MIGRATION_STATUSES));
            }
            volume.migration_status = (lower != "none").then_some(lower);
        }
        if let Some(text) = &reset.attach_status {
            volume.attach_status = attach_status(text)?;
            if volume.attach_status == AttachStatus::Detached {
                clear(&mut tx, &mut volume).await?;
            }
        }
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        tx.commit().await?;
        self.inner.compare.notify_one();
        Ok(())
    }
}

async fn status(tx: &mut Tx, id: VolumeId, text: &str) -> Result<VolumeStatus> {
    // Cinder has no statuses for what these do.
    let known = |status: &VolumeStatus| {
        !matches!(
            status,
            VolumeStatus::Reverting
                | VolumeStatus::Unmanaging
                | VolumeStatus::ErrorManagingDeleting
        )
    };
    let parsed = text.to_lowercase().parse().ok().filter(known);
    let status: VolumeStatus = parsed.ok_or_else(|| {
        let valid = VolumeStatus::ALL.iter().filter(|status| known(status));
        let valid: Vec<&str> = valid.map(|status| status.as_str()).collect();
        invalid("status", text, &valid)
    })?;
    let refused = |why| Err(Error::new(ErrorKind::Invalid, why));
    if status == VolumeStatus::Deleting {
        return refused("Cannot reset-state to deleting");
    }
    if status == VolumeStatus::InUse && attachments::of_volume(tx, id).await?.is_empty() {
        return refused(
            "Cannot reset-state to in-use because volume does not have any attachments.",
        );
    }
    Ok(status)
}

fn attach_status(text: &str) -> Result<AttachStatus> {
    let parsed = text.to_lowercase().parse().ok();
    let known = parsed.filter(|status| ATTACH_STATUSES.contains(status));
    known.ok_or_else(|| {
        let valid = ATTACH_STATUSES.map(AttachStatus::as_str);
        invalid("attach status", text, &valid)
    })
}

/// Removes the attachments. What a volume is by its attachments alone, it is no more.
async fn clear(tx: &mut Tx, volume: &mut Volume) -> Result<()> {
    for attachment in attachments::of_volume(tx, volume.id).await? {
        warn!(volume = %volume.id, attachment = %attachment.id, "an operator removed an attachment");
        attachments::remove(tx, attachment.id).await?;
    }
    if matches!(
        volume.status,
        VolumeStatus::InUse
            | VolumeStatus::Attaching
            | VolumeStatus::Detaching
            | VolumeStatus::Reserved
    ) {
        volume.status = VolumeStatus::Available;
    }
    Ok(())
}

fn invalid(what: &str, text: &str, valid: &[&str]) -> Error {
    let shown: String = text.chars().take(64).collect();
    let valid: Vec<String> = valid.iter().map(|text| format!("'{text}'")).collect();
    let valid = valid.join(", ");
    let text = format!("Volume {what}: {shown} is invalid, valid statuses are: ({valid}).");
    Error::new(ErrorKind::Invalid, text)
}
