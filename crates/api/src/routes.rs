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
    activities, attachments, backups, clusters, default_types, extensions, gate, group_snapshots,
    group_types, groups, hosts, limits, manage, messages, pools, qos, quotas, replications,
    resource_filters, services, snapshots, transfers, types, volumes, workers, zones,
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
        backups::routes(),
        transfers::routes(),
        manage::routes(),
        types::routes(),
        group_types::routes(),
        groups::routes(),
        group_snapshots::routes(),
        default_types::routes(),
        qos::routes(),
        quotas::routes(),
        resource_filters::routes(),
        replications::routes(),
        services::routes(),
        clusters::routes(),
        workers::routes(),
        hosts::routes(),
        pools::routes(),
        zones::routes(),
        limits::routes(),
        extensions::routes(),
        activities::routes(),
        messages::routes(),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use firebrick_policy::Rule;

    use super::*;
    use crate::microversion::Microversion;
    use crate::route::{Bodies, Takes};

    fn ascending(bodies: Bodies) -> bool {
        bodies.windows(2).all(|two| two[0].0 < two[1].0)
    }

    #[test]
    fn the_table_says_nothing_twice_and_names_rules_that_exist() {
        let mut known = BTreeSet::new();
        for Route { entry, .. } in all() {
            let name = format!("{} {}", entry.method, entry.path);
            assert!(known.insert(name.clone()), "{name} is there twice");
            let mut rules = entry.rules.to_vec();
            match entry.takes {
                Takes::Nothing => {}
                Takes::Body(bodies) => assert!(ascending(bodies), "{name}"),
                Takes::Action(actions) => {
                    let keys: BTreeSet<_> = actions.iter().map(|action| action.key).collect();
                    assert_eq!(keys.len(), actions.len(), "{name}");
                    assert!(
                        actions.iter().all(|action| ascending(action.body)),
                        "{name}"
                    );
                    rules.extend(actions.iter().flat_map(|action| action.rules));
                }
            }
            for rule in rules {
                assert!(Rule::named(rule).is_some(), "{name} asks {rule}");
            }
            let parameters: BTreeSet<_> = entry.query.iter().collect();
            assert_eq!(parameters.len(), entry.query.len(), "{name}");
            assert!(entry.since <= Microversion::MAX, "{name}");
        }
    }
}
