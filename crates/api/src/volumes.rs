//! Volumes.

pub(crate) mod action;
mod connect;
mod create;
mod delete;
mod encryption;
mod image;
mod image_metadata;
pub(crate) mod list;
mod metadata;
mod moving;
mod show;
mod summary;
mod update;

pub(crate) use connect::mode;

use crate::microversion::Microversion as V;
use crate::route::{Route, get, post, put};
use crate::schema;
use crate::view::volume as view;

/// Everything below `/volumes`.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/volumes", list::brief)
            .answer(&view::LIST)
            .rules(&["volume:get_all"])
            .query(&list::QUERY),
        get("/volumes/detail", list::detail)
            .answer(&view::LIST_DETAIL)
            .rules(&["volume:get_all"])
            .query(&list::QUERY),
        get("/volumes/summary", summary::summary)
            .answer(&view::SUMMARY)
            .since(V::SUMMARY)
            .rules(&["volume:get_all"])
            .query(&list::QUERY),
        post("/volumes", create::create)
            .answer(&view::ONE)
            .rules(&["volume:create", "volume:multiattach"])
            .body(schema::volumes::CREATE)
            .ok(202),
        get("/volumes/{id}", show::show)
            .answer(&view::ONE)
            .rules(&["volume:get"]),
        put("/volumes/{id}", update::update)
            .answer(&view::ONE)
            .rules(&["volume:update"])
            .body(schema::volumes::UPDATE),
        crate::route::delete("/volumes/{id}", delete::delete)
            .rules(&["volume:delete", "volume:force_delete"])
            .query(&["cascade", "force"]),
        post("/volumes/{id}/action", action::action).actions(action::ACTIONS),
    ];
    routes.extend(encryption::routes());
    routes.extend(metadata::routes());
    routes
}
