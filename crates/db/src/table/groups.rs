//! Groups of volumes. The table is `volume_groups`, as `groups` means something in SQL.

use ::time::OffsetDateTime;
use firebrick_state::{GroupStatus, ReplicationStatus};
use firebrick_vocabulary::{GroupId, GroupSnapshotId, GroupTypeId, HostName, ProjectId, UserId};

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::{Columns, maybe};
use crate::rows;
use crate::swapped::Swapped;
use crate::table::listing::Listing;
use crate::table::query;
use crate::table::record::{self, Field, Record, field, keyed, swapped};

/// What [`Group::site`] calls the site of the configuration, as failovers do.
pub const HOME: &str = "default";

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
    /// The site at which it lives, whatever its backend does: the id of a replication target, or
    /// [`HOME`]. `None` for the one of its backend.
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

/// Writes everything that can change as it is in `group`, if its replication status is still one of
/// `from`.
pub async fn swap_replication(
    connection: &mut Connection,
    from: &[ReplicationStatus],
    group: &Group,
) -> Result<Swapped, Error> {
    let from = from.iter().map(|status| status.as_str());
    record::swap(connection, "replication_status", from, group).await
}

/// The group of that id, which nobody changes until the end of the transaction: many may hold it so.
pub async fn get_shared(tx: &mut Tx, id: GroupId) -> Result<Option<Group>, Error> {
    record::get_held(tx, &id.to_string(), Hold::Shared).await
}

/// The groups in the pools of a service, by the host of the service, which names no pool; in the order
/// of their ids.
pub async fn of_service(connection: &mut Connection, host: &HostName) -> Result<Vec<Group>, Error> {
    in_pools(connection, host, "").await
}

/// Those of them that live at a site of their own.
pub async fn apart(connection: &mut Connection, host: &HostName) -> Result<Vec<Group>, Error> {
    in_pools(connection, host, " AND site IS NOT NULL").await
}

async fn in_pools(
    connection: &mut Connection,
    host: &HostName,
    which: &'static str,
) -> Result<Vec<Group>, Error> {
    let begin = format!("{host}#");
    let length = begin.chars().count();
    let names = rows::columns_of(connection, Group::TABLE).await?;
    let sql = format!(
        "SELECT * FROM {} WHERE SUBSTR(host, 1, {length}) = $1{which} ORDER BY id",
        Group::TABLE
    );
    rows::read(
        connection,
        names,
        &sql,
        &[begin.as_str().into()],
        Group::read,
    )
    .await
}

/// How many groups on all pages.
pub async fn total(connection: &mut Connection, listing: &Listing) -> Result<u64, Error> {
    let (number, _) = query::total(connection, Group::TABLE, "0", listing).await?;
    Ok(number)
}
