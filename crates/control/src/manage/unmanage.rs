//! A volume is given up, and its image stays.

use firebrick_db::{Activity, Volume, attachments, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::VolumeId;
use serde_json::json;
use tracing::info;

use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::hidden::remove_hidden;
use crate::request::Context;
use crate::story::{Step, Stop, noted};
use crate::volume::{hold, is_moving};
use crate::why::Why;

impl Control {
    /// `os-unmanage`.
    pub async fn unmanage_volume(&self, context: &Context, id: VolumeId) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeUnmanage, &volume)?;
        context.allow_for(Rule::VolumeDelete, &volume)?;
        if volume.encryption_key.is_some() {
            // Nobody would know any more which key its bytes need.
            let text = "Unmanaging encrypted volumes is not supported.";
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let free = volume.status.allows(VolumeOperation::Unmanage)
            && volume.shown.is_none()
            && volume.group.is_none()
            && !is_moving(&volume)
            && attachments::of_volume(&mut tx, id).await?.is_empty()
            && snapshots::of_volume(&mut tx, id).await?.is_empty();
        if !free {
            return Err(Error::invalid_volume(format_args!(
                "Volume {id} status must be available or error or error_restoring or \
                 error_extending or error_managing and must not be migrating, attached, belong to \
                 a group, have snapshots, awaiting a transfer, or be disassociated from snapshots \
                 after volume transfer."
            )));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let from = [volume.status];
        volume.status = leaving(&volume);
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let kind = ActivityKind::UnmanageVolume;
        inner.begin(&mut tx, context, kind, id.0, json!({})).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// What a volume is while it is given up. One that could never be taken over has no image.
fn leaving(volume: &Volume) -> VolumeStatus {
    if volume.status == VolumeStatus::ErrorManaging {
        VolumeStatus::ErrorManagingDeleting
    } else {
        VolumeStatus::Unmanaging
    }
}

/// The story: what only this volume's backups needed goes from the image, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    match volume.status {
        VolumeStatus::Unmanaging => {
            if let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) =
                tidy(inner, &volume).await
            {
                info!(volume = %id, %why, "an image is given up with snapshots of backups");
            }
        }
        VolumeStatus::ErrorManagingDeleting => {}
        _ => return inner.finish_alone(activity, Ok(())).await,
    }
    let mut tx = inner.db.begin().await?;
    volumes::remove(&mut tx, id).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

async fn tidy(inner: &Inner, volume: &Volume) -> Step {
    if volume.host.is_none() {
        return Ok(());
    }
    let home = inner.home(volume).await?;
    Ok(remove_hidden(&*home.site, volume.image()).await?)
}

/// Nothing of a site stands in its way; what does is the database, and the volume says so.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = VolumeId(activity.resource);
    let mut tx = inner.db.begin().await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        let from = [volume.status];
        volume.status = match volume.status {
            VolumeStatus::ErrorManagingDeleting => VolumeStatus::ErrorManaging,
            _ => VolumeStatus::Error,
        };
        let ours = [
            VolumeStatus::Unmanaging,
            VolumeStatus::ErrorManagingDeleting,
        ];
        if ours.contains(&from[0]) {
            noted(volumes::swap(&mut tx, &from, &volume).await?, id);
        }
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
