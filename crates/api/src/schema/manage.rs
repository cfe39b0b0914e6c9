//! The bodies of requests that take over what a site has.

use super::{
    DESCRIPTION, HOST, ID, Kind, METADATA_OR_NULL, SAID, SHORT_OR_NULL, Schema, object, of, only,
    text,
};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("description", DESCRIPTION),
    ("availability_zone", SHORT_OR_NULL),
    ("bootable", SAID),
    ("volume_type", SHORT_OR_NULL),
    ("name", SHORT_OR_NULL),
    ("host", text().length(1, 255).pattern(HOST)),
    ("cluster", SHORT_OR_NULL.since(V::MIGRATE_TO_CLUSTER)),
    ("ref", of(&[Kind::Object, Kind::Text])),
    ("metadata", METADATA_OR_NULL),
])
.required(&["ref"])
.closed();

/// `POST /manageable_volumes` and `/os-volume-manage`.
pub(crate) const VOLUME: Bodies = &[(V::MIN, &only(&["volume"], &[("volume", NEW)]))];

const SNAP: Schema = object(&[
    ("description", DESCRIPTION),
    ("metadata", METADATA_OR_NULL),
    ("name", SHORT_OR_NULL),
    ("volume_id", ID),
    ("ref", of(&[Kind::Object, Kind::Null, Kind::Text])),
])
.required(&["ref", "volume_id"])
.closed();

/// `POST /manageable_snapshots` and `/os-snapshot-manage`.
pub(crate) const SNAPSHOT: Bodies = &[(V::MIN, &only(&["snapshot"], &[("snapshot", SNAP)]))];
