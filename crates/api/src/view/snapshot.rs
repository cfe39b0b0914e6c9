//! Snapshots in answers.

use firebrick_control::{Metadata, SnapshotDetail};
use firebrick_policy::Rule;
use firebrick_vocabulary::{GroupSnapshotId, SnapshotUuid, VolumeId};
use serde::Serialize;

use super::shape::{LINKS, TEXTS, TIME, TIME_OR_NULL, WHOLE};
use super::time::Moment;
use super::{Gated, since};
use crate::call::Call;
use crate::microversion::Microversion as V;
use crate::schema::{FLAG, ID, ID_OR_NULL, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// A snapshot.
#[derive(Serialize)]
pub(crate) struct Snapshot<'a> {
    id: SnapshotUuid,
    created_at: Moment,
    updated_at: Option<Moment>,
    name: Option<&'a str>,
    description: Option<&'a str>,
    volume_id: VolumeId,
    status: &'static str,
    size: u32,
    metadata: &'a Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_snapshot_id: Gated<GroupSnapshotId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumes_quota: Option<bool>,
    #[serde(rename = "os-extended-snapshot-attributes:project_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(rename = "os-extended-snapshot-attributes:progress")]
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<&'a str>,
}

/// A snapshot in a list without details.
pub(crate) fn brief(detail: &SnapshotDetail) -> Snapshot<'_> {
    let snapshot = &detail.snapshot;
    Snapshot {
        id: snapshot.id,
        created_at: Moment(snapshot.created_at),
        updated_at: snapshot.updated_at.map(Moment),
        name: snapshot.name.as_deref(),
        description: snapshot.description.as_deref(),
        volume_id: snapshot.volume,
        status: snapshot.status.as_str(),
        size: snapshot.size,
        metadata: &snapshot.metadata,
        group_snapshot_id: None,
        user_id: None,
        consumes_quota: None,
        project: None,
        progress: None,
    }
}

/// A snapshot that was created or changed.
pub(crate) fn changed<'a>(call: &Call, detail: &'a SnapshotDetail) -> Snapshot<'a> {
    let user = detail.snapshot.user.as_str();
    Snapshot {
        group_snapshot_id: since(call, V::GROUP_SNAPSHOTS, detail.snapshot.group_snapshot),
        user_id: call.at(V::SNAPSHOT_USER_ID).then_some(user),
        consumes_quota: call.at(V::CONSUMES_QUOTA).then_some(true),
        ..brief(detail)
    }
}

/// A snapshot that is shown, or listed with details.
pub(crate) fn full<'a>(call: &Call, detail: &'a SnapshotDetail) -> Snapshot<'a> {
    let snapshot = &detail.snapshot;
    let rule = Rule::ExtendedSnapshotAttributes;
    let more = call.context.may_for(rule, snapshot);
    Snapshot {
        project: more.then_some(snapshot.project.as_str()),
        progress: more.then_some(snapshot.progress.as_str()),
        ..changed(call, detail)
    }
}

const SHAPE: Schema = object(&[
    ("id", ID),
    ("created_at", TIME),
    ("updated_at", TIME_OR_NULL),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("volume_id", ID),
    ("status", TEXT),
    ("size", WHOLE),
    ("metadata", TEXTS),
    ("group_snapshot_id", ID_OR_NULL.since(V::GROUP_SNAPSHOTS)),
    ("user_id", TEXT.since(V::SNAPSHOT_USER_ID)),
    ("consumes_quota", FLAG.since(V::CONSUMES_QUOTA)),
    ("os-extended-snapshot-attributes:project_id", TEXT),
    ("os-extended-snapshot-attributes:progress", TEXT_OR_NULL),
])
.required(&[
    "id",
    "created_at",
    "updated_at",
    "name",
    "description",
    "volume_id",
    "status",
    "size",
    "metadata",
])
.closed();

/// The shape of a snapshot that was created or changed, or is shown.
pub(crate) const ONE: Schema = only(&["snapshot"], &[("snapshot", SHAPE)]);

/// The shape of a snapshot that was taken over: as at the oldest version, whichever is asked for.
pub(crate) const MANAGED: Schema = ONE;

/// The shape of lists.
pub(crate) const LIST: Schema = object(&[
    ("snapshots", array(&SHAPE)),
    ("snapshots_links", LINKS),
    ("count", WHOLE.since(V::COUNT)),
])
.required(&["snapshots"])
.closed();
