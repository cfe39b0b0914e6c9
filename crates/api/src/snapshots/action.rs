//! `POST /snapshots/{id}/action`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::Control;

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::route::Action;
use crate::schema::snapshots as bodies;
use crate::schema::volumes::SILENT;

/// The actions, and what each must be.
pub(super) const ACTIONS: &[Action] = &[
    Action::new(
        "os-reset_status",
        &["volume_extension:snapshot_admin_actions:reset_status"],
        bodies::RESET_STATUS,
    ),
    Action::new(
        "os-force_delete",
        &["volume_extension:snapshot_admin_actions:force_delete"],
        SILENT,
    ),
    Action::new(
        "os-update_snapshot_status",
        &["snapshot_extension:snapshot_actions:update_snapshot_status"],
        bodies::UPDATE_STATUS,
    ),
    Action::new(
        "os-unmanage",
        &["snapshot_extension:snapshot_unmanage"],
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
    let id = ids::snapshot(&id)?;
    let context = &call.context;
    match name {
        "os-reset_status" => {
            let fields = fields.object("os-reset_status")?;
            let status = status(&fields)?;
            control.reset_snapshot_status(context, id, &status).await?;
        }
        "os-force_delete" => control.delete_snapshot(context, id, true).await?,
        "os-update_snapshot_status" => {
            let fields = fields.object("os-update_snapshot_status")?;
            let (status, progress) = (status(&fields)?, progress(&fields)?);
            control
                .update_snapshot_status(context, id, &status, progress.as_deref())
                .await?;
        }
        "os-unmanage" => control.unmanage_snapshot(context, id).await?,
        other => return Err(Fault::no_action(other)),
    }
    empty(StatusCode::ACCEPTED)
}

fn status(fields: &Fields<'_>) -> Result<String, Fault> {
    fields.text("status", 0)?.ok_or_else(Fault::malformed)
}

/// `80%`: a whole number of percent.
fn progress(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let Some(text) = fields
        .text_or_null("progress", 0)?
        .flatten()
        .filter(|t| !t.is_empty())
    else {
        return Ok(None);
    };
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.parse::<u8>().ok());
    match number {
        Some(0..=100) => Ok(Some(text)),
        Some(_) | None => Err(Fault::invalid_input(
            "progress must be an integer percentage",
        )),
    }
}
