//! `GET`, `PUT` and `DELETE /backups/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, UpdateBackup};

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::view::backup as view;
use crate::{ids, view as views};

/// `GET`.
pub(super) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let detail = control.backup(&call.context, ids::backup(&id)?).await?;
    ok(views::one("backup", view::full(&call, &detail)))
}

/// `PUT`.
pub(super) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = read(&call, &body.only("backup")?)?;
    let id = ids::backup(&id)?;
    let detail = control.update_backup(&call.context, id, change).await?;
    ok(views::one("backup", view::brief(&call, &detail)))
}

fn read(call: &Call, fields: &Fields<'_>) -> Result<UpdateBackup, Fault> {
    let metadata = if call.at(V::BACKUP_METADATA) {
        fields.map("metadata", Keys::Metadata, false)?
    } else {
        None
    };
    Ok(UpdateBackup {
        name: fields.trimmed(["name", "name"], "name")?,
        description: fields.description("description")?,
        metadata,
    })
}

/// `DELETE`.
pub(super) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::backup(&id)?;
    control.delete_backup(&call.context, id, false).await?;
    empty(StatusCode::ACCEPTED)
}
