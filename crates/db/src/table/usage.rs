//! What a project has: counted from the rows, so that it can never drift from them.

use std::collections::BTreeMap;

use firebrick_state::ActivityKind;
use firebrick_vocabulary::{HostName, ProjectId, TypeId};

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::table::listing::{Column, Listing, Test};
use crate::table::{backups, groups, snapshots, volumes};

/// What a project has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Its volumes.
    pub volumes: u64,
    /// Its snapshots.
    pub snapshots: u64,
    /// The GiB of both.
    pub gigabytes: u64,
    /// The GiB of the snapshots among them.
    pub snapshot_gigabytes: u64,
}

/// Counts what counts. In a transaction that has locked the project before, it stays true until its
/// end.
pub async fn of_project(connection: &mut Connection, project: &ProjectId) -> Result<Usage, Error> {
    let listing = counted(project);
    let (volumes, of_volumes) = volumes::total(connection, &listing).await?;
    let (snapshots, of_snapshots) = snapshots::total(connection, &listing).await?;
    Ok(Usage {
        volumes,
        snapshots,
        gigabytes: of_volumes + of_snapshots,
        snapshot_gigabytes: of_snapshots,
    })
}

fn counted(project: &ProjectId) -> Listing {
    Listing::of(Column::Project, project).and(Column::ConsumesQuota, Test::Number(1))
}

/// The same for volumes of one type, and for the snapshots of such volumes.
pub async fn of_type(
    connection: &mut Connection,
    project: &ProjectId,
    kind: TypeId,
) -> Result<Usage, Error> {
    let of_kind = Test::OneOf(vec![kind.to_string()]);
    let listing = counted(project).and(Column::VolumeType, of_kind);
    let (volumes, of_volumes) = volumes::total(connection, &listing).await?;
    let sql = "SELECT COUNT(*) AS number, CAST(COALESCE(SUM(snapshots.size), 0) AS BIGINT) AS total \
               FROM snapshots JOIN volumes ON volumes.id = snapshots.volume \
               WHERE snapshots.project = $1 AND snapshots.consumes_quota = 1 \
               AND volumes.volume_type = $2";
    let query = sqlx::query(sql)
        .bind(project.as_str())
        .bind(kind.to_string());
    let row = query.fetch_one(connection).await;
    let row = row.map_err(Error::sql("count the snapshots of a type"))?;
    let columns = Columns::of(&row);
    let of_snapshots = columns.number("total")?.max(0) as u64;
    Ok(Usage {
        volumes,
        snapshots: columns.number("number")?.max(0) as u64,
        gigabytes: of_volumes + of_snapshots,
        snapshot_gigabytes: of_snapshots,
    })
}

/// The backups of a project, and their GiB.
pub async fn of_backups(
    connection: &mut Connection,
    project: &ProjectId,
) -> Result<(u64, u64), Error> {
    backups::total(connection, &Listing::of(Column::Project, project)).await
}

/// The groups of a project.
pub async fn of_groups(connection: &mut Connection, project: &ProjectId) -> Result<u64, Error> {
    groups::total(connection, &Listing::of(Column::Project, project)).await
}

/// The GiB that extensions under way will add, by the type of the volume.
pub async fn promised(
    connection: &mut Connection,
    project: &ProjectId,
) -> Result<BTreeMap<TypeId, u64>, Error> {
    let sql = "SELECT activities.input AS input, volumes.size AS size, \
               volumes.volume_type AS volume_type FROM activities \
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
    let mut promised = BTreeMap::new();
    for row in &rows {
        let columns = Columns::of(row);
        let input: serde_json::Value = columns.json("input")?.unwrap_or_default();
        let size = input.get("size").and_then(serde_json::Value::as_u64);
        let present = columns.number("size")?.max(0) as u64;
        *promised.entry(columns.parsed("volume_type")?).or_default() +=
            size.unwrap_or(0).saturating_sub(present);
    }
    Ok(promised)
}

/// What a project has in a pool: how many of each, and their GiB.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PoolUsage {
    /// Its volumes.
    pub volumes: (u64, u64),
    /// Their snapshots.
    pub snapshots: (u64, u64),
}

/// What each project has in a pool, in the order of the projects.
pub async fn of_pool(
    connection: &mut Connection,
    pool: &HostName,
) -> Result<BTreeMap<ProjectId, PoolUsage>, Error> {
    const VOLUMES: &str = "SELECT project, COUNT(*) AS amount, \
                           CAST(SUM(size) AS BIGINT) AS gigabytes FROM volumes \
                           WHERE host = $1 GROUP BY project";
    const SNAPSHOTS: &str = "SELECT snapshots.project AS project, COUNT(*) AS amount, \
                             CAST(SUM(snapshots.size) AS BIGINT) AS gigabytes FROM snapshots \
                             JOIN volumes ON volumes.id = snapshots.volume \
                             WHERE volumes.host = $1 GROUP BY snapshots.project";
    let mut shares: BTreeMap<ProjectId, PoolUsage> = BTreeMap::new();
    for sql in [VOLUMES, SNAPSHOTS] {
        let query = sqlx::query(sql).bind(pool.to_string());
        let rows = query
            .fetch_all(&mut *connection)
            .await
            .map_err(Error::sql("count what projects have in a pool"))?;
        for row in &rows {
            let columns = Columns::of(row);
            let share = shares
                .entry(ProjectId(columns.text("project")?))
                .or_default();
            let amount = columns.number("amount")?.max(0) as u64;
            let gigabytes = columns.number("gigabytes")?.max(0) as u64;
            let share = if sql == VOLUMES {
                &mut share.volumes
            } else {
                &mut share.snapshots
            };
            *share = (amount, gigabytes);
        }
    }
    Ok(shares)
}
