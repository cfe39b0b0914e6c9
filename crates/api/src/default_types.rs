//! The types that projects' volumes get where none is named: `/default-types`, from 3.62.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::Control;
use firebrick_vocabulary::{ProjectId, TypeId};
use serde_json::{Value, json};

use crate::body::Body;
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::route::{self, Route, get, put};
use crate::schema::{ID, Schema, TEXT, array, object, only, types as bodies};

const ONE: &str = "/default-types/{project}";

const SHAPE: Schema = object(&[("project_id", TEXT), ("volume_type_id", ID)])
    .required(&["project_id", "volume_type_id"])
    .closed();

const ALONE: Schema = only(&["default_type"], &[("default_type", SHAPE)]);
const LIST: Schema = only(&["default_types"], &[("default_types", array(&SHAPE))]);

/// Everything below `/default-types`.
pub(crate) fn routes() -> Vec<Route> {
    let routes = vec![
        get("/default-types", list)
            .answer(&LIST)
            .rules(&["volume_extension:default_get_all"]),
        get(ONE, show)
            .answer(&ALONE)
            .rules(&["volume_extension:default_get"]),
        put(ONE, set)
            .answer(&ALONE)
            .rules(&["volume_extension:default_set_or_update"])
            .body(bodies::DEFAULT),
        route::delete(ONE, unset)
            .rules(&["volume_extension:default_unset"])
            .ok(204),
    ];
    let since = |route: Route| route.since(V::DEFAULT_TYPES);
    routes.into_iter().map(since).collect()
}

fn shown(project: &ProjectId, kind: TypeId) -> Value {
    json!({ "project_id": project.to_string(), "volume_type_id": kind.to_string() })
}

async fn list(State(control): State<Control>, call: Call) -> Answer {
    let found = control.default_types(&call.context).await?;
    let all = found.iter().map(|(project, kind)| shown(project, *kind));
    ok(json!({ "default_types": all.collect::<Vec<_>>() }))
}

async fn show(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let project = ProjectId(id);
    let kind = control.default_type_of(&call.context, &project).await?;
    ok(json!({ "default_type": shown(&project, kind) }))
}

async fn set(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let kind = body.only("default_type")?.text("volume_type", 1)?;
    let kind = kind.ok_or_else(Fault::malformed)?;
    let project = project(&id)?;
    let set = control.set_default_type(&call.context, &project, kind.trim());
    ok(json!({ "default_type": shown(&project, set.await?) }))
}

async fn unset(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let project = ProjectId(id);
    control.unset_default_type(&call.context, &project).await?;
    empty(StatusCode::NO_CONTENT)
}

/// A project that may be one; whether it is, Keystone knows.
fn project(text: &str) -> Result<ProjectId, Fault> {
    if crate::auth::is_project(text) {
        return Ok(ProjectId(text.to_owned()));
    }
    let shown: String = text.chars().take(64).collect();
    Err(Fault::not_found(format!(
        "Project with id {shown} not found."
    )))
}
