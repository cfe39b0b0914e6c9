//! A new volume that belongs to a group from its begin.

use firebrick_db::{Group, Tx, Volume, pairs};
use firebrick_state::GroupStatus;
use firebrick_vocabulary::{GroupId, HostName, TypeId};

use super::look::held;
use crate::error::{Error, Result};
use crate::request::Context;
use crate::story::{Step, Stop};

/// The group that is named, if one is, which stays as it is until the transaction ends.
pub(crate) async fn named(
    tx: &mut Tx,
    context: &Context,
    id: Option<GroupId>,
) -> Result<Option<Group>> {
    let Some(id) = id else {
        return Ok(None);
    };
    let group = held(tx, context, id).await?;
    if !matches!(group.status, GroupStatus::Available | GroupStatus::Creating) {
        return Err(Error::invalid_input(
            "Originating group status must be one of 'available, creating' values",
        ));
    }
    if group.project != context.project {
        let text = format!("Group {id} belongs to another project.");
        return Err(Error::invalid_input(text));
    }
    Ok(Some(group))
}

/// Refuses a volume of a type that the group does not take, or whose origin lives elsewhere.
pub(crate) async fn check(
    tx: &mut Tx,
    group: &Group,
    kind: TypeId,
    origin: Option<&HostName>,
) -> Result<()> {
    if !pairs::types_of_group(tx, group.id).await?.contains(&kind) {
        return Err(Error::invalid_input(format_args!(
            "Invalid volume_type provided: {kind} (requested type must be supported by this group)."
        )));
    }
    let (here, there) = (group.host.as_ref(), origin);
    match here.zip(there) {
        Some((here, there)) if here.without_pool() != there.without_pool() => Err(
            Error::invalid_volume("The source is not in the backend of the group."),
        ),
        Some(_) | None => Ok(()),
    }
}

/// Where a volume of a group goes: to the pool of the group, which may have none yet. `None` for one
/// that belongs to none.
pub(crate) async fn pool_for(
    connection: &mut firebrick_db::Connection,
    volume: &Volume,
) -> Step<Option<HostName>> {
    let Some(id) = volume.group else {
        return Ok(None);
    };
    let group = firebrick_db::groups::get(connection, id).await?;
    let group = group.ok_or_else(|| Stop::never("its group is gone"))?;
    match (group.host, group.status) {
        (Some(host), _) => Ok(Some(host)),
        (None, GroupStatus::Creating) => Err(Stop::later("its group has no place yet")),
        (None, _) => Err(Stop::never("its group has no place")),
    }
}
