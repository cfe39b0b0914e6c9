//! Attachments.

use ::time::OffsetDateTime;
use firebrick_state::AttachmentStatus;
use firebrick_vocabulary::{AttachmentId, HostName, ProjectId, VolumeId};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::{Columns, maybe};
use crate::rows;
use crate::swapped::Swapped;
use crate::table::listing::Listing;
use crate::table::record::{self, Field, Record, field};

/// What an attachment allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AttachMode {
    /// `rw`.
    ReadWrite,
    /// `ro`.
    ReadOnly,
    /// `null`: nobody has said it yet; it will allow writing unless somebody does.
    Unsaid,
}

impl AttachMode {
    /// The mode in the API's letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "rw",
            Self::ReadOnly => "ro",
            Self::Unsaid => "null",
        }
    }

    fn parsed(text: &str) -> Self {
        match text {
            "ro" => Self::ReadOnly,
            "null" => Self::Unsaid,
            _ => Self::ReadWrite,
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
    pub detached_at: Option<OffsetDateTime>,
}

impl Record for Attachment {
    const TABLE: &'static str = "attachments";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            volume: columns.parsed("volume")?,
            project: ProjectId(columns.text("project")?),
            instance: columns.maybe_text("instance")?,
            host: columns.maybe_text("host")?,
            mountpoint: columns.maybe_text("mountpoint")?,
            mode: AttachMode::parsed(&columns.text("mode")?),
            status: columns.parsed("status")?,
            connector: columns.json("connector")?,
            connection_info: columns.json("connection_info")?,
            legacy: columns.flag("legacy")?,
            created_at: columns.time("created_at")?,
            attached_at: columns.maybe_time("attached_at")?,
            detached_at: columns.maybe_time("detached_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("volume", self.volume.to_string()),
            field("project", self.project.as_str()),
            field("legacy", self.legacy),
            field("created_at", self.created_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        let connector = self.connector.clone().map(Value::Object);
        vec![
            field("status", self.status.as_str()),
            field("instance", self.instance.as_deref()),
            field("host", self.host.as_deref()),
            field("mountpoint", self.mountpoint.as_deref()),
            field("mode", self.mode.as_str()),
            field("connector", maybe(connector.as_ref())),
            field("connection_info", maybe(self.connection_info.as_ref())),
            field("attached_at", self.attached_at),
            field("detached_at", self.detached_at),
        ]
    }
}

/// The attachment of that id.
pub async fn get(
    connection: &mut Connection,
    id: AttachmentId,
) -> Result<Option<Attachment>, Error> {
    record::get(connection, &id.to_string()).await
}

/// The attachment of that id, which nobody else changes until the end of the transaction.
pub async fn get_locked(tx: &mut Tx, id: AttachmentId) -> Result<Option<Attachment>, Error> {
    record::get_held(tx, &id.to_string(), Hold::Alone).await
}

/// A page of attachments; `None` where the marker is no attachment. The columns `Id`, `Status`,
/// `Host`, `Project`, `Volume`, `Instance`, `CreatedAt`.
pub async fn list(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<Attachment>>, Error> {
    record::page(connection, listing).await
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
    let names = rows::columns_of(connection, Attachment::TABLE).await?;
    let among = rows::among(connection);
    let sql = format!("SELECT * FROM attachments WHERE volume IN {among} ORDER BY created_at, id");
    let mut found = Vec::new();
    for some in volumes.chunks(1000) {
        let values = [rows::ids(some)];
        found.extend(rows::read(connection, names, &sql, &values, Attachment::read).await?);
    }
    Ok(found)
}

/// The attachments of the volumes in the pools of a service, by its host, which names no pool.
pub async fn of_service(
    connection: &mut Connection,
    host: &HostName,
) -> Result<Vec<Attachment>, Error> {
    let pools = format!("{host}#");
    let length = pools.chars().count();
    let sql = format!(
        "SELECT attachments.* FROM attachments JOIN volumes ON volumes.id = attachments.volume \
         WHERE SUBSTR(volumes.host, 1, {length}) = $1 ORDER BY attachments.id"
    );
    let rows = sqlx::query(&sql).bind(pools).fetch_all(connection).await;
    let rows = rows.map_err(Error::sql("read the attachments of a service"))?;
    rows.iter().map(record::read).collect()
}

/// Adds an attachment.
pub async fn insert(connection: &mut Connection, attachment: &Attachment) -> Result<(), Error> {
    record::insert(connection, attachment).await
}

/// Writes everything but id, volume, project and time of creation, if the row is there.
pub async fn update(
    connection: &mut Connection,
    attachment: &Attachment,
) -> Result<Swapped, Error> {
    let key = attachment.id.to_string();
    record::write::<Attachment>(connection, &key, attachment.changing()).await
}

/// Removes the attachment; whether it was there.
pub async fn remove(connection: &mut Connection, id: AttachmentId) -> Result<bool, Error> {
    record::remove::<Attachment>(connection, &id.to_string()).await
}
