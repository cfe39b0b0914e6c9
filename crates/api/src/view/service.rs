//! Services in answers.

use firebrick_control::ServiceDetail;
use firebrick_vocabulary::HostName;
use serde::Serialize;

use super::shape::TIME_OR_NULL;
use super::time::Moment;
use super::{Gated, gated, since};
use crate::call::Call;
use crate::microversion::Microversion as V;
use crate::schema::{FLAG, OBJECT, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// The services that have a backend.
const VOLUME: &str = "cinder-volume";

/// A service in a list.
#[derive(Serialize)]
pub(crate) struct Service<'a> {
    binary: &'a str,
    host: &'a HostName,
    zone: &'a str,
    status: &'static str,
    state: &'static str,
    updated_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend_state: Gated<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Gated<&'a str>,
    disabled_reason: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    replication: Option<Replication<'a>>,
}

/// What services with a backend have besides.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the answer")]
struct Replication<'a> {
    replication_status: &'static str,
    active_backend_id: Option<&'a str>,
    frozen: bool,
}

/// A service that was enabled or disabled.
#[derive(Serialize)]
pub(crate) struct Switched<'a> {
    host: &'a HostName,
    service: &'a str,
    binary: &'a str,
    status: &'static str,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Gated<&'a str>,
}

fn status(disabled: bool) -> &'static str {
    if disabled { "disabled" } else { "enabled" }
}

fn state(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

/// A service in a list.
pub(crate) fn listed<'a>(call: &Call, detail: &'a ServiceDetail) -> Service<'a> {
    let service = &detail.service;
    let has_backend = service.binary == VOLUME;
    Service {
        binary: &service.binary,
        host: &service.host,
        zone: &service.availability_zone,
        status: status(service.disabled),
        state: state(detail.up),
        updated_at: Moment(service.updated_at.max(service.reported_at)),
        backend_state: gated(
            has_backend && call.at(V::BACKEND_STATE),
            detail.backend_up.map(state),
        ),
        cluster: since(call, V::CLUSTERS, service.cluster.as_deref()),
        disabled_reason: service.disabled_reason.as_deref(),
        replication: has_backend.then(|| Replication {
            replication_status: service.replication_status.as_str(),
            active_backend_id: service.active_backend_id.as_deref(),
            frozen: service.frozen,
        }),
    }
}

/// A service in the list of hosts.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Host<'a> {
    #[serde(rename = "host_name")]
    name: &'a HostName,
    service: &'a str,
    zone: &'a str,
    service_status: &'static str,
    service_state: &'static str,
    last_update: Moment,
}

/// A service in the list of hosts.
pub(crate) fn host(detail: &ServiceDetail) -> Host<'_> {
    let service = &detail.service;
    Host {
        name: &service.host,
        service: &service.binary,
        zone: &service.availability_zone,
        service_status: if detail.up {
            "available"
        } else {
            "unavailable"
        },
        service_state: status(service.disabled),
        last_update: Moment(service.updated_at.max(service.reported_at)),
    }
}

/// A service that was enabled or disabled; `named` is the older name by which it was asked for.
pub(crate) fn switched<'a>(
    detail: &'a ServiceDetail,
    named: &'a str,
    with_reason: bool,
) -> Switched<'a> {
    let service = &detail.service;
    Switched {
        host: &service.host,
        service: named,
        binary: &service.binary,
        status: status(service.disabled),
        disabled: service.disabled,
        disabled_reason: gated(with_reason, service.disabled_reason.as_deref()),
    }
}

const SHAPE: Schema = object(&[
    ("binary", TEXT),
    ("host", TEXT),
    ("zone", TEXT),
    ("status", TEXT),
    ("state", TEXT),
    ("updated_at", TIME_OR_NULL),
    ("backend_state", TEXT_OR_NULL.since(V::BACKEND_STATE)),
    ("cluster", TEXT_OR_NULL.since(V::CLUSTERS)),
    ("disabled_reason", TEXT_OR_NULL),
    ("replication_status", TEXT_OR_NULL),
    ("active_backend_id", TEXT_OR_NULL),
    ("frozen", FLAG),
])
.required(&[
    "binary",
    "host",
    "zone",
    "status",
    "state",
    "updated_at",
    "cluster",
    "disabled_reason",
])
.closed();

/// The shape of the list.
pub(crate) const LIST: Schema = only(&["services"], &[("services", array(&SHAPE))]);

/// The shape of levels.
pub(crate) const LEVELS: Schema = only(
    &["log_levels"],
    &[(
        "log_levels",
        array(
            &object(&[("host", TEXT), ("binary", TEXT), ("levels", OBJECT)])
                .required(&["host", "binary", "levels"])
                .closed(),
        ),
    )],
);

/// The shape of a service that was enabled or disabled.
pub(crate) const SWITCHED: Schema = object(&[
    ("host", TEXT),
    ("service", TEXT),
    ("binary", TEXT),
    ("status", TEXT),
    ("disabled", FLAG),
    ("disabled_reason", TEXT_OR_NULL),
])
.required(&["host", "service", "binary", "status", "disabled"])
.closed();
