//! Volume types.

mod access;
mod encryption;
mod extra_specs;
mod list;
mod resource;

pub(crate) use list::is_public;

use crate::route::{Route, delete, get, post, put};
use crate::schema;
use crate::view::volume_type as view;

/// Everything below `/types`.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/types", list::list)
            .answer(&view::LIST)
            .rules(&["volume_extension:type_get_all"])
            .query(&[
                "limit",
                "marker",
                "offset",
                "sort",
                "sort_key",
                "sort_dir",
                "is_public",
                "name",
                "extra_specs",
            ]),
        post("/types", resource::create)
            .answer(&view::ONE)
            .rules(&["volume_extension:type_create"])
            .body(schema::types::CREATE),
        get("/types/default", resource::default)
            .answer(&view::ONE)
            .rules(&["volume_extension:type_get"]),
        get("/types/{id}", resource::show)
            .answer(&view::ONE)
            .rules(&["volume_extension:type_get"]),
        put("/types/{id}", resource::update)
            .answer(&view::ONE)
            .rules(&["volume_extension:type_update"])
            .body(schema::types::UPDATE),
        delete("/types/{id}", resource::delete).rules(&["volume_extension:type_delete"]),
    ];
    routes.extend(access::routes());
    routes.extend(encryption::routes());
    routes.extend(extra_specs::routes());
    routes
}
