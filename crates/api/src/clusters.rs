//! `/clusters`: hosts that serve one backend together.

use axum::extract::State;
use firebrick_control::{ClusterDetail, Control};

use crate::body::Body;
use crate::call::{Call, Named, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::query::boolean;
use crate::route::{Route, get, put};
use crate::schema::services::{CLUSTER_OFF, CLUSTER_ON};
use crate::view::{cluster as view, one};

/// The services that clusters are of, where nothing else is said.
const VOLUME: &str = "cinder-volume";

const FILTERS: &[&str] = &[
    "name",
    "binary",
    "is_up",
    "disabled",
    "num_hosts",
    "num_down_hosts",
    "replication_status",
    "frozen",
    "active_backend_id",
];

/// Those that came with the replication of clusters.
const REPLICATION: &[&str] = &["replication_status", "frozen", "active_backend_id"];

/// Everything below `/clusters`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/clusters", brief)
            .since(V::CLUSTERS)
            .answer(&view::LIST)
            .rules(&["clusters:get_all"])
            .query(FILTERS),
        get("/clusters/detail", detail)
            .since(V::CLUSTERS)
            .answer(&view::LIST_DETAIL)
            .rules(&["clusters:get_all"])
            .query(FILTERS),
        get("/clusters/{id}", show)
            .since(V::CLUSTERS)
            .answer(&view::ONE)
            .rules(&["clusters:get"])
            .query(&["binary"]),
        put("/clusters/enable", enable)
            .since(V::CLUSTERS)
            .answer(&view::SWITCHED)
            .rules(&["clusters:update"])
            .body(CLUSTER_ON),
        put("/clusters/disable", disable)
            .since(V::CLUSTERS)
            .answer(&view::SWITCHED)
            .rules(&["clusters:update"])
            .body(CLUSTER_OFF),
    ]
}

/// Whether a list shows the cluster.
fn fits(call: &Call, detail: &ClusterDetail) -> Result<bool, Fault> {
    let cluster = &detail.cluster;
    for (key, value) in call.query.pairs() {
        let fits = match key {
            "name" => cluster.name == value,
            "binary" => cluster.binary == value,
            "is_up" => detail.is_up() == call.query.flag(key)?,
            "disabled" => cluster.disabled == call.query.flag(key)?,
            "num_hosts" => value.parse() == Ok(detail.services.len()),
            "num_down_hosts" => value.parse() == Ok(detail.down_hosts()),
            "replication_status" => detail.replication_status().as_str() == value,
            "frozen" => boolean(value) == Some(detail.is_frozen()),
            _ => detail.active_backend_id() == Some(value),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn found(control: &Control, call: &Call) -> Result<Vec<ClusterDetail>, Fault> {
    let all = control.clusters(&call.context).await?;
    let known =
        |key: &str| FILTERS.contains(&key) && (call.at(V::FAILOVER) || !REPLICATION.contains(&key));
    let keys = call.query.pairs().map(|(key, _)| key);
    let unknown: Vec<&str> = keys.filter(|key| !known(key)).collect();
    if !unknown.is_empty() {
        let keys = unknown.join(", ");
        return Err(Fault::invalid_input(format!("Invalid filter keys: {keys}")));
    }
    for key in ["is_up", "disabled"] {
        call.query.flag(key)?;
    }
    let mut fitting = Vec::new();
    for cluster in all {
        if fits(call, &cluster)? {
            fitting.push(cluster);
        }
    }
    Ok(fitting)
}

async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items: Vec<_> = found.iter().map(|it| view::brief(&call, it)).collect();
    ok(one("clusters", items))
}

async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items: Vec<_> = found.iter().map(|it| view::full(&call, it)).collect();
    ok(one("clusters", items))
}

async fn show(State(control): State<Control>, Named(name): Named<String>, call: Call) -> Answer {
    let binary = call.query.get("binary").unwrap_or(VOLUME);
    let found = control.cluster(&call.context, &name, binary).await?;
    ok(one("cluster", view::full(&call, &found)))
}

async fn enable(State(control): State<Control>, call: Call, body: Body) -> Answer {
    switch(&control, &call, &body, false).await
}

async fn disable(State(control): State<Control>, call: Call, body: Body) -> Answer {
    switch(&control, &call, &body, true).await
}

async fn switch(control: &Control, call: &Call, body: &Body, disabled: bool) -> Answer {
    let fields = body.root()?;
    let name = fields.text("name", 1)?.ok_or_else(Fault::malformed)?;
    let binary = fields.text_or_null("binary", 0)?.flatten();
    let binary = binary.unwrap_or_else(|| VOLUME.to_owned());
    let reason = fields.text_or_null("disabled_reason", 0)?.flatten();
    let reason = reason.map(|reason| reason.trim().to_owned());
    let switched = control
        .switch_cluster(&call.context, &name, &binary, disabled, reason)
        .await?;
    ok(one("cluster", view::switched(call, &switched)))
}
