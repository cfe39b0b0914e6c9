//! All routes, and the handlers behind their gates.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use firebrick_control::Control;

use crate::door::{self, Door};
use crate::fault::Fault;
use crate::options::ApiOptions;
use crate::route::{Entry, Route};
use crate::{
    attachments, extensions, gate, limits, pools, qos, services, snapshots, types, volumes, zones,
};

/// The whole API, answering from `control`. Clones share everything.
pub fn router(control: Control, options: ApiOptions) -> Router {
    let routes = all();
    let entries: Vec<Entry> = routes.iter().map(|route| route.entry.clone()).collect();
    let resources = resources(routes).with_state(control);
    let door = Arc::new(Door::new(resources, entries, options));
    Router::new().fallback(door::enter).with_state(door)
}

/// Everything below `/v3` and the project.
pub(crate) fn all() -> Vec<Route> {
    [
        volumes::routes(),
        snapshots::routes(),
        attachments::routes(),
        types::routes(),
        qos::routes(),
        services::routes(),
        pools::routes(),
        zones::routes(),
        limits::routes(),
        extensions::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What addresses below `/v3` begin with where they have no project.
pub(crate) fn collections(entries: &[Entry]) -> BTreeSet<&'static str> {
    let first = |entry: &Entry| entry.path.split('/').nth(1);
    entries.iter().filter_map(first).collect()
}

fn resources(routes: Vec<Route>) -> Router<Control> {
    let mut router = Router::new();
    for route in routes {
        router = router.route(route.entry.path, gate::guarded(route));
    }
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

async fn nowhere() -> Fault {
    Fault::no_route()
}
