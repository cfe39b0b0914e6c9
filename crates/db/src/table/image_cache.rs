//! Volumes that hold images which were written once already, to be cloned.

use ::time::OffsetDateTime;
use firebrick_vocabulary::{HostName, VolumeId};
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::time::to_micros;

/// An image in a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedImage {
    /// The image.
    pub image: Uuid,
    /// The backend, without a pool.
    pub host: HostName,
    /// The hidden volume that has it.
    pub volume: VolumeId,
    /// In GiB.
    pub size: u32,
    /// When the image had last changed; one that has changed since is read again.
    pub image_updated_at: Option<OffsetDateTime>,
    /// When it was last cloned.
    pub used_at: OffsetDateTime,
}

const READ: &str = "read cached images";
const WRITE: &str = "write a cached image";

fn from_row(row: &AnyRow) -> Result<CachedImage, Error> {
    let columns = Columns::of(row);
    Ok(CachedImage {
        image: columns.parsed("image")?,
        host: columns.parsed("host")?,
        volume: columns.parsed("volume")?,
        size: columns.size("size")?,
        image_updated_at: columns.maybe_time("image_updated_at")?,
        used_at: columns.time("used_at")?,
    })
}

/// The image in that backend.
pub async fn get(
    connection: &mut Connection,
    host: &HostName,
    image: Uuid,
) -> Result<Option<CachedImage>, Error> {
    let query = sqlx::query("SELECT * FROM image_cache WHERE host = $1 AND image = $2")
        .bind(host.to_string())
        .bind(image.to_string());
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(Error::sql(READ))?;
    row.as_ref().map(from_row).transpose()
}

/// The images in that backend, the least recently used first.
pub async fn of_host(
    connection: &mut Connection,
    host: &HostName,
) -> Result<Vec<CachedImage>, Error> {
    let query = sqlx::query("SELECT * FROM image_cache WHERE host = $1 ORDER BY used_at, image");
    let rows = query.bind(host.to_string()).fetch_all(connection).await;
    rows.map_err(Error::sql(READ))?
        .iter()
        .map(from_row)
        .collect()
}

/// Adds one; [`crate::ErrorKind::Exists`] where the backend has that image.
pub async fn insert(connection: &mut Connection, cached: &CachedImage) -> Result<(), Error> {
    let sql = "INSERT INTO image_cache (image, host, volume, size, image_updated_at, used_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(sql)
        .bind(cached.image.to_string())
        .bind(cached.host.to_string())
        .bind(cached.volume.to_string())
        .bind(i64::from(cached.size))
        .bind(cached.image_updated_at.map(to_micros))
        .bind(to_micros(cached.used_at));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Notes that it was cloned.
pub async fn touch(
    connection: &mut Connection,
    volume: VolumeId,
    when: OffsetDateTime,
) -> Result<(), Error> {
    let query = sqlx::query("UPDATE image_cache SET used_at = $2 WHERE volume = $1");
    let query = query.bind(volume.to_string()).bind(to_micros(when));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::sql(WRITE))
}

/// Forgets the one in that volume; whether there was one.
pub async fn remove(connection: &mut Connection, volume: VolumeId) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM image_cache WHERE volume = $1").bind(volume.to_string());
    let done = query.execute(connection).await.map_err(Error::sql(WRITE))?;
    Ok(done.rows_affected() > 0)
}
