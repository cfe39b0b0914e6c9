//! Groups in answers.

use firebrick_control::{Group, GroupDetail};
use firebrick_policy::Rule;
use firebrick_vocabulary::{GroupId, GroupSnapshotId, GroupTypeId, TypeId, VolumeId};
use serde::Serialize;

use super::shape::{LINKS, TIME};
use super::time::Moment;
use super::{Gated, since};
use crate::call::Call;
use crate::microversion::Microversion as V;
use crate::schema::{ID, ID_OR_NULL, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// A group in a list without details, or that was created.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: GroupId,
    name: Option<&'a str>,
}

/// A consistency group that is shown.
#[derive(Serialize)]
pub(crate) struct Legacy<'a> {
    id: GroupId,
    status: &'static str,
    availability_zone: &'a str,
    created_at: Moment,
    name: Option<&'a str>,
    description: Option<&'a str>,
    volume_types: &'a [TypeId],
}

/// A group that is shown.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    #[serde(flatten)]
    legacy: Legacy<'a>,
    group_type: GroupTypeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_snapshot_id: Gated<GroupSnapshotId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_group_id: Gated<GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes: Option<&'a [VolumeId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
}

/// A site to which a group can go.
#[derive(Serialize)]
pub(crate) struct Target<'a> {
    backend_id: &'a str,
}

pub(crate) fn targets(ids: &[String]) -> Vec<Target<'_>> {
    ids.iter().map(|id| Target { backend_id: id }).collect()
}

pub(crate) fn brief(group: &Group) -> Brief<'_> {
    Brief {
        id: group.id,
        name: group.name.as_deref(),
    }
}

pub(crate) fn legacy(detail: &GroupDetail) -> Legacy<'_> {
    let group = &detail.group;
    Legacy {
        id: group.id,
        status: group.status.as_str(),
        availability_zone: &group.availability_zone,
        created_at: Moment(group.created_at),
        name: group.name.as_deref(),
        description: group.description.as_deref(),
        volume_types: &detail.volume_types,
    }
}

/// With its volumes where they were asked for.
pub(crate) fn full<'a>(call: &Call, detail: &'a GroupDetail, volumes: bool) -> Full<'a> {
    let group = &detail.group;
    let replicated = call.at(V::GROUP_REPLICATION);
    let owned =
        call.at(V::GROUP_PROJECT_ID) && (call.context).may_for(Rule::GroupProjectAttribute, group);
    Full {
        legacy: legacy(detail),
        group_type: group.group_type,
        group_snapshot_id: since(call, V::GROUP_SNAPSHOTS, group.group_snapshot),
        source_group_id: since(call, V::GROUP_SNAPSHOTS, group.source),
        volumes: volumes.then_some(&*detail.volumes),
        replication_status: replicated.then_some(group.replication_status.as_str()),
        project_id: owned.then_some(group.project.as_str()),
    }
}

const SHORT: Schema = object(&[("id", ID), ("name", TEXT_OR_NULL)])
    .required(&["id", "name"])
    .closed();

const LEGACY: Schema = object(&[
    ("id", ID),
    ("status", TEXT),
    ("availability_zone", TEXT),
    ("created_at", TIME),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("volume_types", array(&ID)),
])
.required(&[
    "id",
    "status",
    "availability_zone",
    "created_at",
    "name",
    "description",
    "volume_types",
])
.closed();

const SHAPE: Schema = object(&[
    ("id", ID),
    ("status", TEXT),
    ("availability_zone", TEXT),
    ("created_at", TIME),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("volume_types", array(&ID)),
    ("group_type", ID),
    ("group_snapshot_id", ID_OR_NULL.since(V::GROUP_SNAPSHOTS)),
    ("source_group_id", ID_OR_NULL.since(V::GROUP_SNAPSHOTS)),
    ("volumes", array(&ID).since(V::GROUP_VOLUMES)),
    ("replication_status", TEXT.since(V::GROUP_REPLICATION)),
    ("project_id", TEXT.since(V::GROUP_PROJECT_ID)),
])
.required(&[
    "id",
    "status",
    "availability_zone",
    "created_at",
    "name",
    "description",
    "volume_types",
    "group_type",
])
.closed();

/// The shape of a group that was created.
pub(crate) const BRIEF: Schema = only(&["group"], &[("group", SHORT)]);

/// The shape of a group that is shown.
pub(crate) const ONE: Schema = only(&["group"], &[("group", SHAPE)]);

/// The shape of lists without details.
pub(crate) const LIST: Schema = object(&[("groups", array(&SHORT)), ("group_links", LINKS)])
    .required(&["groups"])
    .closed();

/// The shape of lists with details.
pub(crate) const DETAILS: Schema = object(&[("groups", array(&SHAPE)), ("group_links", LINKS)])
    .required(&["groups"])
    .closed();

const TARGET: Schema = object(&[("backend_id", TEXT)])
    .required(&["backend_id"])
    .closed();

/// The shape of the sites to which a group can go.
pub(crate) const TARGETS: Schema = only(
    &["replication_targets"],
    &[("replication_targets", array(&TARGET))],
);

/// The shape of a consistency group that was created.
pub(crate) const LEGACY_BRIEF: Schema = only(&["consistencygroup"], &[("consistencygroup", SHORT)]);

/// The shape of a consistency group that is shown.
pub(crate) const LEGACY_ONE: Schema = only(&["consistencygroup"], &[("consistencygroup", LEGACY)]);

/// The shape of lists of them without details.
pub(crate) const LEGACY_LIST: Schema = object(&[
    ("consistencygroups", array(&SHORT)),
    ("consistencygroup_links", LINKS),
])
.required(&["consistencygroups"])
.closed();

/// The shape of lists of them with details.
pub(crate) const LEGACY_DETAILS: Schema = object(&[
    ("consistencygroups", array(&LEGACY)),
    ("consistencygroup_links", LINKS),
])
.required(&["consistencygroups"])
.closed();
