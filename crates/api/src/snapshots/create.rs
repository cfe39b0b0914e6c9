//! `POST /snapshots`.

use axum::extract::State;
use firebrick_control::{Control, CreateSnapshot};
use firebrick_vocabulary::VolumeId;

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, accepted};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion;
use crate::view;

pub(crate) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = read(&call, body.only("snapshot")?)?;
    let detail = control.create_snapshot(&call.context, request).await?;
    accepted(view::one(
        "snapshot",
        view::snapshot::changed(&call, &detail),
    ))
}

fn read(call: &Call, fields: Fields<'_>) -> Result<CreateSnapshot, Fault> {
    let volume = fields
        .uuid_or_null("volume_id")?
        .ok_or_else(|| Fault::not_found("Volume None could not be found."))?;
    Ok(CreateSnapshot {
        volume: VolumeId(volume),
        name: fields.trimmed(["name", "display_name"], "name")?.flatten(),
        description: fields.description("description")?.flatten(),
        metadata: fields
            .map("metadata", Keys::Metadata, true)?
            .unwrap_or_default(),
        in_use: in_use(call, fields.boolean("force")?)?,
    })
}

/// Whether an attached volume is taken too. From 3.66 on it always is, and saying otherwise is refused.
fn in_use(call: &Call, force: Option<bool>) -> Result<bool, Fault> {
    if !call.at(Microversion::SNAPSHOT_IN_USE) {
        return Ok(force.unwrap_or(false));
    }
    match force {
        None | Some(true) => Ok(true),
        Some(false) => Err(Fault::bad_request(
            "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward \
             compatability, however, when the 'force' flag is passed with a value evaluating to \
             True, it is silently ignored.",
        )),
    }
}
