//! The bodies of requests about transfers.

use super::{ID, Kind, SAID, SHORT_OR_NULL, Schema, object, of, only};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("volume_id", ID),
    ("name", SHORT_OR_NULL),
    ("no_snapshots", SAID.since(V::TRANSFER_SNAPSHOTS)),
])
.required(&["volume_id"])
.closed();

/// `POST /volume-transfers`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &only(&["transfer"], &[("transfer", NEW)]))];

const KEY: Schema = object(&[("auth_key", of(&[Kind::Text, Kind::Integer]))])
    .required(&["auth_key"])
    .closed();

/// `POST /volume-transfers/{id}/accept`.
pub(crate) const ACCEPT: Bodies = &[(V::MIN, &only(&["accept"], &[("accept", KEY)]))];
