//! `GET /os-availability-zone`.

use axum::extract::State;
use firebrick_control::Control;
use serde_json::{Value, json};

use crate::call::{Call, ok};
use crate::fault::Answer;
use crate::route::{Route, get};
use crate::schema::{FLAG, Schema, TEXT, array, object, only};

const ZONES: Schema = only(
    &["availabilityZoneInfo"],
    &[(
        "availabilityZoneInfo",
        array(
            &object(&[
                ("zoneName", TEXT),
                ("zoneState", only(&["available"], &[("available", FLAG)])),
            ])
            .required(&["zoneName", "zoneState"])
            .closed(),
        ),
    )],
);

/// `/os-availability-zone`.
pub(crate) fn routes() -> Vec<Route> {
    vec![get("/os-availability-zone", zones).answer(&ZONES)]
}

async fn zones(State(control): State<Control>, call: Call) -> Answer {
    let zones = control.zones(&call.context).await?;
    let items: Vec<Value> = zones
        .into_iter()
        .map(|zone| json!({ "zoneName": zone.name, "zoneState": { "available": zone.available } }))
        .collect();
    ok(json!({ "availabilityZoneInfo": items }))
}
