//! The bodies of requests about volume types.

use super::{
    ANY, DESCRIPTION, EXTRA_SPEC_KEY, Format, Kind, MAX_SIZE, METADATA_KEY, NAME, NAME_OR_NULL,
    SAID, SHORT, SHORT_OR_NULL, Schema, Word, map, object, of, only,
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

/// `addProjectAccess` and `removeProjectAccess`.
pub(crate) const PROJECT_ACCESS: Bodies = &[(
    V::MIN,
    &object(&[("project", NAME)]).required(&["project"]).closed(),
)];

/// A size in bits, as a number or in digits.
const KEY_SIZE: Schema = of(&[Kind::Text, Kind::Integer, Kind::Null])
    .format(Format {
        name: "key_size",
        matches: |text| {
            text.parse::<u32>()
                .is_ok_and(|size| i64::from(size) <= MAX_SIZE)
        },
    })
    .range(0, MAX_SIZE);

/// Who encrypts.
const LOCATION: Schema = ANY.words(&[Word::Text("front-end"), Word::Text("back-end")]);

const ENCRYPTION: Schema = object(&[
    ("key_size", KEY_SIZE),
    ("provider", SHORT),
    ("control_location", LOCATION),
    ("cipher", SHORT_OR_NULL),
]);

/// `POST /types/{id}/encryption`.
pub(crate) const NEW_ENCRYPTION: Bodies = &[(
    V::MIN,
    &only(
        &["encryption"],
        &[(
            "encryption",
            ENCRYPTION.required(&["provider", "control_location"]),
        )],
    ),
)];

/// `PUT /types/{id}/encryption/{encryption}`.
pub(crate) const CHANGED_ENCRYPTION: Bodies = &[(
    V::MIN,
    &only(&["encryption"], &[("encryption", ENCRYPTION)]),
)];

/// `PUT /default-types/{project}`.
pub(crate) const DEFAULT: Bodies = &[(
    V::DEFAULT_TYPES,
    &only(
        &["default_type"],
        &[(
            "default_type",
            object(&[("volume_type", NAME)])
                .required(&["volume_type"])
                .closed(),
        )],
    ),
)];
