//! Backups.

use ::time::OffsetDateTime;
use firebrick_state::BackupStatus;
use firebrick_vocabulary::{BackupId, ProjectId, SnapshotUuid, UserId, VolumeId};
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::table::listing::Listing;
use crate::table::properties::{self, Properties};
use crate::table::query;
use crate::table::record::{self, Field, Record, described, field, swapped};

/// A backup. It stays when its volume goes.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct Backup {
    pub id: BackupId,
    pub project: ProjectId,
    pub user: UserId,
    /// Of which volume.
    pub volume: VolumeId,
    /// Of which snapshot of it, where one was named.
    pub snapshot: Option<SnapshotUuid>,
    /// The backup that it builds upon; it is incremental then.
    pub parent: Option<BackupId>,
    pub name: Option<String>,
    pub description: Option<String>,
    /// In GiB.
    pub size: u32,
    pub status: BackupStatus,
    pub fail_reason: Option<String>,
    /// The host whose backup service made it.
    pub host: Option<String>,
    pub availability_zone: Option<String>,
    pub container: Option<String>,
    /// Under which id the repository has it, where its record was imported under another.
    pub kept_as: Option<BackupId>,
    /// The kind of repository that has it.
    pub service: Option<String>,
    pub object_count: u32,
    /// Of when its data is.
    pub data_timestamp: OffsetDateTime,
    /// Into which volume it is being written.
    pub restore_volume: Option<VolumeId>,
    pub encryption_key: Option<Uuid>,
    pub metadata: Properties,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Backup {
    /// Under which id the repository has it.
    pub fn kept(&self) -> BackupId {
        self.kept_as.unwrap_or(self.id)
    }
}

impl Record for Backup {
    const TABLE: &'static str = "backups";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            project: ProjectId(columns.text("project")?),
            user: UserId(columns.text("user_id")?),
            volume: columns.parsed("volume")?,
            snapshot: columns.maybe_parsed("snapshot")?,
            parent: columns.maybe_parsed("parent")?,
            name: columns.maybe_text("name")?,
            description: columns.maybe_text("description")?,
            size: columns.size("size")?,
            status: columns.parsed("status")?,
            fail_reason: columns.maybe_text("fail_reason")?,
            host: columns.maybe_text("host")?,
            availability_zone: columns.maybe_text("availability_zone")?,
            container: columns.maybe_text("container")?,
            kept_as: columns.maybe_parsed("kept_as")?,
            service: columns.maybe_text("service")?,
            object_count: columns.size("object_count")?,
            data_timestamp: columns.time("data_timestamp")?,
            restore_volume: columns.maybe_parsed("restore_volume")?,
            encryption_key: columns.maybe_parsed("encryption_key")?,
            metadata: Properties::new(),
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("project", self.project.as_str()),
            field("user_id", self.user.as_str()),
            field("volume", self.volume.to_string()),
            field("snapshot", maybe(self.snapshot.as_ref())),
            field("parent", maybe(self.parent.as_ref())),
            field("kept_as", maybe(self.kept_as.as_ref())),
            field("availability_zone", self.availability_zone.as_deref()),
            field("encryption_key", maybe(self.encryption_key.as_ref())),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("name", self.name.as_deref()),
            field("description", self.description.as_deref()),
            field("size", i64::from(self.size)),
            field("status", self.status.to_string()),
            field("fail_reason", self.fail_reason.as_deref()),
            field("host", self.host.as_deref()),
            field("container", self.container.as_deref()),
            field("service", self.service.as_deref()),
            field("object_count", i64::from(self.object_count)),
            field("data_timestamp", self.data_timestamp),
            field("restore_volume", maybe(self.restore_volume.as_ref())),
        ]
    }
}
swapped!(Backup, BackupStatus, "status");
described!(Backup, BackupId);

/// How many backups on all pages, and their GiB.
pub async fn total(connection: &mut Connection, listing: &Listing) -> Result<(u64, u64), Error> {
    query::total(connection, Backup::TABLE, "size", listing).await
}

/// The backups, without their metadata, that the repository has as `kept`: more than one where a record
/// was imported beside the backup that it was exported of.
pub async fn of_kept(connection: &mut Connection, kept: BackupId) -> Result<Vec<Backup>, Error> {
    let rows = sqlx::query("SELECT * FROM backups WHERE id = $1 OR kept_as = $1 ORDER BY id")
        .bind(kept.to_string())
        .fetch_all(connection)
        .await
        .map_err(Error::sql("read the backups of an object"))?;
    let found = rows.iter().map(record::read::<Backup>);
    let ours = found.filter(|row| row.as_ref().map_or(true, |row| row.kept() == kept));
    ours.collect()
}

/// Adds a backup with its metadata.
pub async fn insert(connection: &mut Connection, backup: &Backup) -> Result<(), Error> {
    record::insert(connection, backup).await?;
    properties::merge(connection, backup.id.0, &backup.metadata).await
}

/// Removes the backup with its metadata; whether it was there.
pub async fn remove(connection: &mut Connection, id: BackupId) -> Result<bool, Error> {
    properties::clear(connection, id.0).await?;
    record::remove::<Backup>(connection, &id.to_string()).await
}
