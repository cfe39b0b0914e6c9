//! The bodies of requests about QoS specs.

use super::{METADATA_KEY, NAME, SHORT_OR_NULL, Schema, TEXT_OR_NULL, array, map, object, only};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

// Keys of a new one are checked by other rules, behind the schema.
const NEW: Schema = object(&[("name", TEXT_OR_NULL)]).required(&["name"]);

/// `POST /qos-specs`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &only(&["qos_specs"], &[("qos_specs", NEW)]))];

/// `PUT /qos-specs/{id}`.
pub(crate) const UPDATE: Bodies = &[(
    V::MIN,
    &only(
        &["qos_specs"],
        &[("qos_specs", map(METADATA_KEY, &SHORT_OR_NULL))],
    ),
)];

/// `PUT /qos-specs/{id}/delete_keys`.
pub(crate) const DELETE_KEYS: Bodies = &[(V::MIN, &only(&["keys"], &[("keys", array(&NAME))]))];
