//! Transfers of volumes to other projects: `/os-volume-transfer` and, from 3.55, `/volume-transfers`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Column, Control, CreateTransfer, Direction, Transfer};
use firebrick_vocabulary::VolumeId;
use serde::Serialize;
use serde_json::Value;

use crate::body::Body;
use crate::call::{Call, Named, accepted, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion as V;
use crate::route::{self, Route, get, post};
use crate::schema::transfers as bodies;
use crate::view::{one, transfer as view};

/// How transfers are listed.
const TRANSFERS: Kind = Kind {
    filters: &[
        ("created_at", Column::CreatedAt),
        ("display_name", Column::Name),
        ("id", Column::Id),
        ("name", Column::Name),
        ("project_id", Column::Project),
        ("updated_at", Column::UpdatedAt),
        ("volume_id", Column::Volume),
    ],
    sorts: &[
        ("created_at", Column::CreatedAt),
        ("display_name", Column::Name),
        ("id", Column::Id),
        ("name", Column::Name),
        ("updated_at", Column::UpdatedAt),
        ("volume_id", Column::Volume),
    ],
    open: list::open::always(&[
        "created_at",
        "display_name",
        "id",
        "name",
        "updated_at",
        "volume_id",
    ]),
    others: &[],
    late: false,
};

/// The parameters of lists of transfers.
const QUERY: [&str; 14] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "created_at",
    "display_name",
    "id",
    "name",
    "project_id",
    "updated_at",
    "volume_id",
];

/// The addresses below one of the two names.
struct Paths {
    all: &'static str,
    detail: &'static str,
    one: &'static str,
    accept: &'static str,
    since: V,
}

const LEGACY: Paths = Paths {
    all: "/os-volume-transfer",
    detail: "/os-volume-transfer/detail",
    one: "/os-volume-transfer/{id}",
    accept: "/os-volume-transfer/{id}/accept",
    since: V::MIN,
};

const PATHS: Paths = Paths {
    all: "/volume-transfers",
    detail: "/volume-transfers/detail",
    one: "/volume-transfers/{id}",
    accept: "/volume-transfers/{id}/accept",
    since: V::TRANSFER_SNAPSHOTS,
};

/// Everything below both names.
pub(crate) fn routes() -> Vec<Route> {
    let both = [LEGACY, PATHS].into_iter();
    both.flat_map(|paths| {
        let since = paths.since;
        below(&paths)
            .into_iter()
            .map(move |route| route.since(since))
    })
    .collect()
}

fn below(paths: &Paths) -> Vec<Route> {
    vec![
        get(paths.all, brief)
            .answer(&view::LIST)
            .rules(&["volume:get_all_transfers"])
            .query(&QUERY),
        get(paths.detail, detail)
            .answer(&view::LIST_DETAIL)
            .rules(&["volume:get_all_transfers"])
            .query(&QUERY),
        post(paths.all, create)
            .answer(&view::ONE)
            .rules(&["volume:create_transfer"])
            .body(bodies::CREATE)
            .ok(202),
        get(paths.one, show)
            .answer(&view::ONE)
            .rules(&["volume:get_transfer"]),
        route::delete(paths.one, delete).rules(&["volume:delete_transfer"]),
        post(paths.accept, accept)
            .answer(&view::ACCEPTED)
            .rules(&["volume:accept_transfer"])
            .body(bodies::ACCEPT)
            .ok(202),
    ]
}

async fn found(control: &Control, call: &Call) -> Result<Vec<Transfer>, Fault> {
    let mut query = list::read(call, &TRANSFERS)?;
    if !call.at(V::TRANSFER_PAGES) {
        query.listing.marker = None;
        query.listing.sort = vec![(Column::CreatedAt, Direction::Ascending)];
    }
    Ok(control.transfers(&call.context, query).await?)
}

fn page(call: &Call, path: &str, found: &[Transfer], items: Vec<impl Serialize>) -> Answer {
    let last = found.last().map(|transfer| transfer.id.to_string());
    let (key, links) = ("transfers", "transfers_links");
    ok(Collection::new(call, key, links, path, items, last)?)
}

async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items = found.iter().map(|it| view::brief(&call, it)).collect();
    page(&call, "os-volume-transfer", &found, items)
}

async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = found(&control, &call).await?;
    let items = found.iter().map(|it| view::full(&call, it)).collect();
    page(&call, "os-volume-transfer/detail", &found, items)
}

async fn show(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let id = ids::transfer(&id)?;
    let transfer = control.transfer(&call.context, id).await?;
    ok(one("transfer", view::full(&call, &transfer)))
}

async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.only("transfer")?;
    let volume = fields.uuid("volume_id")?.ok_or_else(Fault::malformed)?;
    let name = fields.text_or_null("name", 0)?.flatten();
    let request = CreateTransfer {
        volume: VolumeId(volume),
        name: name.map(|name| name.trim().to_owned()),
        no_snapshots: fields.boolean("no_snapshots")?.unwrap_or(false),
        encrypted: call.at(V::TRANSFER_ENCRYPTED),
    };
    let (transfer, key) = control.create_transfer(&call.context, request).await?;
    accepted(one("transfer", view::created(&call, &transfer, &key)))
}

async fn accept(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.only("accept")?;
    let key = match fields.get("auth_key") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
            return Err(Fault::malformed());
        }
    };
    let id = ids::transfer(&id)?;
    let transfer = control.accept_transfer(&call.context, id, &key).await?;
    accepted(one("transfer", view::brief(&call, &transfer)))
}

async fn delete(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let id = ids::transfer(&id)?;
    control.delete_transfer(&call.context, id).await?;
    empty(StatusCode::ACCEPTED)
}
