//! Volume types.

use std::collections::BTreeMap;

use ::time::OffsetDateTime;
use firebrick_vocabulary::{QosId, TypeId};
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::{Columns, flag};
use crate::table::properties;
use crate::time::{now, to_micros};

/// A volume type with its extra specs.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference's type, by their names there"
)]
pub struct VolumeType {
    pub id: TypeId,
    pub name: String,
    pub description: Option<String>,
    pub is_public: bool,
    pub extra_specs: BTreeMap<String, String>,
    pub qos_specs: Option<QosId>,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

const READ: &str = "read volume types";
const WRITE: &str = "write a volume type";

fn from_row(row: &AnyRow) -> Result<VolumeType, Error> {
    let columns = Columns::of(row);
    Ok(VolumeType {
        id: columns.parsed("id")?,
        name: columns.text("name")?,
        description: columns.maybe_text("description")?,
        is_public: columns.flag("is_public")?,
        extra_specs: BTreeMap::new(),
        qos_specs: columns.maybe_parsed("qos_specs")?,
        created_at: columns.time("created_at")?,
        updated_at: columns.maybe_time("updated_at")?,
    })
}

async fn with_specs(
    connection: &mut Connection,
    rows: &[AnyRow],
) -> Result<Vec<VolumeType>, Error> {
    let mut types: Vec<VolumeType> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    let ids: Vec<_> = types.iter().map(|kind| kind.id.0).collect();
    let mut specs = properties::of_all(connection, &ids).await?;
    for kind in &mut types {
        kind.extra_specs = specs.remove(&kind.id.0).unwrap_or_default();
    }
    Ok(types)
}

/// All types, the newest first. There are few.
pub async fn all(connection: &mut Connection) -> Result<Vec<VolumeType>, Error> {
    let query = sqlx::query("SELECT * FROM types ORDER BY created_at DESC, id DESC");
    let rows = query
        .fetch_all(&mut *connection)
        .await
        .map_err(Error::sql(READ))?;
    with_specs(connection, &rows).await
}

/// The type of that id.
pub async fn get(connection: &mut Connection, id: TypeId) -> Result<Option<VolumeType>, Error> {
    one(
        connection,
        "SELECT * FROM types WHERE id = $1",
        &id.to_string(),
    )
    .await
}

/// The type of that id, which nobody else changes until the end of the transaction.
pub async fn get_locked(tx: &mut Tx, id: TypeId) -> Result<Option<VolumeType>, Error> {
    let sql = format!(
        "SELECT * FROM types WHERE id = $1{}",
        tx.holding(Hold::Alone)
    );
    one(tx, &sql, &id.to_string()).await
}

/// The same for one that nobody changes at all meanwhile: many may hold it so.
pub async fn get_shared(tx: &mut Tx, id: TypeId) -> Result<Option<VolumeType>, Error> {
    let sql = format!(
        "SELECT * FROM types WHERE id = $1{}",
        tx.holding(Hold::Shared)
    );
    one(tx, &sql, &id.to_string()).await
}

/// The type of that name.
pub async fn named(connection: &mut Connection, name: &str) -> Result<Option<VolumeType>, Error> {
    one(connection, "SELECT * FROM types WHERE name = $1", name).await
}

async fn one(
    connection: &mut Connection,
    sql: &str,
    key: &str,
) -> Result<Option<VolumeType>, Error> {
    let row = sqlx::query(sql)
        .bind(key)
        .fetch_optional(&mut *connection)
        .await;
    let rows: Vec<AnyRow> = row.map_err(Error::sql(READ))?.into_iter().collect();
    Ok(with_specs(connection, &rows).await?.pop())
}

/// Adds a type; [`crate::ErrorKind::Exists`] where the name is taken.
pub async fn insert(connection: &mut Connection, kind: &VolumeType) -> Result<(), Error> {
    let sql = "INSERT INTO types (id, name, description, is_public, created_at, qos_specs) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(sql)
        .bind(kind.id.to_string())
        .bind(kind.name.as_str())
        .bind(kind.description.as_deref())
        .bind(flag(kind.is_public))
        .bind(to_micros(kind.created_at))
        .bind(kind.qos_specs.map(|id| id.to_string()));
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::merge(connection, kind.id.0, &kind.extra_specs).await
}

/// The types of a QoS spec, the newest first.
pub async fn of_qos(connection: &mut Connection, id: QosId) -> Result<Vec<VolumeType>, Error> {
    let sql = "SELECT * FROM types WHERE qos_specs = $1 ORDER BY created_at DESC, id DESC";
    let query = sqlx::query(sql).bind(id.to_string());
    let rows = query
        .fetch_all(&mut *connection)
        .await
        .map_err(Error::sql(READ))?;
    with_specs(connection, &rows).await
}

/// Writes name, description, visibility and QoS spec.
pub async fn update(connection: &mut Connection, kind: &VolumeType) -> Result<(), Error> {
    let sql = "UPDATE types SET name = $2, description = $3, is_public = $4, updated_at = $5, \
               qos_specs = $6 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(kind.id.to_string())
        .bind(kind.name.as_str())
        .bind(kind.description.as_deref())
        .bind(flag(kind.is_public))
        .bind(to_micros(now()))
        .bind(kind.qos_specs.map(|id| id.to_string()));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Removes the type with its extra specs.
pub async fn remove(connection: &mut Connection, id: TypeId) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM types WHERE id = $1").bind(id.to_string());
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(WRITE))?;
    properties::clear(connection, id.0).await
}
