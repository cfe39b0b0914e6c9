//! What volumes are shown with, by one query: each costs a change of threads, which is most of what it costs.

use std::collections::BTreeMap;

use firebrick_vocabulary::{TypeId, VolumeId};
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::rows;
use crate::table::properties::Properties;

/// What volumes are shown with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// The names of all types.
    pub types: BTreeMap<TypeId, String>,
    /// What those volumes remember of images that remember anything.
    pub images: BTreeMap<VolumeId, Properties>,
}

/// What these volumes are shown with.
pub async fn of(connection: &mut Connection, volumes: &[VolumeId]) -> Result<Beside, Error> {
    const NAMES: &[&str] = &["id", "name", "value"];
    let among = rows::among(connection);
    // A type has no value, not an empty one.
    let sql = format!(
        "SELECT id, name, CAST(NULL AS TEXT) AS value FROM types UNION ALL \
         SELECT owner AS id, name, value FROM image_properties WHERE owner IN {among}"
    );
    let mut found = Beside::default();
    // Once at least, for the types.
    let mut rest = volumes;
    loop {
        let (some, later) = rest.split_at(rest.len().min(1000));
        let values = [rows::ids(some)];
        let read = |row: &Columns<'_>| {
            let id: Uuid = row.parsed("id")?;
            Ok((id, row.text("name")?, row.maybe_text("value")?))
        };
        for (id, name, value) in rows::read(connection, NAMES, &sql, &values, read).await? {
            match value {
                None => drop(found.types.insert(TypeId(id), name)),
                Some(value) => {
                    let image = found.images.entry(VolumeId(id)).or_default();
                    image.insert(name, value);
                }
            }
        }
        if later.is_empty() {
            return Ok(found);
        }
        rest = later;
    }
}
