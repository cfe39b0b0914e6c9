//! The hidden volume that keeps the copy, and afterwards the original until that is removed.

use std::collections::BTreeMap;

use firebrick_db::{Activity, Tx, Volume, now, volumes};
use firebrick_state::{ActivityKind, MigrationStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{UserId, VolumeId};
use serde_json::json;

use super::route::{Route, Way};
use crate::access::Access;
use crate::control::Inner;
use crate::request::{Began, Context};
use crate::story::{Step, Stop};
use crate::types::look::by_id_or_name;
use crate::volume::wants;

/// The hidden volume, which is made where it is not there yet.
pub(super) async fn ready(
    inner: &Inner,
    activity: &Activity,
    route: &Route,
    way: &mut Way,
) -> Step<Volume> {
    if let Some(id) = way.target {
        let found = volumes::get(&mut *inner.db.read().await?, id).await?;
        let found = found.filter(|target| target.status == VolumeStatus::Creating);
        return found.ok_or_else(|| Stop::never("the copy of the volume is gone"));
    }
    let service = inner.service_of(&route.to).await?;
    let mut tx = inner.db.begin().await?;
    let kind = by_id_or_name(&mut tx, &route.kind.to_string()).await?;
    let kind = kind.ok_or_else(|| Stop::never("the type is gone"))?;
    let id = VolumeId::random();
    let target = Volume {
        id,
        status: VolumeStatus::Creating,
        shown: None,
        previous_status: None,
        migration_status: Some(MigrationStatus::Target(route.volume.id.to_string()).to_string()),
        is_migration_target: true,
        host: Some(route.to.clone()),
        service: Some(service.id),
        cluster: service.cluster_of(&route.to),
        availability_zone: service.availability_zone,
        volume_type: kind.id,
        snapshot: None,
        source: None,
        group: None,
        site: None,
        image: None,
        multiattach: wants(&kind, "multiattach"),
        consumes_quota: false,
        replication_status: Some(if wants(&kind, "replication_enabled") {
            ReplicationStatus::Enabled
        } else {
            ReplicationStatus::Disabled
        }),
        metadata: BTreeMap::new(),
        created_at: now(),
        updated_at: None,
        launched_at: None,
        ..route.volume.clone()
    };
    volumes::insert(&mut tx, &target).await?;
    way.target = Some(id);
    way.to = Some(route.to.clone());
    way.save_in(&mut tx, inner, activity).await?;
    // It may have grown, or been given away, since the story looked at it.
    let changed = || Stop::never("the volume changed before it was moved");
    let found = volumes::get_locked(&mut tx, route.volume.id).await?;
    let mut volume = found.ok_or_else(changed)?;
    if volume.size != target.size {
        return Err(changed());
    }
    volume.migration_status = Some(MigrationStatus::Migrating.to_string());
    let from = [route.volume.status];
    if !volumes::swap(&mut tx, &from, &volume).await?.won() {
        return Err(changed());
    }
    tx.commit().await?;
    inner.consume(&route.to, target.size);
    Ok(target)
}

/// The hidden volume goes, with whichever image it has.
pub(super) async fn dismiss(
    inner: &Inner,
    tx: &mut Tx,
    activity: &Activity,
    mut target: Volume,
) -> Step {
    let from = [target.status];
    target.status = VolumeStatus::Deleting;
    target.migration_status = Some(MigrationStatus::Deleting.to_string());
    if !volumes::swap(tx, &from, &target).await?.won() {
        return Err(Stop::always("the copy of a volume changed"));
    }
    let user = activity.user.clone().unwrap_or(UserId(String::new()));
    let context = Context {
        access: Access::own(&user, &activity.project),
        project: activity.project.clone(),
        user,
        request_id: activity.request_id.clone(),
        began: Began::default(),
    };
    let kind = ActivityKind::DeleteVolume;
    inner
        .begin(tx, &context, kind, target.id.0, json!({ "force": true }))
        .await?;
    Ok(())
}
