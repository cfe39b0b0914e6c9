//! The bodies of requests about group types.

use super::{
    DESCRIPTION, EXTRA_SPEC_KEY, METADATA_KEY, NAME, SAID, SHORT_OR_NULL, Schema, map, object, only,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("name", NAME),
    ("description", DESCRIPTION),
    ("is_public", SAID),
    ("group_specs", map(METADATA_KEY, &SHORT_OR_NULL)),
])
.required(&["name"])
.closed();

/// `POST /group_types`.
pub(crate) const CREATE: Bodies = &[(
    V::GROUP_TYPES,
    &only(&["group_type"], &[("group_type", NEW)]),
)];

const CHANGE: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("is_public", SAID),
])
.closed();

/// `PUT /group_types/{id}`.
pub(crate) const UPDATE: Bodies = &[(
    V::GROUP_TYPES,
    &only(&["group_type"], &[("group_type", CHANGE)]),
)];

const ALL_SPECS: Schema = map(EXTRA_SPEC_KEY, &SHORT_OR_NULL);

/// `POST /group_types/{id}/group_specs`.
pub(crate) const SPECS: Bodies = &[(
    V::GROUP_TYPES,
    &only(&["group_specs"], &[("group_specs", ALL_SPECS)]),
)];

/// `PUT /group_types/{id}/group_specs/{key}`.
pub(crate) const SPEC: Bodies = &[(V::GROUP_TYPES, &ALL_SPECS.entries(1, 1))];
