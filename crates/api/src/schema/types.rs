//! The bodies of requests about volume types.

use super::{
    DESCRIPTION, EXTRA_SPEC_KEY, METADATA_KEY, NAME, NAME_OR_NULL, SAID, SHORT_OR_NULL, Schema,
    map, object, only,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("name", NAME),
    ("description", DESCRIPTION),
    ("extra_specs", map(METADATA_KEY, &SHORT_OR_NULL)),
    ("os-volume-type-access:is_public", SAID),
])
.required(&["name"])
.closed();

/// `POST /types`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &only(&["volume_type"], &[("volume_type", NEW)]))];

const CHANGE: Schema = object(&[
    ("name", NAME_OR_NULL),
    ("description", DESCRIPTION),
    ("is_public", SAID),
])
.closed();

/// `PUT /types/{id}`.
pub(crate) const UPDATE: Bodies = &[(V::MIN, &only(&["volume_type"], &[("volume_type", CHANGE)]))];

const SPECS: Schema = map(EXTRA_SPEC_KEY, &SHORT_OR_NULL);

/// `POST /types/{id}/extra_specs`.
pub(crate) const EXTRA_SPECS: Bodies =
    &[(V::MIN, &only(&["extra_specs"], &[("extra_specs", SPECS)]))];

/// `PUT /types/{id}/extra_specs/{key}`.
pub(crate) const EXTRA_SPEC: Bodies = &[(V::MIN, &SPECS.entries(1, 1))];
