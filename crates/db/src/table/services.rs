//! Services: the roles of the control plane, and what is remembered of each backend.

use ::time::OffsetDateTime;
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{HostName, ServiceId};

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::Columns;
use crate::table::record::{self, Field, Record, field, swapped};
use crate::time::{now, to_micros};

/// A service.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference's service, by their names there"
)]
pub struct Service {
    pub id: ServiceId,
    /// `binary`: `cinder-volume` or `cinder-scheduler`.
    pub binary: String,
    pub host: HostName,
    pub cluster: Option<String>,
    pub availability_zone: String,
    pub disabled: bool,
    pub disabled_reason: Option<String>,
    pub frozen: bool,
    pub replication_status: ReplicationStatus,
    /// The site that serves; `None` for the one of the configuration.
    pub active_backend_id: Option<String>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    /// When it last gave a sign of life.
    pub reported_at: OffsetDateTime,
}

impl Service {
    /// Whether it is the row of a cluster itself: no service, but what decides for all of them.
    pub fn is_cluster(&self) -> bool {
        (self.cluster.as_ref()).is_some_and(|cluster| *cluster == self.host.to_string())
    }

    /// What volumes and groups in that pool of it say of their cluster: `cluster@backend#pool`, as their host is, or
    /// nothing where the service is in no cluster.
    pub fn cluster_of(&self, pool: &HostName) -> Option<String> {
        self.is_cluster().then(|| pool.to_string())
    }
}

const READ: &str = "read services";
const WRITE: &str = "write a service";

impl Record for Service {
    const TABLE: &'static str = "services";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            binary: columns.text("program")?,
            host: columns.parsed("host")?,
            cluster: columns.maybe_text("cluster")?,
            availability_zone: columns.text("availability_zone")?,
            disabled: columns.flag("disabled")?,
            disabled_reason: columns.maybe_text("disabled_reason")?,
            frozen: columns.flag("frozen")?,
            replication_status: columns.parsed("replication_status")?,
            active_backend_id: columns.maybe_text("active_backend_id")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.time("updated_at")?,
            reported_at: columns.time("reported_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("program", self.binary.as_str()),
            field("host", self.host.to_string()),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
            field("reported_at", self.reported_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("cluster", self.cluster.as_deref()),
            field("availability_zone", self.availability_zone.as_str()),
            field("disabled", self.disabled),
            field("disabled_reason", self.disabled_reason.as_deref()),
            field("frozen", self.frozen),
            field("replication_status", self.replication_status.as_str()),
            field("active_backend_id", self.active_backend_id.as_deref()),
        ]
    }
}

/// All services, by binary and host.
pub async fn all(connection: &mut Connection) -> Result<Vec<Service>, Error> {
    let query = sqlx::query("SELECT * FROM services ORDER BY program, host");
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(Error::sql(READ))?;
    rows.iter().map(record::read).collect()
}

/// The service of that binary on that host.
pub async fn get(
    connection: &mut Connection,
    binary: &str,
    host: &HostName,
) -> Result<Option<Service>, Error> {
    held(connection, binary, host, "").await
}

/// The service of that binary on that host, which nobody else changes until the end of the
/// transaction.
pub async fn get_locked(
    tx: &mut Tx,
    binary: &str,
    host: &HostName,
) -> Result<Option<Service>, Error> {
    let holding = tx.holding(Hold::Alone);
    held(tx, binary, host, holding).await
}

/// The same for one that nobody changes at all meanwhile: many may hold it so.
pub async fn get_shared(
    tx: &mut Tx,
    binary: &str,
    host: &HostName,
) -> Result<Option<Service>, Error> {
    let holding = tx.holding(Hold::Shared);
    held(tx, binary, host, holding).await
}

/// The services of a cluster, by their hosts.
pub async fn of_cluster(
    connection: &mut Connection,
    binary: &str,
    cluster: &str,
) -> Result<Vec<Service>, Error> {
    members(connection, binary, cluster, "").await
}

/// The same, and nobody else changes one until the end of the transaction. The row of the cluster itself
/// is held before them.
pub async fn of_cluster_locked(
    tx: &mut Tx,
    binary: &str,
    cluster: &str,
) -> Result<Vec<Service>, Error> {
    let holding = tx.holding(Hold::Alone);
    members(tx, binary, cluster, holding).await
}

async fn members(
    connection: &mut Connection,
    binary: &str,
    cluster: &str,
    holding: &'static str,
) -> Result<Vec<Service>, Error> {
    let sql = format!(
        "SELECT * FROM services WHERE program = $1 AND cluster = $2 AND host <> $2 \
         ORDER BY host{holding}"
    );
    let query = sqlx::query(&sql).bind(binary).bind(cluster);
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(Error::sql(READ))?;
    rows.iter().map(record::read).collect()
}

/// Removes a service; whether it was there.
pub async fn remove(connection: &mut Connection, id: ServiceId) -> Result<bool, Error> {
    record::remove::<Service>(connection, &id.to_string()).await
}

async fn held(
    connection: &mut Connection,
    binary: &str,
    host: &HostName,
    holding: &'static str,
) -> Result<Option<Service>, Error> {
    let sql = format!("SELECT * FROM services WHERE program = $1 AND host = $2{holding}");
    let query = sqlx::query(&sql).bind(binary).bind(host.to_string());
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(record::read).transpose()
}

/// Adds a service; where there is one of that binary and host, nothing happens.
pub async fn insert(connection: &mut Connection, service: &Service) -> Result<(), Error> {
    record::insert_new(connection, service).await
}

swapped!(Service, ReplicationStatus, "replication_status");

/// Notes a sign of life.
pub async fn report(connection: &mut Connection, id: ServiceId) -> Result<(), Error> {
    let query = sqlx::query("UPDATE services SET reported_at = $2 WHERE id = $1");
    let query = query.bind(id.to_string()).bind(to_micros(now()));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}
