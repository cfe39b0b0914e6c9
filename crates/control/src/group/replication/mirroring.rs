//! The replication of a group begins or ends: the images of its volumes are mirrored, or are not any more.

use firebrick_db::{Activity, Group, groups, volumes};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::GroupId;
use serde_json::Value;
use tracing::warn;

use crate::control::Inner;
use crate::group::look::{hold_members, members};
use crate::home::id_of;
use crate::replication::mirroring::mirror;
use crate::story::{Step, noted};
use crate::why::Why;

/// Which of the two, as the status says it meanwhile.
fn changing(activity: &Activity) -> ReplicationStatus {
    match activity.input.get("enable").and_then(Value::as_bool) {
        Some(true) => ReplicationStatus::Enabling,
        Some(false) | None => ReplicationStatus::Disabling,
    }
}

/// The group, where that is still to be done.
async fn found(inner: &Inner, activity: &Activity) -> Step<Option<Group>> {
    let id = GroupId(activity.resource);
    let found = groups::get(&mut *inner.db.read().await?, id).await?;
    Ok(found.filter(|group| group.replication_status == changing(activity)))
}

/// The story: one image after the other, then the group and its volumes at once.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(group) = found(inner, activity).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let present = changing(activity);
    let enable = present == ReplicationStatus::Enabling;
    let phase = if enable {
        "turning mirroring on"
    } else {
        "turning mirroring off"
    };
    inner.progress(activity, phase, 0, 0).await?;
    let mut volumes = members(&mut *inner.db.read().await?, group.id).await?;
    // One that has no place has no image either.
    volumes.retain(|it| it.replication_status == Some(present) && it.host.is_some());
    let mut homes = Vec::new();
    for volume in &volumes {
        homes.push(mirror(inner, volume, enable, group.site.is_some()).await?);
    }
    let mut tx = inner.db.begin().await?;
    for home in &homes {
        home.stays(&mut tx).await?;
    }
    let from = [present];
    let ended = ended(inner, &group, enable).await?;
    let newer = groups::get_locked(&mut tx, group.id).await?;
    for mut volume in hold_members(&mut tx, group.id).await? {
        volume.replication_status = Some(ended);
        let swapped = volumes::swap_replication(&mut tx, &from, &volume).await?;
        noted(swapped, volume.id);
    }
    if let Some(mut group) = newer {
        group.replication_status = ended;
        let swapped = groups::swap_replication(&mut tx, &from, &group).await?;
        noted(swapped, group.id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// What the group and its volumes are then: at another site they replicate from there.
async fn ended(inner: &Inner, group: &Group, enable: bool) -> Step<ReplicationStatus> {
    if !enable {
        return Ok(ReplicationStatus::Disabled);
    }
    let away = match (&group.site, &group.host) {
        (Some(site), _) => id_of(site).is_some(),
        (None, Some(host)) => inner.service_of(host).await?.active_backend_id.is_some(),
        (None, None) => false,
    };
    Ok(if away {
        ReplicationStatus::FailedOver
    } else {
        ReplicationStatus::Enabled
    })
}

/// Some images may have been changed: the group says so, and can be disabled. Its volumes stay usable.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = GroupId(activity.resource);
    let from = [changing(activity)];
    warn!(group = %id, %why, "the replication of a group could not be changed");
    let mut tx = inner.db.begin().await?;
    let found = groups::get_locked(&mut tx, id).await?;
    for mut volume in hold_members(&mut tx, id).await? {
        volume.replication_status = Some(ReplicationStatus::Error);
        let swapped = volumes::swap_replication(&mut tx, &from, &volume).await?;
        noted(swapped, volume.id);
    }
    if let Some(mut group) = found {
        group.replication_status = ReplicationStatus::Error;
        let swapped = groups::swap_replication(&mut tx, &from, &group).await?;
        noted(swapped, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
