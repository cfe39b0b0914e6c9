//! `POST /groups/{id}/action`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, FailoverGroup, Family};

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::microversion::Microversion as V;
use crate::route::Action;
use crate::schema::groups as bodies;
use crate::view::group as view;
use crate::view::one;

const DELETE: &str = "delete";
const RESET_STATUS: &str = "reset_status";
const ENABLE: &str = "enable_replication";
const DISABLE: &str = "disable_replication";
const FAILOVER: &str = "failover_replication";
const TARGETS: &str = "list_replication_targets";

/// The actions, and what each must be.
pub(super) const ACTIONS: &[Action] = &[
    Action::new(DELETE, &["group:delete"], bodies::DELETE),
    Action::new(RESET_STATUS, &["group:reset_status"], bodies::RESET_STATUS).since(V::RESET_GROUP),
    Action::new(ENABLE, &["group:enable_replication"], bodies::REPLICATE)
        .since(V::GROUP_REPLICATION),
    Action::new(DISABLE, &["group:disable_replication"], bodies::REPLICATE)
        .since(V::GROUP_REPLICATION),
    Action::new(FAILOVER, &["group:failover_replication"], bodies::FAILOVER)
        .since(V::GROUP_REPLICATION),
    Action::new(
        TARGETS,
        &["group:list_replication_targets"],
        bodies::REPLICATE,
    )
    .since(V::GROUP_REPLICATION)
    .answer(&view::TARGETS),
];

pub(super) async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, root) = body.action()?;
    let id = ids::group(&id)?;
    let context = &call.context;
    match name {
        DELETE => {
            let volumes = root.object(DELETE)?.boolean("delete-volumes")?;
            control
                .delete_group(context, Family::Groups, id, volumes.unwrap_or(false))
                .await?;
        }
        RESET_STATUS => {
            let status = root.object(RESET_STATUS)?.text("status", 0)?;
            let status = status.ok_or_else(Fault::malformed)?;
            control.reset_group_status(context, id, &status).await?;
        }
        ENABLE => control.enable_group_replication(context, id).await?,
        DISABLE => control.disable_group_replication(context, id).await?,
        FAILOVER => {
            let request = failover(&root.object(FAILOVER)?)?;
            control.failover_group(context, id, request).await?;
        }
        TARGETS => {
            let found = control.group_replication_targets(context, id).await?;
            return ok(one("replication_targets", view::targets(&found)));
        }
        other => return Err(Fault::no_action(other)),
    }
    empty(StatusCode::ACCEPTED)
}

/// An empty name is none, as clients send it.
fn failover(fields: &Fields<'_>) -> Result<FailoverGroup, Fault> {
    let target = fields.text_or_null("secondary_backend_id", 0)?.flatten();
    Ok(FailoverGroup {
        allow_attached: fields.boolean("allow_attached_volume")?.unwrap_or(false),
        target: target.filter(|id| !id.is_empty()),
    })
}
