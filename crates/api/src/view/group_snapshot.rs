//! Group snapshots in answers.

use firebrick_control::GroupSnapshot;
use firebrick_policy::Rule;
use firebrick_vocabulary::{GroupId, GroupSnapshotId, GroupTypeId};
use serde::Serialize;

use super::shape::{LINKS, TIME};
use super::time::Moment;
use crate::call::Call;
use crate::microversion::Microversion as V;
use crate::schema::{ID, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// A group snapshot in a list without details.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: GroupSnapshotId,
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_type_id: Option<GroupTypeId>,
}

/// A group snapshot that is shown.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    id: GroupSnapshotId,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consistencygroup_id: Option<GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_type_id: Option<GroupTypeId>,
    status: &'static str,
    created_at: Moment,
    name: Option<&'a str>,
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
}

pub(crate) fn brief(taken: &GroupSnapshot) -> Brief<'_> {
    Brief {
        id: taken.id,
        name: taken.name.as_deref(),
        group_type_id: None,
    }
}

/// One that was created.
pub(crate) fn created(taken: &GroupSnapshot) -> Brief<'_> {
    Brief {
        group_type_id: Some(taken.group_type),
        ..brief(taken)
    }
}

/// A cgsnapshot that is shown.
pub(crate) fn legacy(taken: &GroupSnapshot) -> Full<'_> {
    Full {
        id: taken.id,
        group_id: None,
        consistencygroup_id: Some(taken.group),
        group_type_id: None,
        status: taken.status.as_str(),
        created_at: Moment(taken.created_at),
        name: taken.name.as_deref(),
        description: taken.description.as_deref(),
        project_id: None,
    }
}

pub(crate) fn full<'a>(call: &Call, taken: &'a GroupSnapshot) -> Full<'a> {
    let owned = call.at(V::GROUP_PROJECT_ID)
        && (call.context).may_for(Rule::GroupSnapshotProjectAttribute, taken);
    Full {
        group_id: Some(taken.group),
        consistencygroup_id: None,
        group_type_id: Some(taken.group_type),
        project_id: owned.then_some(taken.project.as_str()),
        ..legacy(taken)
    }
}

const SHORT: Schema = object(&[("id", ID), ("name", TEXT_OR_NULL)])
    .required(&["id", "name"])
    .closed();

const CREATED: Schema = object(&[("id", ID), ("name", TEXT_OR_NULL), ("group_type_id", ID)])
    .required(&["id", "name", "group_type_id"])
    .closed();

const SHAPE: Schema = object(&[
    ("id", ID),
    ("group_id", ID),
    ("group_type_id", ID),
    ("status", TEXT),
    ("created_at", TIME),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("project_id", TEXT.since(V::GROUP_PROJECT_ID)),
])
.required(&[
    "id",
    "group_id",
    "group_type_id",
    "status",
    "created_at",
    "name",
    "description",
])
.closed();

const LEGACY: Schema = object(&[
    ("id", ID),
    ("consistencygroup_id", ID),
    ("status", TEXT),
    ("created_at", TIME),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
])
.required(&[
    "id",
    "consistencygroup_id",
    "status",
    "created_at",
    "name",
    "description",
])
.closed();

/// The shape of a group snapshot that was created.
pub(crate) const BRIEF: Schema = only(&["group_snapshot"], &[("group_snapshot", CREATED)]);

/// The shape of a group snapshot that is shown.
pub(crate) const ONE: Schema = only(&["group_snapshot"], &[("group_snapshot", SHAPE)]);

/// The shape of lists without details.
pub(crate) const LIST: Schema = object(&[
    ("group_snapshots", array(&SHORT)),
    ("group_snapshot_links", LINKS),
])
.required(&["group_snapshots"])
.closed();

/// The shape of lists with details.
pub(crate) const DETAILS: Schema = object(&[
    ("group_snapshots", array(&SHAPE)),
    ("group_snapshot_links", LINKS),
])
.required(&["group_snapshots"])
.closed();

/// The shape of a cgsnapshot that was created.
pub(crate) const LEGACY_BRIEF: Schema = only(&["cgsnapshot"], &[("cgsnapshot", SHORT)]);

/// The shape of a cgsnapshot that is shown.
pub(crate) const LEGACY_ONE: Schema = only(&["cgsnapshot"], &[("cgsnapshot", LEGACY)]);

/// The shape of lists of them without details.
pub(crate) const LEGACY_LIST: Schema = only(&["cgsnapshots"], &[("cgsnapshots", array(&SHORT))]);

/// The shape of lists of them with details.
pub(crate) const LEGACY_DETAILS: Schema =
    only(&["cgsnapshots"], &[("cgsnapshots", array(&LEGACY))]);
