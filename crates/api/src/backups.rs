//! Backups.

mod action;
mod create;
mod list;
mod record;
mod resource;

use crate::microversion::Microversion as V;
use crate::route::{Route, delete, get, post, put};
use crate::schema::backups as bodies;
use crate::view::backup as view;

/// Everything below `/backups`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/backups", list::brief)
            .answer(&view::LIST)
            .rules(&["backup:get_all"])
            .query(&list::QUERY),
        get("/backups/detail", list::detail)
            .answer(&view::DETAILS)
            .rules(&["backup:get_all", "backup:backup_project_attribute"])
            .query(&list::QUERY),
        post("/backups", create::create)
            .answer(&view::BRIEF)
            .rules(&["backup:create"])
            .body(bodies::CREATE)
            .ok(202),
        post("/backups/import_record", record::import)
            .answer(&view::BRIEF)
            .rules(&["backup:backup-import"])
            .body(bodies::IMPORT)
            .ok(201),
        get("/backups/{id}", resource::show)
            .answer(&view::ONE)
            .rules(&["backup:get", "backup:backup_project_attribute"]),
        put("/backups/{id}", resource::update)
            .since(V::BACKUP_UPDATE)
            .answer(&view::BRIEF)
            .rules(&["backup:update"])
            .body(bodies::UPDATE),
        delete("/backups/{id}", resource::delete).rules(&["backup:delete"]),
        post("/backups/{id}/restore", create::restore)
            .answer(&view::RESTORE)
            .rules(&["backup:restore"])
            .body(bodies::RESTORE)
            .ok(202),
        get("/backups/{id}/export_record", record::export)
            .answer(&view::RECORD)
            .rules(&["backup:export-import"]),
        post("/backups/{id}/action", action::action).actions(action::ACTIONS),
    ]
}
