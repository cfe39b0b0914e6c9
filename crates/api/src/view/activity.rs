//! Activities in answers.

use firebrick_control::Activity;
use firebrick_state::ActivityResource;
use firebrick_vocabulary::{ActivityId, VolumeId};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::failover::REPORT;
use super::shape::{LINKS, TIME, TIME_OR_NULL, WHOLE};
use super::time::Moment;
use super::{Gated, gated};
use crate::call::Call;
use crate::schema::{
    ID, ID_OR_NULL, NULL, Schema, TEXT, TEXT_OR_NULL, any_of, array, object, only,
};

/// An activity.
#[derive(Serialize)]
pub(crate) struct View<'a> {
    id: ActivityId,
    action: &'static str,
    status: &'static str,
    resource_type: &'static str,
    resource_id: Uuid,
    volume_id: Option<VolumeId>,
    project_id: &'a str,
    user_id: Option<&'a str>,
    request_id: &'a str,
    phase: Option<&'a str>,
    progress: Option<Progress>,
    started_at: Moment,
    updated_at: Moment,
    finished_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Gated<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Gated<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Value>,
}

/// How many bytes of its work are done.
#[derive(Serialize)]
struct Progress {
    done: u64,
    total: u64,
}

/// The volume that it is about, which may be the one that it does something to.
fn volume(activity: &Activity) -> Option<VolumeId> {
    let own = activity.kind.resource() == ActivityResource::Volume;
    let own = own.then_some(VolumeId(activity.resource));
    activity.volume.or(own)
}

/// An activity; what names hosts is for administrators.
pub(crate) fn view<'a>(call: &Call, activity: &'a Activity) -> View<'a> {
    let admin = call.context.is_admin();
    let bytes = activity.done.zip(activity.total);
    View {
        id: activity.id,
        action: activity.kind.as_str(),
        status: activity.status.as_str(),
        resource_type: activity.kind.resource().as_str(),
        resource_id: activity.resource,
        volume_id: volume(activity),
        project_id: activity.project.as_str(),
        user_id: activity.user.as_ref().map(|user| user.0.as_str()),
        request_id: &activity.request_id,
        phase: activity.phase.as_deref(),
        progress: bytes.map(|(done, total)| Progress { done, total }),
        started_at: Moment(activity.created_at),
        updated_at: Moment(activity.updated_at),
        finished_at: activity.finished_at.map(Moment),
        node: gated(admin, activity.node.as_deref()),
        error: gated(admin, activity.error.as_deref()),
        report: None,
    }
}

/// The same with what it did to each volume; that names volumes of all projects.
pub(crate) fn whole<'a>(call: &Call, activity: &'a Activity) -> View<'a> {
    let report = activity.state.get("report").filter(|it| it.is_object());
    View {
        report: report.filter(|_| call.context.is_admin()),
        ..view(call, activity)
    }
}

const PROGRESS: Schema = object(&[("done", WHOLE), ("total", WHOLE)])
    .required(&["done", "total"])
    .closed();

const SHAPE: Schema = object(&[
    ("id", ID),
    ("action", TEXT),
    ("status", TEXT),
    ("resource_type", TEXT),
    ("resource_id", ID),
    ("volume_id", ID_OR_NULL),
    ("project_id", TEXT),
    ("user_id", TEXT_OR_NULL),
    ("request_id", TEXT),
    ("phase", TEXT_OR_NULL),
    ("progress", any_of(&[PROGRESS, NULL])),
    ("started_at", TIME),
    ("updated_at", TIME),
    ("finished_at", TIME_OR_NULL),
    ("node", TEXT_OR_NULL),
    ("error", TEXT_OR_NULL),
    ("report", REPORT),
])
.required(&[
    "id",
    "action",
    "status",
    "resource_type",
    "resource_id",
    "volume_id",
    "project_id",
    "user_id",
    "request_id",
    "phase",
    "progress",
    "started_at",
    "updated_at",
    "finished_at",
])
.closed();

/// The shape of one.
pub(crate) const ONE: Schema = only(&["activity"], &[("activity", SHAPE)]);

/// The shape of lists.
pub(crate) const LIST: Schema =
    object(&[("activities", array(&SHAPE)), ("activities_links", LINKS)])
        .required(&["activities"])
        .closed();
