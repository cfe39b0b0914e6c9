//! A snapshot of a volume's image is taken over, or given up.

use firebrick_db::{Activity, Snapshot, now, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, SnapshotOperation, SnapshotStatus, VolumeOperation};
use firebrick_vocabulary::{SnapshotName, SnapshotUuid};
use serde_json::json;

use super::request::ManageSnapshot;
use super::whole;
use crate::control::{Control, Inner};
use crate::detail::SnapshotDetail;
use crate::error::{Error, Result};
use crate::freeze::{refuse_frozen, refuse_frozen_with};
use crate::hidden::is_hidden;
use crate::quota::{self, Wanted};
use crate::request::Context;
use crate::snapshot::look::{locked, visible};
use crate::story::{Step, Stop, noted};
use crate::volume::{hold, is_moving, look_at};
use crate::why::Why;

impl Control {
    /// `POST /manageable_snapshots`: the snapshot is `creating`, and an activity goes on from there.
    pub async fn manage_snapshot(
        &self,
        context: &Context,
        request: ManageSnapshot,
    ) -> Result<SnapshotDetail> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let project = look_at(&mut tx, context, request.volume).await?.project;
        tx.lock_project(&project).await?;
        let volume = hold(&mut tx, context, request.volume).await?;
        context.allow_for(Rule::SnapshotManage, &volume)?;
        if !volume.status.allows(VolumeOperation::SnapshotInUse) || is_moving(&volume) {
            return Err(Error::invalid_volume(format_args!(
                "Volume {} status must be available or in-use, but current status is: {}.",
                volume.id, volume.status
            )));
        }
        if let Some(host) = &volume.host {
            inner.refuse_unavailable(&inner.service_of(host).await?)?;
        }
        let name = SnapshotName::new(request.source);
        let name = name.map_err(Error::invalid_input)?;
        let rows = snapshots::of_volume(&mut tx, volume.id).await?;
        if rows.iter().any(|row| row.image_name() == name) {
            return Err(Error::invalid_snapshot(format_args!(
                "Unable to manage existing snapshot. The snapshot {name} is already managed"
            )));
        }
        let quotas = &inner.options.quotas;
        let wanted = Wanted::snapshot(volume.size, volume.volume_type, quotas);
        quota::check(&mut tx, quotas, &volume.project, wanted).await?;
        let snapshot = Snapshot {
            id: SnapshotUuid::random(),
            volume: volume.id,
            project: volume.project.clone(),
            user: context.user.clone(),
            name: request.name,
            description: request.description,
            // Until it is known; never more, as volumes do not shrink.
            size: volume.size,
            status: SnapshotStatus::Creating,
            previous_status: None,
            progress: "0%".to_owned(),
            group_snapshot: None,
            backend_name: Some(name),
            encryption_key: volume.encryption_key,
            consumes_quota: true,
            metadata: request.metadata,
            created_at: now(),
            updated_at: None,
        };
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        snapshots::insert(&mut tx, &snapshot).await?;
        let kind = ActivityKind::ManageSnapshot;
        inner
            .begin_for(&mut tx, context, kind, snapshot.id.0, volume.id, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(SnapshotDetail { snapshot })
    }

    /// `os-unmanage` of a snapshot.
    pub async fn unmanage_snapshot(&self, context: &Context, id: SnapshotUuid) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let volume = visible(&mut tx, context, id).await?.volume;
        volumes::get_locked(&mut tx, volume).await?;
        let mut snapshot = locked(&mut tx, context, id).await?;
        context.allow_for(Rule::SnapshotUnmanage, &snapshot)?;
        context.allow_for(Rule::VolumeDeleteSnapshot, &snapshot)?;
        let from = [snapshot.status];
        if !snapshot.status.allows(SnapshotOperation::Unmanage) || snapshot.group_snapshot.is_some()
        {
            return Err(Error::invalid_snapshot(format_args!(
                "Snapshot status must be available or error and the snapshot must not be in a \
                 group snapshot; it is {}.",
                snapshot.status
            )));
        }
        refuse_frozen_with(&mut tx, volume).await?;
        snapshot.status = SnapshotStatus::Unmanaging;
        if !snapshots::swap(&mut tx, &from, &snapshot).await?.won() {
            return Err(Error::lost(format_args!("Snapshot {id}")));
        }
        let kind = ActivityKind::UnmanageSnapshot;
        inner
            .begin_for(&mut tx, context, kind, id.0, volume, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The story of a snapshot that is taken over: it is there, and of which size it is.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = SnapshotUuid(activity.resource);
    let found = snapshots::get(&mut *inner.db.read().await?, id).await?;
    let found = found.filter(|snapshot| snapshot.status == SnapshotStatus::Creating);
    let Some(snapshot) = found else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, snapshot.volume).await?;
    let volume = volume.ok_or_else(|| Stop::never("its volume is gone"))?;
    let home = inner.home(&volume).await?;
    let there = home.site.snapshots(volume.image()).await?;
    let name = snapshot.image_name();
    let there = there
        .into_iter()
        .find(|it| it.name == name && !is_hidden(&name));
    let Some(there) = there else {
        let why = "the volume has no such snapshot";
        return Err(Stop::never(Why::from(why).noting(why)));
    };
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    if let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::Available;
        snapshot.size = whole(there.size).clamp(1, snapshot.size.max(1));
        "100%".clone_into(&mut snapshot.progress);
        let from = [SnapshotStatus::Creating];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// The snapshot is an error, and has nothing at the site.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = SnapshotUuid(activity.resource);
    let mut tx = inner.db.begin().await?;
    if let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::Error;
        // Its deletion must never find what it could not take over.
        snapshot.backend_name = None;
        let from = [SnapshotStatus::Creating];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}

/// The story of a snapshot that is given up: the site keeps it.
pub(crate) async fn forget(inner: &Inner, activity: &Activity) -> Step {
    let id = SnapshotUuid(activity.resource);
    let mut tx = inner.db.begin().await?;
    let found = snapshots::get_locked(&mut tx, id).await?;
    if found.is_some_and(|snapshot| snapshot.status == SnapshotStatus::Unmanaging) {
        snapshots::remove(&mut tx, id).await?;
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// What stood in its way was the database; the snapshot says so.
pub(crate) async fn keep(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = SnapshotUuid(activity.resource);
    let mut tx = inner.db.begin().await?;
    if let Some(mut snapshot) = snapshots::get_locked(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::Error;
        let from = [SnapshotStatus::Unmanaging];
        noted(snapshots::swap(&mut tx, &from, &snapshot).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
