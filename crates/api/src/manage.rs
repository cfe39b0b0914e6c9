//! What sites have already: lists of it, and how it is taken over. Each is there twice: below the path
//! that every version knows, and below the one that came with 3.8.

mod list;
mod take;

use crate::microversion::Microversion as V;
use crate::query::Query;
use crate::route::{Route, get, post};
use crate::schema::manage as bodies;
use crate::view::manageable as view;
use crate::view::{snapshot, volume};

use crate::fault::Fault;
use firebrick_control::At;

/// The parameters of the lists.
const QUERY: [&str; 8] = [
    "cluster", "host", "limit", "marker", "offset", "sort", "sort_dir", "sort_key",
];

const LIST_VOLUMES: &[&str] = &["volume_extension:list_manageable"];
const LIST_SNAPSHOTS: &[&str] = &["snapshot_extension:list_manageable"];

/// All four paths.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    let volumes = [
        ("/os-volume-manage", "/os-volume-manage/detail", V::MIN),
        (
            "/manageable_volumes",
            "/manageable_volumes/detail",
            V::MANAGEABLE,
        ),
    ];
    for (path, detail, since) in volumes {
        routes.extend([
            get(path, list::volumes)
                .since(since)
                .answer(&view::VOLUMES)
                .rules(LIST_VOLUMES)
                .query(&QUERY),
            get(detail, list::volumes_in_detail)
                .since(since)
                .answer(&view::VOLUMES_IN_DETAIL)
                .rules(LIST_VOLUMES)
                .query(&QUERY),
            post(path, take::volume)
                .since(since)
                .answer(&volume::MANAGED)
                .rules(&["volume_extension:volume_manage"])
                .body(bodies::VOLUME)
                .ok(202),
        ]);
    }
    let snapshots = [
        ("/os-snapshot-manage", "/os-snapshot-manage/detail", V::MIN),
        (
            "/manageable_snapshots",
            "/manageable_snapshots/detail",
            V::MANAGEABLE,
        ),
    ];
    for (path, detail, since) in snapshots {
        routes.extend([
            get(path, list::snapshots)
                .since(since)
                .answer(&view::SNAPSHOTS)
                .rules(LIST_SNAPSHOTS)
                .query(&QUERY),
            get(detail, list::snapshots_in_detail)
                .since(since)
                .answer(&view::SNAPSHOTS_IN_DETAIL)
                .rules(LIST_SNAPSHOTS)
                .query(&QUERY),
            post(path, take::snapshot)
                .since(since)
                .answer(&snapshot::MANAGED)
                .rules(&["snapshot_extension:snapshot_manage"])
                .body(bodies::SNAPSHOT)
                .ok(202),
        ]);
    }
    routes
}

/// One of `host` and `cluster`, as Cinder reads them: what is empty is not there.
pub(crate) fn one_of(
    host: Option<&str>,
    cluster: Option<&str>,
    clusters: bool,
) -> Result<At, Fault> {
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    match (said(host), said(cluster).filter(|_| clusters)) {
        (Some(host), None) => Ok(At::Host(host)),
        (None, Some(cluster)) => Ok(At::Cluster(cluster)),
        (None, None) | (Some(_), Some(_)) => Err(Fault::invalid_input(if clusters {
            "One and only one of cluster and host must be set."
        } else {
            "Host field is missing."
        })),
    }
}

/// The same of a list.
fn asked(query: &Query, clusters: bool) -> Result<At, Fault> {
    one_of(query.get("host"), query.get("cluster"), clusters)
}
