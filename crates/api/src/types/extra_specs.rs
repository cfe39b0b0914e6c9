//! `/types/{id}/extra_specs` and `/types/{id}/extra_specs/{key}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Metadata};
use serde_json::json;

use crate::body::{Body, Keys};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::route::{self, Route, get, post, put};
use crate::schema::types::{EXTRA_SPEC, EXTRA_SPECS};
use crate::view::volume_type as view;
use crate::view::volume_type::visible;

const ALL: &str = "/types/{id}/extra_specs";
const ONE: &str = "/types/{id}/extra_specs/{key}";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(ALL, list)
            .answer(&view::EXTRA_SPECS)
            .rules(&["volume_extension:types_extra_specs:index"]),
        post(ALL, merge)
            .answer(&view::EXTRA_SPECS)
            .rules(&["volume_extension:types_extra_specs:create"])
            .body(EXTRA_SPECS),
        get(ONE, show)
            .answer(&view::EXTRA_SPEC)
            .rules(&["volume_extension:types_extra_specs:show"]),
        put(ONE, set)
            .answer(&view::EXTRA_SPEC)
            .rules(&["volume_extension:types_extra_specs:update"])
            .body(EXTRA_SPEC),
        route::delete(ONE, delete).rules(&["volume_extension:types_extra_specs:delete"]),
    ]
}

/// `GET`.
pub(crate) async fn list(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let specs = control
        .extra_specs(&call.context, ids::volume_type(&id)?)
        .await?;
    ok(json!({ "extra_specs": visible(&call, &specs) }))
}

/// `POST`: other keys stay.
pub(crate) async fn merge(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let specs = body.only("extra_specs")?.texts(Keys::ExtraSpecs)?;
    let id = ids::volume_type(&id)?;
    let set = control.set_extra_specs(&call.context, id, specs).await?;
    ok(json!({ "extra_specs": set }))
}

/// `GET …/{key}`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::volume_type(&id)?;
    let specs = control.extra_spec(&call.context, id, &key).await?;
    let specs = visible(&call, &specs);
    let shown: String = key.chars().take(255).collect();
    let value = specs.get(key.as_str()).ok_or_else(|| {
        Fault::not_found(format!(
            "Volume Type {id} has no extra specs with key {shown}."
        ))
    })?;
    ok(json!({ key: value }))
}

/// `PUT …/{key}`.
pub(crate) async fn set(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
    body: Body,
) -> Answer {
    let value = body.root()?.single(&key, Keys::ExtraSpecs)?;
    let id = ids::volume_type(&id)?;
    let specs = Metadata::from([(key.clone(), value.clone())]);
    control.set_extra_spec(&call.context, id, specs).await?;
    ok(json!({ key: value }))
}

/// `DELETE …/{key}`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    control
        .delete_extra_spec(&call.context, ids::volume_type(&id)?, &key)
        .await?;
    empty(StatusCode::ACCEPTED)
}
