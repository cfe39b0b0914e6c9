//! User messages: what failed, and why.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Column, Control, Query};

use crate::call::{Call, Named, empty, ok};
use crate::fault::Answer;
use crate::ids;
use crate::list::{self, Collection, Kind, open};
use crate::microversion::Microversion as V;
use crate::route::{Route, delete, get};
use crate::view::message::{self as view, view};
use crate::view::one;

/// How messages are listed.
const MESSAGES: Kind = Kind {
    filters: &[
        ("created_at", Column::CreatedAt),
        ("event_id", Column::EventId),
        ("message_level", Column::Level),
        ("project_id", Column::Project),
        ("request_id", Column::RequestId),
        ("resource_type", Column::ResourceType),
        ("resource_uuid", Column::Resource),
    ],
    sorts: &[
        ("created_at", Column::CreatedAt),
        ("event_id", Column::EventId),
        ("expires_at", Column::ExpiresAt),
        ("guaranteed_until", Column::ExpiresAt),
        ("id", Column::Id),
        ("message_level", Column::Level),
        ("request_id", Column::RequestId),
        ("resource_type", Column::ResourceType),
        ("resource_uuid", Column::Resource),
    ],
    open: open::MESSAGE,
    others: &[],
    late: false,
};

const QUERY: [&str; 14] = [
    "all_tenants",
    "created_at",
    "event_id",
    "limit",
    "marker",
    "message_level",
    "offset",
    "project_id",
    "request_id",
    "resource_type",
    "resource_uuid",
    "sort",
    "sort_dir",
    "sort_key",
];

/// Everything below `/messages`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/messages", list_all)
            .since(V::MESSAGES)
            .answer(&view::LIST)
            .rules(&["message:get_all"])
            .query(&QUERY),
        get("/messages/{id}", show)
            .since(V::MESSAGES)
            .answer(&view::ONE)
            .rules(&["message:get"]),
        delete("/messages/{id}", remove)
            .since(V::MESSAGES)
            .ok(204)
            .rules(&["message:delete"]),
    ]
}

async fn list_all(State(control): State<Control>, call: Call) -> Answer {
    let paged = call.at(V::MESSAGE_PAGES);
    let mut query = Query::default();
    if paged {
        query = list::read(&call, &MESSAGES)?;
    } else {
        query.listing.limit = Some(call.max_limit);
    }
    let found = control.messages(&call.context, query).await?;
    // Where markers are not read, a next page would be the same again.
    let last = found.last().filter(|_| paged);
    let last = last.map(|message| message.id.to_string());
    let items = found.iter().map(|it| view(&call, it)).collect();
    let (key, links) = ("messages", "messages_links");
    ok(Collection::new(&call, key, links, key, items, last)?)
}

async fn show(State(control): State<Control>, call: Call, Named(id): Named<String>) -> Answer {
    let id = ids::message(&id)?;
    let found = control.message(&call.context, id).await?;
    ok(one("message", view(&call, &found)))
}

async fn remove(State(control): State<Control>, call: Call, Named(id): Named<String>) -> Answer {
    let id = ids::message(&id)?;
    control.delete_message(&call.context, id).await?;
    empty(StatusCode::NO_CONTENT)
}
