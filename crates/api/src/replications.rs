//! Replications: how each volume is at each target of its backend. Not Cinder's: every version has them.

use axum::extract::State;
use firebrick_control::{Column, Control};

use crate::call::{Call, Named, ok};
use crate::fault::Answer;
use crate::ids;
use crate::list::{self, Collection, Kind};
use crate::route::{Route, get};
use crate::view::one;
use crate::view::replication::{self as view, id, view};

/// How replications are listed: as their volumes are.
const REPLICATIONS: Kind = Kind {
    filters: &[
        ("group_id", Column::Group),
        ("project_id", Column::Project),
        ("replication_status", Column::ReplicationStatus),
        ("volume_id", Column::Id),
    ],
    sorts: &[("created_at", Column::CreatedAt), ("volume_id", Column::Id)],
    open: list::open::always(&["group_id", "replication_status", "volume_id"]),
    others: &[],
    late: false,
};

const QUERY: [&str; 11] = [
    "all_tenants",
    "group_id",
    "limit",
    "marker",
    "offset",
    "project_id",
    "replication_status",
    "sort",
    "sort_dir",
    "sort_key",
    "volume_id",
];

/// Everything below `/replications`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/replications", list_all)
            .answer(&view::LIST)
            .rules(&["firebrick:replication:get_all"])
            .query(&QUERY),
        get("/replications/{id}", show)
            .answer(&view::ONE)
            .rules(&["firebrick:replication:get"]),
    ]
}

async fn list_all(State(control): State<Control>, call: Call) -> Answer {
    let mut query = list::read(&call, &REPLICATIONS)?;
    if let Some(marker) = &mut query.listing.marker
        && let Some(at) = marker.find('@')
    {
        // Pages are of volumes.
        marker.truncate(at);
    }
    let found = control.replications(&call.context, query).await?;
    let last = found.last().map(id);
    let items = found.iter().map(view).collect();
    let (key, links) = ("replications", "replications_links");
    ok(Collection::new(&call, key, links, key, items, last)?)
}

async fn show(State(control): State<Control>, call: Call, Named(id): Named<String>) -> Answer {
    let (volume, target) = ids::replication(&id)?;
    let found = control.replication(&call.context, volume, target).await?;
    ok(one("replication", view(&found)))
}
