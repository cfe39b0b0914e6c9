//! `/os-hosts`: the older view of services.

use axum::extract::State;
use firebrick_control::{Control, PoolUsage};
use serde_json::{Value, json};

use crate::body::Body;
use crate::call::{Call, Named, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::route::{Bodies, Route, get, put};
use crate::schema::{NAME, Schema, TEXT, array, object, only};
use crate::view;

const RULES: &[&str] = &["volume_extension:hosts"];

const HOST: Schema = object(&[
    ("host_name", TEXT),
    ("service", TEXT),
    ("zone", TEXT),
    ("service-status", TEXT),
    ("service-state", TEXT),
    ("last-update", TEXT),
])
.required(&[
    "host_name",
    "service",
    "zone",
    "service-status",
    "service-state",
    "last-update",
])
.closed();

const HOSTS: Schema = only(&["hosts"], &[("hosts", array(&HOST))]);

const RESOURCE: Schema = object(&[
    ("host", TEXT),
    ("project", TEXT),
    ("volume_count", TEXT),
    ("total_volume_gb", TEXT),
    ("snapshot_count", TEXT),
    ("total_snapshot_gb", TEXT),
])
.closed();

const RESOURCES: Schema = only(
    &["host"],
    &[(
        "host",
        array(&only(&["resource"], &[("resource", RESOURCE)])),
    )],
);

const CHANGED: Schema = object(&[("host", TEXT), ("status", TEXT)])
    .required(&["host", "status"])
    .closed();

const CHANGE: Bodies = &[(V::MIN, &object(&[("status", NAME)]))];

/// Everything below `/os-hosts`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/os-hosts", list)
            .answer(&HOSTS)
            .rules(RULES)
            .query(&["zone"]),
        get("/os-hosts/{host}", show)
            .answer(&RESOURCES)
            .rules(RULES),
        put("/os-hosts/{host}", change)
            .answer(&CHANGED)
            .rules(RULES)
            .body(CHANGE),
    ]
}

async fn list(State(control): State<Control>, call: Call) -> Answer {
    let zone = call.query.get("zone").filter(|zone| !zone.is_empty());
    let found = control.hosts(&call.context, zone).await?;
    let items: Vec<_> = found.iter().map(view::service::host).collect();
    ok(view::one("hosts", items))
}

async fn show(State(control): State<Control>, Named(host): Named<String>, call: Call) -> Answer {
    let shares = control.host(&call.context, &host).await?;
    let mut total = PoolUsage::default();
    for share in shares.values() {
        for (sum, part) in [
            (&mut total.volumes, share.volumes),
            (&mut total.snapshots, share.snapshots),
        ] {
            *sum = (sum.0 + part.0, sum.1 + part.1);
        }
    }
    let mut items = vec![resource(&host, "(total)", &total)];
    items.extend(
        shares
            .iter()
            .map(|(project, share)| resource(&host, project.as_str(), share)),
    );
    ok(json!({ "host": items }))
}

fn resource(host: &str, project: &str, share: &PoolUsage) -> Value {
    json!({ "resource": {
        "host": host,
        "project": project,
        "volume_count": share.volumes.0.to_string(),
        "total_volume_gb": share.volumes.1.to_string(),
        "snapshot_count": share.snapshots.0.to_string(),
        "total_snapshot_gb": share.snapshots.1.to_string(),
    }})
}

/// Keys and values are read as Cinder reads them: whatever their case.
async fn change(
    State(control): State<Control>,
    Named(host): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?;
    let mut wanted = None;
    for (key, value) in fields.entries() {
        let value = value.as_str().unwrap_or_default();
        if key.trim().to_lowercase() != "status" {
            let why = format!("Invalid update setting: '{key:.64}'");
            return Err(Fault::bad_request(why));
        }
        wanted = match value.trim().to_lowercase().as_str() {
            "enable" => Some(true),
            "disable" => Some(false),
            _ => return Err(Fault::bad_request(format!("Invalid status: '{value:.64}'"))),
        };
    }
    let Some(enabled) = wanted else {
        return Err(Fault::bad_request("Invalid update setting: no status"));
    };
    control.enable_host(&call.context, &host, enabled).await?;
    let status = if enabled { "enabled" } else { "disabled" };
    ok(json!({ "host": host, "status": status }))
}
