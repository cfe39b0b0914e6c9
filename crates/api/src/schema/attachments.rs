//! The bodies of requests about attachments.

use super::{ANY, ID, Kind, MODE, OBJECT, Schema, object, only};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

const NEW: Schema = object(&[
    ("instance_uuid", ID),
    ("connector", OBJECT.kinds(&[Kind::Object, Kind::Null])),
    ("volume_uuid", ID),
    ("mode", MODE.since(V::ATTACH_MODE)),
])
.required(&["volume_uuid"])
.closed();

/// `POST /attachments`.
pub(crate) const CREATE: Bodies = &[(V::MIN, &only(&["attachment"], &[("attachment", NEW)]))];

const CHANGE: Schema = only(&["connector"], &[("connector", OBJECT.not_empty())]);

/// `PUT /attachments/{id}`.
pub(crate) const UPDATE: Bodies = &[(V::MIN, &only(&["attachment"], &[("attachment", CHANGE)]))];

/// `os-complete`.
pub(crate) const COMPLETE: Bodies = &[(V::MIN, &ANY)];
