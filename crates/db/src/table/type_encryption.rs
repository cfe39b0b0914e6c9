//! How the volumes of a type are encrypted.

use ::time::OffsetDateTime;
use firebrick_vocabulary::TypeId;
use uuid::Uuid;

use crate::error::Error;
use crate::open::Connection;
use crate::row::Columns;
use crate::swapped::Swapped;
use crate::table::record::{self, Field, Record, field, keyed};

/// How the volumes of a type are encrypted.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields of the API reference, by their names there"
)]
pub struct TypeEncryption {
    pub volume_type: TypeId,
    /// `encryption_id`.
    pub id: Uuid,
    pub provider: String,
    pub cipher: Option<String>,
    /// In bits.
    pub key_size: Option<i64>,
    /// `front-end` or `back-end`.
    pub control_location: String,
    pub created_at: OffsetDateTime,
    pub updated_at: Option<OffsetDateTime>,
}

impl Record for TypeEncryption {
    const TABLE: &'static str = "type_encryption";
    const KEY: &'static str = "volume_type";

    fn read(columns: &Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            volume_type: columns.parsed("volume_type")?,
            id: columns.parsed("id")?,
            provider: columns.text("provider")?,
            cipher: columns.maybe_text("cipher")?,
            key_size: columns.maybe_number("key_size")?,
            control_location: columns.text("control_location")?,
            created_at: columns.time("created_at")?,
            updated_at: columns.maybe_time("updated_at")?,
        })
    }

    fn fixed(&self) -> Vec<Field> {
        vec![
            field("volume_type", self.volume_type.to_string()),
            field("id", self.id.to_string()),
            field("created_at", self.created_at),
            field("updated_at", self.updated_at),
        ]
    }

    fn changing(&self) -> Vec<Field> {
        vec![
            field("provider", self.provider.as_str()),
            field("cipher", self.cipher.as_deref()),
            field("key_size", self.key_size),
            field("control_location", self.control_location.as_str()),
        ]
    }
}

keyed!(TypeEncryption, TypeId);

/// Writes everything but the type and the id. Whether the row was there.
pub async fn update(connection: &mut Connection, row: &TypeEncryption) -> Result<Swapped, Error> {
    let key = row.volume_type.to_string();
    record::write::<TypeEncryption>(connection, &key, row.changing()).await
}
