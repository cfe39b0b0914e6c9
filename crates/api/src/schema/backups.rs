//! The bodies of requests about backups.

use super::{
    DESCRIPTION, EXTRA_SPEC_KEY, Format, ID, ID_OR_NULL, Kind, METADATA_OR_NULL, NULL, SAID, SHORT,
    SHORT_OR_NULL, Schema, any_of, map, object, only, text,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("volume_id", ID),
    ("container", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("incremental", SAID),
    ("force", SAID),
    ("name", SHORT_OR_NULL),
    ("snapshot_id", ID_OR_NULL),
    ("metadata", METADATA_OR_NULL.since(V::BACKUP_METADATA)),
    ("availability_zone", SHORT_OR_NULL.since(V::BACKUP_ZONE)),
])
.required(&["volume_id"])
.closed();

/// `POST /backups`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &only(&["backup"], &[("backup", NEW)]))];

const SPECS: Schema = map(EXTRA_SPEC_KEY, &SHORT);

const CHANGE: Schema = object(&[
    ("name", SHORT_OR_NULL),
    ("description", DESCRIPTION),
    ("metadata", SPECS.since(V::BACKUP_METADATA)),
])
.closed();

/// `PUT /backups/{id}`.
pub(crate) const UPDATE: Bodies = &[(V::MIN, &only(&["backup"], &[("backup", CHANGE)]))];

const TARGET: Schema = object(&[("name", SHORT_OR_NULL), ("volume_id", ID_OR_NULL)]).closed();

/// `POST /backups/{id}/restore`.
pub(crate) const RESTORE: Bodies = &[(
    V::MIN,
    &only(&["restore"], &[("restore", any_of(&[TARGET, NULL]))]),
)];

const BASE64: Format = Format {
    name: "base64",
    matches: |text| {
        let digits = text.trim_end_matches('=');
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        text.len().is_multiple_of(4) && text.len() - digits.len() <= 2 && digits.bytes().all(known)
    },
};

const RECORD: Schema = object(&[
    ("backup_service", SHORT),
    ("backup_url", text().length(1, 262_144).format(BASE64)),
])
.required(&["backup_service", "backup_url"])
.closed();

/// `POST /backups/import_record`.
pub(crate) const IMPORT: Bodies = &[(
    V::MIN,
    &only(&["backup-record"], &[("backup-record", RECORD)]),
)];

/// `os-reset_status`.
pub(crate) const RESET_STATUS: Bodies = &[(
    V::MIN,
    &object(&[("status", text().kinds(&[Kind::Text]))])
        .required(&["status"])
        .closed(),
)];
