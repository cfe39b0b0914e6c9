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
use crate::rows;
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
    /// The site at which it lives on its own: the id of a replication target or
    /// [`groups::HOME`](super::groups::HOME). `None` for the one of its group or backend.
    pub site: Option<String>,
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
            site: columns.maybe_text("site")?,
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
            field("site", self.site.as_deref()),
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

/// Those of them that live at a site of their own.
pub async fn apart(connection: &mut Connection, host: &HostName) -> Result<Vec<Volume>, Error> {
    let names = rows::columns_of(connection, Volume::TABLE).await?;
    let begin = format!("{host}#");
    let length = begin.chars().count();
    let sql = format!(
        "SELECT * FROM volumes WHERE site IS NOT NULL AND SUBSTR(host, 1, {length}) = $1 ORDER BY id"
    );
    rows::read(connection, names, &sql, &[begin.into()], Volume::read).await
}

/// A walk over the volumes in the pools of a service, a thousand at a time: they may be more than should
/// be in memory at once.
#[derive(Debug)]
pub struct Walk {
    /// The pools that are left; `None` before it is known which there are.
    pools: Option<Vec<String>>,
    /// What the names of the pools begin with.
    begin: String,
    /// Up to which id the last of `pools` has been walked.
    after: String,
}

impl Walk {
    /// A walk that begins, by the host of the service, which names no pool.
    pub fn of_service(host: &HostName) -> Self {
        Self {
            pools: None,
            begin: format!("{host}#"),
            after: String::new(),
        }
    }

    /// The next volumes, without their metadata; none at the end. Those that come or move meanwhile may
    /// be passed over.
    pub async fn next(&mut self, connection: &mut Connection) -> Result<Vec<Volume>, Error> {
        let pools = match &mut self.pools {
            Some(pools) => pools,
            none => none.insert(pools(connection, &self.begin).await?),
        };
        let names = rows::columns_of(connection, Volume::TABLE).await?;
        while let Some(pool) = pools.last() {
            let sql = format!(
                "SELECT * FROM volumes WHERE host = $1 AND id > $2 ORDER BY id LIMIT {STEP}"
            );
            let values = [pool.as_str().into(), self.after.as_str().into()];
            let found = rows::read(connection, names, &sql, &values, Volume::read).await?;
            if let Some(last) = found.last() {
                self.after = last.id.to_string();
                return Ok(found);
            }
            self.after.clear();
            pools.pop();
        }
        Ok(Vec::new())
    }
}

/// How many volumes are read at once.
const STEP: u32 = 1000;

async fn pools(connection: &mut Connection, begin: &str) -> Result<Vec<String>, Error> {
    let length = begin.chars().count();
    let sql = format!("SELECT DISTINCT host FROM volumes WHERE SUBSTR(host, 1, {length}) = $1");
    let read = |row: &Columns<'_>| row.text("host");
    rows::read(connection, &["host"], &sql, &[begin.into()], read).await
}

/// The volumes of these ids that there are, without their metadata, in no order.
pub async fn named(connection: &mut Connection, ids: &[VolumeId]) -> Result<Vec<Volume>, Error> {
    let names = rows::columns_of(connection, Volume::TABLE).await?;
    let among = rows::among(connection);
    let sql = format!("SELECT * FROM volumes WHERE id IN {among}");
    let mut found = Vec::new();
    for some in ids.chunks(1000) {
        let values = [rows::ids(some)];
        found.extend(rows::read(connection, names, &sql, &values, Volume::read).await?);
    }
    Ok(found)
}

/// The volume that lives in that image.
pub async fn of_image(
    connection: &mut Connection,
    image: ImageId,
) -> Result<Option<Volume>, Error> {
    const DOING: &str = "look for the volume of an image";
    let sql = "SELECT id FROM volumes WHERE image = $1 \
               UNION ALL SELECT id FROM volumes WHERE id = $1 AND image IS NULL";
    let query = sqlx::query(sql).bind(image.to_string());
    let row = query.fetch_optional(&mut *connection).await;
    let Some(row) = row.map_err(Error::sql(DOING))? else {
        return Ok(None);
    };
    let id = Columns::of(&row).parsed("id")?;
    get(connection, id).await
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

/// Writes everything that can change as it is in `volume`, if its replication status is still one of
/// `from`.
pub async fn swap_replication(
    connection: &mut Connection,
    from: &[ReplicationStatus],
    volume: &Volume,
) -> Result<Swapped, Error> {
    let from = from.iter().map(|status| status.as_str());
    record::swap(connection, "replication_status", from, volume).await
}

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
