//! The story of a volume that gets another type: where it is, or by moving it.

use firebrick_db::{Activity, Volume, types, volumes};
use firebrick_scheduler::Request;
use firebrick_state::{MigrationStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{HostName, TypeId, VolumeId};
use serde::Deserialize;
use tracing::info;

use super::arrive::{give_up, rested};
use super::carry::carry;
use super::refusals::immovable;
use super::route::{Route, Way};
use crate::control::Inner;
use crate::home::moves;
use crate::messages::unplaced;
use crate::place::{choose, refused_at, wanted};
use crate::qos::limit::limits_of;
use crate::quota;
use crate::replication::way::change_way;
use crate::story::{Step, Stop, noted};
use crate::volume::wants;
use crate::why::Why;

#[derive(Deserialize)]
struct Input {
    #[serde(rename = "type")]
    kind: TypeId,
    may_move: bool,
}

fn input(activity: &Activity) -> Step<Input> {
    serde_json::from_value(activity.input.clone()).map_err(|error| Stop::never(error.to_string()))
}

/// A story that cannot go on, and what the user is told of it.
fn refuse<T>(why: &str) -> Step<T> {
    Err(Stop::never(Why::from(why).noting(why)))
}

/// The story.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let input = input(activity)?;
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Retyping) else {
        return Err(Stop::never(
            "the volume is not to get another type any more",
        ));
    };
    if let Some(to) = Way::of(activity).to {
        let kind = input.kind;
        return carry(inner, activity, Route { volume, to, kind }).await;
    }
    let Some(host) = volume.host.clone() else {
        return refuse("the volume has no host");
    };
    let becoming = becoming(inner, &volume, input.kind).await?;
    let request = wanted(&mut *inner.db.read().await?, &becoming).await?;
    let here = Request {
        exists_on: Some(host.clone()),
        ..request.clone()
    };
    let Some(why) = refused_at(inner, here, &host).await? else {
        return stay(inner, activity, &volume, becoming).await;
    };
    if !input.may_move {
        let note = "the volume would have to be moved, and the policy is never";
        return Err(Stop::never(why.noting(note)));
    }
    let to = elsewhere(inner, request, host).await?;
    let volume = begin_moving(inner, volume).await?;
    let kind = input.kind;
    carry(inner, activity, Route { volume, to, kind }).await
}

/// The volume as it will be.
async fn becoming(inner: &Inner, volume: &Volume, kind: TypeId) -> Step<Volume> {
    let found = types::get(&mut *inner.db.read().await?, kind).await?;
    let kind = found.ok_or_else(|| Stop::never("the type is gone"))?;
    let replicated = wants(&kind, "replication_enabled");
    let replication_status = match (moves(volume), replicated) {
        // One that has failed over stays so.
        (true, true) | (false, false) => volume.replication_status,
        (false, true) => Some(ReplicationStatus::Enabled),
        (true, false) => Some(ReplicationStatus::Disabled),
    };
    Ok(Volume {
        volume_type: kind.id,
        multiattach: wants(&kind, "multiattach"),
        replication_status,
        ..volume.clone()
    })
}

/// The backend can do what the new type says.
async fn stay(inner: &Inner, activity: &Activity, volume: &Volume, becoming: Volume) -> Step {
    let id = volume.id;
    let home = inner.home(volume).await?;
    let image = volume.image();
    if moves(volume) != moves(&becoming) {
        if home_is_away(inner, volume).await? {
            return refuse("the backend has failed over, and replication is changed at home");
        }
        if moves(&becoming) {
            home.site.set_mirroring(image, true).await?;
        } else {
            inner.end_mirroring(volume, &home).await?;
        }
    }
    change_way(inner, &home.site, volume, &becoming).await?;
    let limits = limits_of(&mut *inner.db.read().await?, &becoming, volume.size).await?;
    home.site.set_limits(image, limits).await?;
    let mut tx = inner.db.begin().await?;
    tx.lock_project(&volume.project).await?;
    quota::check_type(&mut tx, &inner.options.quotas, volume, becoming.volume_type).await?;
    home.stays(&mut tx).await?;
    let kind = types::get_shared(&mut tx, becoming.volume_type).await?;
    kind.ok_or_else(|| Stop::never("the type is gone"))?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.volume_type = becoming.volume_type;
        volume.multiattach = becoming.multiattach;
        volume.replication_status = becoming.replication_status;
        volume.status = rested(&mut volume);
        let from = [VolumeStatus::Retyping];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// Whether another site than that of the configuration serves the backend.
async fn home_is_away(inner: &Inner, volume: &Volume) -> Step<bool> {
    let Some(host) = &volume.host else {
        return Ok(false);
    };
    Ok(volume.site.is_some() || inner.service_of(host).await?.active_backend_id.is_some())
}

/// The pool that takes the volume with its new type.
async fn elsewhere(inner: &Inner, request: Request, host: HostName) -> Step<HostName> {
    let request = Request {
        different_host: Vec::new(),
        attempted: vec![host],
        ..request
    };
    choose(inner, &request).await?.map_err(|refusal| {
        let why = unplaced(&refusal, &[]);
        if inner.awaits_backend() {
            Stop::later(why)
        } else {
            Stop::never(why)
        }
    })
}

/// The volume may be moved, and says so.
async fn begin_moving(inner: &Inner, volume: Volume) -> Step<Volume> {
    let mut tx = inner.db.begin().await?;
    let now = volumes::get_locked(&mut tx, volume.id).await?;
    let mut now = now.ok_or_else(|| Stop::never("the volume is gone"))?;
    if let Some(why) = immovable(&mut tx, &now).await? {
        return refuse(why);
    }
    now.migration_status = Some(MigrationStatus::Starting.to_string());
    let from = [VolumeStatus::Retyping];
    if !volumes::swap(&mut tx, &from, &now).await?.won() {
        return Err(Stop::never("the volume changed before it was moved"));
    }
    tx.commit().await?;
    Ok(now)
}

/// The volume keeps its type, and its image what belongs to that.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let retyping = found.filter(|volume| volume.status == VolumeStatus::Retyping);
    if let Some(volume) = retyping.filter(|volume| volume.host.is_some())
        && let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) =
            restore(inner, activity, &volume).await
    {
        info!(volume = %id, %why, "what belongs to a type could not be undone");
    }
    give_up(inner, activity, VolumeStatus::Retyping, why).await
}

async fn restore(inner: &Inner, activity: &Activity, volume: &Volume) -> Step {
    let becoming = becoming(inner, volume, input(activity)?.kind).await?;
    // Limits are compared with types by somebody else.
    if home_is_away(inner, volume).await? {
        return Ok(());
    }
    let home = inner.home(volume).await?;
    if moves(volume) != moves(&becoming) {
        if moves(volume) {
            home.site.set_mirroring(volume.image(), true).await?;
        } else {
            inner.end_mirroring(volume, &home).await?;
        }
    }
    change_way(inner, &home.site, &becoming, volume).await
}
