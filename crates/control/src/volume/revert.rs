//! A volume returns to its newest snapshot.

use firebrick_db::{Activity, Snapshot, Tx, Volume, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{
    ActivityKind, SnapshotOperation, SnapshotStatus, VolumeOperation, VolumeStatus,
};
use firebrick_vocabulary::{SnapshotUuid, VolumeId};
use serde_json::json;

use super::look::locked;
use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::request::Context;
use crate::story::{Step, Stop, noted};
use crate::why::Why;

impl Control {
    /// `revert` (3.40): `asked` must be the newest snapshot. The volume is `reverting` and the snapshot
    /// `restoring` until it is done.
    pub async fn revert_volume(
        &self,
        context: &Context,
        id: VolumeId,
        asked: Option<SnapshotUuid>,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut volume = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeRevertToSnapshot, &volume)?;
        let mut snapshot = newest(&mut tx, &volume, asked).await?;
        let from = volume.status;
        // Whoever reads the volume would read two states of it.
        if !from.allows(VolumeOperation::Revert) || volume.shown.is_some() {
            return Err(refused("volume", id, "Volume"));
        }
        if !snapshot.status.allows(SnapshotOperation::Revert) {
            return Err(refused("snapshot", id, "Snapshot"));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        volume.status = VolumeStatus::Reverting;
        snapshot.status = SnapshotStatus::Restoring;
        let available = [SnapshotStatus::Available];
        if !volumes::swap(&mut tx, &[from], &volume).await?.won()
            || !snapshots::swap(&mut tx, &available, &snapshot).await?.won()
        {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({ "snapshot": snapshot.id });
        inner
            .begin(&mut tx, context, ActivityKind::RevertVolume, id.0, input)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The newest snapshot, which must be the one that was asked for, and as large as the volume.
async fn newest(tx: &mut Tx, volume: &Volume, asked: Option<SnapshotUuid>) -> Result<Snapshot> {
    let id = volume.id;
    let invalid = |text: String| Error::new(ErrorKind::Invalid, text);
    let Some(newest) = snapshots::of_volume(tx, id).await?.pop() else {
        return Err(invalid(format!("Volume {id} doesn't have any snapshots.")));
    };
    if asked != Some(newest.id) {
        let asked = asked.map_or_else(|| "None".to_owned(), |id| id.to_string());
        return Err(invalid(format!(
            "Specified snapshot {asked} is None or not the latest one of volume {id}."
        )));
    }
    let newest = snapshots::get_locked(tx, newest.id).await?;
    let newest = newest.ok_or_else(|| Error::lost(format_args!("Volume {id}")))?;
    if newest.size != volume.size {
        return Err(invalid(format!(
            "Can't revert volume {id} to its latest snapshot {}. The volume size must be equal to \
             the snapshot size.",
            newest.id
        )));
    }
    Ok(newest)
}

fn refused(prefix: &str, id: VolumeId, whose: &str) -> Error {
    let text = format!(
        "Invalid {prefix}: Can't revert volume {id} to its latest snapshot. {whose}'s status must be \
         'available'."
    );
    Error::new(ErrorKind::Conflict, text)
}

/// The story: the image returns, then both rows.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Reverting) else {
        return settle(inner, activity, None, Ok(())).await;
    };
    let found = snapshots::get(&mut *inner.db.read().await?, snapshot(activity)?).await?;
    let snapshot = found.ok_or_else(|| Stop::never("the snapshot is gone"))?;
    let home = inner.home(&volume).await?;
    let (image, name) = (volume.image(), snapshot.image_name());
    home.site.roll_back(image, name).await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    end(inner, tx, activity, Some(VolumeStatus::Available), Ok(())).await
}

/// What the volume has now is not known for sure: it says so. The snapshot has not changed.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    settle(inner, activity, Some(VolumeStatus::Error), Err(why)).await
}

fn snapshot(activity: &Activity) -> Step<SnapshotUuid> {
    let text = activity.input.get("snapshot").and_then(|id| id.as_str());
    let id = text.and_then(|text| text.parse().ok());
    id.ok_or_else(|| Stop::never("the snapshot is not known"))
}

async fn settle(
    inner: &Inner,
    activity: &Activity,
    status: Option<VolumeStatus>,
    outcome: std::result::Result<(), &Why>,
) -> Step {
    let tx = inner.db.begin().await?;
    end(inner, tx, activity, status, outcome).await
}

/// Both rows rest: the volume as `status` says, unless somebody has said something else of it.
async fn end(
    inner: &Inner,
    mut tx: Tx,
    activity: &Activity,
    status: Option<VolumeStatus>,
    outcome: std::result::Result<(), &Why>,
) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get_locked(&mut tx, id).await?;
    if let (Some(mut volume), Some(status)) = (found, status) {
        volume.status = status;
        let from = [VolumeStatus::Reverting];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    if let Ok(id) = snapshot(activity)
        && let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await?
    {
        snapshot.status = SnapshotStatus::Available;
        let from = [SnapshotStatus::Restoring];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, outcome).await?;
    Ok(tx.commit().await?)
}
