//! Quotas that an administrator has set, for projects and for classes.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;

/// The limits that are set, by resource; -1 is no limit.
pub type HardLimits = BTreeMap<String, i64>;

/// The class of all projects.
pub const DEFAULT_CLASS: &str = "default";

/// Whose limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitsOf<'a> {
    /// A project's.
    Project(&'a str),
    /// A class's; `default` is for all projects.
    Class(&'a str),
}

const READ: &str = "read quotas";
const WRITE: &str = "write quotas";

impl<'a> LimitsOf<'a> {
    const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Project(_) => ("quotas", "project"),
            Self::Class(_) => ("quota_classes", "class"),
        }
    }

    const fn name(self) -> &'a str {
        match self {
            Self::Project(name) | Self::Class(name) => name,
        }
    }
}

/// Those that are set.
pub async fn of(connection: &mut Connection, whose: LimitsOf<'_>) -> Result<HardLimits, Error> {
    let (table, key) = whose.table();
    let sql = format!("SELECT resource, hard_limit FROM {table} WHERE {key} = $1");
    let rows = sqlx::query(&sql)
        .bind(whose.name())
        .fetch_all(connection)
        .await;
    let rows = rows.map_err(Error::sql(READ))?;
    rows.iter().map(|row| read(&Columns::of(row))).collect()
}

/// What holds for a project where the configuration says nothing else: its own limits, and those of
/// the class of all projects where it has none.
pub async fn holding(connection: &mut Connection, project: &str) -> Result<HardLimits, Error> {
    let sql = "SELECT 1 AS own, resource, hard_limit FROM quotas WHERE project = $1 UNION ALL \
               SELECT 0 AS own, resource, hard_limit FROM quota_classes WHERE class = $2 \
               ORDER BY own";
    let query = sqlx::query(sql).bind(project).bind(DEFAULT_CLASS);
    let rows = query.fetch_all(connection).await;
    let rows = rows.map_err(Error::sql(READ))?;
    // Later ones replace earlier ones.
    rows.iter().map(|row| read(&Columns::of(row))).collect()
}

fn read(columns: &Columns<'_>) -> Result<(String, i64), Error> {
    Ok((columns.text("resource")?, columns.number("hard_limit")?))
}

/// Sets these; others stay.
pub async fn merge(
    connection: &mut Connection,
    whose: LimitsOf<'_>,
    limits: &HardLimits,
) -> Result<(), Error> {
    let (table, key) = whose.table();
    let sql = format!(
        "INSERT INTO {table} ({key}, resource, hard_limit) VALUES ($1, $2, $3) \
         ON CONFLICT ({key}, resource) DO UPDATE SET hard_limit = excluded.hard_limit"
    );
    for (resource, limit) in limits {
        let query = sqlx::query(&sql)
            .bind(whose.name())
            .bind(resource.as_str())
            .bind(*limit);
        query
            .execute(&mut *connection)
            .await
            .map_err(Error::sql(WRITE))?;
    }
    Ok(())
}

/// Sets none any more.
pub async fn clear(connection: &mut Connection, whose: LimitsOf<'_>) -> Result<(), Error> {
    let (table, key) = whose.table();
    let sql = format!("DELETE FROM {table} WHERE {key} = $1");
    let done = sqlx::query(&sql).bind(whose.name()).execute(connection);
    done.await.map(drop).map_err(Error::sql(WRITE))
}
