//! `GET`, `PUT` and `DELETE /snapshots/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Rename};

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::{ids, view};

/// `GET`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let detail = control.snapshot(&call.context, ids::snapshot(&id)?).await?;
    ok(view::one("snapshot", view::snapshot::full(&call, &detail)))
}

/// `PUT`.
pub(crate) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = read(body.only("snapshot")?)?;
    let detail = control
        .update_snapshot(&call.context, ids::snapshot(&id)?, change)
        .await?;
    ok(view::one(
        "snapshot",
        view::snapshot::changed(&call, &detail),
    ))
}

fn read(fields: Fields<'_>) -> Result<Rename, Fault> {
    let description = fields.description("description")?;
    Ok(Rename {
        name: fields
            .text_or_null("name", 0)?
            .or(fields.text_or_null("display_name", 0)?),
        description: description.or(fields.description("display_description")?),
        metadata: None,
    })
}

/// `DELETE`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    control
        .delete_snapshot(&call.context, ids::snapshot(&id)?, false)
        .await?;
    empty(StatusCode::ACCEPTED)
}
