//! QoS specs.

mod associations;
mod list;
mod resource;

use crate::route::{Route, delete, get, post, put};
use crate::schema;
use crate::view::qos as view;

/// Everything below `/qos-specs`.
pub(crate) fn routes() -> Vec<Route> {
    const GET_ALL: &[&str] = &["volume_extension:qos_specs_manage:get_all"];
    const UPDATE: &[&str] = &["volume_extension:qos_specs_manage:update"];
    const DELETE: &[&str] = &["volume_extension:qos_specs_manage:delete"];
    vec![
        get("/qos-specs", list::list)
            .answer(&view::LIST)
            .rules(GET_ALL)
            .query(&[
                "limit", "marker", "offset", "sort", "sort_key", "sort_dir", "id", "name",
                "consumer",
            ]),
        post("/qos-specs", resource::create)
            .answer(&view::ONE)
            .rules(&["volume_extension:qos_specs_manage:create"])
            .body(schema::qos::CREATE),
        get("/qos-specs/{id}", resource::show)
            .answer(&view::ONE)
            .rules(&["volume_extension:qos_specs_manage:get"]),
        put("/qos-specs/{id}", resource::update)
            .answer(&view::CHANGED)
            .rules(UPDATE)
            .body(schema::qos::UPDATE),
        delete("/qos-specs/{id}", resource::delete)
            .rules(DELETE)
            .query(&["force"]),
        put("/qos-specs/{id}/delete_keys", resource::delete_keys)
            .rules(DELETE)
            .body(schema::qos::DELETE_KEYS)
            .ok(202),
        get("/qos-specs/{id}/associations", associations::list)
            .answer(&view::ASSOCIATIONS)
            .rules(GET_ALL),
        get("/qos-specs/{id}/associate", associations::associate)
            .rules(UPDATE)
            .query(&["vol_type_id"])
            .ok(202),
        get("/qos-specs/{id}/disassociate", associations::disassociate)
            .rules(UPDATE)
            .query(&["vol_type_id"])
            .ok(202),
        get(
            "/qos-specs/{id}/disassociate_all",
            associations::disassociate_all,
        )
        .rules(UPDATE)
        .ok(202),
    ]
}
