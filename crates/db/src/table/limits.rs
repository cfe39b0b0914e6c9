//! Quotas that an administrator has set, for projects and for classes.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;

/// The limits that are set, by resource; -1 is no limit.
pub type HardLimits = BTreeMap<String, i64>;

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
    let limits = rows.iter().map(|row| {
        let columns = Columns(row);
        Ok((columns.text("resource")?, columns.number("hard_limit")?))
    });
    limits.collect()
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
