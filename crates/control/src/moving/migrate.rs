//! `os-migrate_volume`: a volume goes to another backend.

use firebrick_db::{Activity, Volume, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, MigrationStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{HostName, VolumeId};
use serde_json::json;

use super::arrive::{give_up, refused};
use super::carry::carry;
use super::refusals::immovable;
use super::route::{Route, Way};
use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::manage::At;
use crate::options::POOL;
use crate::place::{refused_at, wanted};
use crate::request::Context;
use crate::story::{Step, Stop};
use crate::volume::{hold, is_moving};
use crate::why::Why;

/// `os-migrate_volume`. Every migration copies, so `force_host_copy` changes nothing.
#[derive(Clone, Debug)]
pub struct MigrateVolume {
    /// `host` or (3.16) `cluster`.
    pub to: At,
    /// `lock_volume`: the volume is in `maintenance` from the beginning.
    pub lock: bool,
}

impl Control {
    /// `os-migrate_volume`. Without a lock the volume stays usable until little is left to copy; one that
    /// is attached then stays where it is.
    pub async fn migrate_volume(
        &self,
        context: &Context,
        id: VolumeId,
        request: MigrateVolume,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeAdminActionsMigrateVolume, &volume)?;
        let service = inner.service_there(&request.to).await?;
        let service = service.filter(|service| !service.disabled && inner.is_up(service));
        let service = service.ok_or_else(|| {
            let text = format!(
                "Invalid host: No available service named '{}'",
                request.to.name()
            );
            Error::new(ErrorKind::Invalid, text)
        })?;
        let to = service.host.with_pool(POOL);
        let operation = if request.lock {
            VolumeOperation::MigrateLocked
        } else {
            VolumeOperation::Migrate
        };
        if !volume.status.allows(operation) || is_moving(&volume) || volume.host == Some(to.clone())
        {
            return Err(refused(format_args!(
                "Volume {id} status must be available or in-use, must not be migrating, have \
                 snapshots, be replicated, be part of a group and destination host/cluster must \
                 be different than the current one"
            )));
        }
        if let Some(why) = immovable(&mut tx, &volume).await? {
            return Err(refused(format_args!(
                "Volume {id} cannot be migrated: {why}."
            )));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let from = [volume.status];
        volume.migration_status = Some(MigrationStatus::Starting.to_string());
        if request.lock {
            volume.previous_status = Some(volume.status);
            volume.status = VolumeStatus::Maintenance;
        }
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({ "to": to });
        let kind = ActivityKind::MigrateVolume;
        inner.begin(&mut tx, context, kind, id.0, input).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The story.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let volume = found.filter(|volume| is_moving(volume) && may_go(volume));
    let volume = volume.ok_or_else(|| Stop::never("the volume is not to be migrated any more"))?;
    let to = activity.input.get("to").and_then(|to| to.as_str());
    let to = to.and_then(|to| to.parse::<HostName>().ok());
    let to = to.ok_or_else(|| Stop::never("where it should go is not known"))?;
    if Way::of(activity).target.is_none() {
        let request = wanted(&mut *inner.db.read().await?, &volume).await?;
        if let Some(why) = refused_at(inner, request, &to).await? {
            return Err(Stop::never(why));
        }
    }
    let kind = volume.volume_type;
    carry(inner, activity, Route { volume, to, kind }).await
}

/// Whether it is as the request, or the story, left it.
fn may_go(volume: &Volume) -> bool {
    matches!(
        volume.status,
        VolumeStatus::Available | VolumeStatus::Maintenance
    )
}

/// The volume stays where it is.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    give_up(inner, activity, VolumeStatus::Maintenance, why).await
}
