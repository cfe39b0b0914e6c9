//! Attachments.

use ::time::OffsetDateTime;
use firebrick_state::AttachmentStatus;
use firebrick_vocabulary::{AttachmentId, ProjectId, VolumeId};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, flag};
use crate::table::listing::{Column, Direction, Listing, Test};
use crate::table::query;
use crate::time::to_micros;

/// What an attachment allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttachMode {
    /// `rw`.
    ReadWrite,
    /// `ro`.
    ReadOnly,
}

impl AttachMode {
    /// The mode in the API's letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "rw",
            Self::ReadOnly => "ro",
        }
    }
}

/// An attachment of a volume to a server.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference's attachment, by their names there"
)]
pub struct Attachment {
    pub id: AttachmentId,
    pub volume: VolumeId,
    pub project: ProjectId,
    pub instance: Option<String>,
    /// `attached_host`.
    pub host: Option<String>,
    pub mountpoint: Option<String>,
    pub mode: AttachMode,
    pub status: AttachmentStatus,
    /// What the host says of itself; there is an export exactly while this is set.
    pub connector: Option<Map<String, Value>>,
    pub connection_info: Option<Value>,
    /// Made by the older actions.
    pub legacy: bool,
    pub created_at: OffsetDateTime,
    pub attached_at: Option<OffsetDateTime>,
}

const READ: &str = "read attachments";
const WRITE: &str = "write an attachment";

fn from_row(row: &AnyRow) -> Result<Attachment, Error> {
    let columns = Columns(row);
    let read_only = columns.text("mode")? == AttachMode::ReadOnly.as_str();
    Ok(Attachment {
        id: columns.parsed("id")?,
        volume: columns.parsed("volume")?,
        project: ProjectId(columns.text("project")?),
        instance: columns.maybe_text("instance")?,
        host: columns.maybe_text("host")?,
        mountpoint: columns.maybe_text("mountpoint")?,
        mode: if read_only {
            AttachMode::ReadOnly
        } else {
            AttachMode::ReadWrite
        },
        status: columns.parsed("status")?,
        connector: columns.json("connector")?,
        connection_info: columns.json("connection_info")?,
        legacy: columns.flag("legacy")?,
        created_at: columns.time("created_at")?,
        attached_at: columns.maybe_time("attached_at")?,
    })
}

/// The attachment of that id.
pub async fn get(
    connection: &mut Connection,
    id: AttachmentId,
) -> Result<Option<Attachment>, Error> {
    let query = sqlx::query("SELECT * FROM attachments WHERE id = $1").bind(id.to_string());
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(from_row).transpose()
}

/// A page of attachments; `None` where the marker is no attachment. The columns `Id`, `Status`,
/// `Host`, `Project`, `Volume`, `Instance`, `CreatedAt`.
pub async fn list(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<Attachment>>, Error> {
    let rows = query::page(connection, "attachments", listing).await?;
    rows.map(|rows| rows.iter().map(from_row).collect())
        .transpose()
}

/// The attachments of a volume, oldest first.
pub async fn of_volume(
    connection: &mut Connection,
    volume: VolumeId,
) -> Result<Vec<Attachment>, Error> {
    of_volumes(connection, &[volume]).await
}

/// The attachments of several volumes, oldest first.
pub async fn of_volumes(
    connection: &mut Connection,
    volumes: &[VolumeId],
) -> Result<Vec<Attachment>, Error> {
    let mut found = Vec::new();
    for some in volumes.chunks(500) {
        let ids = some.iter().map(ToString::to_string).collect();
        let sort = vec![(Column::CreatedAt, Direction::Ascending)];
        let listing = Listing {
            sort,
            ..Listing::default()
        };
        let listing = listing.and(Column::Volume, Test::OneOf(ids));
        found.extend(list(connection, &listing).await?.unwrap_or_default());
    }
    Ok(found)
}

/// Adds an attachment.
pub async fn insert(connection: &mut Connection, attachment: &Attachment) -> Result<(), Error> {
    let sql = "INSERT INTO attachments (status, instance, host, mountpoint, mode, connector, \
               connection_info, attached_at, id, volume, project, legacy, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let query = bound(sqlx::query(sql), attachment)
        .bind(attachment.id.to_string())
        .bind(attachment.volume.to_string())
        .bind(attachment.project.as_str())
        .bind(flag(attachment.legacy))
        .bind(to_micros(attachment.created_at));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Writes everything but id, volume, project and time of creation. Whether the row was there.
pub async fn update(connection: &mut Connection, attachment: &Attachment) -> Result<bool, Error> {
    let sql = "UPDATE attachments SET status = $1, instance = $2, host = $3, mountpoint = $4, \
               mode = $5, connector = $6, connection_info = $7, attached_at = $8 WHERE id = $9";
    let query = bound(sqlx::query(sql), attachment).bind(attachment.id.to_string());
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

type Query<'a> = sqlx::query::Query<'a, sqlx::Any, sqlx::any::AnyArguments<'a>>;

fn bound<'a>(query: Query<'a>, attachment: &'a Attachment) -> Query<'a> {
    let connector = attachment
        .connector
        .clone()
        .map(|object| Value::Object(object).to_string());
    query
        .bind(attachment.status.as_str())
        .bind(attachment.instance.as_deref())
        .bind(attachment.host.as_deref())
        .bind(attachment.mountpoint.as_deref())
        .bind(attachment.mode.as_str())
        .bind(connector)
        .bind(attachment.connection_info.as_ref().map(Value::to_string))
        .bind(attachment.attached_at.map(to_micros))
}

/// Removes the attachment.
pub async fn remove(connection: &mut Connection, id: AttachmentId) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM attachments WHERE id = $1").bind(id.to_string());
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}
