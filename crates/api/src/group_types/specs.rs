//! `/group_types/{id}/group_specs` and `/group_types/{id}/group_specs/{key}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Metadata};
use serde_json::json;

use crate::body::{Body, Keys};
use crate::call::{Call, Named, accepted, empty, ok};
use crate::fault::Answer;
use crate::ids;
use crate::route::{self, Route, get, post, put};
use crate::schema::group_types as bodies;
use crate::view::group_type as view;

const ALL: &str = "/group_types/{id}/group_specs";
const ONE: &str = "/group_types/{id}/group_specs/{key}";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(ALL, list)
            .answer(&view::SPECS)
            .rules(&["group:group_types_specs:get_all"]),
        post(ALL, merge)
            .answer(&view::SPECS)
            .rules(&["group:group_types_specs:create"])
            .body(bodies::SPECS)
            .ok(202),
        get(ONE, show)
            .answer(&view::SPEC)
            .rules(&["group:group_types_specs:get"]),
        put(ONE, set)
            .answer(&view::SPEC)
            .rules(&["group:group_types_specs:update"])
            .body(bodies::SPEC),
        route::delete(ONE, delete).rules(&["group:group_types_specs:delete"]),
    ]
}

async fn list(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let id = ids::group_type(&id)?;
    let specs = control.group_specs(&call.context, id).await?;
    ok(json!({ "group_specs": specs }))
}

/// Other keys stay.
async fn merge(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let specs = body.only("group_specs")?.texts(Keys::ExtraSpecs)?;
    let id = ids::group_type(&id)?;
    control.set_group_specs(&call.context, id, &specs).await?;
    accepted(json!({ "group_specs": specs }))
}

async fn show(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::group_type(&id)?;
    let value = control.group_spec(&call.context, id, &key).await?;
    ok(json!({ key: value }))
}

async fn set(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
    body: Body,
) -> Answer {
    let value = body.root()?.single(&key, Keys::ExtraSpecs)?;
    let id = ids::group_type(&id)?;
    let spec = Metadata::from([(key.clone(), value.clone())]);
    control.set_group_spec(&call.context, id, &spec).await?;
    ok(json!({ key: value }))
}

async fn delete(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::group_type(&id)?;
    control.delete_group_spec(&call.context, id, &key).await?;
    empty(StatusCode::ACCEPTED)
}
