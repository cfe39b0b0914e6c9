//! `/consistencygroups`: groups of the type `default_cgsnapshot_type`, as older clients know them.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{CloneGroup, Control, CreateGroup, Family, GroupDetail};
use serde::Serialize;

use super::create::{description, name, source};
use super::list::{GROUPS, QUERY};
use super::resource::change;
use crate::body::{Body, Fields};
use crate::call::{Call, Named, accepted, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::list::{self, Collection};
use crate::microversion::Microversion as V;
use crate::route::{Route, get, post, put};
use crate::schema::groups as bodies;
use crate::view::group as view;
use crate::view::one;

const KEY: &str = "consistencygroup";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/consistencygroups", brief)
            .answer(&view::LEGACY_LIST)
            .rules(&["group:get_all"])
            .query(&QUERY),
        get("/consistencygroups/detail", detail)
            .answer(&view::LEGACY_DETAILS)
            .rules(&["group:get_all"])
            .query(&QUERY),
        post("/consistencygroups", create)
            .answer(&view::LEGACY_BRIEF)
            .rules(&["group:create"])
            .body(bodies::LEGACY_CREATE)
            .ok(202),
        post("/consistencygroups/create_from_src", from_source)
            .answer(&view::LEGACY_BRIEF)
            .rules(&["group:create"])
            .body(bodies::LEGACY_FROM_SOURCE)
            .ok(202),
        get("/consistencygroups/{id}", show)
            .answer(&view::LEGACY_ONE)
            .rules(&["group:get"]),
        post("/consistencygroups/{id}/delete", delete)
            .rules(&["group:delete"])
            .body(bodies::LEGACY_DELETE)
            .ok(202),
        // Its first clients ask the second address, the SDK the first; Cinder answers both.
        change_at("/consistencygroups/{id}"),
        change_at("/consistencygroups/{id}/update"),
    ]
}

fn change_at(path: &'static str) -> Route {
    put(path, update)
        .rules(&["group:update"])
        .body(bodies::LEGACY_UPDATE)
        .ok(202)
}

async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = page(&control, &call).await?;
    let items = found.iter().map(|detail| view::brief(&detail.group));
    answer(&call, "consistencygroups", &found, items.collect())
}

async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = page(&control, &call).await?;
    let items = found.iter().map(view::legacy);
    answer(&call, "consistencygroups/detail", &found, items.collect())
}

async fn page(control: &Control, call: &Call) -> Result<Vec<GroupDetail>, Fault> {
    let query = list::read(call, &GROUPS)?;
    let found = control.groups(&call.context, Family::Consistency, query, false);
    Ok(found.await?)
}

fn answer(call: &Call, path: &str, found: &[GroupDetail], items: Vec<impl Serialize>) -> Answer {
    let last = found.last().map(|detail| detail.group.id.to_string());
    let keys = ("consistencygroups", "consistencygroup_links");
    ok(Collection::new(call, keys.0, keys.1, path, items, last)?)
}

async fn show(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let id = ids::group(&id)?;
    let detail = control.group(&call.context, Family::Consistency, id, false);
    ok(one(KEY, view::legacy(&detail.await?)))
}

async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?.object(KEY)?;
    let types = fields.text_or_null("volume_types", 0)?.flatten();
    let types = types.unwrap_or_default();
    let types: Vec<String> = (types.split(','))
        .filter(|kind| !kind.is_empty())
        .map(str::to_owned)
        .collect();
    let name = name(&fields)?;
    if types.is_empty() {
        return Err(Fault::bad_request(format!(
            "volume_types must be provided to create consistency group {}.",
            name.as_deref().unwrap_or("None")
        )));
    }
    let request = CreateGroup {
        name,
        description: description(&fields)?,
        group_type: None,
        volume_types: types,
        availability_zone: fields.text_or_null("availability_zone", 1)?.flatten(),
    };
    let group = control.create_group(&call.context, request).await?;
    accepted(one(KEY, view::brief(&group)))
}

async fn from_source(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?.object("consistencygroup-from-src")?;
    let name = name(&fields)?;
    let snapshot = fields.uuid_or_null("cgsnapshot_id")?;
    let group = fields.uuid_or_null("source_cgid")?;
    let source = source(snapshot, group).ok_or_else(|| {
        let shown = name.as_deref().unwrap_or("None");
        Fault::bad_request(if snapshot.is_some() {
            format!(
                "Cannot provide both 'cgsnapshot_id' and 'source_cgid' to create consistency group \
                 {shown} from source."
            )
        } else {
            format!(
                "Either 'cgsnapshot_id' or 'source_cgid' must be provided to create consistency \
                 group {shown} from source."
            )
        })
    })?;
    let request = CloneGroup {
        description: description(&fields)?,
        name,
        source,
    };
    let group = control.clone_group(&call.context, Family::Consistency, request);
    accepted(one(KEY, view::brief(&group.await?)))
}

async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let mut force = None;
    if !body.value().is_null()
        && let Some(fields) = body.root()?.object_or_null(KEY)?
    {
        force = fields.boolean("force")?;
    }
    let id = ids::group(&id)?;
    control
        .delete_group(
            &call.context,
            Family::Consistency,
            id,
            force.unwrap_or(false),
        )
        .await?;
    empty(StatusCode::ACCEPTED)
}

async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?.object(KEY)?;
    let change = change(&fields)?;
    check(&call, &fields)?;
    let id = ids::group(&id)?;
    control
        .update_group(&call.context, Family::Consistency, id, change)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// Older versions do not take names away.
fn check(call: &Call, fields: &Fields<'_>) -> Result<(), Fault> {
    let said = |key: &str| fields.get(key).and_then(|value| value.as_str());
    let filled = |key: &str| said(key).is_some_and(|text| !text.trim().is_empty());
    let volumes = filled("add_volumes") || filled("remove_volumes");
    if call.at(V::BLANK_CONSISTENCY_GROUPS) {
        if said("name").is_none() && said("description").is_none() && !volumes {
            return Err(Fault::bad_request(
                "Must specify one or more of the following keys to update: name, description, \
                 add_volumes, remove_volumes.",
            ));
        }
    } else if !filled("name") && !filled("description") && !volumes {
        return Err(Fault::bad_request(
            "Name, description, add_volumes, and remove_volumes can not be all empty in the \
             request body.",
        ));
    }
    Ok(())
}
