//! Images that were removed where they lived, or are not mirrored any more, and of which sites may have something
//! still.

use ::time::OffsetDateTime;
use firebrick_vocabulary::{HostName, ImageId};
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::time::to_micros;

/// What may be left of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// The image.
    pub image: ImageId,
    /// By what the sites knew it as long as it was mirrored, where it is only that which ended; `None` where it
    /// was removed.
    pub global_id: Option<String>,
    /// The backend, without a pool.
    pub host: HostName,
    /// When something of it was removed last.
    pub since: OffsetDateTime,
}

/// One that was removed has none, and is a row of its own.
fn global_id(leftover: &Leftover) -> String {
    leftover.global_id.clone().unwrap_or_default()
}

const READ: &str = "read leftovers";
const WRITE: &str = "write a leftover";

fn from_row(row: &AnyRow) -> Result<Leftover, Error> {
    let columns = Columns::of(row);
    Ok(Leftover {
        image: columns.parsed("image")?,
        global_id: Some(columns.text("global_id")?).filter(|id| !id.is_empty()),
        host: columns.parsed("host")?,
        since: columns.time("since")?,
    })
}

/// Remembers one, or of one that is remembered a later time.
pub async fn put(connection: &mut Connection, leftover: &Leftover) -> Result<(), Error> {
    let sql = "INSERT INTO leftovers (image, global_id, host, since) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (image, global_id) DO UPDATE SET host = EXCLUDED.host, since = EXCLUDED.since";
    let query = sqlx::query(sql)
        .bind(leftover.image.to_string())
        .bind(global_id(leftover))
        .bind(leftover.host.to_string())
        .bind(to_micros(leftover.since));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Those of that backend that are as old as that or older, the oldest first.
pub async fn of_host(
    connection: &mut Connection,
    host: &HostName,
    until: OffsetDateTime,
) -> Result<Vec<Leftover>, Error> {
    let sql =
        "SELECT * FROM leftovers WHERE host = $1 AND since <= $2 ORDER BY since, image, global_id";
    let query = sqlx::query(sql)
        .bind(host.to_string())
        .bind(to_micros(until));
    let rows = query.fetch_all(connection).await;
    rows.map_err(Error::sql(READ))?
        .iter()
        .map(from_row)
        .collect()
}

/// Those of images that stay, and of which a mirroring has ended.
pub async fn ended(connection: &mut Connection) -> Result<Vec<Leftover>, Error> {
    let sql = "SELECT * FROM leftovers WHERE global_id <> '' ORDER BY image, global_id";
    let rows = sqlx::query(sql).fetch_all(connection).await;
    rows.map_err(Error::sql(READ))?
        .iter()
        .map(from_row)
        .collect()
}

/// Forgets one; whether it was remembered, and of no later time.
pub async fn remove(connection: &mut Connection, leftover: &Leftover) -> Result<bool, Error> {
    let sql = "DELETE FROM leftovers WHERE image = $1 AND global_id = $2 AND since <= $3";
    let query = sqlx::query(sql)
        .bind(leftover.image.to_string())
        .bind(global_id(leftover))
        .bind(to_micros(leftover.since));
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}
