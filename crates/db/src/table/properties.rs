//! Keys and values of volumes, snapshots (metadata) and types (extra specs), by the id of their owner.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::rows;

/// Keys and values.
pub type Properties = BTreeMap<String, String>;

/// A table of properties.
#[derive(Clone, Copy)]
pub(crate) struct Table(&'static str);

/// What users and operators say.
const SAID: Table = Table("properties");
/// What images have said.
pub(crate) const IMAGE: Table = Table("image_properties");

const WRITE: &str = "write properties";
/// The owners of one query.
const CHUNK: usize = 1000;

/// The properties of `owner`.
pub async fn of(connection: &mut Connection, owner: Uuid) -> Result<Properties, Error> {
    Ok(of_all(connection, &[owner])
        .await?
        .remove(&owner)
        .unwrap_or_default())
}

/// The properties of all `owners` that have any.
pub async fn of_all(
    connection: &mut Connection,
    owners: &[Uuid],
) -> Result<BTreeMap<Uuid, Properties>, Error> {
    of_all_in(SAID, connection, owners).await
}

pub(crate) async fn of_all_in(
    table: Table,
    connection: &mut Connection,
    owners: &[Uuid],
) -> Result<BTreeMap<Uuid, Properties>, Error> {
    let mut found: BTreeMap<Uuid, Properties> = BTreeMap::new();
    let among = rows::among(connection);
    let sql = format!(
        "SELECT owner, name, value FROM {} WHERE owner IN {among}",
        table.0
    );
    for some in owners.chunks(CHUNK) {
        let values = [rows::ids(some)];
        let read = |row: &Columns<'_>| {
            let owner: Uuid = row.parsed("owner")?;
            Ok((owner, row.text("name")?, row.text("value")?))
        };
        let names = &["owner", "name", "value"];
        for (owner, name, value) in rows::read(connection, names, &sql, &values, read).await? {
            found.entry(owner).or_default().insert(name, value);
        }
    }
    Ok(found)
}

/// Sets these; others stay.
pub async fn merge(
    connection: &mut Connection,
    owner: Uuid,
    properties: &Properties,
) -> Result<(), Error> {
    merge_in(SAID, connection, owner, properties).await
}

pub(crate) async fn merge_in(
    table: Table,
    connection: &mut Connection,
    owner: Uuid,
    properties: &Properties,
) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO {} (owner, name, value) VALUES ($1, $2, $3) \
         ON CONFLICT (owner, name) DO UPDATE SET value = excluded.value",
        table.0
    );
    for (name, value) in properties {
        let query = sqlx::query(&sql)
            .bind(owner.to_string())
            .bind(name)
            .bind(value);
        query
            .execute(&mut *connection)
            .await
            .map_err(Error::sql(WRITE))?;
    }
    Ok(())
}

/// Removes one; whether it was there.
pub async fn remove(connection: &mut Connection, owner: Uuid, name: &str) -> Result<bool, Error> {
    remove_in(SAID, connection, owner, name).await
}

pub(crate) async fn remove_in(
    table: Table,
    connection: &mut Connection,
    owner: Uuid,
    name: &str,
) -> Result<bool, Error> {
    let sql = format!("DELETE FROM {} WHERE owner = $1 AND name = $2", table.0);
    let done = sqlx::query(&sql)
        .bind(owner.to_string())
        .bind(name)
        .execute(connection)
        .await;
    Ok(done.map_err(Error::sql(WRITE))?.rows_affected() > 0)
}

/// Removes all.
pub async fn clear(connection: &mut Connection, owner: Uuid) -> Result<(), Error> {
    clear_in(SAID, connection, owner).await
}

pub(crate) async fn clear_in(
    table: Table,
    connection: &mut Connection,
    owner: Uuid,
) -> Result<(), Error> {
    let sql = format!("DELETE FROM {} WHERE owner = $1", table.0);
    let done = sqlx::query(&sql)
        .bind(owner.to_string())
        .execute(connection);
    done.await.map(drop).map_err(Error::sql(WRITE))
}
