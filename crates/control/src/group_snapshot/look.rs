//! Looking at group snapshots.

use firebrick_db::{
    Column, Connection, GroupSnapshot, Snapshot, Test, Tx, group_snapshots, snapshots,
};
use firebrick_policy::Rule;
use firebrick_vocabulary::{GroupId, GroupSnapshotId, GroupTypeId};

use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::group::Family;
use crate::group::look::in_order;
use crate::group_type::look::consistency;
use crate::request::{Context, Query};
use crate::volume::no_marker;

impl Control {
    /// `GET /group_snapshots/{id}`.
    pub async fn group_snapshot(
        &self,
        context: &Context,
        family: Family,
        id: GroupSnapshotId,
    ) -> Result<GroupSnapshot> {
        let connection = &mut *self.inner.db.read().await?;
        let found = seen(group_snapshots::get(connection, id).await?, context, id)?;
        admit(connection, family, found.group_type, id).await?;
        Ok(found)
    }

    /// `GET /group_snapshots` and `/group_snapshots/detail`.
    pub async fn group_snapshots(
        &self,
        context: &Context,
        family: Family,
        query: Query,
    ) -> Result<Vec<GroupSnapshot>> {
        context.allow(Rule::GroupGetAllGroupSnapshots)?;
        let connection = &mut *self.inner.db.read().await?;
        let listing = family.narrowed(connection, context.narrowed(query)).await?;
        let found = group_snapshots::list(connection, &listing).await?;
        found.ok_or_else(|| no_marker(&listing.marker.unwrap_or_default()))
    }
}

/// Refuses one that is asked for by the other family's address.
async fn admit(
    connection: &mut Connection,
    family: Family,
    kind: GroupTypeId,
    id: GroupSnapshotId,
) -> Result<()> {
    let legacy = consistency(connection).await? == Some(kind);
    match (family, legacy) {
        (Family::Groups, false) | (Family::Consistency, true) => Ok(()),
        (Family::Groups, true) => Err(Error::new(
            ErrorKind::Invalid,
            format_args!(
                "Group_type {kind} is reserved for migrating CGs to groups. Migrated group \
                 snapshots can only be operated by CG snapshot APIs."
            ),
        )),
        (Family::Consistency, false) => Err(no_group_snapshot(id)),
    }
}

/// `GroupSnapshot … could not be found.`
fn no_group_snapshot(id: GroupSnapshotId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format_args!("GroupSnapshot {id} could not be found."),
    )
}

/// `Invalid GroupSnapshot: …`, Cinder's `InvalidGroupSnapshot`.
pub(crate) fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format_args!("Invalid GroupSnapshot: {reason}"),
    )
}

fn seen(
    found: Option<GroupSnapshot>,
    context: &Context,
    id: GroupSnapshotId,
) -> Result<GroupSnapshot> {
    let found = found.filter(|taken| context.sees(&taken.project));
    let taken = found.ok_or_else(|| no_group_snapshot(id))?;
    context.allow_for(Rule::GroupGetGroupSnapshot, &taken)?;
    Ok(taken)
}

/// Of which group it is: that is held before its snapshot.
pub(crate) async fn group_of(
    tx: &mut Tx,
    context: &Context,
    family: Family,
    id: GroupSnapshotId,
) -> Result<GroupId> {
    let taken = seen(group_snapshots::get(tx, id).await?, context, id)?;
    admit(tx, family, taken.group_type, id).await?;
    Ok(taken.group)
}

/// The group snapshot, held until the transaction ends.
pub(crate) async fn locked(
    tx: &mut Tx,
    context: &Context,
    family: Family,
    id: GroupSnapshotId,
) -> Result<GroupSnapshot> {
    let taken = seen(group_snapshots::get_locked(tx, id).await?, context, id)?;
    admit(tx, family, taken.group_type, id).await?;
    Ok(taken)
}

/// The snapshots of which it is made.
pub(crate) async fn members(
    connection: &mut Connection,
    id: GroupSnapshotId,
) -> std::result::Result<Vec<Snapshot>, firebrick_db::Error> {
    let listing = in_order().and(Column::GroupSnapshot, Test::OneOf(vec![id.to_string()]));
    let found = snapshots::list(connection, &listing).await?;
    Ok(found.unwrap_or_default())
}
