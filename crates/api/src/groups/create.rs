//! `POST /groups` and `create-from-src`.

use axum::extract::State;
use firebrick_control::{CloneGroup, Control, CreateGroup, Family, GroupSource};
use firebrick_vocabulary::{GroupId, GroupSnapshotId};
use uuid::Uuid;

use crate::body::{Body, Fields};
use crate::call::{Call, accepted};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::route::Action;
use crate::schema::groups as bodies;
use crate::view::group as view;
use crate::view::one;

const FROM_SOURCE: &str = "create-from-src";

/// The action of all groups together.
pub(super) const ACTIONS: &[Action] =
    &[
        Action::new(FROM_SOURCE, &["group:create"], bodies::CREATE_FROM_SOURCE)
            .since(V::GROUP_SNAPSHOTS)
            .answer(&view::BRIEF)
            .ok(202),
    ];

/// `POST /groups`.
pub(super) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.only("group")?;
    let kind = fields.text("group_type", 1)?.ok_or_else(Fault::malformed)?;
    let zone = fields.text_or_null("availability_zone", 1)?.flatten();
    let types = fields.texts_of("volume_types")?;
    if types.is_empty() {
        return Err(fields.wrong("'volume_types' is too short"));
    }
    let request = CreateGroup {
        name: name(&fields)?,
        description: description(&fields)?,
        group_type: Some(kind.trim().to_owned()),
        volume_types: types,
        availability_zone: zone,
    };
    let group = control.create_group(&call.context, request).await?;
    accepted(one("group", view::brief(&group)))
}

/// `POST /groups/action`.
pub(super) async fn from_source(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let (action, root) = body.action()?;
    if action != FROM_SOURCE {
        return Err(Fault::no_action(action));
    }
    let fields = root.object(FROM_SOURCE)?;
    let snapshot = fields.uuid("group_snapshot_id")?;
    let group = fields.uuid("source_group_id")?;
    let source = source(snapshot, group).ok_or_else(|| {
        Fault::bad_request(
            "Invalid input for field/attribute create-from-src: exactly one of \
             'group_snapshot_id' and 'source_group_id' is required.",
        )
    })?;
    let request = CloneGroup {
        name: name(&fields)?,
        description: description(&fields)?,
        source,
    };
    let group = control.clone_group(&call.context, Family::Groups, request);
    accepted(one("group", view::brief(&group.await?)))
}

/// The one source that is named.
pub(super) fn source(snapshot: Option<Uuid>, group: Option<Uuid>) -> Option<GroupSource> {
    match (snapshot, group) {
        (Some(id), None) => Some(GroupSource::Snapshot(GroupSnapshotId(id))),
        (None, Some(id)) => Some(GroupSource::Group(GroupId(id))),
        (None, None) | (Some(_), Some(_)) => None,
    }
}

/// The name, without blanks around it.
pub(super) fn name(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    Ok(fields.trimmed(["name", "name"], "name")?.flatten())
}

/// The description, without blanks around it.
pub(super) fn description(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let text = fields.description("description")?.flatten();
    Ok(text.map(|text| text.trim().to_owned()))
}
