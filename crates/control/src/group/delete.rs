//! A group is removed, perhaps with its volumes.

use firebrick_db::{
    Activity, Column, Group, Listing, Tx, Volume, attachments, group_snapshots, groups, pairs,
    snapshots, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, GroupOperation, GroupStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::GroupId;
use serde_json::json;

use super::Family;
use super::look::{hold_members, invalid, is_being_cloned, locked, members};
use super::replication::rests;
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::request::Context;
use crate::story::{Step, noted};
use crate::volume::delete::erase;
use crate::volume::is_moving;
use crate::why::Why;

impl Control {
    /// `delete` of a group; its volumes go with it where `with_volumes` says so, whatever the status of
    /// the group is.
    pub async fn delete_group(
        &self,
        context: &Context,
        family: Family,
        id: GroupId,
        with_volumes: bool,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut group = locked(&mut tx, context, family, id).await?;
        context.allow_for(Rule::GroupDelete, &group)?;
        let volumes = hold_members(&mut tx, id).await?;
        check(&mut tx, &group, &volumes, with_volumes).await?;
        refuse_frozen(&mut tx, group.host.as_ref()).await?;
        if group.host.is_none() && volumes.is_empty() {
            // It is nowhere yet.
            remove(&mut tx, id).await?;
            return Ok(tx.commit().await?);
        }
        for mut volume in volumes {
            let from = [volume.status];
            volume.previous_status = None;
            volume.status = VolumeStatus::Deleting;
            if !volumes::swap(&mut tx, &from, &volume).await?.won() {
                return Err(Error::lost(format_args!("Volume {}", volume.id)));
            }
        }
        let from = [group.status];
        group.status = GroupStatus::Deleting;
        if !groups::swap(&mut tx, &from, &group).await?.won() {
            return Err(Error::lost(format_args!("Group {id}")));
        }
        let kind = ActivityKind::DeleteGroup;
        inner.begin(&mut tx, context, kind, id.0, json!({})).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// Whether the group, and its volumes, can go.
async fn check(tx: &mut Tx, group: &Group, volumes: &[Volume], with_volumes: bool) -> Result<()> {
    let id = group.id;
    let operation = if with_volumes {
        GroupOperation::DeleteWithVolumes
    } else {
        GroupOperation::Delete
    };
    // One without a place is only a row, whatever its status is.
    let placed = group.host.is_some();
    let removing = group.status == GroupStatus::Deleting;
    if placed && (removing || !group.status.allows(operation)) {
        return Err(invalid(format_args!(
            "Group status must be available or error, but current status is: {}",
            group.status
        )));
    }
    rests(group)?;
    let of_group = Listing::of(Column::Group, &id);
    let taken = group_snapshots::list(tx, &of_group).await?;
    if taken.is_some_and(|taken| !taken.is_empty()) {
        return Err(invalid("Group has existing snapshots."));
    }
    if !volumes.is_empty() && !with_volumes {
        return Err(invalid(format_args!(
            "Group {id} still contains volumes. The delete-volumes flag is required to delete it."
        )));
    }
    if is_being_cloned(tx, id).await? {
        return Err(invalid(format_args!(
            "Cannot delete group {id}. It cannot be the source for an ongoing group or group \
             snapshot creation."
        )));
    }
    for volume in volumes {
        if !attachments::of_volume(tx, volume.id).await?.is_empty() {
            return Err(invalid(format_args!(
                "Volume in group {id} is attached. Need to detach first."
            )));
        }
        if !snapshots::of_volume(tx, volume.id).await?.is_empty() {
            return Err(invalid("Volume in group still has dependent snapshots."));
        }
        let failed = volume.status == VolumeStatus::ErrorDeleting;
        // What runs needs the image, and ends first.
        let taken = volume.shown.is_some() || is_moving(volume);
        if taken || !(failed || volume.status.allows(VolumeOperation::Delete)) {
            return Err(invalid(format_args!(
                "Volume {} in group {id} is busy: its status is {}.",
                volume.id,
                volume.shown_status()
            )));
        }
    }
    Ok(())
}

async fn remove(tx: &mut Tx, id: GroupId) -> std::result::Result<(), firebrick_db::Error> {
    pairs::clear_group_types(tx, id).await?;
    groups::remove(tx, id).await.map(drop)
}

/// The story: the volumes one after the other, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = GroupId(activity.resource);
    let found = groups::get(&mut *inner.db.read().await?, id).await?;
    if found.is_none_or(|group| group.status != GroupStatus::Deleting) {
        return inner.finish_alone(activity, Ok(())).await;
    }
    inner.progress(activity, "removing volumes", 0, 0).await?;
    let mut going = members(&mut *inner.db.read().await?, id).await?;
    going.retain(|volume| volume.status == VolumeStatus::Deleting);
    for volume in going {
        erase(inner, &volume).await?.commit().await?;
    }
    let mut tx = inner.db.begin().await?;
    if groups::get_locked(&mut tx, id).await?.is_some() {
        // Those of which somebody said something else meanwhile stay, in no group.
        for mut volume in hold_members(&mut tx, id).await? {
            volume.group = None;
            let from = [volume.status];
            noted(volumes::swap(&mut tx, &from, &volume).await?, volume.id);
        }
        remove(&mut tx, id).await?;
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// The group, and the volumes that are still there, say that they could not be removed.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = GroupId(activity.resource);
    let mut tx = inner.db.begin().await?;
    let found = groups::get_locked(&mut tx, id).await?;
    for mut volume in hold_members(&mut tx, id).await? {
        volume.status = VolumeStatus::ErrorDeleting;
        let from = [VolumeStatus::Deleting];
        noted(volumes::swap(&mut tx, &from, &volume).await?, volume.id);
    }
    if let Some(mut group) = found {
        group.status = GroupStatus::ErrorDeleting;
        let from = [GroupStatus::Deleting];
        noted(groups::swap(&mut tx, &from, &group).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
