//! The volume and its copy change places, or the copy is given up.

use firebrick_db::{Activity, Tx, Volume, types, volumes};
use firebrick_state::{MigrationStatus, VolumeStatus};
use firebrick_vocabulary::VolumeId;
use tracing::{info, warn};

use super::copy::forget_all;
use super::refusals::immovable;
use super::route::{Route, Way};
use super::target::dismiss;
use crate::control::Inner;
use crate::error::Error;
use crate::home::Home;
use crate::quota;
use crate::story::{Step, Stop, noted};
use crate::why::Why;

/// The volume has the copy from here on. What it was before is deleted by an activity of its own, which may
/// take as long as the site there takes to answer.
pub(super) async fn arrive(
    inner: &Inner,
    activity: &Activity,
    route: &Route,
    target: Volume,
    (from, to): (&Home, &Home),
) -> Step {
    let id = route.volume.id;
    to.site
        .rename_image(target.image(), id.image_name())
        .await
        .map_err(|fault| {
            // An earlier image of it may not have been removed there yet.
            if fault.kind == firebrick_backend::FaultKind::Exists {
                Stop::later(fault)
            } else {
                Stop::from(fault)
            }
        })?;
    let mut tx = inner.db.begin().await?;
    tx.lock_project(&route.volume.project).await?;
    if route.kind != route.volume.volume_type {
        let options = &inner.options.quotas;
        quota::check_type(&mut tx, options, &route.volume, route.kind).await?;
    }
    from.stays(&mut tx).await?;
    to.stays(&mut tx).await?;
    let volume = volumes::get_locked(&mut tx, id).await?;
    let mut volume = volume.ok_or_else(|| Stop::never("the volume is gone"))?;
    let busy = [volume.status];
    let stopped = matches!(
        volume.status,
        VolumeStatus::Maintenance | VolumeStatus::Retyping
    );
    if !stopped || volume.size != target.size {
        return Err(Stop::never("the volume was changed while it was copied"));
    }
    if let Some(why) = immovable(&mut tx, &volume).await? {
        return Err(Stop::never(Why::from(why).noting(why)));
    }
    let kind = types::get_shared(&mut tx, route.kind).await?;
    kind.ok_or_else(|| Stop::never("the type is gone"))?;
    let left = Volume {
        host: volume.host.clone(),
        service: volume.service,
        cluster: volume.cluster.clone(),
        image: Some(volume.image()),
        availability_zone: volume.availability_zone.clone(),
        replication_status: volume.replication_status,
        ..target.clone()
    };
    let former = volume.host.clone();
    volume.image = Some(target.image());
    volume.host.clone_from(&target.host);
    volume.service = target.service;
    volume.cluster.clone_from(&target.cluster);
    volume.availability_zone = target.availability_zone;
    volume.volume_type = target.volume_type;
    volume.multiattach = target.multiattach;
    volume.replication_status = Some(to.replication_status());
    volume.migration_status = Some(MigrationStatus::Success.to_string());
    volume.status = rested(&mut volume);
    if !volumes::swap(&mut tx, &busy, &volume).await?.won() {
        return Err(Stop::always("the volume changed while it arrived"));
    }
    dismiss(inner, &mut tx, activity, left).await?;
    inner.finish(&mut tx, activity, Ok(())).await?;
    tx.commit().await?;
    if let Some(former) = former {
        inner.placed.lock().remove(&former);
    }
    inner.work.notify_one();
    Ok(())
}

/// What the volume was before it was stopped.
pub(super) fn rested(volume: &mut Volume) -> VolumeStatus {
    let former = volume.previous_status.take();
    former.unwrap_or(VolumeStatus::Available)
}

/// The volume stays where and what it is; what was copied goes.
pub(super) async fn give_up(
    inner: &Inner,
    activity: &Activity,
    stopped: VolumeStatus,
    why: &Why,
) -> Step {
    let id = VolumeId(activity.resource);
    let way = Way::written(inner, activity).await?;
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    if let Some(volume) = found.filter(|volume| way.target.is_some() && volume.host.is_some())
        && let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) =
            untouched(inner, &volume).await
    {
        info!(volume = %id, %why, "snapshots of a copy that was given up stay for now");
    }
    let mut tx = inner.db.begin().await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        let from = [volume.status];
        if volume.status == stopped {
            volume.status = rested(&mut volume);
        }
        let begun = volume.migration_status.as_deref().map(str::parse);
        if matches!(begun, Some(Ok::<MigrationStatus, _>(status)) if !status.is_over()) {
            volume.migration_status = Some(MigrationStatus::Error.to_string());
        }
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    remove_copy(inner, &mut tx, activity, &way).await?;
    inner.finish(&mut tx, activity, Err(why)).await?;
    tx.commit().await?;
    inner.work.notify_one();
    Ok(())
}

async fn untouched(inner: &Inner, volume: &Volume) -> Step {
    let home = inner.home(volume).await?;
    forget_all(&home, volume.image()).await
}

async fn remove_copy(inner: &Inner, tx: &mut Tx, activity: &Activity, way: &Way) -> Step {
    let Some(id) = way.target else {
        return Ok(());
    };
    let Some(target) = volumes::get_locked(tx, id).await? else {
        return Ok(());
    };
    if target.status == VolumeStatus::Deleting {
        warn!(volume = %id, "the copy of a volume is being removed already");
        return Ok(());
    }
    dismiss(inner, tx, activity, target).await
}

/// A request that is refused because the volume cannot be moved now.
pub(super) fn refused(why: impl std::fmt::Display) -> Error {
    Error::invalid_volume(why)
}
