//! What belongs to a backend gets another host: its service joins a cluster, or leaves it.

use firebrick_vocabulary::HostName;

use crate::error::Error;
use crate::open::Connection;

/// What keeps the pool of a backend, and whether it keeps a cluster, too.
const POOLED: &[&str] = &["volumes", "volume_groups"];

/// Everything in the pools of the service `from` is in those of `to` from here on; `clustered`: that is a cluster, and
/// its pools are said to be. How many rows have changed.
pub async fn rehost(
    connection: &mut Connection,
    from: &HostName,
    to: &HostName,
    clustered: bool,
) -> Result<u64, Error> {
    const DOING: &str = "give volumes another host";
    let (from, to) = (from.to_string(), to.to_string());
    let mut changed = 0;
    for table in POOLED {
        let sql = format!(
            "UPDATE {table} SET host = CAST($2 AS TEXT) || SUBSTR(host, LENGTH(CAST($1 AS TEXT)) + 1), \
             cluster = CASE WHEN $3 = 1 THEN CAST($2 AS TEXT) || SUBSTR(host, LENGTH(CAST($1 AS TEXT)) + 1) END \
             WHERE SUBSTR(host, 1, LENGTH(CAST($1 AS TEXT)) + 1) = CAST($1 AS TEXT) || '#'"
        );
        let query = sqlx::query(&sql)
            .bind(&from)
            .bind(&to)
            .bind(i64::from(clustered));
        let done = query.execute(&mut *connection).await;
        changed += done.map_err(Error::sql(DOING))?.rows_affected();
    }
    // An image that the cluster has already is read from there.
    let sql = "UPDATE image_cache SET host = $2 WHERE host = $1 AND NOT EXISTS (SELECT 1 FROM \
               image_cache AS there WHERE there.host = $2 AND there.image = image_cache.image)";
    let query = sqlx::query(sql).bind(&from).bind(&to);
    query
        .execute(&mut *connection)
        .await
        .map_err(Error::sql(DOING))?;
    let query = sqlx::query("UPDATE leftovers SET host = $2 WHERE host = $1");
    let query = query.bind(&from).bind(&to);
    query.execute(connection).await.map_err(Error::sql(DOING))?;
    Ok(changed)
}
