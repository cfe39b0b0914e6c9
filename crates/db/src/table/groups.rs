//! Groups of volumes. The table is `volume_groups`, as `groups` means something in SQL.

use ::time::OffsetDateTime;
use firebrick_state::{GroupStatus, ReplicationStatus};
use firebrick_vocabulary::{GroupId, GroupSnapshotId, GroupTypeId, HostName, ProjectId, UserId};

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, maybe};
use crate::table::listing::Listing;
use crate::table::query;
use crate::table::record::{Field, Record, field, keyed, swapped};

/// A group of volumes.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct Group {
    pub id: GroupId,
    pub project: ProjectId,
    pub user: UserId,
    pub name: Option<String>,
    pub description: Option<String>,
    pub status: GroupStatus,
    pub replication_status: ReplicationStatus,
    /// The pool in which its volumes live.
    pub host: Option<HostName>,
    pub availability_zone: String,
    pub group_type: GroupTypeId,
    /// The group snapshot from which it was made.
    pub group_snapshot: Option<GroupSnapshotId>,
    /// The group from which it was made.
    pub source: Option<GroupId>,
    /// The site at which it lives; `None` for the one of its backend.
    pub site: Option<String>,
    pub cluster: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for Group {
    const TABLE: &'static str = "volume_groups";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            project: ProjectId(columns.text("project")?),
            user: UserId(columns.text("user_id")?),
            name: columns.maybe_text("name")?,
            description: columns.maybe_text("description")?,
            status: columns.parsed("status")?,
            replication_status: columns.parsed("replication_status")?,
            host: columns.maybe_parsed("host")?,
            availability_zone: columns.text("availability_zone")?,
            group_type: columns.parsed("group_type")?,
            group_snapshot: columns.maybe_parsed("group_snapshot")?,
            source: columns.maybe_parsed("source")?,
            site: columns.maybe_text("site")?,
            cluster: columns.maybe_text("cluster")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("project", self.project.as_str()),
            field("user_id", self.user.as_str()),
            field("availability_zone", self.availability_zone.as_str()),
            field("group_type", self.group_type.to_string()),
            field("group_snapshot", maybe(self.group_snapshot.as_ref())),
            field("source", maybe(self.source.as_ref())),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("name", self.name.as_deref()),
            field("description", self.description.as_deref()),
            field("status", self.status.to_string()),
            field("replication_status", self.replication_status.to_string()),
            field("host", maybe(self.host.as_ref())),
            field("site", self.site.as_deref()),
            field("cluster", self.cluster.as_deref()),
        ]
    }
}

keyed!(Group, GroupId);
swapped!(Group, GroupStatus, "status");

/// How many groups on all pages.
pub async fn total(connection: &mut Connection, listing: &Listing) -> Result<u64, Error> {
    let (number, _) = query::total(connection, Group::TABLE, "0", listing).await?;
    Ok(number)
}
