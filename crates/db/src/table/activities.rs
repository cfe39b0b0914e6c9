//! Activities: work that outlives the process that began it.

use std::time::Duration;

use ::time::OffsetDateTime;
use firebrick_state::{ActivityKind, ActivityStatus};
use firebrick_vocabulary::{ActivityId, ProjectId};
use serde_json::Value;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::time::{now, to_micros};

/// An activity.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// What it does.
    pub kind: ActivityKind,
    /// To what: the id of a volume, snapshot, attachment or service.
    pub resource: Uuid,
    /// For whom.
    pub project: ProjectId,
    /// The request that asked for it.
    pub request_id: String,
    /// What it was asked to do.
    pub input: Value,
    /// What its steps have found out so far.
    pub state: Value,
    /// How far it is.
    pub status: ActivityStatus,
    /// How often it failed for reasons that may pass.
    pub attempts: u32,
    /// Why it failed, or failed last.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
}

const READ: &str = "read activities";
const WRITE: &str = "write an activity";

fn from_row(row: &AnyRow) -> Result<Activity, Error> {
    let columns = Columns(row);
    Ok(Activity {
        id: columns.parsed("id")?,
        kind: columns.parsed("kind")?,
        resource: columns.parsed("resource")?,
        project: ProjectId(columns.text("project")?),
        request_id: columns.text("request_id")?,
        input: columns.json("input")?.unwrap_or_default(),
        state: columns.json("state")?.unwrap_or_default(),
        status: columns.parsed("status")?,
        attempts: columns.number("attempts")?.max(0) as u32,
        error: columns.maybe_text("error")?,
        created_at: columns.time("created_at")?,
    })
}

/// Adds an activity that nobody works on yet.
pub async fn insert(connection: &mut Connection, activity: &Activity) -> Result<(), Error> {
    let sql = "INSERT INTO activities (id, kind, resource, project, request_id, input, state, \
               status, attempts, lease_until, run_after, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9, $9)";
    let query = sqlx::query(sql)
        .bind(activity.id.to_string())
        .bind(activity.kind.as_str())
        .bind(activity.resource.to_string())
        .bind(activity.project.as_str())
        .bind(activity.request_id.as_str())
        .bind(activity.input.to_string())
        .bind(activity.state.to_string())
        .bind(activity.status.as_str())
        .bind(to_micros(activity.created_at));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// The activity of that id.
pub async fn get(connection: &mut Connection, id: ActivityId) -> Result<Option<Activity>, Error> {
    let query = sqlx::query("SELECT * FROM activities WHERE id = $1").bind(id.to_string());
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(from_row).transpose()
}

/// The running activity about a resource, if there is one.
pub async fn running_for(
    connection: &mut Connection,
    resource: Uuid,
) -> Result<Option<Activity>, Error> {
    let sql = "SELECT * FROM activities WHERE resource = $1 AND status = 'running' \
               ORDER BY created_at LIMIT 1";
    let query = sqlx::query(sql).bind(resource.to_string());
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(from_row).transpose()
}

/// Takes the oldest activity that is due and that nobody works on: it belongs to `owner` for the
/// length of the lease. Activities about one resource take turns, in the order of their requests:
/// what a deletion removes is not being made at the same time.
pub async fn claim(
    connection: &mut Connection,
    owner: &str,
    lease: Duration,
) -> Result<Option<Activity>, Error> {
    let present = now();
    let sql = "SELECT * FROM activities WHERE status = 'running' AND run_after <= $1 \
               AND lease_until <= $1 AND NOT EXISTS (SELECT 1 FROM activities AS earlier \
               WHERE earlier.resource = activities.resource AND earlier.status = 'running' \
               AND (earlier.created_at < activities.created_at \
               OR (earlier.created_at = activities.created_at AND earlier.id < activities.id))) \
               ORDER BY created_at, id LIMIT 1";
    let query = sqlx::query(sql).bind(to_micros(present));
    let row = query
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::sql(READ))?;
    let Some(activity) = row.as_ref().map(from_row).transpose()? else {
        return Ok(None);
    };
    let sql = "UPDATE activities SET owner = $2, lease_until = $3, updated_at = $4 \
               WHERE id = $1 AND status = 'running' AND lease_until <= $4";
    let query = sqlx::query(sql)
        .bind(activity.id.to_string())
        .bind(owner)
        .bind(to_micros(present + lease))
        .bind(to_micros(present));
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok((done.rows_affected() > 0).then_some(activity))
}

/// Ends the leases of owners whose name begins with `node`: an earlier life of this process.
pub async fn release_node(connection: &mut Connection, node: &str) -> Result<(), Error> {
    let sql = "UPDATE activities SET owner = NULL, lease_until = 0 \
               WHERE status = 'running' AND owner LIKE $1 ESCAPE '\\'";
    let pattern = node
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    let query = sqlx::query(sql).bind(format!("{pattern}/%"));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Makes the lease longer. Whether the activity still belongs to `owner`.
pub async fn renew(
    connection: &mut Connection,
    id: ActivityId,
    owner: &str,
    lease: Duration,
) -> Result<bool, Error> {
    let sql = "UPDATE activities SET lease_until = $3 \
               WHERE id = $1 AND owner = $2 AND status = 'running'";
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(owner)
        .bind(to_micros(now() + lease));
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

/// Notes what the steps have found out. Whether the activity still belongs to `owner`: a worker that
/// lost it must do nothing more, and roll back what it does in the same transaction.
pub async fn save(
    connection: &mut Connection,
    id: ActivityId,
    owner: &str,
    state: &Value,
) -> Result<bool, Error> {
    let sql = "UPDATE activities SET state = $3, updated_at = $4 \
               WHERE id = $1 AND owner = $2 AND status = 'running'";
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(owner)
        .bind(state.to_string())
        .bind(to_micros(now()));
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

/// Gives the activity back, to be tried again after `pause`, with one more attempt on record.
pub async fn retry(
    connection: &mut Connection,
    id: ActivityId,
    owner: &str,
    pause: Duration,
    error: &str,
) -> Result<(), Error> {
    let sql = "UPDATE activities SET owner = NULL, lease_until = 0, run_after = $3, \
               attempts = attempts + 1, error = $4, updated_at = $5 \
               WHERE id = $1 AND owner = $2 AND status = 'running'";
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(owner)
        .bind(to_micros(now() + pause))
        .bind(error)
        .bind(to_micros(now()));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Ends the activity. Whether it still belonged to `owner`.
pub async fn finish(
    connection: &mut Connection,
    id: ActivityId,
    owner: &str,
    status: ActivityStatus,
    error: Option<&str>,
) -> Result<bool, Error> {
    let sql = "UPDATE activities SET status = $3, error = $4, updated_at = $5, finished_at = $5, \
               owner = NULL, lease_until = 0 WHERE id = $1 AND owner = $2 AND status = 'running'";
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(owner)
        .bind(status.as_str())
        .bind(error)
        .bind(to_micros(now()));
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}

/// Forgets activities that ended before `before`. How many.
pub async fn forget(connection: &mut Connection, before: OffsetDateTime) -> Result<u64, Error> {
    let query = sqlx::query("DELETE FROM activities WHERE finished_at < $1");
    let done = query.bind(to_micros(before)).execute(connection).await;
    done.map(|done| done.rows_affected())
        .map_err(Error::sql(WRITE))
}
