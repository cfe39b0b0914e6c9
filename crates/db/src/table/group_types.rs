//! Group types.

use ::time::OffsetDateTime;
use firebrick_vocabulary::GroupTypeId;

use crate::error::Error;
use crate::open::{Connection, Hold, Tx};
use crate::row::Columns;
use crate::swapped::Swapped;
use crate::table::listing::{Column, Listing};
use crate::table::properties::{self, Properties};
use crate::table::record::{self, Field, Record, field};

/// A group type with its specs.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct GroupType {
    pub id: GroupTypeId,
    pub name: String,
    pub description: Option<String>,
    pub is_public: bool,
    pub group_specs: Properties,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for GroupType {
    const TABLE: &'static str = "group_types";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.parsed("id")?,
            name: columns.text("name")?,
            description: columns.maybe_text("description")?,
            is_public: columns.flag("is_public")?,
            group_specs: Properties::new(),
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("id", self.id.to_string()),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("name", self.name.as_str()),
            field("description", self.description.as_deref()),
            field("is_public", self.is_public),
        ]
    }
}

/// The group type of that id.
pub async fn get(connection: &mut Connection, id: GroupTypeId) -> Result<Option<GroupType>, Error> {
    let found = record::get(connection, &id.to_string()).await?;
    Ok(with_specs(connection, found).await?.pop())
}

/// The group type of that id, which nobody else changes until the end of the transaction.
pub async fn get_locked(tx: &mut Tx, id: GroupTypeId) -> Result<Option<GroupType>, Error> {
    let found = record::get_held(tx, &id.to_string(), Hold::Alone).await?;
    Ok(with_specs(tx, found).await?.pop())
}

/// The same for one that nobody changes at all meanwhile: many may hold it so.
pub async fn get_shared(tx: &mut Tx, id: GroupTypeId) -> Result<Option<GroupType>, Error> {
    let found = record::get_held(tx, &id.to_string(), Hold::Shared).await?;
    Ok(with_specs(tx, found).await?.pop())
}

/// The group type of that name.
pub async fn named(connection: &mut Connection, name: &str) -> Result<Option<GroupType>, Error> {
    let listing = Listing::of(Column::Name, &name);
    let found = list(connection, &listing).await?;
    Ok(found.and_then(|mut found| found.pop()))
}

/// A page of group types; `None` where the marker is none.
pub async fn list(
    connection: &mut Connection,
    listing: &Listing,
) -> Result<Option<Vec<GroupType>>, Error> {
    match record::page(connection, listing).await? {
        None => Ok(None),
        Some(rows) => with_specs(connection, rows).await.map(Some),
    }
}

async fn with_specs(
    connection: &mut Connection,
    rows: impl IntoIterator<Item = GroupType>,
) -> Result<Vec<GroupType>, Error> {
    let mut types: Vec<GroupType> = rows.into_iter().collect();
    let ids: Vec<_> = types.iter().map(|kind| kind.id.0).collect();
    let mut specs = properties::of_all(connection, &ids).await?;
    for kind in &mut types {
        kind.group_specs = specs.remove(&kind.id.0).unwrap_or_default();
    }
    Ok(types)
}

/// Adds a group type with its specs; [`crate::ErrorKind::Exists`] where the name is taken.
pub async fn insert(connection: &mut Connection, kind: &GroupType) -> Result<(), Error> {
    record::insert(connection, kind).await?;
    properties::merge(connection, kind.id.0, &kind.group_specs).await
}

/// Writes name, description and visibility. Whether the row was there.
pub async fn update(connection: &mut Connection, kind: &GroupType) -> Result<Swapped, Error> {
    record::write::<GroupType>(connection, &kind.id.to_string(), kind.changing()).await
}

/// Removes the group type with its specs; whether it was there.
pub async fn remove(connection: &mut Connection, id: GroupTypeId) -> Result<bool, Error> {
    properties::clear(connection, id.0).await?;
    record::remove::<GroupType>(connection, &id.to_string()).await
}
