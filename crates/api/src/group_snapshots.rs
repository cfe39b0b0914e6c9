//! Snapshots of groups, and what older clients call cgsnapshots.

mod list;
mod resource;

use crate::microversion::Microversion as V;
use crate::route::{Route, delete, get, post};
use crate::schema::groups as bodies;
use crate::view::group_snapshot as view;

/// Everything below `/group_snapshots` and `/cgsnapshots`.
pub(crate) fn routes() -> Vec<Route> {
    let own = vec![
        get("/group_snapshots", list::brief)
            .answer(&view::LIST)
            .rules(&["group:get_all_group_snapshots"])
            .query(&list::QUERY),
        get("/group_snapshots/detail", list::detail)
            .answer(&view::DETAILS)
            .rules(&[
                "group:get_all_group_snapshots",
                "group:group_snapshot_project_attribute",
            ])
            .query(&list::QUERY),
        post("/group_snapshots", resource::create)
            .answer(&view::BRIEF)
            .rules(&["group:create_group_snapshot"])
            .body(bodies::CREATE_SNAPSHOT)
            .ok(202),
        get("/group_snapshots/{id}", resource::show)
            .answer(&view::ONE)
            .rules(&[
                "group:get_group_snapshot",
                "group:group_snapshot_project_attribute",
            ]),
        delete("/group_snapshots/{id}", resource::delete).rules(&["group:delete_group_snapshot"]),
        post("/group_snapshots/{id}/action", resource::action).actions(resource::ACTIONS),
    ];
    let legacy = vec![
        get("/cgsnapshots", list::legacy_brief)
            .answer(&view::LEGACY_LIST)
            .rules(&["group:get_all_group_snapshots"])
            .query(&list::LEGACY_QUERY),
        get("/cgsnapshots/detail", list::legacy_detail)
            .answer(&view::LEGACY_DETAILS)
            .rules(&["group:get_all_group_snapshots"])
            .query(&list::LEGACY_QUERY),
        post("/cgsnapshots", resource::legacy_create)
            .answer(&view::LEGACY_BRIEF)
            .rules(&["group:create_group_snapshot"])
            .body(bodies::LEGACY_SNAPSHOT)
            .ok(202),
        get("/cgsnapshots/{id}", resource::legacy_show)
            .answer(&view::LEGACY_ONE)
            .rules(&["group:get_group_snapshot"]),
        delete("/cgsnapshots/{id}", resource::legacy_delete)
            .rules(&["group:delete_group_snapshot"]),
    ];
    let since = |route: Route| route.since(V::GROUP_SNAPSHOTS);
    own.into_iter().map(since).chain(legacy).collect()
}
