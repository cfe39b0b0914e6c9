//! One volume type: `/types/{id}`, `/types/default` and `POST /types`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, CreateType, UpdateType};

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::view::one;
use crate::view::volume_type as view;

/// Where a new type says whether it is public.
const IS_PUBLIC: &str = "os-volume-type-access:is_public";

/// `GET /types/{id}`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let detail = control
        .volume_type(&call.context, ids::volume_type(&id)?)
        .await?;
    ok(one("volume_type", view::full(&call, &detail)))
}

/// `GET /types/default`.
pub(crate) async fn default(State(control): State<Control>, call: Call) -> Answer {
    let detail = control.default_type(&call.context).await?;
    ok(one("volume_type", view::default(&call, &detail)))
}

/// `POST /types`.
pub(crate) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = new(body.only("volume_type")?)?;
    let detail = control.create_type(&call.context, request).await?;
    ok(one("volume_type", view::created(&call, &detail)))
}

fn new(fields: Fields<'_>) -> Result<CreateType, Fault> {
    let name = fields.text("name", 1)?.ok_or_else(Fault::malformed)?;
    if name.trim().is_empty() {
        return Err(Fault::bad_request(format!(
            "Invalid input for field/attribute name. Value: {name}. '{name}' is blank"
        )));
    }
    Ok(CreateType {
        name,
        description: fields.description("description")?.flatten(),
        is_public: fields.boolean(IS_PUBLIC)?.unwrap_or(true),
        extra_specs: fields
            .map("extra_specs", Keys::NewExtraSpecs, false)?
            .unwrap_or_default(),
    })
}

/// `PUT /types/{id}`.
pub(crate) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = change(body.only("volume_type")?)?;
    let detail = control
        .update_type(&call.context, ids::volume_type(&id)?, change)
        .await?;
    ok(one("volume_type", view::changed(&call, &detail)))
}

fn change(fields: Fields<'_>) -> Result<UpdateType, Fault> {
    let name = fields.text_or_null("name", 1)?.flatten();
    let description = fields.description("description")?.flatten();
    let is_public = fields.boolean("is_public")?;
    if name.is_none() && description.is_none() && is_public.is_none() {
        return Err(Fault::bad_request(
            "Specify volume type name, description, is_public or a combination thereof.",
        ));
    }
    if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Fault::bad_request("Volume type name can not be empty."));
    }
    // As in Cinder, null leaves the description as it is.
    Ok(UpdateType {
        name,
        description: description.map(Some),
        is_public,
    })
}

/// `DELETE /types/{id}`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    control
        .delete_type(&call.context, ids::volume_type(&id)?)
        .await?;
    empty(StatusCode::ACCEPTED)
}
