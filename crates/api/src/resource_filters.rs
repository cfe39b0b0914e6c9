//! `GET /resource_filters`, from 3.33: the filters that lists take from everybody.

use serde_json::{Value, json};

use crate::call::{Call, ok};
use crate::fault::Answer;
use crate::microversion::Microversion;
use crate::route::{Route, get};
use crate::schema::{Schema, TEXT, array, object, only};

const LIST: Schema = only(
    &["resource_filters"],
    &[("resource_filters", array(&RESOURCE))],
);

const RESOURCE: Schema = object(&[("resource", TEXT), ("filters", array(&TEXT))])
    .required(&["resource", "filters"])
    .closed();

/// `/resource_filters`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/resource_filters", list)
            .since(Microversion::RESOURCE_FILTERS)
            .answer(&LIST)
            .query(&["resource"]),
    ]
}

async fn list(call: Call) -> Answer {
    let asked = call.query.get("resource").filter(|name| !name.is_empty());
    let shown: Vec<Value> = (call.filters.all().iter())
        .filter(|(resource, _)| asked.is_none_or(|asked| asked == *resource))
        .map(|(resource, filters)| json!({ "resource": resource, "filters": filters }))
        .collect();
    ok(json!({ "resource_filters": shown }))
}
