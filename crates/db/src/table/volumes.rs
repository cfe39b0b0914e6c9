//! Volumes.

use std::collections::{BTreeMap, BTreeSet};

use ::time::OffsetDateTime;
use firebrick_state::{AttachStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{
    HostName, ProjectId, ServiceId, SnapshotUuid, TypeId, UserId, VolumeId,
};
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, flag, maybe};
use crate::table::listing::{Column, Direction, Listing, Test};
use crate::table::properties;
use crate::table::query;
use crate::time::{now, to_micros};

/// A volume.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference's volume, by their names there"
)]
pub struct Volume {
    pub id: VolumeId,
    pub project: ProjectId,
    pub user: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    /// In GiB.
    pub size: u32,
    pub status: VolumeStatus,
    /// What the status was before a failover or an operation that returns to it.
    pub previous_status: Option<VolumeStatus>,
    pub attach_status: AttachStatus,
    pub migration_status: Option<String>,
    /// The pool in which it lives, once that is decided.
    pub host: Option<HostName>,
    pub availability_zone: String,
    pub volume_type: TypeId,
    /// The snapshot from which it was made.
    pub snapshot: Option<SnapshotUuid>,
    /// The volume from which it was made.
    pub source: Option<VolumeId>,
    pub bootable: bool,
    /// What was last said about it; `None` where nothing ever was, which clients tell apart.
    pub readonly: Option<bool>,
    pub multiattach: bool,
    pub replication_status: Option<ReplicationStatus>,
    /// The service that is responsible for it.
    pub service: Option<ServiceId>,
    pub metadata: BTreeMap<String, String>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
    pub launched_at: Option<OffsetDateTime>,
}

const READ: &str = "read volumes";
const WRITE: &str = "write a volume";

fn from_row(row: &AnyRow) -> Result<Volume, Error> {
    let columns = Columns(row);
    Ok(Volume {
        id: columns.parsed("id")?,
        project: ProjectId(columns.text("project")?),
        user: UserId(columns.text("user_id")?),
        name: columns.maybe_text("name")?,
        description: columns.maybe_text("description")?,
        size: columns.number("size")?.max(0) as u32,
        status: columns.parsed("status")?,
        previous_status: columns.maybe_parsed("previous_status")?,
        attach_status: columns.parsed("attach_status")?,
        migration_status: columns.maybe_text("migration_status")?,
        host: columns.maybe_parsed("host")?,
        availability_zone: columns.text("availability_zone")?,
        volume_type: columns.parsed("volume_type")?,
        snapshot: columns.maybe_parsed("snapshot")?,
        source: columns.maybe_parsed("source")?,
        bootable: columns.flag("bootable")?,
        readonly: columns.maybe_number("readonly")?.map(|value| value != 0),
        multiattach: columns.flag("multiattach")?,
        replication_status: columns.maybe_parsed("replication_status")?,
        service: columns.maybe_parsed("service")?,
        metadata: BTreeMap::new(),
        created_at: columns.time("created_at")?,
        updated_at: columns.maybe_time("updated_at")?,
        launched_at: columns.maybe_time("launched_at")?,
    })
}

async fn with_metadata(connection: &mut Connection, rows: &[AnyRow]) -> Result<Vec<Volume>, Error> {
    let mut volumes: Vec<Volume> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    let ids: Vec<_> = volumes.iter().map(|volume| volume.id.0).collect();
    let mut metadata = properties::of_all(connection, &ids).await?;
    for volume in &mut volumes {
        volume.metadata = metadata.remove(&volume.id.0).unwrap_or_default();
    }
    Ok(volumes)
}

/// The volume of that id.
pub async fn get(connection: &mut Connection, id: VolumeId) -> Result<Option<Volume>, Error> {
    let query = sqlx::query("SELECT * FROM volumes WHERE id = $1").bind(id.to_string());
    let row = query
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::sql(READ))?;
    let rows: Vec<AnyRow> = row.into_iter().collect();
    Ok(with_metadata(connection, &rows).await?.pop())
}

/// A page of volumes; `None` where the marker is no volume. Not the columns `Volume`, `Instance`.
pub async fn list(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<Volume>>, Error> {
    match query::page(connection, "volumes", listing).await? {
        None => Ok(None),
        Some(rows) => with_metadata(connection, &rows).await.map(Some),
    }
}

/// All volumes in the pools of a service, by the host of the service, which names no pool.
pub async fn of_service(
    connection: &mut Connection,
    host: &HostName,
) -> Result<Vec<Volume>, Error> {
    let listing = Listing {
        sort: vec![(Column::Id, Direction::Ascending)],
        ..Listing::default()
    };
    let pools = format!("{host}#");
    let listing = listing.and(Column::Host, Test::Begins(pools));
    Ok(list(connection, &listing).await?.unwrap_or_default())
}

/// How many volumes on all pages, and their GiB.
pub async fn total(connection: &mut Connection, listing: &Listing) -> Result<(u64, u64), Error> {
    query::total(connection, "volumes", "size", listing).await
}

/// The metadata of the volumes on all pages: each key with its different values.
pub async fn metadata(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    query::properties(connection, "volumes", listing).await
}

/// Adds a volume with its metadata.
pub async fn insert(connection: &mut Connection, volume: &Volume) -> Result<(), Error> {
    let sql = "INSERT INTO volumes (id, project, user_id, name, description, size, status, \
               previous_status, attach_status, migration_status, host, availability_zone, \
               volume_type, snapshot, source, bootable, readonly, multiattach, \
               replication_status, service, created_at, updated_at, launched_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
               $17, $18, $19, $20, $21, $22, $23)";
    let query = sqlx::query(sql)
        .bind(volume.id.to_string())
        .bind(volume.project.as_str())
        .bind(volume.user.as_str())
        .bind(volume.name.as_deref())
        .bind(volume.description.as_deref())
        .bind(i64::from(volume.size))
        .bind(volume.status.as_str())
        .bind(maybe(volume.previous_status.as_ref()))
        .bind(volume.attach_status.as_str())
        .bind(volume.migration_status.as_deref())
        .bind(maybe(volume.host.as_ref()))
        .bind(volume.availability_zone.as_str())
        .bind(volume.volume_type.to_string())
        .bind(maybe(volume.snapshot.as_ref()))
        .bind(maybe(volume.source.as_ref()))
        .bind(flag(volume.bootable))
        .bind(volume.readonly.map(flag))
        .bind(flag(volume.multiattach))
        .bind(maybe(volume.replication_status.as_ref()))
        .bind(maybe(volume.service.as_ref()))
        .bind(to_micros(volume.created_at))
        .bind(volume.updated_at.map(to_micros))
        .bind(volume.launched_at.map(to_micros));
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::merge(connection, volume.id.0, &volume.metadata).await
}

/// Writes every field but id, project, times of creation and metadata as it is in `volume`, if the
/// status is still one of `from`: the compare-and-set by which all changes go. Whether it was.
pub async fn swap(
    connection: &mut Connection,
    from: &[VolumeStatus],
    volume: &Volume,
) -> Result<bool, Error> {
    let places: Vec<String> = (19..19 + from.len()).map(|i| format!("${i}")).collect();
    let sql = format!(
        "UPDATE volumes SET name = $2, description = $3, size = $4, status = $5, \
         previous_status = $6, attach_status = $7, migration_status = $8, host = $9, \
         availability_zone = $10, volume_type = $11, bootable = $12, readonly = $13, \
         multiattach = $14, replication_status = $15, service = $16, updated_at = $17, \
         launched_at = $18 WHERE id = $1 AND status IN ({})",
        places.join(", ")
    );
    let mut query = sqlx::query(&sql)
        .bind(volume.id.to_string())
        .bind(volume.name.as_deref())
        .bind(volume.description.as_deref())
        .bind(i64::from(volume.size))
        .bind(volume.status.as_str())
        .bind(maybe(volume.previous_status.as_ref()))
        .bind(volume.attach_status.as_str())
        .bind(volume.migration_status.as_deref())
        .bind(maybe(volume.host.as_ref()))
        .bind(volume.availability_zone.as_str())
        .bind(volume.volume_type.to_string())
        .bind(flag(volume.bootable))
        .bind(volume.readonly.map(flag))
        .bind(flag(volume.multiattach))
        .bind(maybe(volume.replication_status.as_ref()))
        .bind(maybe(volume.service.as_ref()))
        .bind(to_micros(now()))
        .bind(volume.launched_at.map(to_micros));
    for status in from {
        query = query.bind(status.as_str());
    }
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

/// Removes the volume with its metadata and attachments.
pub async fn remove(connection: &mut Connection, id: VolumeId) -> Result<(), Error> {
    for sql in [
        "DELETE FROM attachments WHERE volume = $1",
        "DELETE FROM volumes WHERE id = $1",
    ] {
        let done = sqlx::query(sql)
            .bind(id.to_string())
            .execute(&mut *connection)
            .await;
        done.map_err(Error::sql(WRITE))?;
    }
    properties::clear(connection, id.0).await
}
