//! Snapshots.

use std::collections::BTreeMap;

use ::time::OffsetDateTime;
use firebrick_state::SnapshotStatus;
use firebrick_vocabulary::{
    GroupSnapshotId, ProjectId, SnapshotName, SnapshotUuid, UserId, VolumeId,
};
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::swapped::Swapped;
use crate::table::image_properties;
use crate::table::listing::{Column, Direction, Listing};
use crate::table::properties;
use crate::table::query;
use crate::table::record::{self, Field, Record, described, field, swapped};
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
    /// The group snapshot of which it is a part.
    pub group_snapshot: Option<GroupSnapshotId>,
    /// Its name in the image, where that is not made of its id.
    pub backend_name: Option<SnapshotName>,
    pub encryption_key: Option<Uuid>,
    /// Whether it counts for quotas; what only serves an operation does not.
    pub consumes_quota: bool,
    pub metadata: BTreeMap<String, String>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for Snapshot {
    const TABLE: &'static str = "snapshots";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        let backend_name = columns.maybe_text("backend_name")?.map(SnapshotName::new);
        Ok(Self {
            id: columns.parsed("id")?,
            volume: columns.parsed("volume")?,
            project: ProjectId(columns.text("project")?),
            user: UserId(columns.text("user_id")?),
            name: columns.maybe_text("name")?,
            description: columns.maybe_text("description")?,
            size: columns.size("size")?,
            status: columns.parsed("status")?,
            previous_status: columns.maybe_parsed("previous_status")?,
            progress: columns.text("progress")?,
            group_snapshot: columns.maybe_parsed("group_snapshot")?,
            backend_name: backend_name
                .transpose()
                .map_err(|error| Error::damaged("read a snapshot", error))?,
            encryption_key: columns.maybe_parsed("encryption_key")?,
            consumes_quota: columns.flag("consumes_quota")?,
            metadata: BTreeMap::new(),
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("volume", self.volume.to_string()),
            field("project", self.project.as_str()),
            field("user_id", self.user.as_str()),
            field("group_snapshot", maybe(self.group_snapshot.as_ref())),
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
            field("status", self.status.as_str()),
            field("previous_status", maybe(self.previous_status.as_ref())),
            field("progress", self.progress.as_str()),
            field("backend_name", maybe(self.backend_name.as_ref())),
            field("consumes_quota", self.consumes_quota),
        ]
    }
}

described!(Snapshot, SnapshotUuid);

impl Snapshot {
    /// Its name in the image of its volume.
    pub fn image_name(&self) -> SnapshotName {
        let own = || self.id.snapshot_name();
        self.backend_name.clone().unwrap_or_else(own)
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
    record::insert(connection, snapshot).await?;
    properties::merge(connection, snapshot.id.0, &snapshot.metadata).await
}

swapped!(Snapshot, SnapshotStatus, "status");

/// Writes name and description, whatever the status.
pub async fn rename(connection: &mut Connection, snapshot: &Snapshot) -> Result<Swapped, Error> {
    let fields = vec![
        field("name", snapshot.name.as_deref()),
        field("description", snapshot.description.as_deref()),
    ];
    record::write::<Snapshot>(connection, &snapshot.id.to_string(), fields).await
}

/// Gives the snapshots of a volume to another project.
pub async fn give(
    connection: &mut Connection,
    volume: VolumeId,
    project: &ProjectId,
    user: &UserId,
) -> Result<(), Error> {
    let sql = "UPDATE snapshots SET project = $2, user_id = $3, updated_at = $4 WHERE volume = $1";
    let query = sqlx::query(sql)
        .bind(volume.to_string())
        .bind(project.as_str())
        .bind(user.as_str())
        .bind(to_micros(now()));
    let done = query.execute(connection).await;
    done.map(drop).map_err(Error::sql("give snapshots away"))
}

/// Removes the snapshot with its metadata.
pub async fn remove(connection: &mut Connection, id: SnapshotUuid) -> Result<(), Error> {
    record::remove::<Snapshot>(connection, &id.to_string()).await?;
    image_properties::clear(connection, id.0).await?;
    properties::clear(connection, id.0).await
}
