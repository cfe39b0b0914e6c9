//! The way of a volume: a hidden volume, passes, a short stop, the change of places.

use firebrick_backend::NewImage;
use firebrick_db::{Activity, Volume, volumes};
use firebrick_state::{MigrationStatus, VolumeStatus};
use firebrick_vocabulary::{Gibibytes, Role};

use super::arrive::arrive;
use super::copy::{Ends, pass};
use super::refusals::immovable;
use super::route::{Route, Way};
use super::target;
use crate::control::Inner;
use crate::home::{Home, moves};
use crate::qos::limit::limits_of;
use crate::replication::way::set_way;
use crate::story::{Step, Stop};
use crate::why::Why;

/// What may be left to copy when a volume is stopped.
const LITTLE: u64 = 64 << 20;

/// The most passes over a volume that is not stopped.
const PASSES: u32 = 4;

/// Moves the volume and ends the activity.
pub(super) async fn carry(inner: &Inner, activity: &Activity, route: Route) -> Step {
    let mut way = Way::of(activity);
    let target = target::ready(inner, activity, &route, &mut way).await?;
    let from = inner.home(&route.volume).await?;
    let to = inner.home(&target).await?;
    inner.progress(activity, "preparing", 0, 0).await?;
    prepare(inner, &to, &target).await?;
    let ends = Ends {
        from: &from,
        source: route.volume.image(),
        to: &to,
        copy: target.image(),
        target: target.id,
    };
    // Nobody writes to what is locked or gets another type.
    way.stopped = way.stopped || route.volume.status != VolumeStatus::Available;
    loop {
        let left = pass(inner, activity, &ends, &mut way).await?;
        if way.stopped {
            break;
        }
        if left <= LITTLE || way.passes >= PASSES {
            stop(inner, activity, &route.volume, &mut way).await?;
        }
    }
    inner.cancelled(activity).await?;
    arrive(inner, activity, &route, target, (&from, &to)).await
}

/// The image of the copy, held to what the type says.
async fn prepare(inner: &Inner, to: &Home, target: &Volume) -> Step {
    let image = NewImage {
        id: target.image(),
        name: target.id.image_name(),
        size: Gibibytes(target.size).bytes(),
        origin: None,
        mirrored: moves(target),
    };
    let id = image.id;
    // Just before the places are changed the copy is called after the volume.
    let there = match to.site.image(id).await {
        Ok(there) => there,
        Err(fault) if fault.kind == firebrick_backend::FaultKind::NotFound => {
            to.site.create_image(image).await?
        }
        Err(fault) => return Err(fault.into()),
    };
    if there.role != Role::Primary {
        return Err(Stop::later("the copy of the volume is not primary"));
    }
    let limits = limits_of(&mut *inner.db.read().await?, target, target.size).await?;
    if there.limits != limits {
        to.site.set_limits(id, limits).await?;
    }
    if moves(target) {
        set_way(inner, &to.site, target).await?;
    }
    Ok(())
}

/// From here on nobody writes to the volume, until it has arrived.
async fn stop(inner: &Inner, activity: &Activity, volume: &Volume, way: &mut Way) -> Step {
    inner.cancelled(activity).await?;
    let id = volume.id;
    let mut tx = inner.db.begin().await?;
    let now = volumes::get_locked(&mut tx, id).await?;
    let mut now = now.ok_or_else(|| Stop::never("the volume is gone"))?;
    let free = now.status == VolumeStatus::Available && now.size == volume.size;
    if let Some(why) = immovable(&mut tx, &now).await? {
        return Err(Stop::never(Why::from(why).noting(why)));
    }
    if !free {
        let why = "the volume was changed while it was copied";
        return Err(Stop::never(Why::from(why).noting(why)));
    }
    now.previous_status = Some(now.status);
    now.status = VolumeStatus::Maintenance;
    now.migration_status = Some(MigrationStatus::Completing.to_string());
    way.stopped = true;
    way.save_in(&mut tx, inner, activity).await?;
    if !volumes::swap(&mut tx, &[VolumeStatus::Available], &now)
        .await?
        .won()
    {
        return Err(Stop::always("the volume changed while it was stopped"));
    }
    Ok(tx.commit().await?)
}
