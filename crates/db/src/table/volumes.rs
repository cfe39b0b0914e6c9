//! Volumes.

use std::collections::{BTreeMap, BTreeSet};

use ::time::OffsetDateTime;
use firebrick_state::{AttachStatus, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{
    GroupId, HostName, ImageId, ProjectId, ServiceId, SnapshotUuid, TypeId, UserId, VolumeId,
};
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::swapped::Swapped;
use crate::table::image_properties;
use crate::table::listing::{Column, Direction, Listing, Test};
use crate::table::properties;
use crate::table::query;
use crate::table::record::{self, Field, Record, described, field, swapped};

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
    /// What older clients see in the place of a status that is `available` or `in-use`, while an
    /// activity runs that leaves the volume free.
    pub shown: Option<VolumeStatus>,
    /// What the status was before a failover or an operation that returns to it.
    pub previous_status: Option<VolumeStatus>,
    pub attach_status: AttachStatus,
    pub migration_status: Option<String>,
    /// Whether it is the hidden copy of a volume that is being migrated.
    pub is_migration_target: bool,
    /// The pool in which it lives, once that is decided.
    pub host: Option<HostName>,
    pub cluster: Option<String>,
    pub availability_zone: String,
    pub volume_type: TypeId,
    /// The snapshot from which it was made.
    pub snapshot: Option<SnapshotUuid>,
    /// The volume from which it was made.
    pub source: Option<VolumeId>,
    /// The group to which it belongs.
    pub group: Option<GroupId>,
    /// The image in which it lives, where that has not its own id.
    pub image: Option<ImageId>,
    pub provider_id: Option<String>,
    pub encryption_key: Option<Uuid>,
    pub bootable: bool,
    /// What was last said about it; `None` where nothing ever was, which clients tell apart.
    pub readonly: Option<bool>,
    pub multiattach: bool,
    /// Whether it counts for quotas; what only serves an operation does not.
    pub consumes_quota: bool,
    pub replication_status: Option<ReplicationStatus>,
    /// The service that is responsible for it.
    pub service: Option<ServiceId>,
    pub metadata: BTreeMap<String, String>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
    pub launched_at: Option<OffsetDateTime>,
}

impl Record for Volume {
    const TABLE: &'static str = "volumes";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            project: ProjectId(columns.text("project")?),
            user: UserId(columns.text("user_id")?),
            name: columns.maybe_text("name")?,
            description: columns.maybe_text("description")?,
            size: columns.size("size")?,
            status: columns.parsed("status")?,
            shown: columns.maybe_parsed("shown")?,
            previous_status: columns.maybe_parsed("previous_status")?,
            attach_status: columns.parsed("attach_status")?,
            migration_status: columns.maybe_text("migration_status")?,
            is_migration_target: columns.flag("is_migration_target")?,
            host: columns.maybe_parsed("host")?,
            cluster: columns.maybe_text("cluster")?,
            availability_zone: columns.text("availability_zone")?,
            volume_type: columns.parsed("volume_type")?,
            snapshot: columns.maybe_parsed("snapshot")?,
            source: columns.maybe_parsed("source")?,
            group: columns.maybe_parsed("group_id")?,
            image: columns.maybe_parsed("image")?,
            provider_id: columns.maybe_text("provider_id")?,
            encryption_key: columns.maybe_parsed("encryption_key")?,
            bootable: columns.flag("bootable")?,
            readonly: columns.maybe_number("readonly")?.map(|value| value != 0),
            multiattach: columns.flag("multiattach")?,
            consumes_quota: columns.flag("consumes_quota")?,
            replication_status: columns.maybe_parsed("replication_status")?,
            service: columns.maybe_parsed("service")?,
            metadata: BTreeMap::new(),
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
            launched_at: columns.maybe_time("launched_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("project", self.project.as_str()),
            field("user_id", self.user.as_str()),
            field("snapshot", maybe(self.snapshot.as_ref())),
            field("source", maybe(self.source.as_ref())),
            // Of its own column, as nobody else who writes the volume knows what runs.
            field("shown", maybe(self.shown.as_ref())),
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
            field("attach_status", self.attach_status.as_str()),
            field("migration_status", self.migration_status.as_deref()),
            field("is_migration_target", self.is_migration_target),
            field("host", maybe(self.host.as_ref())),
            field("cluster", self.cluster.as_deref()),
            field("availability_zone", self.availability_zone.as_str()),
            field("volume_type", self.volume_type.to_string()),
            field("group_id", maybe(self.group.as_ref())),
            field("image", maybe(self.image.as_ref())),
            field("provider_id", self.provider_id.as_deref()),
            field("encryption_key", maybe(self.encryption_key.as_ref())),
            field("bootable", self.bootable),
            field("readonly", self.readonly.map(i64::from)),
            field("multiattach", self.multiattach),
            field("consumes_quota", self.consumes_quota),
            field(
                "replication_status",
                maybe(self.replication_status.as_ref()),
            ),
            field("service", maybe(self.service.as_ref())),
            field("launched_at", self.launched_at),
        ]
    }
}

described!(Volume, VolumeId);

impl Volume {
    /// The image in which it lives.
    pub fn image(&self) -> ImageId {
        self.image.unwrap_or(self.id.image_id())
    }

    /// The status that clients see: an activity that leaves the volume free shows only where nothing
    /// else is to be said, and what is taken over looks as if it were made, as in Cinder.
    pub fn shown_status(&self) -> VolumeStatus {
        match self.status {
            VolumeStatus::Available | VolumeStatus::InUse => self.shown.unwrap_or(self.status),
            VolumeStatus::Managing => VolumeStatus::Creating,
            VolumeStatus::ErrorManaging => VolumeStatus::Error,
            VolumeStatus::ErrorManagingDeleting => VolumeStatus::Deleting,
            _ => self.status,
        }
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
    record::insert(connection, volume).await?;
    properties::merge(connection, volume.id.0, &volume.metadata).await
}

swapped!(Volume, VolumeStatus, "status");

/// Writes name and description, whatever the status.
pub async fn rename(connection: &mut Connection, volume: &Volume) -> Result<Swapped, Error> {
    let fields = vec![
        field("name", volume.name.as_deref()),
        field("description", volume.description.as_deref()),
    ];
    record::write::<Volume>(connection, &volume.id.to_string(), fields).await
}

/// Writes what clients see in the place of a status that is `available` or `in-use`.
pub async fn show(
    connection: &mut Connection,
    id: VolumeId,
    shown: Option<VolumeStatus>,
) -> Result<Swapped, Error> {
    let fields = vec![field("shown", maybe(shown.as_ref()))];
    record::write::<Volume>(connection, &id.to_string(), fields).await
}

/// Writes whether servers may boot from the volume.
pub async fn set_bootable(
    connection: &mut Connection,
    id: VolumeId,
    bootable: bool,
) -> Result<Swapped, Error> {
    let fields = vec![field("bootable", bootable)];
    record::write::<Volume>(connection, &id.to_string(), fields).await
}

/// Gives the volume to another project. Whether it was there.
pub async fn give(
    connection: &mut Connection,
    id: VolumeId,
    project: &ProjectId,
    user: &UserId,
) -> Result<Swapped, Error> {
    let fields = vec![
        field("project", project.as_str()),
        field("user_id", user.as_str()),
    ];
    record::write::<Volume>(connection, &id.to_string(), fields).await
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
        done.map_err(Error::sql("remove a volume"))?;
    }
    image_properties::clear(connection, id.0).await?;
    properties::clear(connection, id.0).await
}
