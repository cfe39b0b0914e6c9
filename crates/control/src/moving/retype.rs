//! `os-retype`: a volume gets another type.

use firebrick_db::{Connection, Tx, TypeEncryption, Volume, VolumeType, qos, type_encryption};
use firebrick_db::{types, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::VolumeId;
use serde_json::json;

use super::arrive::refused;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::quota;
use crate::request::Context;
use crate::types::check_size;
use crate::types::look::{by_id_or_name, sees};
use crate::volume::{hold, is_moving, look_at, wants};

/// Whether a volume may be moved to get another type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MigrationPolicy {
    /// `never`.
    #[default]
    Never,
    /// `on-demand`.
    OnDemand,
}

/// `os-retype`.
#[derive(Clone, Debug)]
pub struct RetypeVolume {
    /// `new_type`: an id or a name.
    pub new_type: String,
    /// `migration_policy`.
    pub policy: MigrationPolicy,
}

impl Control {
    /// `os-retype`: the volume is `retyping`, and an activity goes on from there.
    pub async fn retype_volume(
        &self,
        context: &Context,
        id: VolumeId,
        request: RetypeVolume,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let project = look_at(&mut tx, context, id).await?.project;
        tx.lock_project(&project).await?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::VolumeRetype, &volume)?;
        let new = kind(&mut tx, context, &request.new_type).await?;
        check_size(&new, volume.size)?;
        let multiattach = wants(&new, "multiattach");
        check_multiattach(context, &volume, multiattach)?;
        check_encryption(&mut tx, &volume, &new, multiattach).await?;
        let retypable = volume.status.allows(VolumeOperation::Retype)
            && !is_moving(&volume)
            // What runs is of the volume as it is.
            && volume.shown.is_none()
            && volume.group.is_none()
            && volume.volume_type != new.id
            && (volume.status != VolumeStatus::InUse
                || hosts_do_the_same(&mut tx, &volume, &new).await?);
        if !retypable {
            return Err(refused(
                "Retype needs volume to be in available or in-use state, not be part of an active \
                 migration or a consistency group, requested type has to be different that the one \
                 from the volume, and for in-use volumes front-end qos specs cannot change.",
            ));
        }
        quota::check_type(&mut tx, &inner.options.quotas, &volume, new.id).await?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let from = [volume.status];
        volume.previous_status = Some(volume.status);
        volume.status = VolumeStatus::Retyping;
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({
            "type": new.id,
            "may_move": request.policy == MigrationPolicy::OnDemand,
        });
        let story = ActivityKind::RetypeVolume;
        inner.begin(&mut tx, context, story, id.0, input).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

async fn kind(tx: &mut Tx, context: &Context, text: &str) -> Result<VolumeType> {
    let missing = || {
        let text: String = text.chars().take(255).collect();
        let message = format!("Volume type with name {text} could not be found.");
        Error::new(ErrorKind::NotFound, message)
    };
    let found = by_id_or_name(tx, text).await?.ok_or_else(missing)?;
    // It is not removed before the activity that needs it is there.
    let found = types::get_shared(tx, found.id).await?.ok_or_else(missing)?;
    if !sees(tx, context, &found).await? {
        return Err(missing());
    }
    Ok(found)
}

fn check_multiattach(context: &Context, volume: &Volume, wanted: bool) -> Result<()> {
    if volume.multiattach == wanted {
        return Ok(());
    }
    if volume.status != VolumeStatus::Available {
        return Err(Error::invalid_input(format_args!(
            "Invalid volume_type passed, retypes affecting multiattach are only allowed on \
             available volumes, the specified volume however currently has a status of: {}.",
            volume.status
        )));
    }
    if wanted {
        context.allow_for(Rule::VolumeMultiattach, volume)?;
    }
    Ok(())
}

/// Hosts encrypt: what they have written is of use only to hosts that do the same.
async fn check_encryption(
    tx: &mut Tx,
    volume: &Volume,
    new: &VolumeType,
    multiattach: bool,
) -> Result<()> {
    let how = |found: TypeEncryption| {
        (
            found.provider,
            found.cipher,
            found.key_size,
            found.control_location,
        )
    };
    let old = type_encryption::get(tx, volume.volume_type).await?.map(how);
    let new = type_encryption::get(tx, new.id).await?.map(how);
    if multiattach && new.is_some() {
        return Err(Error::invalid_input(
            "Retype requested both encryption and multi-attach, which is not supported.",
        ));
    }
    if old != new {
        return Err(Error::invalid_input(
            "Retype between types whose volumes are encrypted differently is not supported: the \
             servers of a volume encrypt it, and nobody here has its key.",
        ));
    }
    Ok(())
}

/// Whether the hosts of a volume that is attached have nothing to change.
async fn hosts_do_the_same(
    connection: &mut Connection,
    volume: &Volume,
    new: &VolumeType,
) -> Result<bool> {
    let old = types::get(connection, volume.volume_type).await?;
    let old = old.and_then(|kind| kind.qos_specs);
    let mut theirs = Vec::new();
    for id in [old, new.qos_specs] {
        let spec = match id {
            Some(id) => qos::get(connection, id).await?,
            None => None,
        };
        theirs.push(
            spec.filter(|spec| spec.consumer.has_front_end())
                .map(|spec| spec.id),
        );
    }
    Ok(theirs[0] == theirs[1])
}
