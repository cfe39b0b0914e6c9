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
use crate::microversion::Microversion as V;
use crate::route::{self, Action, Route, get, post, put};
use crate::schema::attachments as schema;
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
    open: list::open::ATTACHMENT,
    others: &[],
    late: false,
};

/// The parameters of its lists.
const QUERY: [&str; 14] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "attach_status",
    "id",
    "instance_id",
    "instance_uuid",
    "project_id",
    "status",
    "volume_id",
];

/// The actions.
const ACTIONS: &[Action] = &[Action::new(
    "os-complete",
    &["volume:attachment_complete"],
    schema::COMPLETE,
)
.since(V::ATTACHMENT_COMPLETE)
.ok(204)];

/// Everything below `/attachments`.
pub(crate) fn routes() -> Vec<Route> {
    let routes = [
        get("/attachments", brief).answer(&view::LIST).query(&QUERY),
        get("/attachments/detail", detail)
            .answer(&view::LIST)
            .query(&QUERY),
        post("/attachments", create)
            .answer(&view::ONE)
            .rules(&["volume:attachment_create"])
            .body(schema::CREATE),
        get("/attachments/{id}", show).answer(&view::ONE),
        put("/attachments/{id}", update)
            .answer(&view::ONE)
            .rules(&["volume:attachment_update"])
            .body(schema::UPDATE),
        route::delete("/attachments/{id}", delete)
            .answer(&view::LIST)
            .rules(&["volume:attachment_delete"])
            .ok(200),
        post("/attachments/{id}/action", action).actions(ACTIONS),
    ];
    routes.map(|route| route.since(V::ATTACHMENTS)).into()
}

/// `GET /attachments`.
async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items = found.iter().map(view::brief).collect();
    page(&call, "attachments", &found, items)
}

/// `GET /attachments/detail`.
async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items = found.iter().map(view::full).collect();
    page(&call, "attachments/detail", &found, items)
}

async fn found(control: &Control, call: &Call) -> Result<Vec<AttachmentDetail>, Fault> {
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
async fn show(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let detail = control
        .attachment(&call.context, ids::attachment(&id)?)
        .await?;
    ok(one("attachment", view::full(&detail)))
}

/// `POST /attachments`.
async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = read(body.only("attachment")?)?;
    let detail = control.create_attachment(&call.context, request).await?;
    ok(one("attachment", view::full(&detail)))
}

fn read(fields: Fields<'_>) -> Result<CreateAttachment, Fault> {
    let volume = fields.uuid("volume_uuid")?.ok_or_else(Fault::malformed)?;
    let connector = fields
        .object_or_null("connector")?
        .map(|fields| fields.entries().clone());
    Ok(CreateAttachment {
        volume: VolumeId(volume),
        instance: fields.uuid("instance_uuid")?.map(|id| id.to_string()),
        connector: connector.filter(|connector| !connector.is_empty()),
        mode: volumes::mode(&fields)?,
    })
}

/// `PUT /attachments/{id}`.
async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.only("attachment")?;
    let connector = fields.object("connector")?.entries().clone();
    let id = ids::attachment(&id)?;
    let detail = control
        .update_attachment(&call.context, id, connector)
        .await?;
    ok(one("attachment", view::full(&detail)))
}

/// `DELETE /attachments/{id}`: answers with those that the volume still has.
async fn delete(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let remaining = control
        .delete_attachment(&call.context, ids::attachment(&id)?)
        .await?;
    let items: Vec<_> = remaining.iter().map(view::brief).collect();
    ok(one("attachments", items))
}

/// `POST /attachments/{id}/action`: there is one.
async fn action(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    control
        .complete_attachment(&call.context, ids::attachment(&id)?)
        .await?;
    empty(StatusCode::NO_CONTENT)
}
