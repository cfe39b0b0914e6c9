//! The type that a project's volumes get where none is named.

use firebrick_vocabulary::{ProjectId, TypeId};

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;

const READ: &str = "read default types";
const WRITE: &str = "write a default type";

/// The project's default type, where one is set.
pub async fn get(
    connection: &mut Connection,
    project: &ProjectId,
) -> Result<Option<TypeId>, Error> {
    let query = sqlx::query("SELECT volume_type FROM default_types WHERE project = $1");
    let row = query
        .bind(project.as_str())
        .fetch_optional(connection)
        .await;
    let row = row.map_err(Error::sql(READ))?;
    row.map(|row| Columns::of(&row).parsed("volume_type"))
        .transpose()
}

/// Whether the type is that of any project.
pub async fn is_any(connection: &mut Connection, kind: TypeId) -> Result<bool, Error> {
    let sql = "SELECT project FROM default_types WHERE volume_type = $1 LIMIT 1";
    let row = sqlx::query(sql).bind(kind.to_string());
    let row = row.fetch_optional(connection).await;
    Ok(row.map_err(Error::sql(READ))?.is_some())
}

/// All of them, by project.
pub async fn all(connection: &mut Connection) -> Result<Vec<(ProjectId, TypeId)>, Error> {
    let query = sqlx::query("SELECT project, volume_type FROM default_types ORDER BY project");
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(Error::sql(READ))?;
    let pairs = rows.iter().map(|row| {
        let columns = Columns::of(row);
        Ok((
            ProjectId(columns.text("project")?),
            columns.parsed("volume_type")?,
        ))
    });
    pairs.collect()
}

/// Sets it.
pub async fn set(
    connection: &mut Connection,
    project: &ProjectId,
    kind: TypeId,
) -> Result<(), Error> {
    let sql = "INSERT INTO default_types (project, volume_type) VALUES ($1, $2) \
               ON CONFLICT (project) DO UPDATE SET volume_type = excluded.volume_type";
    let query = sqlx::query(sql)
        .bind(project.as_str())
        .bind(kind.to_string());
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Sets none any more; whether one was set.
pub async fn remove(connection: &mut Connection, project: &ProjectId) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM default_types WHERE project = $1");
    let done = query.bind(project.as_str()).execute(connection).await;
    Ok(done.map_err(Error::sql(WRITE))?.rows_affected() > 0)
}
