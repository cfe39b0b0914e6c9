//! `GET` of what could be taken over.

use axum::extract::State;
use firebrick_control::{Control, Direction, Manageable, ManageableKey, ManageableQuery};
use serde::Serialize;
use serde_json::Value;

use super::asked;
use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{limit, offset, sort_keys};
use crate::microversion::Microversion as V;
use crate::view::manageable as view;
use crate::view::one;

/// Volumes, briefly.
pub(super) async fn volumes(State(control): State<Control>, call: Call) -> Answer {
    let found = control.manageable_volumes(&call.context, read(&call)?);
    answer("manageable-volumes", &found.await?, view::volume)
}

/// Volumes with all that is known.
pub(super) async fn volumes_in_detail(State(control): State<Control>, call: Call) -> Answer {
    let found = control.manageable_volumes(&call.context, read(&call)?);
    answer("manageable-volumes", &found.await?, view::volume_in_detail)
}

/// Snapshots, briefly.
pub(super) async fn snapshots(State(control): State<Control>, call: Call) -> Answer {
    let found = control.manageable_snapshots(&call.context, read(&call)?);
    answer("manageable-snapshots", &found.await?, view::snapshot)
}

/// Snapshots with all that is known.
pub(super) async fn snapshots_in_detail(State(control): State<Control>, call: Call) -> Answer {
    let found = control.manageable_snapshots(&call.context, read(&call)?);
    let found = found.await?;
    answer("manageable-snapshots", &found, view::snapshot_in_detail)
}

fn answer<'a, T: Serialize>(
    key: &'static str,
    found: &'a [Manageable],
    shown: fn(&'a Manageable) -> T,
) -> Answer {
    let items: Vec<T> = found.iter().map(shown).collect();
    ok(one(key, items))
}

fn read(call: &Call) -> Result<ManageableQuery, Fault> {
    let query = &call.query;
    let mut sort = Vec::new();
    for (key, way) in sort_keys(query)? {
        let key = match key {
            "reference" => ManageableKey::Reference,
            // Whoever gives a direction alone means the usual key.
            _ if query.get("sort").or(query.get("sort_key")).is_none() => ManageableKey::Reference,
            "size" => ManageableKey::Size,
            other => {
                let other: String = other.chars().take(64).collect();
                let why = format!("Invalid sort keys passed: {other}");
                return Err(Fault::invalid_input(why));
            }
        };
        sort.push((key, way.into()));
    }
    if sort.is_empty() {
        sort.push((ManageableKey::Reference, Direction::Descending));
    }
    Ok(ManageableQuery {
        at: asked(query, call.at(V::MANAGEABLE_IN_CLUSTER))?,
        sort,
        marker: query.get("marker").map(marker).transpose()?,
        limit: limit(call)?,
        offset: offset(call)?,
    })
}

/// The reference of the last item of a page, as JSON.
fn marker(text: &str) -> Result<String, Fault> {
    let unreadable = || {
        let shown: String = text.chars().take(64).collect();
        Fault::invalid_input(format!(
            "marker {shown} can not be analysed, please use json like format"
        ))
    };
    let value: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let name = value.get("source-name").and_then(Value::as_str);
    name.map(str::to_owned).ok_or_else(unreadable)
}
