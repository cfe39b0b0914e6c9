//! How volumes are encrypted, in answers.

use firebrick_control::TypeEncryption;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::shape::{TIME, TIME_OR_NULL};
use super::time::Moment;
use crate::body::Fields;
use crate::schema::{FLAG, ID, Kind, NULL, Schema, TEXT, TEXT_OR_NULL, object, of, only};

/// What a request may say, in the order in which answers repeat it.
const SAID: [&str; 4] = ["provider", "cipher", "key_size", "control_location"];

/// All of a type's encryption.
pub(crate) fn specs(encryption: &TypeEncryption) -> Map<String, Value> {
    let shown = json!({
        "encryption_id": encryption.id.to_string(),
        "volume_type_id": encryption.volume_type.to_string(),
        "provider": encryption.provider,
        "cipher": encryption.cipher,
        "key_size": encryption.key_size,
        "control_location": encryption.control_location,
        "created_at": Moment(encryption.created_at),
        "updated_at": encryption.updated_at.map(Moment),
        "deleted_at": null,
        "deleted": false,
    });
    match shown {
        Value::Object(shown) => shown,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

/// What a request said, sizes as numbers.
pub(crate) fn given(fields: &Fields<'_>) -> Map<String, Value> {
    let said = SAID.iter().filter_map(|key| {
        let value = fields.get(key)?;
        let value = match *key {
            "key_size" => json!(key_size(value)),
            _ => value.clone(),
        };
        Some(((*key).to_owned(), value))
    });
    said.collect()
}

/// A size in bits, which may be in digits.
pub(crate) fn key_size(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// What the hosts of a volume are told: the id of its key, and how its type is encrypted.
pub(crate) fn of_volume(
    key: Option<Uuid>,
    encryption: Option<&TypeEncryption>,
) -> Map<String, Value> {
    let mut shown = Map::from_iter([(
        "encryption_key_id".to_owned(),
        json!(key.map(|key| key.to_string())),
    )]);
    if let Some(encryption) = encryption {
        let all = specs(encryption).into_iter();
        shown.extend(all.filter(|(name, _)| SAID.contains(&name.as_str())));
    }
    shown
}

const SIZE_OR_NULL: Schema = of(&[Kind::Integer, Kind::Null]);

/// The shape of all of it; empty where there is none.
pub(crate) const SPECS: Schema = object(&[
    ("encryption_id", ID),
    ("volume_type_id", ID),
    ("provider", TEXT),
    ("cipher", TEXT_OR_NULL),
    ("key_size", SIZE_OR_NULL),
    ("control_location", TEXT),
    ("created_at", TIME),
    ("updated_at", TIME_OR_NULL),
    ("deleted_at", NULL),
    ("deleted", FLAG),
])
.closed();

/// The shape of one part of it.
pub(crate) const SPEC: Schema = SPECS.entries(1, 1);

/// The shape of what a request said, with the ids that it was given.
pub(crate) const GIVEN: Schema = only(&["encryption"], &[("encryption", SPECS)]);

/// The shape of what the hosts of a volume are told.
pub(crate) const OF_VOLUME: Schema = object(&[
    ("encryption_key_id", TEXT_OR_NULL),
    ("provider", TEXT),
    ("cipher", TEXT_OR_NULL),
    ("key_size", SIZE_OR_NULL),
    ("control_location", TEXT),
])
.required(&["encryption_key_id"])
.closed();
