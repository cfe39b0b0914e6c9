//! `GET /os-availability-zone`.

use axum::extract::State;
use firebrick_control::Control;
use serde_json::{Value, json};

use crate::call::{Call, ok};
use crate::fault::Answer;

pub(crate) async fn zones(State(control): State<Control>, call: Call) -> Answer {
    let zones = control.zones(&call.context).await?;
    let items: Vec<Value> = zones
        .into_iter()
        .map(|zone| json!({ "zoneName": zone.name, "zoneState": { "available": zone.available } }))
        .collect();
    ok(json!({ "availabilityZoneInfo": items }))
}
