//! Groups of volumes, and what older clients call consistency groups.

mod action;
mod consistency;
mod create;
mod list;
mod resource;

use crate::microversion::Microversion as V;
use crate::route::{Route, get, post, put};
use crate::schema::groups as bodies;
use crate::view::group as view;

/// Everything below `/groups` and `/consistencygroups`.
pub(crate) fn routes() -> Vec<Route> {
    let own = vec![
        get("/groups", list::brief)
            .answer(&view::LIST)
            .rules(&["group:get_all"])
            .query(&list::QUERY),
        get("/groups/detail", list::detail)
            .answer(&view::DETAILS)
            .rules(&["group:get_all", "group:group_project_attribute"])
            .query(&list::QUERY),
        post("/groups", create::create)
            .answer(&view::BRIEF)
            .rules(&["group:create"])
            .body(bodies::CREATE)
            .ok(202),
        post("/groups/action", create::from_source).actions(create::ACTIONS),
        get("/groups/{id}", resource::show)
            .answer(&view::ONE)
            .rules(&["group:get", "group:group_project_attribute"])
            .query(&["list_volume"]),
        put("/groups/{id}", resource::update)
            .rules(&["group:update"])
            .body(bodies::UPDATE)
            .ok(202),
        post("/groups/{id}/action", action::action).actions(action::ACTIONS),
    ];
    let since = |route: Route| route.since(V::GROUPS);
    let own = own.into_iter().map(since);
    own.chain(consistency::routes()).collect()
}
