//! Snapshots.

use std::collections::BTreeMap;

use ::time::OffsetDateTime;
use firebrick_state::SnapshotStatus;
use firebrick_vocabulary::{ProjectId, SnapshotUuid, UserId, VolumeId};
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::table::listing::{Column, Direction, Listing};
use crate::table::properties;
use crate::table::query;
use crate::time::{now, to_micros};

/// A snapshot of a volume.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference's snapshot, by their names there"
)]
pub struct Snapshot {
    pub id: SnapshotUuid,
    pub volume: VolumeId,
    pub project: ProjectId,
    pub user: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    /// In GiB.
    pub size: u32,
    pub status: SnapshotStatus,
    /// What the status was before a failover.
    pub previous_status: Option<SnapshotStatus>,
    /// For example `100%`.
    pub progress: String,
    pub metadata: BTreeMap<String, String>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

const READ: &str = "read snapshots";
const WRITE: &str = "write a snapshot";

fn from_row(row: &AnyRow) -> Result<Snapshot, Error> {
    let columns = Columns(row);
    Ok(Snapshot {
        id: columns.parsed("id")?,
        volume: columns.parsed("volume")?,
        project: ProjectId(columns.text("project")?),
        user: UserId(columns.text("user_id")?),
        name: columns.maybe_text("name")?,
        description: columns.maybe_text("description")?,
        size: columns.number("size")?.max(0) as u32,
        status: columns.parsed("status")?,
        previous_status: columns.maybe_parsed("previous_status")?,
        progress: columns.text("progress")?,
        metadata: BTreeMap::new(),
        created_at: columns.time("created_at")?,
        updated_at: columns.maybe_time("updated_at")?,
    })
}

async fn with_metadata(
    connection: &mut Connection,
    rows: &[AnyRow],
) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots: Vec<Snapshot> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    let ids: Vec<_> = snapshots.iter().map(|snapshot| snapshot.id.0).collect();
    let mut metadata = properties::of_all(connection, &ids).await?;
    for snapshot in &mut snapshots {
        snapshot.metadata = metadata.remove(&snapshot.id.0).unwrap_or_default();
    }
    Ok(snapshots)
}

/// The snapshot of that id.
pub async fn get(connection: &mut Connection, id: SnapshotUuid) -> Result<Option<Snapshot>, Error> {
    let query = sqlx::query("SELECT * FROM snapshots WHERE id = $1").bind(id.to_string());
    let row = query
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::sql(READ))?;
    let rows: Vec<AnyRow> = row.into_iter().collect();
    Ok(with_metadata(connection, &rows).await?.pop())
}

/// A page of snapshots; `None` where the marker is no snapshot. The columns `Id`, `Name`,
/// `Description`, `Status`, `Size`, `Project`, `User`, `Volume`, `CreatedAt`, `UpdatedAt`.
pub async fn list(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<Snapshot>>, Error> {
    match query::page(connection, "snapshots", listing).await? {
        None => Ok(None),
        Some(rows) => with_metadata(connection, &rows).await.map(Some),
    }
}

/// The snapshots of a volume, oldest first.
pub async fn of_volume(
    connection: &mut Connection,
    volume: VolumeId,
) -> Result<Vec<Snapshot>, Error> {
    let mut listing = Listing::of(Column::Volume, &volume);
    listing.sort = vec![(Column::CreatedAt, Direction::Ascending)];
    Ok(list(connection, &listing).await?.unwrap_or_default())
}

/// How many snapshots on all pages, and their GiB.
pub async fn total(connection: &mut Connection, listing: &Listing) -> Result<(u64, u64), Error> {
    query::total(connection, "snapshots", "size", listing).await
}

/// Adds a snapshot with its metadata.
pub async fn insert(connection: &mut Connection, snapshot: &Snapshot) -> Result<(), Error> {
    let sql = "INSERT INTO snapshots (id, volume, project, user_id, name, description, size, \
               status, previous_status, progress, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let query = sqlx::query(sql)
        .bind(snapshot.id.to_string())
        .bind(snapshot.volume.to_string())
        .bind(snapshot.project.as_str())
        .bind(snapshot.user.as_str())
        .bind(snapshot.name.as_deref())
        .bind(snapshot.description.as_deref())
        .bind(i64::from(snapshot.size))
        .bind(snapshot.status.as_str())
        .bind(maybe(snapshot.previous_status.as_ref()))
        .bind(snapshot.progress.as_str())
        .bind(to_micros(snapshot.created_at))
        .bind(snapshot.updated_at.map(to_micros));
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::merge(connection, snapshot.id.0, &snapshot.metadata).await
}

/// Writes name, description, statuses and progress as they are in `snapshot`, if the status is still
/// one of `from`. Whether it was.
pub async fn swap(
    connection: &mut Connection,
    from: &[SnapshotStatus],
    snapshot: &Snapshot,
) -> Result<bool, Error> {
    let places: Vec<String> = (8..8 + from.len()).map(|i| format!("${i}")).collect();
    let sql = format!(
        "UPDATE snapshots SET name = $2, description = $3, status = $4, previous_status = $5, \
         progress = $6, updated_at = $7 WHERE id = $1 AND status IN ({})",
        places.join(", ")
    );
    let mut query = sqlx::query(&sql)
        .bind(snapshot.id.to_string())
        .bind(snapshot.name.as_deref())
        .bind(snapshot.description.as_deref())
        .bind(snapshot.status.as_str())
        .bind(maybe(snapshot.previous_status.as_ref()))
        .bind(snapshot.progress.as_str())
        .bind(to_micros(now()));
    for status in from {
        query = query.bind(status.as_str());
    }
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

/// Removes the snapshot with its metadata.
pub async fn remove(connection: &mut Connection, id: SnapshotUuid) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM snapshots WHERE id = $1").bind(id.to_string());
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::clear(connection, id.0).await
}
