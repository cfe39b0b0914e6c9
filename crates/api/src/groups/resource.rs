//! `GET` and `PUT /groups/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Family, UpdateGroup};
use firebrick_vocabulary::VolumeId;

use super::create::{description, name};
use super::list::with_volumes;
use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::view::group as view;
use crate::view::one;

/// `GET`.
pub(super) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::group(&id)?;
    let volumes = with_volumes(&call)?;
    let detail = control.group(&call.context, Family::Groups, id, volumes);
    ok(one("group", view::full(&call, &detail.await?, volumes)))
}

/// `PUT`.
pub(super) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = change(&body.only("group")?)?;
    let id = ids::group(&id)?;
    control
        .update_group(&call.context, Family::Groups, id, change)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// What is to change.
pub(super) fn change(fields: &Fields<'_>) -> Result<UpdateGroup, Fault> {
    Ok(UpdateGroup {
        name: name(fields)?,
        description: description(fields)?,
        add: volumes(fields, "add_volumes")?,
        remove: volumes(fields, "remove_volumes")?,
    })
}

/// Ids with commas between them.
fn volumes(fields: &Fields<'_>, key: &str) -> Result<Vec<VolumeId>, Fault> {
    let Some(text) = fields.description(key)?.flatten() else {
        return Ok(Vec::new());
    };
    let parts = text.split(',').map(str::trim).filter(|id| !id.is_empty());
    parts
        .map(|id| {
            let found = ids::uuid(id).map(VolumeId);
            found.ok_or_else(|| {
                Fault::bad_request(format!(
                    "Invalid volume: {key}: '{id}' is no id of a volume."
                ))
            })
        })
        .collect()
}
