//! `POST /workers/cleanup`: who goes on with what services left behind when they ended.

use axum::extract::State;
use firebrick_control::{Cleaned, Cleanup, Control};
use serde_json::{Value, json};

use crate::body::{Body, Fields};
use crate::call::{Call, accepted};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::route::{Route, post};
use crate::schema::services::CLEANUP;
use crate::schema::{Kind, Schema, TEXT, TEXT_OR_NULL, array, object, of};

const SERVICE: Schema = object(&[
    ("id", of(&[Kind::Integer])),
    ("host", TEXT),
    ("binary", TEXT),
    ("cluster_name", TEXT_OR_NULL),
])
.required(&["id", "host", "binary", "cluster_name"])
.closed();

const ANSWER: Schema = object(&[
    ("cleaning", array(&SERVICE)),
    ("unavailable", array(&SERVICE)),
])
.required(&["cleaning", "unavailable"])
.closed();

/// The one address.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        post("/workers/cleanup", cleanup)
            .since(V::WORKERS)
            .answer(&ANSWER)
            .rules(&["workers:cleanup"])
            .body(CLEANUP)
            .ok(202),
    ]
}

async fn cleanup(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = read(&body.root()?)?;
    let Cleaned {
        cleaning,
        unavailable,
    } = control.cleanup(&call.context, request).await?;
    let shown = |services: Vec<_>| -> Vec<Value> { services.into_iter().map(shown).collect() };
    accepted(json!({ "cleaning": shown(cleaning), "unavailable": shown(unavailable) }))
}

fn shown((number, service): (u64, firebrick_control::Service)) -> Value {
    json!({
        "id": number,
        "host": service.host,
        "binary": service.binary,
        "cluster_name": service.cluster,
    })
}

fn read(fields: &Fields<'_>) -> Result<Cleanup, Fault> {
    if let Some(kind) = fields.text_or_null("resource_type", 0)?.flatten()
        && !["", "volume", "snapshot"].contains(&kind.to_lowercase().as_str())
    {
        let shown: String = kind.chars().take(40).collect();
        return Err(Fault::invalid_input(format!(
            "Resource type {shown} not valid, must be Snapshot or Volume"
        )));
    }
    let service = match fields.get("service_id") {
        Some(Value::Number(number)) => Some(number.as_u64().unwrap_or(u64::MAX)),
        // A number that is none of a service.
        Some(Value::String(text)) if !text.is_empty() => Some(text.parse().unwrap_or(u64::MAX)),
        Some(_) | None => None,
    };
    Ok(Cleanup {
        cluster: fields.text_or_null("cluster_name", 1)?.flatten(),
        host: fields.text_or_null("host", 1)?.flatten(),
        binary: fields.text("binary", 1)?,
        service,
        // Without a word about it, those are meant that are down.
        is_up: fields.boolean("is_up")?.unwrap_or(false),
        disabled: fields.boolean("disabled")?,
        resource: fields.uuid_or_null("resource_id")?,
    })
}
