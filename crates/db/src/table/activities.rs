//! Activities: work that outlives the process that began it.

use std::time::Duration;

use ::time::OffsetDateTime;
use firebrick_state::{ActivityKind, ActivityStatus};
use firebrick_vocabulary::{ActivityId, HostName, ProjectId, UserId, VolumeId};
use serde_json::Value;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::Error;
use crate::open::{Connection, Tx};
use crate::row::{Columns, maybe};
use crate::rows;
use crate::swapped::Swapped;
use crate::table::listing::Listing;
use crate::table::query;
use crate::time::{now, to_micros};
use crate::value::also;

/// An activity.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// What it does.
    pub kind: ActivityKind,
    /// To what: the id of a volume, snapshot, attachment or service.
    pub resource: Uuid,
    /// The volume that it is about, where that is not the resource.
    pub volume: Option<VolumeId>,
    /// The activity of which it is a part.
    pub parent: Option<ActivityId>,
    /// For whom.
    pub project: ProjectId,
    /// Who asked for it, where that is known.
    pub user: Option<UserId>,
    /// The request that asked for it.
    pub request_id: String,
    /// What it was asked to do.
    pub input: Value,
    /// What its steps have found out so far.
    pub state: Value,
    /// How far it is.
    pub status: ActivityStatus,
    /// What it is at.
    pub phase: Option<String>,
    /// How many bytes of its work are done.
    pub done: Option<u64>,
    /// How many bytes its work has.
    pub total: Option<u64>,
    /// Whether a user wants it to end.
    pub cancel: bool,
    /// Which node worked on it last.
    pub node: Option<String>,
    /// How often it failed for reasons that may pass.
    pub attempts: u32,
    /// Why it failed, or failed last.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When anything was last noted of it.
    pub updated_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

const READ: &str = "read activities";
const WRITE: &str = "write an activity";

fn from_row(row: &AnyRow) -> Result<Activity, Error> {
    from_columns(&Columns::of(row))
}

fn from_columns(columns: &Columns<'_>) -> Result<Activity, Error> {
    Ok(Activity {
        id: columns.parsed("id")?,
        kind: columns.parsed("kind")?,
        resource: columns.parsed("resource")?,
        volume: columns.maybe_parsed("volume")?,
        parent: columns.maybe_parsed("parent")?,
        project: ProjectId(columns.text("project")?),
        user: columns.maybe_text("user_id")?.map(UserId),
        request_id: columns.text("request_id")?,
        input: columns.json("input")?.unwrap_or_default(),
        state: columns.json("state")?.unwrap_or_default(),
        status: columns.parsed("status")?,
        phase: columns.maybe_text("phase")?,
        done: columns.maybe_count("done")?,
        total: columns.maybe_count("total")?,
        cancel: columns.flag("cancel")?,
        node: columns.maybe_text("node")?,
        attempts: columns.size("attempts")?,
        error: columns.maybe_text("error")?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
        finished_at: columns.maybe_time("finished_at")?,
    })
}

/// Adds an activity that nobody works on yet.
pub async fn insert(connection: &mut Connection, activity: &Activity) -> Result<(), Error> {
    let sql = "INSERT INTO activities (id, kind, resource, project, request_id, input, state, \
               status, attempts, lease_until, run_after, created_at, updated_at, user_id, volume, \
               parent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9, $9, $10, $11, $12)";
    let query = sqlx::query(sql)
        .bind(activity.id.to_string())
        .bind(activity.kind.as_str())
        .bind(activity.resource.to_string())
        .bind(activity.project.as_str())
        .bind(activity.request_id.as_str())
        .bind(activity.input.to_string())
        .bind(activity.state.to_string())
        .bind(activity.status.as_str())
        .bind(to_micros(activity.created_at))
        .bind(activity.user.as_ref().map(UserId::as_str))
        .bind(maybe(activity.volume.as_ref()))
        .bind(maybe(activity.parent.as_ref()));
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

/// A page of activities; `None` where the marker is none. The columns `Id`, `Kind`, `Status`,
/// `Project`, `User`, `Resource`, `Volume`, `Parent`, `CreatedAt`, `UpdatedAt`.
pub async fn list(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<Activity>>, Error> {
    query::page(connection, "activities", listing, from_columns).await
}

/// The kinds of the running activities about a volume that is not their resource.
pub async fn kinds_about(
    connection: &mut Connection,
    volume: VolumeId,
) -> Result<Vec<ActivityKind>, Error> {
    let sql = "SELECT kind FROM activities WHERE volume = $1 AND status = 'running' \
               ORDER BY created_at, id";
    let query = sqlx::query(sql).bind(volume.to_string());
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(Error::sql(READ))?;
    rows.iter()
        .map(|row| Columns::of(row).parsed("kind"))
        .collect()
}

/// Asks a running activity to end, at once where it waits for another try. Whether it runs.
pub async fn cancel(connection: &mut Connection, id: ActivityId) -> Result<Swapped, Error> {
    let sql =
        "UPDATE activities SET cancel = 1, run_after = 0 WHERE id = $1 AND status = 'running'";
    let query = sqlx::query(sql).bind(id.to_string());
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(Swapped::of(done.rows_affected()))
}

/// Notes how far the work is. Whether the activity still belongs to `owner`.
pub async fn progress(
    connection: &mut Connection,
    id: ActivityId,
    owner: &str,
    phase: &str,
    bytes: Option<(u64, u64)>,
) -> Result<bool, Error> {
    let sql = "UPDATE activities SET phase = $3, done = $4, total = $5, updated_at = $6 \
               WHERE id = $1 AND owner = $2 AND status = 'running'";
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let query = sqlx::query(sql)
        .bind(id.to_string())
        .bind(owner)
        .bind(phase)
        .bind(bytes.map(|(done, _)| number(done)))
        .bind(bytes.map(|(_, total)| number(total)))
        .bind(to_micros(now()));
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
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

/// That an activity is about no other backend than those of `{hosts}`. As a rule there are no others, which
/// is one look at the services.
const OURS: &str = "AND (NOT EXISTS (SELECT 1 FROM services WHERE program = 'cinder-volume' \
     AND host NOT IN {hosts} AND (cluster IS NULL OR cluster NOT IN {hosts})) OR NOT (\
     EXISTS (SELECT 1 FROM volumes WHERE volumes.host NOT IN {hosts} \
     AND volumes.id = COALESCE(activities.volume, activities.resource)) \
     OR EXISTS (SELECT 1 FROM volume_groups WHERE volume_groups.host NOT IN {hosts} \
     AND volume_groups.id = activities.resource) \
     OR EXISTS (SELECT 1 FROM services WHERE services.host NOT IN {hosts} \
     AND services.id = activities.resource)))";

/// Takes the oldest activity that is due and that nobody works on: it belongs to `owner` for the
/// length of the lease. Activities about one resource take turns, in the order of their requests:
/// what a deletion removes is not being made at the same time.
pub async fn claim(tx: &mut Tx, owner: &str, lease: Duration) -> Result<Option<Activity>, Error> {
    claim_for(tx, owner, lease, &[]).await
}

/// The same for a worker that serves these hosts, services and their pools: what is about a volume, a group
/// or a service of another one is none of its. Without hosts, all is.
pub async fn claim_for(
    tx: &mut Tx,
    owner: &str,
    lease: Duration,
    hosts: &[HostName],
) -> Result<Option<Activity>, Error> {
    let present = now();
    let ours = if hosts.is_empty() { "" } else { OURS };
    // Workers of other processes that look at the same moment find the next one.
    let skipping = tx.skipping();
    let sql = format!(
        "SELECT * FROM activities WHERE status = 'running' AND run_after <= $1 \
         AND lease_until <= $1 AND NOT EXISTS (SELECT 1 FROM activities AS earlier \
         WHERE earlier.resource = activities.resource AND earlier.status = 'running' \
         AND (earlier.created_at < activities.created_at \
         OR (earlier.created_at = activities.created_at AND earlier.id < activities.id))) \
         {ours} ORDER BY created_at, id LIMIT 1{skipping}"
    );
    let sql = sql.replace("{hosts}", &rows::among(tx).replace("$1", "$2"));
    let among = rows::ids(hosts);
    let mut query = sqlx::query(&sql).bind(to_micros(present));
    if !hosts.is_empty() {
        query = also(query, &among);
    }
    let row = query
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::sql(READ))?;
    let Some(activity) = row.as_ref().map(from_row).transpose()? else {
        return Ok(None);
    };
    let sql = "UPDATE activities SET owner = $2, lease_until = $3, updated_at = $4, node = $5 \
               WHERE id = $1 AND status = 'running' AND lease_until <= $4";
    let node = owner.split('/').next().unwrap_or_default();
    let query = sqlx::query(sql)
        .bind(activity.id.to_string())
        .bind(owner)
        .bind(to_micros(present + lease))
        .bind(to_micros(present))
        .bind(node);
    let done = query.execute(&mut **tx).await.map_err(Error::sql(WRITE))?;
    Ok((done.rows_affected() > 0).then_some(activity))
}

/// The activity about a resource, or about a volume, that somebody began to work on and left.
pub async fn abandoned(
    connection: &mut Connection,
    resource: Uuid,
) -> Result<Option<Activity>, Error> {
    let sql = "SELECT * FROM activities WHERE (resource = $1 OR volume = $1) \
               AND status = 'running' AND node IS NOT NULL AND lease_until <= $2 \
               ORDER BY created_at, id LIMIT 1";
    let query = sqlx::query(sql).bind(resource.to_string());
    let query = query.bind(to_micros(now()));
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(from_row).transpose()
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
