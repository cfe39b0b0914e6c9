//! What volumes remember of the images that were written into them: `volume_image_metadata`.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::table::properties::{self, IMAGE, Properties};

/// What `owner` remembers.
pub async fn of(connection: &mut Connection, owner: Uuid) -> Result<Properties, Error> {
    let mut found = of_all(connection, &[owner]).await?;
    Ok(found.remove(&owner).unwrap_or_default())
}

/// What `from` remembers, `to` remembers too.
pub async fn copy(connection: &mut Connection, from: Uuid, to: Uuid) -> Result<(), Error> {
    let remembered = of(connection, from).await?;
    merge(connection, to, &remembered).await
}

/// What all `owners` remember that remember anything.
pub async fn of_all(
    connection: &mut Connection,
    owners: &[Uuid],
) -> Result<BTreeMap<Uuid, Properties>, Error> {
    properties::of_all_in(IMAGE, connection, owners).await
}

/// Sets these; others stay.
pub async fn merge(
    connection: &mut Connection,
    owner: Uuid,
    properties: &Properties,
) -> Result<(), Error> {
    properties::merge_in(IMAGE, connection, owner, properties).await
}

/// Removes one; whether it was there.
pub async fn remove(connection: &mut Connection, owner: Uuid, name: &str) -> Result<bool, Error> {
    properties::remove_in(IMAGE, connection, owner, name).await
}

/// Removes all.
pub async fn clear(connection: &mut Connection, owner: Uuid) -> Result<(), Error> {
    properties::clear_in(IMAGE, connection, owner).await
}
