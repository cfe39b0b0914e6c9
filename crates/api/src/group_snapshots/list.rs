//! `GET /group_snapshots`, `GET /cgsnapshots` and both with details.

use axum::extract::State;
use firebrick_control::{Column, Control, Family, GroupSnapshot, Listing, Query};
use serde::Serialize;
use serde_json::json;

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion as V;
use crate::view::group_snapshot as view;

/// How group snapshots are listed.
const GROUP_SNAPSHOTS: Kind = Kind {
    filters: &[
        ("created_at", Column::CreatedAt),
        ("description", Column::Description),
        ("group_id", Column::Group),
        ("group_type_id", Column::GroupType),
        ("id", Column::Id),
        ("name", Column::Name),
        ("project_id", Column::Project),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
        ("user_id", Column::User),
    ],
    sorts: &[
        ("created_at", Column::CreatedAt),
        ("group_id", Column::Group),
        ("group_type_id", Column::GroupType),
        ("id", Column::Id),
        ("name", Column::Name),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
    ],
    open: list::open::GROUP_SNAPSHOT,
    others: &[],
    late: false,
};

/// The parameters of lists of group snapshots.
pub(super) const QUERY: [&str; 18] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "created_at",
    "description",
    "group_id",
    "group_type_id",
    "id",
    "name",
    "name~",
    "project_id",
    "status",
    "updated_at",
    "user_id",
];

/// Those of lists of cgsnapshots.
pub(super) const LEGACY_QUERY: [&str; 3] = ["limit", "marker", "offset"];

/// Without details.
pub(super) async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = page(&control, &call).await?;
    let items = found.iter().map(view::brief);
    answer(&call, "group_snapshots", &found, items.collect())
}

/// With details.
pub(super) async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = page(&control, &call).await?;
    let items = found.iter().map(|taken| view::full(&call, taken));
    answer(&call, "group_snapshots/detail", &found, items.collect())
}

async fn page(control: &Control, call: &Call) -> Result<Vec<GroupSnapshot>, Fault> {
    let query = if call.at(V::GROUP_SNAPSHOT_PAGES) {
        list::read(call, &GROUP_SNAPSHOTS)?
    } else {
        // Older versions have neither pages nor filters.
        Query {
            listing: Listing {
                limit: Some(call.max_limit),
                ..Listing::default()
            },
            all_projects: false,
        }
    };
    let found = control.group_snapshots(&call.context, Family::Groups, query);
    Ok(found.await?)
}

fn answer(call: &Call, path: &str, found: &[GroupSnapshot], items: Vec<impl Serialize>) -> Answer {
    let last = found.last().map(|taken| taken.id.to_string());
    let last = last.filter(|_| call.at(V::GROUP_SNAPSHOT_PAGES));
    let keys = ("group_snapshots", "group_snapshot_links");
    ok(Collection::new(call, keys.0, keys.1, path, items, last)?)
}

/// Of consistency groups, without details.
pub(super) async fn legacy_brief(State(control): State<Control>, call: Call) -> Answer {
    let found = legacy(&control, &call).await?;
    let items: Vec<_> = found.iter().map(view::brief).collect();
    ok(json!({ "cgsnapshots": items }))
}

/// Of consistency groups, with details.
pub(super) async fn legacy_detail(State(control): State<Control>, call: Call) -> Answer {
    let found = legacy(&control, &call).await?;
    let items: Vec<_> = found.iter().map(view::legacy).collect();
    ok(json!({ "cgsnapshots": items }))
}

async fn legacy(control: &Control, call: &Call) -> Result<Vec<GroupSnapshot>, Fault> {
    let query = Query {
        listing: list::unfiltered(call, &GROUP_SNAPSHOTS)?,
        all_projects: false,
    };
    let found = control.group_snapshots(&call.context, Family::Consistency, query);
    Ok(found.await?)
}
