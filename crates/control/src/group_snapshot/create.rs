//! A snapshot of a group is taken.

use firebrick_db::{
    Activity, Group, GroupSnapshot, Snapshot, Volume, group_snapshots, group_types,
    image_properties, now, snapshots, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::{
    ActivityKind, GroupOperation, GroupSnapshotStatus, SnapshotStatus, VolumeOperation,
};
use firebrick_vocabulary::{GroupId, GroupSnapshotId, SnapshotName, SnapshotUuid};
use serde_json::json;

use super::look::members;
use super::take::{give_up, take};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::group::Family;
use crate::group::look::{hold_members, invalid, locked};
use crate::group_type::look::is_consistent;
use crate::quota::{self, Wanted};
use crate::request::{Context, Metadata};
use crate::story::{Step, Stop, noted};
use crate::volume::is_moving;
use crate::why::Why;

impl Control {
    /// `POST /group_snapshots`. The group and its volumes stay as they are and free for everything else.
    pub async fn create_group_snapshot(
        &self,
        context: &Context,
        family: Family,
        group: GroupId,
        name: Option<String>,
        description: Option<String>,
    ) -> Result<GroupSnapshot> {
        let inner = &self.inner;
        context.allow(Rule::GroupCreateGroupSnapshot)?;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(context.owner()?).await?;
        let group = locked(&mut tx, context, family, group).await?;
        context.allow_for(Rule::GroupCreateGroupSnapshot, &group)?;
        if !group.status.allows(GroupOperation::Snapshot) {
            return Err(invalid(format_args!(
                "Group status must be available, but current status is: {}",
                group.status
            )));
        }
        let of_group = hold_members(&mut tx, group.id).await?;
        for volume in &of_group {
            check(context, volume)?;
        }
        let quotas = &inner.options.quotas;
        let sizes = of_group.iter().map(|it| (it.volume_type, it.size));
        for wanted in Wanted::snapshots_by_type(sizes, quotas) {
            quota::check(&mut tx, quotas, &context.project, wanted).await?;
        }
        refuse_frozen(&mut tx, group.host.as_ref()).await?;
        let taken = row(context, &group, name, description);
        group_snapshots::insert(&mut tx, &taken).await?;
        for volume in &of_group {
            let snapshot = snapshot_of(context, &taken, volume);
            snapshots::insert(&mut tx, &snapshot).await?;
            image_properties::copy(&mut tx, volume.id.0, snapshot.id.0).await?;
        }
        let kind = ActivityKind::CreateGroupSnapshot;
        inner
            .begin(&mut tx, context, kind, taken.id.0, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(taken)
    }
}

fn check(context: &Context, volume: &Volume) -> Result<()> {
    context.allow_for(Rule::VolumeCreateSnapshot, volume)?;
    if is_moving(volume) {
        return Err(Error::invalid_volume(
            "Volume is being migrated, and what is taken of it now would stay behind.",
        ));
    }
    if !volume.status.allows(VolumeOperation::SnapshotInUse) {
        return Err(Error::invalid_volume(format!(
            "The snapshot cannot be created when the volume is in {} status.",
            volume.status
        )));
    }
    Ok(())
}

fn row(
    context: &Context,
    group: &Group,
    name: Option<String>,
    description: Option<String>,
) -> GroupSnapshot {
    GroupSnapshot {
        id: GroupSnapshotId::random(),
        project: context.project.clone(),
        user: context.user.clone(),
        group: group.id,
        name,
        description,
        status: GroupSnapshotStatus::Creating,
        group_type: group.group_type,
        created_at: now(),
        updated_at: None,
    }
}

fn snapshot_of(context: &Context, taken: &GroupSnapshot, volume: &Volume) -> Snapshot {
    Snapshot {
        id: SnapshotUuid::random(),
        volume: volume.id,
        project: context.project.clone(),
        user: context.user.clone(),
        name: taken.name.clone(),
        description: taken.description.clone(),
        size: volume.size,
        status: SnapshotStatus::Creating,
        previous_status: None,
        progress: "0%".to_owned(),
        group_snapshot: Some(taken.id),
        backend_name: None,
        encryption_key: volume.encryption_key,
        consumes_quota: true,
        metadata: Metadata::new(),
        created_at: now(),
        updated_at: None,
    }
}

/// The story: the snapshots of the images, all at once, then the rows.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = GroupSnapshotId(activity.resource);
    let found = group_snapshots::get(&mut *inner.db.read().await?, id).await?;
    let found = found.filter(|taken| taken.status == GroupSnapshotStatus::Creating);
    let Some(taken) = found else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    inner.progress(activity, "taking snapshots", 0, 0).await?;
    let kind = group_types::get(&mut *inner.db.read().await?, taken.group_type).await?;
    let together = kind.is_some_and(|kind| is_consistent(&kind));
    let wanted = wanted(inner, id).await?;
    let homes = take(inner, &wanted, together).await?;
    let mut tx = inner.db.begin().await?;
    for home in homes {
        home.stays(&mut tx).await?;
    }
    let newer = group_snapshots::get_locked(&mut tx, id).await?;
    for snapshot in members(&mut tx, id).await? {
        if let Some(mut snapshot) = snapshots::get_locked(&mut tx, snapshot.id).await? {
            snapshot.status = SnapshotStatus::Available;
            "100%".clone_into(&mut snapshot.progress);
            let from = [SnapshotStatus::Creating];
            let swapped = snapshots::swap(&mut tx, &from, &snapshot).await?;
            noted(swapped, snapshot.id);
        }
    }
    if let Some(mut taken) = newer {
        taken.status = GroupSnapshotStatus::Available;
        let from = [GroupSnapshotStatus::Creating];
        noted(group_snapshots::swap(&mut tx, &from, &taken).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// The volumes with the names of their snapshots.
pub(super) async fn wanted(
    inner: &Inner,
    id: GroupSnapshotId,
) -> Step<Vec<(Volume, SnapshotName)>> {
    let connection = &mut *inner.db.read().await?;
    let mut wanted = Vec::new();
    for snapshot in members(connection, id).await? {
        let volume = volumes::get(connection, snapshot.volume).await?;
        let volume = volume.ok_or_else(|| Stop::never("one of its volumes is gone"))?;
        wanted.push((volume, snapshot.image_name()));
    }
    Ok(wanted)
}

/// Removes what may have been taken; the group snapshot and its snapshots are errors.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = GroupSnapshotId(activity.resource);
    give_up(inner, &wanted(inner, id).await?).await?;
    let mut tx = inner.db.begin().await?;
    let found = group_snapshots::get_locked(&mut tx, id).await?;
    for mut snapshot in members(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::Error;
        let from = [SnapshotStatus::Creating];
        let swapped = snapshots::swap(&mut tx, &from, &snapshot).await?;
        noted(swapped, snapshot.id);
    }
    if let Some(mut taken) = found {
        taken.status = GroupSnapshotStatus::Error;
        let from = [GroupSnapshotStatus::Creating];
        noted(group_snapshots::swap(&mut tx, &from, &taken).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
