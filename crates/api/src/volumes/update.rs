//! `PUT /volumes/{id}`.

use axum::extract::State;
use firebrick_control::{Control, Rename};

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, Named, ok};
use crate::fault::{Answer, Fault};
use crate::{ids, view};

pub(crate) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = read(body.only("volume")?)?;
    let detail = control
        .update_volume(&call.context, ids::volume(&id)?, change)
        .await?;
    ok(view::one("volume", view::volume::changed(&call, &detail)))
}

fn read(fields: Fields<'_>) -> Result<Rename, Fault> {
    Ok(Rename {
        name: fields.trimmed(["name", "display_name"], "name")?,
        description: fields.trimmed(["description", "display_description"], "description")?,
        metadata: fields.map("metadata", Keys::Metadata, false)?,
    })
}
