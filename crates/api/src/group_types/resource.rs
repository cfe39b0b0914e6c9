//! One group type: `/group_types/{id}`, `/group_types/default` and `POST /group_types`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, CreateGroupType, UpdateGroupType};

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, Named, accepted, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::view::group_type as view;
use crate::view::one;

/// `GET /group_types/{id}`.
pub(super) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::group_type(&id)?;
    let kind = control.group_type(&call.context, id).await?;
    ok(one("group_type", view::full(&call, &kind)))
}

/// `GET /group_types/default`.
pub(super) async fn default(State(control): State<Control>, call: Call) -> Answer {
    let kind = control.default_group_type().await?;
    ok(one("group_type", view::full(&call, &kind)))
}

/// `POST /group_types`.
pub(super) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = new(&body.only("group_type")?)?;
    let kind = control.create_group_type(&call.context, request).await?;
    accepted(one("group_type", view::full(&call, &kind)))
}

fn new(fields: &Fields<'_>) -> Result<CreateGroupType, Fault> {
    let name = fields.trimmed(["name", "name"], "name")?.flatten();
    let specs = fields.map("group_specs", Keys::NewExtraSpecs, false)?;
    Ok(CreateGroupType {
        name: name.filter(|name| !name.is_empty()).ok_or_else(blank)?,
        description: fields.description("description")?.flatten(),
        is_public: fields.boolean("is_public")?.unwrap_or(true),
        group_specs: specs.unwrap_or_default(),
    })
}

/// `PUT /group_types/{id}`.
pub(super) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = change(&body.only("group_type")?)?;
    let id = ids::group_type(&id)?;
    let kind = control.update_group_type(&call.context, id, change).await?;
    ok(one("group_type", view::full(&call, &kind)))
}

fn change(fields: &Fields<'_>) -> Result<UpdateGroupType, Fault> {
    // As in Cinder, null leaves a name or description as it is.
    let change = UpdateGroupType {
        name: fields.trimmed(["name", "name"], "name")?.flatten(),
        description: fields.description("description")?.flatten(),
        is_public: fields.boolean("is_public")?,
    };
    if change.name.is_none() && change.description.is_none() && change.is_public.is_none() {
        return Err(Fault::bad_request(
            "Specify group type name, description or a combination thereof.",
        ));
    }
    if change.name.as_deref() == Some("") {
        return Err(blank());
    }
    Ok(change)
}

fn blank() -> Fault {
    Fault::bad_request("Group type name can not be empty.")
}

/// `DELETE /group_types/{id}`.
pub(super) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::group_type(&id)?;
    control.delete_group_type(&call.context, id).await?;
    empty(StatusCode::ACCEPTED)
}
