//! Who may use a private type: `/types/{id}/os-volume-type-access` and `/types/{id}/action`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::Control;
use firebrick_vocabulary::ProjectId;
use serde_json::{Value, json};

use crate::body::Body;
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::route::{Action, Route, get, post};
use crate::schema::types as bodies;
use crate::view::volume_type as view;

const ADD: &str = "addProjectAccess";
const REMOVE: &str = "removeProjectAccess";

/// The actions of a type.
const ACTIONS: &[Action] = &[
    Action::new(
        ADD,
        &["volume_extension:volume_type_access:addProjectAccess"],
        bodies::PROJECT_ACCESS,
    ),
    Action::new(
        REMOVE,
        &["volume_extension:volume_type_access:removeProjectAccess"],
        bodies::PROJECT_ACCESS,
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/types/{id}/os-volume-type-access", list)
            .answer(&view::ACCESS)
            .rules(&["volume_extension:volume_type_access:get_all_for_type"]),
        post("/types/{id}/action", action).actions(ACTIONS),
    ]
}

async fn list(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let id = ids::volume_type(&id)?;
    let projects = control.type_access(&call.context, id).await?;
    let shown = projects.into_iter().map(
        |project| json!({ "volume_type_id": id.to_string(), "project_id": project.to_string() }),
    );
    ok(json!({ "volume_type_access": shown.collect::<Vec<Value>>() }))
}

async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, fields) = body.action()?;
    let id = ids::volume_type(&id)?;
    let project = fields.object(name)?.text("project", 1)?;
    let project = ProjectId(project.ok_or_else(Fault::malformed)?);
    let context = &call.context;
    match name {
        ADD => control.add_type_access(context, id, &project).await?,
        REMOVE => control.remove_type_access(context, id, &project).await?,
        other => return Err(Fault::no_action(other)),
    }
    empty(StatusCode::ACCEPTED)
}
