//! Looking at groups.

use std::collections::BTreeMap;

use firebrick_db::{
    Column, Connection, Direction, Group, Listing, Test, Tx, Volume, groups, pairs, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::GroupStatus;
use firebrick_vocabulary::{GroupId, GroupTypeId, VolumeId};

use super::Family;
use crate::control::Control;
use crate::detail::GroupDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::group_type::look::consistency;
use crate::request::{Context, Query};
use crate::volume::no_marker;

impl Control {
    /// `GET /groups/{id}`; with its volumes where `volumes` says so.
    pub async fn group(
        &self,
        context: &Context,
        family: Family,
        id: GroupId,
        volumes: bool,
    ) -> Result<GroupDetail> {
        let connection = &mut *self.inner.db.read().await?;
        let group = seen(groups::get(connection, id).await?, context, id)?;
        family.admits(connection, group.group_type, id).await?;
        let mut found = detailed(connection, vec![group], volumes).await?;
        found.pop().ok_or_else(|| no_group(id))
    }

    /// `GET /groups` and `/groups/detail`; with their volumes where `volumes` says so.
    pub async fn groups(
        &self,
        context: &Context,
        family: Family,
        query: Query,
        volumes: bool,
    ) -> Result<Vec<GroupDetail>> {
        context.allow(Rule::GroupGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        let listing = family.narrowed(connection, context.narrowed(query)).await?;
        let found = groups::list(connection, &listing).await?;
        let found = found.ok_or_else(|| no_marker(&listing.marker.unwrap_or_default()))?;
        detailed(connection, found, volumes).await
    }
}

impl Family {
    /// Refuses a group, or a snapshot of one, that is asked for by the other family's address.
    async fn admits(
        self,
        connection: &mut Connection,
        kind: GroupTypeId,
        id: GroupId,
    ) -> Result<()> {
        let legacy = consistency(connection).await? == Some(kind);
        match (self, legacy) {
            (Self::Groups, false) | (Self::Consistency, true) => Ok(()),
            (Self::Groups, true) => Err(reserved(kind)),
            (Self::Consistency, false) => Err(no_group(id)),
        }
    }

    /// The list without what belongs to the other family.
    pub(crate) async fn narrowed(
        self,
        connection: &mut Connection,
        listing: Listing,
    ) -> Result<Listing> {
        let kind = consistency(connection).await?.map(|kind| kind.to_string());
        Ok(match (self, kind) {
            (Self::Groups, None) => listing,
            (Self::Groups, Some(kind)) => listing.and(Column::GroupType, Test::Not(kind)),
            (Self::Consistency, kind) => {
                listing.and(Column::GroupType, Test::OneOf(kind.into_iter().collect()))
            }
        })
    }
}

/// That groups of the type are asked for elsewhere.
pub(crate) fn reserved(kind: GroupTypeId) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format_args!(
            "Group_type {kind} is reserved for migrating CGs to groups. Migrated group can only be \
             operated by CG APIs."
        ),
    )
}

/// `Group … could not be found.`
pub(crate) fn no_group(id: GroupId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format_args!("Group {id} could not be found."),
    )
}

/// `Invalid Group: …`, Cinder's `InvalidGroup`.
pub(crate) fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format_args!("Invalid Group: {reason}"))
}

/// The group for a request that goes on to change it or what belongs to it, if it exists for whoever
/// asks and they may look at it.
pub(crate) async fn locked(
    tx: &mut Tx,
    context: &Context,
    family: Family,
    id: GroupId,
) -> Result<Group> {
    let group = held(tx, context, id).await?;
    family.admits(tx, group.group_type, id).await?;
    Ok(group)
}

/// The same, of either family.
pub(super) async fn held(tx: &mut Tx, context: &Context, id: GroupId) -> Result<Group> {
    seen(groups::get_locked(tx, id).await?, context, id)
}

fn seen(found: Option<Group>, context: &Context, id: GroupId) -> Result<Group> {
    let found = found.filter(|group| context.sees(&group.project));
    let group = found.ok_or_else(|| no_group(id))?;
    context.allow_for(Rule::GroupGet, &group)?;
    Ok(group)
}

/// Adds the types of their volumes and, where wanted, the volumes.
async fn detailed(
    connection: &mut Connection,
    found: Vec<Group>,
    with_volumes: bool,
) -> Result<Vec<GroupDetail>> {
    let ids: Vec<GroupId> = found.iter().map(|group| group.id).collect();
    let mut types = pairs::types_of_groups(connection, &ids).await?;
    let mut members: BTreeMap<GroupId, Vec<VolumeId>> = BTreeMap::new();
    if with_volumes {
        let ids = ids.iter().map(ToString::to_string).collect();
        let listing = in_order().and(Column::Group, Test::OneOf(ids));
        for volume in volumes::list(connection, &listing)
            .await?
            .unwrap_or_default()
        {
            if let Some(group) = volume.group {
                members.entry(group).or_default().push(volume.id);
            }
        }
    }
    let details = found.into_iter().map(|group| GroupDetail {
        volume_types: types.remove(&group.id).unwrap_or_default(),
        volumes: members.remove(&group.id).unwrap_or_default(),
        group,
    });
    Ok(details.collect())
}

/// By their ids, so that those who lock several never wait for each other.
pub(crate) fn in_order() -> Listing {
    Listing {
        sort: vec![(Column::Id, Direction::Ascending)],
        ..Listing::default()
    }
}

/// The volumes of a group.
pub(crate) async fn members(connection: &mut Connection, id: GroupId) -> Result<Vec<Volume>> {
    let listing = in_order().and(Column::Group, Test::OneOf(vec![id.to_string()]));
    Ok(volumes::list(connection, &listing)
        .await?
        .unwrap_or_default())
}

/// The same, which nobody else changes until the transaction ends.
pub(crate) async fn hold_members(tx: &mut Tx, id: GroupId) -> Result<Vec<Volume>> {
    let mut held = Vec::new();
    for volume in members(tx, id).await? {
        let newer = volumes::get_locked(tx, volume.id).await?;
        held.extend(newer.filter(|volume| volume.group == Some(id)));
    }
    Ok(held)
}

/// Whether a group is being made of this one.
pub(super) async fn is_being_cloned(tx: &mut Tx, id: GroupId) -> Result<bool> {
    let creating = Test::OneOf(vec![GroupStatus::Creating.to_string()]);
    let listing = Listing::of(Column::Source, &id).and(Column::Status, creating);
    Ok(groups::total(tx, &listing).await? > 0)
}
