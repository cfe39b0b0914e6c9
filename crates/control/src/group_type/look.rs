//! Looking at group types.

use firebrick_db::{Connection, GroupType, Tx, group_types};
use firebrick_vocabulary::GroupTypeId;

use super::{CONSISTENCY, CONSISTENT_SNAPSHOTS, REPLICATES, REPLICATES_AT_ONCE};
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;
use crate::types::look::asks;

/// `Group type … could not be found.`
pub(crate) fn no_group_type(id: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format_args!("Group type {id} could not be found."),
    )
}

/// Whether the type exists for whoever asks: private ones do for administrators.
fn sees(context: &Context, kind: &GroupType) -> bool {
    kind.is_public || context.is_admin()
}

/// The type, if it exists for whoever asks.
pub(super) async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: GroupTypeId,
) -> Result<GroupType> {
    let found = group_types::get(connection, id).await?;
    let found = found.filter(|kind| sees(context, kind));
    found.ok_or_else(|| no_group_type(id))
}

/// The type, for an administrator's request that goes on to change it or what belongs to it.
pub(super) async fn locked(tx: &mut Tx, id: GroupTypeId) -> Result<GroupType> {
    let found = group_types::get_locked(tx, id).await?;
    found.ok_or_else(|| no_group_type(id))
}
/// The type for a new group, by its id or its name; it stays as it is until the transaction ends.
pub(crate) async fn for_new(tx: &mut Tx, context: &Context, text: &str) -> Result<GroupType> {
    let missing = || {
        let shown: String = text.chars().take(255).collect();
        no_group_type(shown)
    };
    let id = match text.parse() {
        Ok(id) => id,
        Err(_) => group_types::named(tx, text).await?.ok_or_else(missing)?.id,
    };
    let found = group_types::get_shared(tx, id).await?;
    let found = found.filter(|kind| sees(context, kind));
    found.ok_or_else(missing)
}

/// Whether snapshots of such groups are of one moment.
pub(crate) fn is_consistent(kind: &GroupType) -> bool {
    asks(&kind.group_specs, CONSISTENT_SNAPSHOTS)
}

/// Whether such groups replicate on their own.
pub(crate) fn replicates(kind: &GroupType) -> bool {
    [REPLICATES, REPLICATES_AT_ONCE]
        .iter()
        .any(|key| asks(&kind.group_specs, key))
}

/// Whether the type asks for both ways of that, of which a group has one.
pub(crate) fn replicates_in_both_ways(kind: &GroupType) -> bool {
    [REPLICATES, REPLICATES_AT_ONCE]
        .iter()
        .all(|key| asks(&kind.group_specs, key))
}

/// The id of the type of consistency groups; none where an administrator has renamed it.
pub(crate) async fn consistency(connection: &mut Connection) -> Result<Option<GroupTypeId>> {
    let found = group_types::named(connection, CONSISTENCY).await?;
    Ok(found.map(|kind| kind.id))
}
