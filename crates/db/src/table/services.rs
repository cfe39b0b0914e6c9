//! Services: the roles of the control plane, and what is remembered of each backend.

use ::time::OffsetDateTime;
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{HostName, ServiceId};
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::Connection;
use crate::row::{Columns, flag};
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

const READ: &str = "read services";
const WRITE: &str = "write a service";

fn from_row(row: &AnyRow) -> Result<Service, Error> {
    let columns = Columns(row);
    Ok(Service {
        id: columns.parsed("id")?,
        binary: columns.text("program")?,
        host: columns.parsed("host")?,
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

/// All services, by binary and host.
pub async fn all(connection: &mut Connection) -> Result<Vec<Service>, Error> {
    let query = sqlx::query("SELECT * FROM services ORDER BY program, host");
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(Error::sql(READ))?;
    rows.iter().map(from_row).collect()
}

/// The service of that binary on that host.
pub async fn get(
    connection: &mut Connection,
    binary: &str,
    host: &HostName,
) -> Result<Option<Service>, Error> {
    let query = sqlx::query("SELECT * FROM services WHERE program = $1 AND host = $2");
    let query = query.bind(binary).bind(host.to_string());
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(from_row).transpose()
}

/// Adds a service; where there is one of that binary and host, nothing happens.
pub async fn insert(connection: &mut Connection, service: &Service) -> Result<(), Error> {
    let sql = "INSERT INTO services (id, program, host, availability_zone, disabled, \
               disabled_reason, frozen, replication_status, active_backend_id, created_at, \
               updated_at, reported_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
               ON CONFLICT (program, host) DO NOTHING";
    let query = sqlx::query(sql)
        .bind(service.id.to_string())
        .bind(service.binary.as_str())
        .bind(service.host.to_string())
        .bind(service.availability_zone.as_str())
        .bind(flag(service.disabled))
        .bind(service.disabled_reason.as_deref())
        .bind(flag(service.frozen))
        .bind(service.replication_status.as_str())
        .bind(service.active_backend_id.as_deref())
        .bind(to_micros(service.created_at))
        .bind(to_micros(service.updated_at))
        .bind(to_micros(service.reported_at));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Writes everything that operators and failovers change, if the replication status is still one of
/// `from`. Whether it was.
pub async fn swap(
    connection: &mut Connection,
    from: &[ReplicationStatus],
    service: &Service,
) -> Result<bool, Error> {
    let places: Vec<String> = (9..9 + from.len()).map(|i| format!("${i}")).collect();
    let sql = format!(
        "UPDATE services SET availability_zone = $2, disabled = $3, disabled_reason = $4, \
         frozen = $5, replication_status = $6, active_backend_id = $7, updated_at = $8 \
         WHERE id = $1 AND replication_status IN ({})",
        places.join(", ")
    );
    let mut query = sqlx::query(&sql)
        .bind(service.id.to_string())
        .bind(service.availability_zone.as_str())
        .bind(flag(service.disabled))
        .bind(service.disabled_reason.as_deref())
        .bind(flag(service.frozen))
        .bind(service.replication_status.as_str())
        .bind(service.active_backend_id.as_deref())
        .bind(to_micros(now()));
    for status in from {
        query = query.bind(status.as_str());
    }
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

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
