//! The bodies of requests about snapshots.

use super::{
    DESCRIPTION, ID_OR_NULL, METADATA_OR_NULL, OBJECT, SAID, SHORT, SHORT_OR_NULL,
    SNAPSHOT_METADATA_KEY, Schema, map, object, only,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("display_name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("volume_id", ID_OR_NULL),
    ("force", SAID),
    ("metadata", METADATA_OR_NULL),
])
.required(&["volume_id"])
.closed();

/// `POST /snapshots`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &only(&["snapshot"], &[("snapshot", NEW)]))];

const CHANGE: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("display_name", SHORT_OR_NULL),
    ("display_description", DESCRIPTION),
])
.closed()
.and_any_of(&[
    OBJECT.required(&["name"]),
    OBJECT.required(&["description"]),
    OBJECT.required(&["display_name"]),
    OBJECT.required(&["display_description"]),
]);

/// `PUT /snapshots/{id}`.
pub(crate) const UPDATE: Bodies = &[(V::MIN, &only(&["snapshot"], &[("snapshot", CHANGE)]))];

const METADATA: Schema = map(SNAPSHOT_METADATA_KEY, &SHORT);

/// `POST` and `PUT /snapshots/{id}/metadata`.
pub(crate) const METADATA_BODY: Bodies =
    &[(V::MIN, &only(&["metadata"], &[("metadata", METADATA)]))];

/// `PUT /snapshots/{id}/metadata/{key}`.
pub(crate) const META_BODY: Bodies = &[(
    V::MIN,
    &only(&["meta"], &[("meta", METADATA.entries(1, 1))]),
)];

/// `os-reset_status`.
pub(crate) const RESET_STATUS: Bodies = &[(V::MIN, &only(&["status"], &[("status", SHORT)]))];

/// `os-update_snapshot_status`.
pub(crate) const UPDATE_STATUS: Bodies = &[(
    V::MIN,
    &object(&[("status", SHORT), ("progress", SHORT_OR_NULL)])
        .required(&["status"])
        .closed(),
)];
