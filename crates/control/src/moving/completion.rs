//! What Nova says when it has done its part. Here nothing waits for that: migrations end by
//! themselves, and extensions ask nobody.

use firebrick_db::{Volume, activities, attachments};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, MigrationStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;

use super::arrive::refused;
use crate::control::Control;
use crate::error::Result;
use crate::request::Context;
use crate::volume::hold;

fn status(volume: &Volume) -> Option<MigrationStatus> {
    volume.migration_status.as_deref()?.parse().ok()
}

impl Control {
    /// `os-migrate_volume_completion`; the id of the volume that stays. With `error` the migration ends, and
    /// the volume is where it was.
    pub async fn complete_migration(
        &self,
        context: &Context,
        id: VolumeId,
        new: VolumeId,
        error: bool,
    ) -> Result<VolumeId> {
        let mut tx = self.inner.db.begin().await?;
        let volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeAdminActionsMigrateVolumeCompletion, &volume)?;
        let target = hold(&mut tx, context, new).await?;
        match (status(&volume), status(&target)) {
            (None, None) => {
                if !error && !attachments::of_volume(&mut tx, id).await?.is_empty() {
                    return Err(refused(
                        "the attachments of a volume are not given to another one here",
                    ));
                }
                return Ok(new);
            }
            (None, Some(_)) => return Err(refused("Source volume not mid-migration.")),
            (Some(_), None) => return Err(refused("Destination volume not mid-migration.")),
            (Some(_), Some(MigrationStatus::Target(of))) if of == id.to_string() => {}
            (Some(_), Some(other)) => {
                return Err(refused(format_args!(
                    "Destination has migration_status {other}, expected target:{id}."
                )));
            }
        }
        if error {
            let running = activities::running_for(&mut tx, id.0).await?;
            let ours = |kind| {
                matches!(
                    kind,
                    ActivityKind::MigrateVolume | ActivityKind::RetypeVolume
                )
            };
            if let Some(running) = running.filter(|running| ours(running.kind)) {
                // One that has just ended needs no word.
                let _ = activities::cancel(&mut tx, running.id).await?.won();
            }
            tx.commit().await?;
            self.inner.work.notify_one();
        }
        Ok(id)
    }

    /// `os-extend_volume_completion` (3.71). Extensions end by themselves, so there is never one that waits for
    /// it.
    pub async fn complete_extension(&self, context: &Context, id: VolumeId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeAdminActionsExtendVolumeCompletion, &volume)?;
        Err(refused(if volume.status == VolumeStatus::Extending {
            "Required volume admin metadata is malformed or missing."
        } else {
            "Volume is not being extended."
        }))
    }
}
