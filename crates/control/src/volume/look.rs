//! Looking at volumes.

use std::collections::BTreeSet;

use firebrick_db::{
    Column, Connection, Filter, Listing, Test, Tx, Volume, beside, groups, types, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::MigrationStatus;
use firebrick_vocabulary::{GroupId, VolumeId};

use crate::control::Control;
use crate::detail::{VolumeDetail, VolumeSummary};
use crate::error::{Error, ErrorKind, Result};
use crate::group_type::look::consistency;
use crate::request::{Context, Query};

impl Control {
    /// `GET /volumes/{id}`.
    pub async fn volume(&self, context: &Context, id: VolumeId) -> Result<VolumeDetail> {
        let connection = &mut *self.inner.db.read().await?;
        let volume = visible(connection, context, id).await?;
        let mut found = detailed(connection, vec![volume]).await?;
        found.pop().ok_or_else(|| Error::no_volume(id))
    }

    /// `GET /volumes` and `/volumes/detail`.
    pub async fn volumes(&self, context: &Context, query: Query) -> Result<Vec<VolumeDetail>> {
        context.allow(Rule::VolumeGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        let listing = listed(connection, context, query).await?;
        let found = volumes::list(connection, &listing).await?;
        let marker = listing.marker.unwrap_or_default();
        let found = found.ok_or_else(|| no_marker(&marker))?;
        detailed(connection, found).await
    }

    /// How many volumes a list has on all its pages.
    pub async fn count_volumes(&self, context: &Context, query: Query) -> Result<u64> {
        context.allow(Rule::VolumeGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        let listing = listed(connection, context, query).await?;
        Ok(volumes::total(connection, &listing).await?.0)
    }

    /// `GET /volumes/summary`.
    pub async fn volume_summary(&self, context: &Context, query: Query) -> Result<VolumeSummary> {
        context.allow(Rule::VolumeGetAll)?;
        let connection = &mut *self.inner.db.read().await?;
        let listing = listed(connection, context, query).await?;
        let (count, gigabytes) = volumes::total(connection, &listing).await?;
        let metadata = volumes::metadata(connection, &listing).await?;
        Ok(VolumeSummary {
            count,
            gigabytes,
            metadata,
        })
    }
}

/// Whether the volume is on its way to another pool, and to be left alone.
pub(crate) fn is_moving(volume: &Volume) -> bool {
    let known = volume.migration_status.as_deref().map(str::parse);
    matches!(known, Some(Ok::<MigrationStatus, _>(status)) if !status.is_over())
}

/// What a list says whose marker is nothing.
pub(crate) fn no_marker(marker: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("marker {marker} could not be found."),
    )
}

/// The volume, if it exists for whoever asks. One that they may not look at does not.
pub(crate) async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: VolumeId,
) -> Result<Volume> {
    let found = volumes::get(connection, id).await?;
    seen(found, context, id)
}

/// The same for a request that goes on to change the volume, or to decide by what it is: nobody else
/// does until its transaction ends.
pub(crate) async fn locked(tx: &mut Tx, context: &Context, id: VolumeId) -> Result<Volume> {
    let found = volumes::get_locked(tx, id).await?;
    seen(found, context, id)
}

fn seen(found: Option<Volume>, context: &Context, id: VolumeId) -> Result<Volume> {
    found
        .filter(|volume| context.sees(&volume.project) && context.may_for(Rule::VolumeGet, volume))
        .ok_or_else(|| Error::no_volume(id))
}

/// Adds type names, attachments and what is remembered of images.
pub(crate) async fn detailed(
    connection: &mut Connection,
    volumes: Vec<Volume>,
) -> Result<Vec<VolumeDetail>> {
    let ids: Vec<VolumeId> = volumes.iter().map(|volume| volume.id).collect();
    let mut beside = beside::of(connection, &ids).await?;
    let consistency = consistency_groups(connection, &volumes).await?;
    let details = volumes.into_iter().map(|volume| VolumeDetail {
        type_name: beside
            .types
            .get(&volume.volume_type)
            .cloned()
            .unwrap_or_default(),
        in_consistency_group: (volume.group).is_some_and(|id| consistency.contains(&id)),
        image: beside.images.remove(&volume.id).unwrap_or_default(),
        attachments: beside.attachments.remove(&volume.id).unwrap_or_default(),
        volume,
    });
    Ok(details.collect())
}

/// What of a list is shown: nothing that only serves a migration.
async fn listed(connection: &mut Connection, context: &Context, query: Query) -> Result<Listing> {
    let listing = context.narrowed(query);
    let listing = listing.and(Column::MigrationTarget, Test::Number(0));
    with_type_ids(connection, listing).await
}

/// Those of the groups of the volumes that are consistency groups.
async fn consistency_groups(
    connection: &mut Connection,
    volumes: &[Volume],
) -> Result<BTreeSet<GroupId>> {
    let ids: BTreeSet<GroupId> = volumes.iter().filter_map(|volume| volume.group).collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let Some(kind) = consistency(connection).await? else {
        return Ok(BTreeSet::new());
    };
    let ids = ids.iter().map(ToString::to_string).collect();
    let listing = Listing::of(Column::GroupType, &kind).and(Column::Id, Test::OneOf(ids));
    let found = groups::list(connection, &listing).await?;
    Ok(found.into_iter().flatten().map(|group| group.id).collect())
}

/// Types may be named by their names.
async fn with_type_ids(connection: &mut Connection, mut listing: Listing) -> Result<Listing> {
    for filter in &mut listing.filters {
        let Filter::Column(Column::VolumeType, Test::OneOf(texts)) = filter else {
            continue;
        };
        for text in texts {
            if let Some(kind) = types::named(connection, text).await? {
                *text = kind.id.to_string();
            }
        }
    }
    Ok(listing)
}
