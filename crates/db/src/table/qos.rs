//! QoS specs.

use ::time::OffsetDateTime;
use firebrick_state::QosConsumer;
use firebrick_vocabulary::QosId;
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::Columns;
use crate::table::properties::{self, Properties};
use crate::time::{now, to_micros};

/// A QoS spec with its keys and values.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference's QoS spec, by their names there"
)]
pub struct QosSpec {
    pub id: QosId,
    pub name: String,
    pub consumer: QosConsumer,
    pub specs: Properties,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

const READ: &str = "read QoS specs";
const WRITE: &str = "write a QoS spec";

fn from_row(row: &AnyRow) -> Result<QosSpec, Error> {
    let columns = Columns::of(row);
    Ok(QosSpec {
        id: columns.parsed("id")?,
        name: columns.text("name")?,
        consumer: columns.parsed("consumer")?,
        specs: Properties::new(),
        created_at: columns.time("created_at")?,
        updated_at: columns.maybe_time("updated_at")?,
    })
}

async fn with_specs(connection: &mut Connection, rows: &[AnyRow]) -> Result<Vec<QosSpec>, Error> {
    let mut found: Vec<QosSpec> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    let ids: Vec<_> = found.iter().map(|spec| spec.id.0).collect();
    let mut specs = properties::of_all(connection, &ids).await?;
    for spec in &mut found {
        spec.specs = specs.remove(&spec.id.0).unwrap_or_default();
    }
    Ok(found)
}

/// All of them, the newest first. There are few.
pub async fn all(connection: &mut Connection) -> Result<Vec<QosSpec>, Error> {
    let query = sqlx::query("SELECT * FROM qos_specs ORDER BY created_at DESC, id DESC");
    let rows = query
        .fetch_all(&mut *connection)
        .await
        .map_err(Error::sql(READ))?;
    with_specs(connection, &rows).await
}

/// The QoS spec of that id.
pub async fn get(connection: &mut Connection, id: QosId) -> Result<Option<QosSpec>, Error> {
    let query = sqlx::query("SELECT * FROM qos_specs WHERE id = $1").bind(id.to_string());
    let row = query.fetch_optional(&mut *connection).await;
    let rows: Vec<AnyRow> = row.map_err(Error::sql(READ))?.into_iter().collect();
    Ok(with_specs(connection, &rows).await?.pop())
}

/// The QoS spec of that id, which nobody else changes until the end of the transaction.
pub async fn get_locked(tx: &mut Tx, id: QosId) -> Result<Option<QosSpec>, Error> {
    let sql = format!(
        "SELECT * FROM qos_specs WHERE id = $1{}",
        tx.holding(Hold::Alone)
    );
    let query = sqlx::query(&sql).bind(id.to_string());
    let row = query.fetch_optional(&mut **tx).await;
    let rows: Vec<AnyRow> = row.map_err(Error::sql(READ))?.into_iter().collect();
    Ok(with_specs(tx, &rows).await?.pop())
}

/// Adds one; [`crate::ErrorKind::Exists`] where the name is taken.
pub async fn insert(connection: &mut Connection, spec: &QosSpec) -> Result<(), Error> {
    let sql = "INSERT INTO qos_specs (id, name, consumer, created_at) VALUES ($1, $2, $3, $4)";
    let query = sqlx::query(sql)
        .bind(spec.id.to_string())
        .bind(spec.name.as_str())
        .bind(spec.consumer.as_str())
        .bind(to_micros(spec.created_at));
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::merge(connection, spec.id.0, &spec.specs).await
}

/// Writes the consumer, and the keys and values in the place of the former ones.
pub async fn update(connection: &mut Connection, spec: &QosSpec) -> Result<(), Error> {
    let sql = "UPDATE qos_specs SET consumer = $2, updated_at = $3 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(spec.id.to_string())
        .bind(spec.consumer.as_str())
        .bind(to_micros(now()));
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::clear(connection, spec.id.0).await?;
    properties::merge(connection, spec.id.0, &spec.specs).await
}

/// Removes one with its keys; no type may have it any more.
pub async fn remove(connection: &mut Connection, id: QosId) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM qos_specs WHERE id = $1").bind(id.to_string());
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::clear(connection, id.0).await
}
