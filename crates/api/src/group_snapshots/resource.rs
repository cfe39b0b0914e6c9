//! One group snapshot, by both of its addresses.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Family, GroupSnapshot};
use firebrick_vocabulary::GroupId;

use crate::body::{Body, Fields};
use crate::call::{Call, Named, accepted, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::microversion::Microversion as V;
use crate::route::Action;
use crate::schema::groups as bodies;
use crate::view::group_snapshot as view;
use crate::view::one;

const RESET_STATUS: &str = "reset_status";

/// The actions, and what each must be.
pub(super) const ACTIONS: &[Action] = &[Action::new(
    RESET_STATUS,
    &["group:reset_group_snapshot_status"],
    bodies::RESET_STATUS,
)
.since(V::RESET_GROUP_SNAPSHOT)];

/// `POST /group_snapshots`.
pub(super) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.only("group_snapshot")?;
    let taken = take(&control, &call, Family::Groups, &fields, "group_id").await?;
    accepted(one("group_snapshot", view::created(&taken)))
}

/// `POST /cgsnapshots`.
pub(super) async fn legacy_create(
    State(control): State<Control>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?.object("cgsnapshot")?;
    let family = Family::Consistency;
    let taken = take(&control, &call, family, &fields, "consistencygroup_id").await?;
    accepted(one("cgsnapshot", view::brief(&taken)))
}

async fn take(
    control: &Control,
    call: &Call,
    family: Family,
    fields: &Fields<'_>,
    key: &str,
) -> Result<GroupSnapshot, Fault> {
    let group = fields.uuid(key)?.ok_or_else(Fault::malformed)?;
    let name = fields.trimmed(["name", "name"], "name")?.flatten();
    let description = fields.description("description")?.flatten();
    let taken =
        control.create_group_snapshot(&call.context, family, GroupId(group), name, description);
    Ok(taken.await?)
}

/// `GET /group_snapshots/{id}`.
pub(super) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::group_snapshot(&id)?;
    let taken = control.group_snapshot(&call.context, Family::Groups, id);
    ok(one("group_snapshot", view::full(&call, &taken.await?)))
}

/// `GET /cgsnapshots/{id}`.
pub(super) async fn legacy_show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::group_snapshot(&id)?;
    let taken = control.group_snapshot(&call.context, Family::Consistency, id);
    ok(one("cgsnapshot", view::legacy(&taken.await?)))
}

/// `DELETE /group_snapshots/{id}`.
pub(super) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    remove(&control, &call, Family::Groups, &id).await
}

/// `DELETE /cgsnapshots/{id}`.
pub(super) async fn legacy_delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    remove(&control, &call, Family::Consistency, &id).await
}

async fn remove(control: &Control, call: &Call, family: Family, id: &str) -> Answer {
    let id = ids::group_snapshot(id)?;
    control
        .delete_group_snapshot(&call.context, family, id)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// `POST /group_snapshots/{id}/action`.
pub(super) async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, root) = body.action()?;
    if name != RESET_STATUS {
        return Err(Fault::no_action(name));
    }
    let id = ids::group_snapshot(&id)?;
    let status = root.object(RESET_STATUS)?.text("status", 0)?;
    let status = status.ok_or_else(Fault::malformed)?;
    control
        .reset_group_snapshot_status(&call.context, id, &status)
        .await?;
    empty(StatusCode::ACCEPTED)
}
