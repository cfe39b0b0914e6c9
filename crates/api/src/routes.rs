//! Which handler answers which request.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use firebrick_control::Control;

use crate::door::{self, Door};
use crate::fault::Fault;
use crate::options::ApiOptions;
use crate::{
    attachments, extensions, limits, pools, qos, services, snapshots, types, volumes, zones,
};

/// The whole API, answering from `control`. Clones share everything.
pub fn router(control: Control, options: ApiOptions) -> Router {
    let door = Arc::new(Door::new(resources().with_state(control), options));
    Router::new().fallback(door::enter).with_state(door)
}

/// Everything below `/v3` and the project.
fn resources() -> Router<Control> {
    Router::new()
        .merge(volume_routes())
        .merge(snapshot_routes())
        .merge(attachment_routes())
        .merge(type_routes())
        .merge(qos_routes())
        .merge(operator_routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
}

async fn nowhere() -> Fault {
    Fault::no_route()
}

fn volume_routes() -> Router<Control> {
    use volumes::{action, create, delete as gone, list, metadata, show, summary, update};
    Router::new()
        .route("/volumes", get(list::brief).post(create::create))
        .route("/volumes/detail", get(list::detail))
        .route("/volumes/summary", get(summary::summary))
        .route(
            "/volumes/{id}",
            get(show::show).put(update::update).delete(gone::delete),
        )
        .route("/volumes/{id}/action", post(action::action))
        .route(
            "/volumes/{id}/metadata",
            get(metadata::list)
                .post(metadata::merge)
                .put(metadata::replace),
        )
        .route(
            "/volumes/{id}/metadata/{key}",
            get(metadata::show)
                .put(metadata::set)
                .delete(metadata::delete),
        )
}

fn snapshot_routes() -> Router<Control> {
    use snapshots::{action, create, list, metadata, resource};
    Router::new()
        .route("/snapshots", get(list::brief).post(create::create))
        .route("/snapshots/detail", get(list::detail))
        .route(
            "/snapshots/{id}",
            get(resource::show)
                .put(resource::update)
                .delete(resource::delete),
        )
        .route("/snapshots/{id}/action", post(action::action))
        .route(
            "/snapshots/{id}/metadata",
            get(metadata::list)
                .post(metadata::merge)
                .put(metadata::replace),
        )
        .route(
            "/snapshots/{id}/metadata/{key}",
            get(metadata::show)
                .put(metadata::set)
                .delete(metadata::delete),
        )
}

fn attachment_routes() -> Router<Control> {
    Router::new()
        .route(
            "/attachments",
            get(attachments::brief).post(attachments::create),
        )
        .route("/attachments/detail", get(attachments::detail))
        .route(
            "/attachments/{id}",
            get(attachments::show)
                .put(attachments::update)
                .delete(attachments::delete),
        )
        .route("/attachments/{id}/action", post(attachments::action))
}

fn type_routes() -> Router<Control> {
    use types::{extra_specs as specs, list, resource};
    Router::new()
        .route("/types", get(list::list).post(resource::create))
        .route("/types/default", get(resource::default))
        .route(
            "/types/{id}",
            get(resource::show)
                .put(resource::update)
                .delete(resource::delete),
        )
        .route(
            "/types/{id}/extra_specs",
            get(specs::list).post(specs::merge),
        )
        .route(
            "/types/{id}/extra_specs/{key}",
            get(specs::show).put(specs::set).delete(specs::delete),
        )
}

fn qos_routes() -> Router<Control> {
    use qos::{associations as with, resource};
    Router::new()
        .route("/qos-specs", get(qos::list).post(resource::create))
        .route(
            "/qos-specs/{id}",
            get(resource::show)
                .put(resource::update)
                .delete(resource::delete),
        )
        .route("/qos-specs/{id}/delete_keys", put(resource::delete_keys))
        .route("/qos-specs/{id}/associations", get(with::list))
        .route("/qos-specs/{id}/associate", get(with::associate))
        .route("/qos-specs/{id}/disassociate", get(with::disassociate))
        .route(
            "/qos-specs/{id}/disassociate_all",
            get(with::disassociate_all),
        )
}

fn operator_routes() -> Router<Control> {
    use services::{list, replication, switch};
    Router::new()
        .route("/os-services", get(list::list))
        .route("/os-services/enable", put(switch::enable))
        .route("/os-services/disable", put(switch::disable))
        .route(
            "/os-services/disable-log-reason",
            put(switch::disable_with_reason),
        )
        .route("/os-services/freeze", put(replication::freeze))
        .route("/os-services/thaw", put(replication::thaw))
        .route(
            "/os-services/failover_host",
            put(replication::failover_host),
        )
        .route("/os-services/failover", put(replication::failover))
        .route("/scheduler-stats/get_pools", get(pools::pools))
        .route("/capabilities/{host}", get(pools::capabilities))
        .route("/os-availability-zone", get(zones::zones))
        .route("/limits", get(limits::limits))
        .route("/extensions", get(extensions::list))
        .route("/extensions/{alias}", get(extensions::show))
}
