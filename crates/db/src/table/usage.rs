//! What a project has: counted from the rows, so that it can never drift from them.

use firebrick_state::ActivityKind;
use firebrick_vocabulary::ProjectId;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::table::listing::{Column, Listing, Test};
use crate::table::{snapshots, volumes};

/// What a project has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Its volumes.
    pub volumes: u64,
    /// Its snapshots.
    pub snapshots: u64,
    /// The GiB of both.
    pub gigabytes: u64,
}

/// Counts what counts. In a transaction that has locked the project before, it stays true until its
/// end.
pub async fn of_project(connection: &mut Connection, project: &ProjectId) -> Result<Usage, Error> {
    let listing = Listing::of(Column::Project, project).and(Column::ConsumesQuota, Test::Number(1));
    let (volumes, of_volumes) = volumes::total(connection, &listing).await?;
    let (snapshots, of_snapshots) = snapshots::total(connection, &listing).await?;
    Ok(Usage {
        volumes,
        snapshots,
        gigabytes: of_volumes + of_snapshots,
    })
}

/// The GiB that extensions under way will add.
pub async fn promised(connection: &mut Connection, project: &ProjectId) -> Result<u64, Error> {
    let sql = "SELECT activities.input AS input, volumes.size AS size FROM activities \
               JOIN volumes ON volumes.id = activities.resource \
               WHERE activities.kind = $1 AND activities.status = 'running' \
               AND volumes.project = $2";
    let query = sqlx::query(sql)
        .bind(ActivityKind::ExtendVolume.as_str())
        .bind(project.as_str());
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(Error::sql("count what extensions will add"))?;
    let mut promised = 0_u64;
    for row in &rows {
        let columns = Columns(row);
        let input: serde_json::Value = columns.json("input")?.unwrap_or_default();
        let size = input.get("size").and_then(serde_json::Value::as_u64);
        let present = columns.number("size")?.max(0) as u64;
        promised += size.unwrap_or(0).saturating_sub(present);
    }
    Ok(promised)
}
