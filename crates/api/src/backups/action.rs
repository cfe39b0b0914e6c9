//! `POST /backups/{id}/action`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::Control;

use crate::body::Body;
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::route::Action;
use crate::schema::backups as bodies;
use crate::schema::volumes::SILENT;

/// The actions, and what each must be.
pub(super) const ACTIONS: &[Action] = &[
    Action::new(
        "os-reset_status",
        &["volume_extension:backup_admin_actions:reset_status"],
        bodies::RESET_STATUS,
    ),
    Action::new(
        "os-force_delete",
        &["volume_extension:backup_admin_actions:force_delete"],
        SILENT,
    ),
];

pub(super) async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, fields) = body.action()?;
    let id = ids::backup(&id)?;
    match name {
        "os-reset_status" => {
            let fields = fields.object("os-reset_status")?;
            let status = fields.text("status", 0)?.ok_or_else(Fault::malformed)?;
            control
                .reset_backup_status(&call.context, id, &status)
                .await?;
        }
        "os-force_delete" => control.delete_backup(&call.context, id, true).await?,
        other => return Err(Fault::no_action(other)),
    }
    empty(StatusCode::ACCEPTED)
}
