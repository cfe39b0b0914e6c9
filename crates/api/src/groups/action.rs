//! `POST /groups/{id}/action`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Family};

use crate::body::Body;
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::microversion::Microversion as V;
use crate::route::Action;
use crate::schema::groups as bodies;

const DELETE: &str = "delete";
const RESET_STATUS: &str = "reset_status";

/// The actions, and what each must be.
pub(super) const ACTIONS: &[Action] = &[
    Action::new(DELETE, &["group:delete"], bodies::DELETE),
    Action::new(RESET_STATUS, &["group:reset_status"], bodies::RESET_STATUS).since(V::RESET_GROUP),
];

pub(super) async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, root) = body.action()?;
    let id = ids::group(&id)?;
    let context = &call.context;
    match name {
        DELETE => {
            let volumes = root.object(DELETE)?.boolean("delete-volumes")?;
            control
                .delete_group(context, Family::Groups, id, volumes.unwrap_or(false))
                .await?;
        }
        RESET_STATUS => {
            let status = root.object(RESET_STATUS)?.text("status", 0)?;
            let status = status.ok_or_else(Fault::malformed)?;
            control.reset_group_status(context, id, &status).await?;
        }
        other => return Err(Fault::no_action(other)),
    }
    empty(StatusCode::ACCEPTED)
}
