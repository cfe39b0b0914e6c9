//! Replications in answers.

use firebrick_control::{
    DrillInfo, FailoverReport, PromoteMode, Relation, VolumeReport, bare_info,
};
use firebrick_vocabulary::{GroupId, MirrorWay, VolumeId};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::failover::VOLUME;
use super::shape::{LINKS, SECONDS_OR_NULL, TIME_OR_NULL, WHOLE, WHOLE_OR_NULL};
use super::time::Moment;
use crate::schema::{
    FLAG, ID, ID_OR_NULL, NULL, Schema, TEXT, TEXT_OR_NULL, any_of, array, object, only,
};

/// A volume and a target of its backend.
#[derive(Serialize)]
pub(crate) struct View<'a> {
    id: String,
    volume_id: VolumeId,
    project_id: &'a str,
    group_id: Option<GroupId>,
    target: &'a str,
    role: &'static str,
    primary_site: &'a str,
    secondary_site: &'a str,
    replication_status: &'static str,
    state: &'static str,
    position: Option<String>,
    lag_seconds: Option<f64>,
    lag_bytes: Option<u64>,
    consistent_at: Option<Moment>,
    progress: Option<Progress>,
    rpo_target_seconds: Option<f64>,
    rpo_met: Option<bool>,
    replication_type: Option<&'static str>,
    in_sync: Option<bool>,
    replication_mode: Option<&'static str>,
    snapshot_interval: Option<String>,
    drill: Option<Drill<'a>>,
}

/// A clone of the copy for guests that try.
#[derive(Serialize)]
struct Drill<'a> {
    position: Option<String>,
    began_at: Option<Moment>,
    uri: Option<&'a str>,
    connection_info: Option<Value>,
    clients: u32,
}

fn drill(info: &DrillInfo) -> Drill<'_> {
    let began = OffsetDateTime::from_unix_timestamp_nanos(i128::from(info.began));
    Drill {
        position: info.position.map(|at| at.to_string()),
        began_at: began.ok().map(Moment),
        uri: info.address.as_ref().map(|address| address.uri.as_str()),
        connection_info: info.address.as_ref().map(bare_info),
        clients: info.clients,
    }
}

/// What a failover of one volume would do; the host of its backend is no matter of those who may ask.
#[derive(Serialize)]
pub(crate) struct Check<'a> {
    from: &'a str,
    to: &'a str,
    mode: PromoteMode,
    refused: Option<&'a str>,
    volume: Option<&'a VolumeReport>,
}

/// What a failover of one volume would do.
pub(crate) fn check(told: &FailoverReport) -> Check<'_> {
    Check {
        from: &told.from,
        to: &told.to,
        mode: told.mode,
        refused: told.refused.as_deref(),
        volume: told.volumes.first(),
    }
}

/// How many bytes of a first copy are there.
#[derive(Serialize)]
struct Progress {
    done: u64,
    total: u64,
}

/// `VOLUME@TARGET`.
pub(crate) fn id(relation: &Relation) -> String {
    format!("{}@{}", relation.volume, relation.target)
}

/// A volume and a target of its backend.
pub(crate) fn view(relation: &Relation) -> View<'_> {
    View {
        id: id(relation),
        volume_id: relation.volume,
        project_id: relation.project.as_str(),
        group_id: relation.group,
        target: &relation.target,
        role: if relation.away {
            "primary"
        } else {
            "secondary"
        },
        primary_site: &relation.primary,
        secondary_site: &relation.secondary,
        replication_status: relation.replication_status.as_str(),
        state: relation.state.as_str(),
        position: relation.position.map(|at| at.to_string()),
        lag_seconds: relation.lag_seconds,
        lag_bytes: relation.lag_bytes,
        consistent_at: relation.consistent_at.map(Moment),
        progress: relation
            .progress
            .map(|(done, total)| Progress { done, total }),
        rpo_target_seconds: relation.rpo_target,
        rpo_met: relation.rpo_met(),
        replication_type: relation.replication_type(),
        in_sync: relation.in_sync,
        replication_mode: relation.way.map(|way| way.mode().as_str()),
        snapshot_interval: relation
            .way
            .and_then(MirrorWay::interval)
            .map(|interval| interval.to_string()),
        drill: relation.drill.as_ref().map(drill),
    }
}

const PROGRESS: Schema = object(&[("done", WHOLE), ("total", WHOLE)])
    .required(&["done", "total"])
    .closed();

const CONNECTION: Schema = object(&[("driver_volume_type", TEXT), ("data", object(&[]))])
    .required(&["driver_volume_type", "data"])
    .closed();

const DRILL: Schema = object(&[
    ("position", TEXT_OR_NULL),
    ("began_at", TIME_OR_NULL),
    ("uri", TEXT_OR_NULL),
    ("connection_info", any_of(&[CONNECTION, NULL])),
    ("clients", WHOLE),
])
.required(&["position", "began_at", "uri", "connection_info", "clients"])
.closed();

const SHAPE: Schema = object(&[
    ("id", TEXT),
    ("volume_id", ID),
    ("project_id", TEXT),
    ("group_id", ID_OR_NULL),
    ("target", TEXT),
    ("role", TEXT),
    ("primary_site", TEXT),
    ("secondary_site", TEXT),
    ("replication_status", TEXT),
    ("state", TEXT),
    ("position", TEXT_OR_NULL),
    ("lag_seconds", SECONDS_OR_NULL),
    ("lag_bytes", WHOLE_OR_NULL),
    ("consistent_at", TIME_OR_NULL),
    ("progress", any_of(&[PROGRESS, NULL])),
    ("rpo_target_seconds", SECONDS_OR_NULL),
    ("rpo_met", any_of(&[FLAG, NULL])),
    ("replication_type", TEXT_OR_NULL),
    ("in_sync", any_of(&[FLAG, NULL])),
    ("replication_mode", TEXT_OR_NULL),
    ("snapshot_interval", TEXT_OR_NULL),
    ("drill", any_of(&[DRILL, NULL])),
])
.required(&[
    "id",
    "volume_id",
    "project_id",
    "group_id",
    "target",
    "role",
    "primary_site",
    "secondary_site",
    "replication_status",
    "state",
    "position",
    "lag_seconds",
    "lag_bytes",
    "consistent_at",
    "progress",
    "rpo_target_seconds",
    "rpo_met",
    "replication_type",
    "in_sync",
    "replication_mode",
    "snapshot_interval",
    "drill",
])
.closed();

/// The shape of one.
pub(crate) const ONE: Schema = only(&["replication"], &[("replication", SHAPE)]);

/// The shape of what a failover would do.
pub(crate) const CHECK: Schema = only(
    &["replication_check"],
    &[(
        "replication_check",
        object(&[
            ("from", TEXT),
            ("to", TEXT),
            ("mode", TEXT),
            ("refused", TEXT_OR_NULL),
            ("volume", any_of(&[VOLUME, NULL])),
        ])
        .required(&["from", "to", "mode", "refused", "volume"])
        .closed(),
    )],
);

/// The shape of lists.
pub(crate) const LIST: Schema = object(&[
    ("replications", array(&SHAPE)),
    ("replications_links", LINKS),
])
.required(&["replications"])
.closed();
