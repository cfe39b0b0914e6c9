//! Looking at group types.

use firebrick_db::{Connection, GroupType, Tx, group_types};
use firebrick_vocabulary::GroupTypeId;

use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

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
