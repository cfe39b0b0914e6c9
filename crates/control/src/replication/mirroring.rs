//! The replication of one volume begins or ends, whatever its type says: its image is mirrored, or is not any
//! more.

use firebrick_backend::FaultKind;
use firebrick_db::{Activity, Service, Volume, services, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ReplicationStatus, VolumeOperation};
use firebrick_vocabulary::{HostName, VolumeId};
use serde_json::{Value, json};
use tracing::warn;

use super::relation::no_relation;
use super::way::set_way;
use crate::control::{Control, Inner, VOLUME};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::home::Home;
use crate::request::Context;
use crate::story::{Step, Stop, noted};
use crate::volume::{hold, is_moving};
use crate::why::Why;

/// One of both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Enable,
    Disable,
}

impl Change {
    const fn rule(self) -> Rule {
        match self {
            Self::Enable => Rule::FirebrickReplicationEnable,
            Self::Disable => Rule::FirebrickReplicationDisable,
        }
    }

    /// The statuses in which it begins.
    const fn sources(self) -> &'static [ReplicationStatus] {
        match self {
            Self::Enable => &[ReplicationStatus::Disabled, ReplicationStatus::Error],
            Self::Disable => &[ReplicationStatus::Enabled, ReplicationStatus::Error],
        }
    }

    /// The status meanwhile.
    const fn changing(self) -> ReplicationStatus {
        match self {
            Self::Enable => ReplicationStatus::Enabling,
            Self::Disable => ReplicationStatus::Disabling,
        }
    }

    /// The status at the end.
    const fn changed(self) -> ReplicationStatus {
        match self {
            Self::Enable => ReplicationStatus::Enabled,
            Self::Disable => ReplicationStatus::Disabled,
        }
    }

    fn of(activity: &Activity) -> Self {
        match activity.input.get("enable").and_then(Value::as_bool) {
            Some(true) => Self::Enable,
            Some(false) | None => Self::Disable,
        }
    }
}

impl Control {
    /// The action `enable` of a replication: the volume is mirrored to the targets of its backend.
    pub async fn enable_replication(
        &self,
        context: &Context,
        id: VolumeId,
        target: &str,
    ) -> Result<()> {
        self.turn_replication(context, id, target, Change::Enable)
            .await
    }

    /// The action `disable` of a replication: the targets drop their copies.
    pub async fn disable_replication(
        &self,
        context: &Context,
        id: VolumeId,
        target: &str,
    ) -> Result<()> {
        self.turn_replication(context, id, target, Change::Disable)
            .await
    }

    async fn turn_replication(
        &self,
        context: &Context,
        id: VolumeId,
        target: &str,
        change: Change,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let missing = || no_relation(id, target);
        // The service is held before the volume, whose backend is looked at again behind that.
        let known = volumes::get(&mut tx, id).await?;
        let known = known.filter(|volume| context.sees(&volume.project));
        let known = known.ok_or_else(missing)?;
        context.allow_for(change.rule(), &known)?;
        let host = known.host.map(|host| host.without_pool());
        let host = host.ok_or_else(missing)?;
        let service = services::get_shared(&mut tx, VOLUME, &host).await?;
        let service = service.ok_or_else(missing)?;
        let held = hold(&mut tx, context, id).await;
        let mut volume = held.map_err(|_| missing())?;
        let backend = inner.backend_of(&host).map_err(|_| missing())?;
        if !backend.targets.iter().any(|(name, _)| name == target) {
            return Err(missing());
        }
        check(&volume, &service, change)?;
        if volume.host.as_ref().map(HostName::without_pool) != Some(host) {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        volume.replication_status = Some(change.changing());
        let swapped = volumes::swap_replication(&mut tx, change.sources(), &volume).await?;
        if !swapped.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({ "enable": change == Change::Enable });
        let kind = ActivityKind::ReplicateVolume;
        inner.begin(&mut tx, context, kind, id.0, input).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// Refuses a volume whose replication cannot be changed now.
fn check(volume: &Volume, service: &Service, change: Change) -> Result<()> {
    let away = service.active_backend_id.is_some()
        || service.replication_status == ReplicationStatus::FailingOver
        || volume.site.is_some();
    let present = volume.replication_status;
    let why = if volume.group.is_some() {
        "it belongs to a group, whose replication is changed as a whole".to_owned()
    } else if !volume.status.allows(VolumeOperation::ReplicateGroup) || is_moving(volume) {
        format!("its status is {}", volume.shown_status())
    } else if !present.is_some_and(|present| change.sources().contains(&present)) {
        let present = present.map_or("none", ReplicationStatus::as_str);
        format!("its replication status is {present}")
    } else if away {
        "it or its backend has failed over, and replication is changed at home".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::invalid_volume(format_args!(
        "The replication of volume {} cannot be changed: {why}.",
        volume.id
    )))
}

/// The volume, where that is still to be done.
async fn found(inner: &Inner, activity: &Activity) -> Step<Option<Volume>> {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let changing = Some(Change::of(activity).changing());
    Ok(found.filter(|volume| volume.replication_status == changing))
}

/// The story.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(volume) = found(inner, activity).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let change = Change::of(activity);
    let phase = match change {
        Change::Enable => "turning mirroring on",
        Change::Disable => "turning mirroring off",
    };
    inner.progress(activity, phase, 0, 0).await?;
    let home = mirror(inner, &volume, change == Change::Enable, false).await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, volume.id).await? {
        volume.replication_status = Some(change.changed());
        let from = [change.changing()];
        let swapped = volumes::swap_replication(&mut tx, &from, &volume).await?;
        noted(swapped, volume.id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    tx.commit().await?;
    inner.compare.notify_one();
    Ok(())
}

/// Changes the mirroring of one image; `apart`: its group has a site of its own, at which it stays.
pub(crate) async fn mirror(
    inner: &Inner,
    volume: &Volume,
    enable: bool,
    apart: bool,
) -> Step<Home> {
    let home = inner.home(volume).await?;
    if !enable && !apart && !home.is_first() {
        // What is not mirrored lives at the first site, and this image would stay here.
        return Err(Stop::never("its backend has failed over"));
    }
    if enable {
        home.site.set_mirroring(volume.image(), true).await?;
        set_way(inner, &home.site, volume).await?;
        return Ok(home);
    }
    match home.site.image(volume.image()).await {
        // There may be none of a volume that could not be made.
        Err(fault) if fault.kind == FaultKind::NotFound => return Ok(home),
        found => found?,
    };
    inner.end_mirroring(volume, &home).await?;
    Ok(home)
}

/// The image may have been changed: the volume says so, stays usable, and can be turned the one way or the
/// other.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = VolumeId(activity.resource);
    warn!(volume = %id, %why, "the replication of a volume could not be changed");
    let mut tx = inner.db.begin().await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.replication_status = Some(ReplicationStatus::Error);
        let from = [Change::of(activity).changing()];
        let swapped = volumes::swap_replication(&mut tx, &from, &volume).await?;
        noted(swapped, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
