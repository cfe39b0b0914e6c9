//! Snapshots.

mod action;
mod create;
mod list;
mod metadata;
mod resource;

use crate::route::{Route, delete, get, post, put};
use crate::schema;
use crate::view::snapshot as view;

/// Everything below `/snapshots`.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/snapshots", list::brief)
            .answer(&view::LIST)
            .rules(&["volume:get_all_snapshots"])
            .query(&list::QUERY),
        get("/snapshots/detail", list::detail)
            .answer(&view::LIST)
            .rules(&["volume:get_all_snapshots"])
            .query(&list::QUERY),
        post("/snapshots", create::create)
            .answer(&view::ONE)
            .rules(&["volume:create_snapshot"])
            .body(schema::snapshots::CREATE)
            .ok(202),
        get("/snapshots/{id}", resource::show)
            .answer(&view::ONE)
            .rules(&["volume:get_snapshot"]),
        put("/snapshots/{id}", resource::update)
            .answer(&view::ONE)
            .rules(&["volume:update_snapshot"])
            .body(schema::snapshots::UPDATE),
        delete("/snapshots/{id}", resource::delete).rules(&["volume:delete_snapshot"]),
        post("/snapshots/{id}/action", action::action).actions(action::ACTIONS),
    ];
    routes.extend(metadata::routes());
    routes
}
