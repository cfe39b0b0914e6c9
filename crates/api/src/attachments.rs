//! Attachments, from 3.27.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{AttachmentDetail, Column, Control, CreateAttachment};
use firebrick_vocabulary::VolumeId;
use serde::Serialize;

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion;
use crate::view::attachment as view;
use crate::view::one;
use crate::{ids, volumes};

/// How attachments are listed.
const ATTACHMENTS: Kind = Kind {
    filters: &[
        ("attach_status", Column::Status),
        ("id", Column::Id),
        ("instance_id", Column::Instance),
        ("instance_uuid", Column::Instance),
        ("project_id", Column::Project),
        ("status", Column::Status),
        ("volume_id", Column::Volume),
    ],
    sorts: &[
        ("attach_status", Column::Status),
        ("created_at", Column::CreatedAt),
        ("id", Column::Id),
        ("instance_uuid", Column::Instance),
        ("status", Column::Status),
        ("volume_id", Column::Volume),
    ],
    open: &["attach_status", "instance_id", "status", "volume_id"],
    others: &[],
    late: false,
};

/// `GET /attachments`.
pub(crate) async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items = found.iter().map(view::brief).collect();
    page(&call, "attachments", &found, items)
}

/// `GET /attachments/detail`.
pub(crate) async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items = found.iter().map(view::full).collect();
    page(&call, "attachments/detail", &found, items)
}

async fn found(control: &Control, call: &Call) -> Result<Vec<AttachmentDetail>, Fault> {
    call.since(Microversion::ATTACHMENTS)?;
    Ok(control
        .attachments(&call.context, list::read(call, &ATTACHMENTS)?)
        .await?)
}

fn page(call: &Call, path: &str, found: &[AttachmentDetail], items: Vec<impl Serialize>) -> Answer {
    let last = found.last().map(|detail| detail.attachment.id.to_string());
    ok(Collection::new(
        call,
        "attachments",
        "attachments_links",
        path,
        items,
        last,
    )?)
}

/// `GET /attachments/{id}`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    call.since(Microversion::ATTACHMENTS)?;
    let detail = control
        .attachment(&call.context, ids::attachment(&id)?)
        .await?;
    ok(one("attachment", view::full(&detail)))
}

/// `POST /attachments`.
pub(crate) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    call.since(Microversion::ATTACHMENTS)?;
    let request = read(&call, body.only("attachment")?)?;
    let detail = control.create_attachment(&call.context, request).await?;
    ok(one("attachment", view::full(&detail)))
}

fn read(call: &Call, fields: Fields<'_>) -> Result<CreateAttachment, Fault> {
    fields.require(&["volume_uuid"])?;
    let mut mode = None;
    if call.at(Microversion::ATTACH_MODE) {
        fields.only(&["instance_uuid", "connector", "volume_uuid", "mode"])?;
        mode = volumes::mode(&fields)?;
    } else {
        fields.only(&["instance_uuid", "connector", "volume_uuid"])?;
    }
    let volume = fields.uuid("volume_uuid")?.ok_or_else(Fault::malformed)?;
    let connector = fields
        .object_or_null("connector")?
        .map(|fields| fields.entries().clone());
    Ok(CreateAttachment {
        volume: VolumeId(volume),
        instance: fields.uuid("instance_uuid")?.map(|id| id.to_string()),
        connector: connector.filter(|connector| !connector.is_empty()),
        mode,
    })
}

/// `PUT /attachments/{id}`.
pub(crate) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    call.since(Microversion::ATTACHMENTS)?;
    let fields = body.only("attachment")?;
    fields.only(&["connector"])?;
    let connector = fields.object("connector")?;
    if connector.entries().is_empty() {
        return Err(connector.wrong("{} should be non-empty"));
    }
    let id = ids::attachment(&id)?;
    let connector = connector.entries().clone();
    let detail = control
        .update_attachment(&call.context, id, connector)
        .await?;
    ok(one("attachment", view::full(&detail)))
}

/// `DELETE /attachments/{id}`: answers with those that the volume still has.
pub(crate) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    call.since(Microversion::ATTACHMENTS)?;
    let remaining = control
        .delete_attachment(&call.context, ids::attachment(&id)?)
        .await?;
    let items: Vec<_> = remaining.iter().map(view::brief).collect();
    ok(one("attachments", items))
}

/// `POST /attachments/{id}/action`.
pub(crate) async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    call.since(Microversion::ATTACHMENTS)?;
    match body.action()?.0 {
        "os-complete" => call.since(Microversion::ATTACHMENT_COMPLETE)?,
        other => return Err(Fault::no_action(other)),
    }
    control
        .complete_attachment(&call.context, ids::attachment(&id)?)
        .await?;
    empty(StatusCode::NO_CONTENT)
}
