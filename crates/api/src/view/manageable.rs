//! What sites have, in answers.

use firebrick_control::Manageable;
use serde::Serialize;
use uuid::Uuid;

use super::shape::WHOLE;
use crate::schema::{FLAG, ID_OR_NULL, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// How a site calls something.
#[derive(Serialize)]
struct Reference<'a> {
    #[serde(rename = "source-name")]
    name: &'a str,
}

/// What is said without details.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    reference: Reference<'a>,
    size: u32,
    safe_to_manage: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_reference: Option<Reference<'a>>,
}

/// What is said besides.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    #[serde(flatten)]
    brief: Brief<'a>,
    reason_not_safe: Option<&'a str>,
    cinder_id: Option<Uuid>,
    extra_info: Option<&'a str>,
}

/// A volume.
pub(crate) fn volume(item: &Manageable) -> Brief<'_> {
    Brief {
        reference: Reference {
            name: &item.reference,
        },
        size: item.size,
        safe_to_manage: item.reason_not_safe.is_none(),
        source_reference: None,
    }
}

/// A volume with all that is known.
pub(crate) fn volume_in_detail(item: &Manageable) -> Full<'_> {
    full(volume(item), item)
}

/// A snapshot.
pub(crate) fn snapshot(item: &Manageable) -> Brief<'_> {
    let source = item.source.as_deref();
    Brief {
        source_reference: source.map(|name| Reference { name }),
        ..volume(item)
    }
}

/// A snapshot with all that is known.
pub(crate) fn snapshot_in_detail(item: &Manageable) -> Full<'_> {
    full(snapshot(item), item)
}

fn full<'a>(brief: Brief<'a>, item: &'a Manageable) -> Full<'a> {
    Full {
        brief,
        reason_not_safe: item.reason_not_safe.as_deref(),
        cinder_id: item.id,
        extra_info: item.extra_info.as_deref(),
    }
}

const NAMED: Schema = only(&["source-name"], &[("source-name", TEXT)]);

const VOLUME: Schema = object(&[
    ("reference", NAMED),
    ("size", WHOLE),
    ("safe_to_manage", FLAG),
])
.required(&["reference", "size", "safe_to_manage"])
.closed();

const VOLUME_IN_DETAIL: Schema = object(&[
    ("reference", NAMED),
    ("size", WHOLE),
    ("safe_to_manage", FLAG),
    ("reason_not_safe", TEXT_OR_NULL),
    ("cinder_id", ID_OR_NULL),
    ("extra_info", TEXT_OR_NULL),
])
.required(&[
    "reference",
    "size",
    "safe_to_manage",
    "reason_not_safe",
    "cinder_id",
    "extra_info",
])
.closed();

const SNAPSHOT: Schema = object(&[
    ("reference", NAMED),
    ("size", WHOLE),
    ("safe_to_manage", FLAG),
    ("source_reference", NAMED),
])
.required(&["reference", "size", "safe_to_manage", "source_reference"])
.closed();

const SNAPSHOT_IN_DETAIL: Schema = object(&[
    ("reference", NAMED),
    ("size", WHOLE),
    ("safe_to_manage", FLAG),
    ("reason_not_safe", TEXT_OR_NULL),
    ("cinder_id", ID_OR_NULL),
    ("extra_info", TEXT_OR_NULL),
    ("source_reference", NAMED),
])
.required(&[
    "reference",
    "size",
    "safe_to_manage",
    "reason_not_safe",
    "cinder_id",
    "extra_info",
    "source_reference",
])
.closed();

/// Volumes.
pub(crate) const VOLUMES: Schema = only(
    &["manageable-volumes"],
    &[("manageable-volumes", array(&VOLUME))],
);

/// Volumes with details.
pub(crate) const VOLUMES_IN_DETAIL: Schema = only(
    &["manageable-volumes"],
    &[("manageable-volumes", array(&VOLUME_IN_DETAIL))],
);

/// Snapshots.
pub(crate) const SNAPSHOTS: Schema = only(
    &["manageable-snapshots"],
    &[("manageable-snapshots", array(&SNAPSHOT))],
);

/// Snapshots with details.
pub(crate) const SNAPSHOTS_IN_DETAIL: Schema = only(
    &["manageable-snapshots"],
    &[("manageable-snapshots", array(&SNAPSHOT_IN_DETAIL))],
);
