//! What volumes are shown with, by one query: each costs a change of threads, which is most of what it costs.

use std::collections::BTreeMap;

use firebrick_vocabulary::{TypeId, VolumeId};
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::rows::{self, Page};
use crate::table::attachments::Attachment;
use crate::table::properties::Properties;
use crate::table::record::Record as _;

/// What volumes are shown with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// The names of all types.
    pub types: BTreeMap<TypeId, String>,
    /// What those volumes remember of images that remember anything.
    pub images: BTreeMap<VolumeId, Properties>,
    /// Their attachments, oldest first, of those that have any.
    pub attachments: BTreeMap<VolumeId, Vec<Attachment>>,
}

/// What these volumes are shown with.
pub async fn of(connection: &mut Connection, volumes: &[VolumeId]) -> Result<Beside, Error> {
    let among = rows::among(connection);
    // A type has no value, not an empty one.
    let names = format!(
        "SELECT id, name, CAST(NULL AS TEXT) AS value FROM types UNION ALL \
         SELECT owner AS id, name, value FROM image_properties WHERE owner IN {among}"
    );
    let names = Page {
        names: &["id", "name", "value"],
        sql: &names,
    };
    let attached =
        format!("SELECT * FROM attachments WHERE volume IN {among} ORDER BY created_at, id");
    let attached = Page {
        names: rows::columns_of(connection, Attachment::TABLE).await?,
        sql: &attached,
    };
    let mut found = Beside::default();
    // Once at least, for the types.
    let mut rest = volumes;
    loop {
        let (some, later) = rest.split_at(rest.len().min(1000));
        let values = [rows::ids(some)];
        let texts = rows::texts(connection, [&names, &attached], &values).await?;
        for (id, name, value) in names.read(&texts[0], named)? {
            match value {
                None => drop(found.types.insert(TypeId(id), name)),
                Some(value) => {
                    let image = found.images.entry(VolumeId(id)).or_default();
                    image.insert(name, value);
                }
            }
        }
        for attachment in attached.read(&texts[1], Attachment::read)? {
            let of_volume = found.attachments.entry(attachment.volume).or_default();
            of_volume.push(attachment);
        }
        if later.is_empty() {
            return Ok(found);
        }
        rest = later;
    }
}

fn named(row: &Columns<'_>) -> Result<(Uuid, String, Option<String>), Error> {
    Ok((
        row.parsed("id")?,
        row.text("name")?,
        row.maybe_text("value")?,
    ))
}
