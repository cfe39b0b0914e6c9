//! A snapshot is taken.

use firebrick_db::{Activity, Snapshot, image_properties, now, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, SnapshotStatus, VolumeOperation};
use firebrick_vocabulary::SnapshotUuid;
use serde_json::json;
use tracing::info;

use crate::control::{Control, Inner};
use crate::detail::SnapshotDetail;
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::quota::{self, Wanted};
use crate::request::{Context, CreateSnapshot};
use crate::story::{Step, Stop, noted};
use crate::volume::{hold, is_moving};
use crate::why::Why;

impl Control {
    /// `POST /snapshots`. The volume stays as it is and free for everything else.
    pub async fn create_snapshot(
        &self,
        context: &Context,
        request: CreateSnapshot,
    ) -> Result<SnapshotDetail> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(&context.project).await?;
        let volume = hold(&mut tx, context, request.volume).await?;
        context.allow_for(Rule::VolumeCreateSnapshot, &volume)?;
        let operation = if request.in_use {
            VolumeOperation::SnapshotInUse
        } else {
            VolumeOperation::Snapshot
        };
        if is_moving(&volume) {
            return Err(Error::invalid_volume(
                "Volume is being migrated, and what is taken of it now would stay behind.",
            ));
        }
        if !volume.status.allows(operation) {
            return Err(Error::invalid_volume(format!(
                "Volume {} status must be available{}, but current status is: {}.",
                volume.id,
                if request.in_use { " or in-use" } else { "" },
                volume.status
            )));
        }
        let wanted = Wanted::snapshot(volume.size, volume.volume_type, &inner.options.quotas);
        quota::check(&mut tx, &inner.options.quotas, &context.project, wanted).await?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let snapshot = Snapshot {
            id: SnapshotUuid::random(),
            volume: volume.id,
            project: context.owner()?.clone(),
            user: context.user.clone(),
            name: request.name,
            description: request.description,
            size: volume.size,
            status: SnapshotStatus::Creating,
            previous_status: None,
            progress: "0%".to_owned(),
            group_snapshot: None,
            backend_name: None,
            encryption_key: volume.encryption_key,
            consumes_quota: true,
            metadata: request.metadata,
            created_at: now(),
            updated_at: None,
        };
        snapshots::insert(&mut tx, &snapshot).await?;
        image_properties::copy(&mut tx, volume.id.0, snapshot.id.0).await?;
        let kind = ActivityKind::CreateSnapshot;
        inner
            .begin_for(&mut tx, context, kind, snapshot.id.0, volume.id, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(SnapshotDetail { snapshot })
    }
}

/// The story: the image's snapshot, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = SnapshotUuid(activity.resource);
    let found = snapshots::get(&mut *inner.db.read().await?, id).await?;
    let found = found.filter(|snapshot| snapshot.status == SnapshotStatus::Creating);
    let Some(snapshot) = found else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, snapshot.volume).await?;
    let volume = volume.ok_or_else(|| Stop::never("its volume is gone".to_owned()))?;
    let home = inner.home(&volume).await?;
    home.site
        .create_snapshot(volume.image(), snapshot.image_name())
        .await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    if let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::Available;
        "100%".clone_into(&mut snapshot.progress);
        let from = [SnapshotStatus::Creating];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// Removes what may have been made; the snapshot is an error.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = SnapshotUuid(activity.resource);
    let found = snapshots::get(&mut *inner.db.read().await?, id).await?;
    let Some(snapshot) = found else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, snapshot.volume).await?;
    if let Some(volume) = volume.filter(|volume| volume.host.is_some()) {
        let home = inner.home(&volume).await?;
        let (image, name) = (volume.image(), snapshot.image_name());
        if let Err(fault) = home.site.remove_snapshot(image, name).await {
            info!(snapshot = %id, %fault, "a failed snapshot stays at its site for now");
        }
    }
    let mut tx = inner.db.begin().await?;
    if let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::Error;
        let from = [SnapshotStatus::Creating];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
