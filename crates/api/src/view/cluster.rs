//! Clusters in answers.

use firebrick_control::ClusterDetail;
use serde::Serialize;

use super::time::Moment;
use super::{Gated, since};
use crate::call::Call;
use crate::microversion::Microversion as V;
use crate::schema::{FLAG, Kind, Schema, TEXT, TEXT_OR_NULL, array, object, of, only};

/// A cluster without details.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    name: &'a str,
    binary: &'a str,
    state: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_status: Option<&'static str>,
}

/// A cluster that was enabled or disabled.
#[derive(Serialize)]
pub(crate) struct Switched<'a> {
    #[serde(flatten)]
    brief: Brief<'a>,
    disabled_reason: Option<&'a str>,
}

/// A time, or an empty text where it never was.
#[derive(Serialize)]
#[serde(untagged)]
enum When {
    At(Moment),
    Never(&'static str),
}

/// A cluster with details.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    #[serde(flatten)]
    switched: Switched<'a>,
    num_hosts: usize,
    num_down_hosts: usize,
    last_heartbeat: When,
    created_at: Moment,
    updated_at: When,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_backend_id: Gated<&'a str>,
}

fn when(at: Option<::time::OffsetDateTime>) -> When {
    at.map_or(When::Never(""), |at| When::At(Moment(at)))
}

/// A cluster without details.
pub(crate) fn brief<'a>(call: &Call, detail: &'a ClusterDetail) -> Brief<'a> {
    let cluster = &detail.cluster;
    let replication = detail.replication_status().as_str();
    Brief {
        name: &cluster.name,
        binary: &cluster.binary,
        state: if detail.is_up() { "up" } else { "down" },
        status: if cluster.disabled {
            "disabled"
        } else {
            "enabled"
        },
        replication_status: call.at(V::FAILOVER).then_some(replication),
    }
}

/// A cluster that was enabled or disabled.
pub(crate) fn switched<'a>(call: &Call, detail: &'a ClusterDetail) -> Switched<'a> {
    Switched {
        brief: brief(call, detail),
        disabled_reason: detail.cluster.disabled_reason.as_deref(),
    }
}

/// A cluster that is shown, or listed with details.
pub(crate) fn full<'a>(call: &Call, detail: &'a ClusterDetail) -> Full<'a> {
    Full {
        switched: switched(call, detail),
        num_hosts: detail.services.len(),
        num_down_hosts: detail.down_hosts(),
        last_heartbeat: when(detail.last_heartbeat()),
        created_at: Moment(detail.cluster.created_at),
        updated_at: when(detail.cluster.updated_at),
        frozen: call.at(V::FAILOVER).then(|| detail.is_frozen()),
        active_backend_id: since(call, V::FAILOVER, detail.active_backend_id()),
    }
}

const NUMBER: Schema = of(&[Kind::Integer]);

const BRIEF: Schema = object(&[
    ("name", TEXT),
    ("binary", TEXT),
    ("state", TEXT),
    ("status", TEXT),
    ("replication_status", TEXT.since(V::FAILOVER)),
])
.required(&["name", "binary", "state", "status", "replication_status"])
.closed();

const OFF_OR_ON: Schema = object(&[
    ("name", TEXT),
    ("binary", TEXT),
    ("state", TEXT),
    ("status", TEXT),
    ("replication_status", TEXT.since(V::FAILOVER)),
    ("disabled_reason", TEXT_OR_NULL),
])
.required(&[
    "name",
    "binary",
    "state",
    "status",
    "replication_status",
    "disabled_reason",
])
.closed();

const FULL: Schema = object(&[
    ("name", TEXT),
    ("binary", TEXT),
    ("state", TEXT),
    ("status", TEXT),
    ("num_hosts", NUMBER),
    ("num_down_hosts", NUMBER),
    ("last_heartbeat", TEXT),
    ("created_at", TEXT),
    ("updated_at", TEXT),
    ("disabled_reason", TEXT_OR_NULL),
    ("replication_status", TEXT.since(V::FAILOVER)),
    ("frozen", FLAG.since(V::FAILOVER)),
    ("active_backend_id", TEXT_OR_NULL.since(V::FAILOVER)),
])
.required(&[
    "name",
    "binary",
    "state",
    "status",
    "num_hosts",
    "num_down_hosts",
    "last_heartbeat",
    "created_at",
    "updated_at",
    "disabled_reason",
    "replication_status",
    "frozen",
    "active_backend_id",
])
.closed();

/// The shape of the list.
pub(crate) const LIST: Schema = only(&["clusters"], &[("clusters", array(&BRIEF))]);

/// The shape of the list with details.
pub(crate) const LIST_DETAIL: Schema = only(&["clusters"], &[("clusters", array(&FULL))]);

/// The shape of a cluster that is shown.
pub(crate) const ONE: Schema = only(&["cluster"], &[("cluster", FULL)]);

/// The shape of a cluster that was enabled or disabled.
pub(crate) const SWITCHED: Schema = only(&["cluster"], &[("cluster", OFF_OR_ON)]);
