//! Group types.

mod list;
mod resource;
mod specs;

use crate::microversion::Microversion as V;
use crate::route::{Route, delete, get, post, put};
use crate::schema::group_types as bodies;
use crate::view::group_type as view;

/// Everything below `/group_types`.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/group_types", list::list)
            .answer(&view::LIST)
            .query(&list::QUERY),
        post("/group_types", resource::create)
            .answer(&view::ONE)
            .rules(&["group:group_types:create"])
            .body(bodies::CREATE)
            .ok(202),
        get("/group_types/default", resource::default).answer(&view::ONE),
        get("/group_types/{id}", resource::show).answer(&view::ONE),
        put("/group_types/{id}", resource::update)
            .answer(&view::ONE)
            .rules(&["group:group_types:update"])
            .body(bodies::UPDATE),
        delete("/group_types/{id}", resource::delete).rules(&["group:group_types:delete"]),
    ];
    routes.extend(specs::routes());
    let since = |route: Route| route.since(V::GROUP_TYPES);
    routes.into_iter().map(since).collect()
}
