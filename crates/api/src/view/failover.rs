//! What a failover did, or would do, in answers.

use super::shape::{SECONDS_OR_NULL, WHOLE_OR_NULL};
use crate::schema::{ID, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// The shape of what becomes of one volume.
pub(crate) const VOLUME: Schema = object(&[
    ("volume_id", ID),
    ("outcome", TEXT),
    ("reason", TEXT_OR_NULL),
    ("position", TEXT_OR_NULL),
    ("seconds_lost", SECONDS_OR_NULL),
    ("bytes_lost", WHOLE_OR_NULL),
    ("duration_seconds", SECONDS_OR_NULL),
])
.required(&[
    "volume_id",
    "outcome",
    "reason",
    "position",
    "seconds_lost",
    "bytes_lost",
    "duration_seconds",
])
.closed();

/// The shape of a report.
pub(crate) const REPORT: Schema = object(&[
    ("host", TEXT),
    ("from", TEXT),
    ("to", TEXT),
    ("mode", TEXT),
    ("refused", TEXT_OR_NULL),
    ("duration_seconds", SECONDS_OR_NULL),
    ("volumes", array(&VOLUME)),
])
.required(&[
    "host",
    "from",
    "to",
    "mode",
    "refused",
    "duration_seconds",
    "volumes",
])
.closed();

/// The shape of what failovers would do.
pub(crate) const CHECKS: Schema =
    only(&["failover_checks"], &[("failover_checks", array(&REPORT))]);
