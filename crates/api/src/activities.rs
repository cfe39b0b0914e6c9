//! Activities: what was asked for, how far it is, and that it may end. Not Cinder's: every version
//! has them.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Column, Control, Filter, Test};

use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::list::{self, Collection, Kind};
use crate::route::{Route, delete, get};
use crate::view::activity::{self as view, view, whole};
use crate::view::one;

/// How activities are listed.
const ACTIVITIES: Kind = Kind {
    filters: &[
        ("action", Column::Kind),
        ("project_id", Column::Project),
        ("request_id", Column::RequestId),
        ("status", Column::Status),
        ("user_id", Column::User),
    ],
    sorts: &[
        ("created_at", Column::CreatedAt),
        ("started_at", Column::CreatedAt),
        ("updated_at", Column::UpdatedAt),
    ],
    open: list::open::always(&["action", "request_id", "status"]),
    others: &["resource_id"],
    late: false,
};

const QUERY: [&str; 13] = [
    "action",
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "project_id",
    "request_id",
    "resource_id",
    "sort",
    "sort_dir",
    "sort_key",
    "status",
    "user_id",
];

/// Everything below `/activities`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/activities", list_all)
            .answer(&view::LIST)
            .rules(&["firebrick:activity:get_all"])
            .query(&QUERY),
        get("/activities/{id}", show)
            .answer(&view::ONE)
            .rules(&["firebrick:activity:get"]),
        delete("/activities/{id}", cancel).rules(&["firebrick:activity:cancel"]),
    ]
}

async fn list_all(State(control): State<Control>, call: Call) -> Answer {
    let mut query = list::read(&call, &ACTIVITIES)?;
    if let Some(id) = call.query.get("resource_id") {
        let id = ids::uuid(id).ok_or_else(|| Fault::invalid_input("resource_id is no id"))?;
        let about = Test::OneOf(vec![id.to_string()]);
        let either = Filter::Either([Column::Resource, Column::Volume], about);
        query.listing.filters.push(either);
    }
    let found = control.activities(&call.context, query).await?;
    let last = found.last().map(|activity| activity.id.to_string());
    let items = found.iter().map(|it| view(&call, it)).collect();
    let (key, links) = ("activities", "activities_links");
    ok(Collection::new(&call, key, links, key, items, last)?)
}

async fn show(State(control): State<Control>, call: Call, Named(id): Named<String>) -> Answer {
    let id = ids::activity(&id)?;
    let found = control.activity(&call.context, id).await?;
    ok(one("activity", whole(&call, &found)))
}

async fn cancel(State(control): State<Control>, call: Call, Named(id): Named<String>) -> Answer {
    let id = ids::activity(&id)?;
    control.cancel_activity(&call.context, id).await?;
    empty(StatusCode::ACCEPTED)
}
