//! A volume is removed, perhaps with its snapshots.

use firebrick_backend::FaultKind;
use firebrick_db::{Activity, Snapshot, Tx, Volume, attachments, image_cache, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{
    ActivityKind, SnapshotOperation, SnapshotStatus, VolumeOperation, VolumeStatus,
};
use firebrick_vocabulary::{ImageId, VolumeId};
use serde_json::json;

use super::look::{is_moving, locked};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::hidden::remove_hidden;
use crate::home::Home;
use crate::request::{Context, DeleteVolume};
use crate::story::{Step, Stop, noted};
use crate::why::Why;

impl Control {
    /// `DELETE /volumes/{id}`.
    pub async fn delete_volume(
        &self,
        context: &Context,
        id: VolumeId,
        how: DeleteVolume,
    ) -> Result<()> {
        let forced = how.force.then_some(Rule::VolumeForceDelete);
        self.remove_volume(context, id, how, forced).await
    }

    /// `os-force_delete`.
    pub async fn force_delete_volume(&self, context: &Context, id: VolumeId) -> Result<()> {
        let how = DeleteVolume {
            cascade: false,
            force: true,
        };
        let forced = Some(Rule::VolumeAdminActionsForceDelete);
        self.remove_volume(context, id, how, forced).await
    }

    /// `forced` is what must be allowed beside the removal.
    async fn remove_volume(
        &self,
        context: &Context,
        id: VolumeId,
        how: DeleteVolume,
        forced: Option<Rule>,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut volume = locked(&mut tx, context, id).await?;
        for rule in forced.into_iter().chain([Rule::VolumeDelete]) {
            context.allow_for(rule, &volume)?;
        }
        let of_volume = snapshots::of_volume(&mut tx, id).await?;
        let attached = !attachments::of_volume(&mut tx, id).await?.is_empty();
        let operation = if how.force {
            VolumeOperation::ForceDelete
        } else {
            VolumeOperation::Delete
        };
        let allowed = volume.status.allows(operation)
            && (how.force || !attached)
            && volume.group.is_none()
            // What runs needs the image, and is cancelled first.
            && volume.shown.is_none()
            && !is_moving(&volume);
        let ready = if how.cascade {
            of_volume.iter().all(|snapshot| {
                snapshot.status.allows(SnapshotOperation::Delete)
                    && snapshot.group_snapshot.is_none()
            })
        } else {
            of_volume.is_empty()
        };
        let going = matches!(
            volume.status,
            VolumeStatus::Deleting | VolumeStatus::ErrorManagingDeleting
        );
        if !allowed || !ready || going {
            return Err(Error::invalid_volume(
                "Volume status must be available or error or error_restoring or error_extending or \
                 error_managing and must not be migrating, attached, belong to a group, have \
                 snapshots, awaiting a transfer, or be disassociated from snapshots after volume \
                 transfer.",
            ));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        delete_snapshots(&mut tx, of_volume).await?;
        let from = [volume.status];
        volume.previous_status = None;
        let kind = if volume.status == VolumeStatus::ErrorManaging {
            // What it could not take over is none of its.
            volume.status = VolumeStatus::ErrorManagingDeleting;
            ActivityKind::UnmanageVolume
        } else {
            volume.status = VolumeStatus::Deleting;
            ActivityKind::DeleteVolume
        };
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({ "force": how.force });
        inner.begin(&mut tx, context, kind, id.0, input).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// They go with their volume. Nobody makes new ones while that is held; but each has requests of its
/// own.
async fn delete_snapshots(tx: &mut Tx, of_volume: Vec<Snapshot>) -> Result<()> {
    for mut snapshot in of_volume {
        let from = [snapshot.status];
        snapshot.status = SnapshotStatus::Deleting;
        if !snapshots::swap(tx, &from, &snapshot).await?.won() {
            return Err(Error::lost(format_args!("Snapshot {}", snapshot.id)));
        }
    }
    Ok(())
}

/// The story: snapshots, exports, image, row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Deleting) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let mut tx = erase(inner, &volume).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// Removes the image, and in the transaction that it returns the rows.
pub(crate) async fn erase(inner: &Inner, volume: &Volume) -> Step<Tx> {
    let id = volume.id;
    let of_volume = snapshots::of_volume(&mut *inner.db.read().await?, id).await?;
    let mut home = None;
    if volume.host.is_some() {
        let home = home.insert(inner.home(volume).await?);
        inner.end_drills(volume, volume.image()).await;
        remove_image(home, volume.image(), &of_volume).await?;
    }
    let mut tx = inner.db.begin().await?;
    if let Some(home) = home {
        home.stays(&mut tx).await?;
        inner.note_leftover(&mut tx, volume, &home).await?;
    }
    for snapshot in of_volume {
        snapshots::remove(&mut tx, snapshot.id).await?;
    }
    image_cache::remove(&mut tx, id).await?;
    volumes::remove(&mut tx, id).await?;
    Ok(tx)
}

async fn remove_image(home: &Home, image: ImageId, of_volume: &[Snapshot]) -> Step {
    let site = &home.site;
    match site.image(image).await {
        Ok(_) => {}
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault.into()),
    }
    for snapshot in of_volume {
        site.remove_snapshot(image, snapshot.image_name()).await?;
    }
    remove_hidden(&**site, image).await?;
    for export in site
        .exports()
        .await?
        .into_iter()
        .filter(|export| export.image == image)
    {
        site.unexport(image, export.key).await?;
    }
    Ok(site.remove_image(image).await?)
}

/// The volume says that it could not be removed; it can be tried again.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = VolumeId(activity.resource);
    let mut tx = inner.db.begin().await?;
    let volume = volumes::get_locked(&mut tx, id).await?;
    for mut snapshot in snapshots::of_volume(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::ErrorDeleting;
        let from = [SnapshotStatus::Deleting];
        let swapped = snapshots::swap(&mut tx, &from, &snapshot).await?;
        noted(swapped, snapshot.id);
    }
    if let Some(mut volume) = volume {
        volume.status = VolumeStatus::ErrorDeleting;
        let from = [VolumeStatus::Deleting];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    tx.commit().await.map_err(Stop::from)
}
