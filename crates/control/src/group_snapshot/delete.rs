//! A snapshot of a group is removed, with all its snapshots.

use firebrick_db::{Activity, group_snapshots, snapshots};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, GroupSnapshotStatus, SnapshotOperation, SnapshotStatus};
use firebrick_vocabulary::GroupSnapshotId;
use serde_json::json;

use super::create::wanted;
use super::look::{group_of, invalid, locked, members};
use super::take::gone;
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::group::Family;
use crate::group::clone::is_being_made_of;
use crate::request::Context;
use crate::story::{Step, noted};
use crate::why::Why;

impl Control {
    /// `DELETE /group_snapshots/{id}`.
    pub async fn delete_group_snapshot(
        &self,
        context: &Context,
        family: Family,
        id: GroupSnapshotId,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let group = group_of(&mut tx, context, family, id).await?;
        let group = firebrick_db::groups::get_locked(&mut tx, group).await?;
        let mut taken = locked(&mut tx, context, family, id).await?;
        context.allow_for(Rule::GroupDeleteGroupSnapshot, &taken)?;
        let allowed = GroupSnapshotStatus::DELETE_SOURCES.contains(&taken.status);
        if !allowed || is_being_made_of(&mut tx, id).await? {
            return Err(invalid(
                "GroupSnapshot status must be available or error, and no Group can be currently \
                 using it as source for its creation.",
            ));
        }
        let host = group.and_then(|group| group.host);
        refuse_frozen(&mut tx, host.as_ref()).await?;
        for snapshot in members(&mut tx, id).await? {
            let Some(mut snapshot) = snapshots::get_locked(&mut tx, snapshot.id).await? else {
                continue;
            };
            let failed = snapshot.status == SnapshotStatus::ErrorDeleting;
            if !failed && !snapshot.status.allows(SnapshotOperation::Delete) {
                return Err(Error::invalid_snapshot(format_args!(
                    "Snapshot {} is busy: its status is {}.",
                    snapshot.id, snapshot.status
                )));
            }
            let from = [snapshot.status];
            snapshot.status = SnapshotStatus::Deleting;
            if !snapshots::swap(&mut tx, &from, &snapshot).await?.won() {
                return Err(Error::lost(format_args!("Snapshot {}", snapshot.id)));
            }
        }
        let from = [taken.status];
        taken.status = GroupSnapshotStatus::Deleting;
        if !group_snapshots::swap(&mut tx, &from, &taken).await?.won() {
            return Err(Error::lost(format_args!("GroupSnapshot {id}")));
        }
        let kind = ActivityKind::DeleteGroupSnapshot;
        inner.begin(&mut tx, context, kind, id.0, json!({})).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The story: the snapshots of the images, then the rows.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = GroupSnapshotId(activity.resource);
    let found = group_snapshots::get(&mut *inner.db.read().await?, id).await?;
    if found.is_none_or(|taken| taken.status != GroupSnapshotStatus::Deleting) {
        return inner.finish_alone(activity, Ok(())).await;
    }
    inner.progress(activity, "removing snapshots", 0, 0).await?;
    let mut homes = Vec::new();
    for (volume, name) in wanted(inner, id).await? {
        if volume.host.is_none() {
            continue;
        }
        let home = inner.home(&volume).await?;
        gone(&*home.site, volume.image(), name).await?;
        homes.push(home);
    }
    let mut tx = inner.db.begin().await?;
    for home in homes {
        home.stays(&mut tx).await?;
    }
    for snapshot in members(&mut tx, id).await? {
        snapshots::remove(&mut tx, snapshot.id).await?;
    }
    group_snapshots::remove(&mut tx, id).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// It says that it could not be removed, and so do its snapshots.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = GroupSnapshotId(activity.resource);
    let mut tx = inner.db.begin().await?;
    let found = group_snapshots::get_locked(&mut tx, id).await?;
    for mut snapshot in members(&mut tx, id).await? {
        snapshot.status = SnapshotStatus::ErrorDeleting;
        let from = [SnapshotStatus::Deleting];
        let swapped = snapshots::swap(&mut tx, &from, &snapshot).await?;
        noted(swapped, snapshot.id);
    }
    if let Some(mut taken) = found {
        taken.status = GroupSnapshotStatus::ErrorDeleting;
        let from = [GroupSnapshotStatus::Deleting];
        noted(group_snapshots::swap(&mut tx, &from, &taken).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
