//! `GET /qos-specs`. There are few: they are filtered and sorted here.

use std::cmp::Ordering;

use axum::extract::State;
use firebrick_control::{Control, QosSpec};

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::list::{self, Collection, Way};
use crate::view::qos as view;

/// By what they are sorted.
#[derive(Clone, Copy)]
enum Key {
    Id,
    CreatedAt,
    UpdatedAt,
}

pub(crate) async fn list(State(control): State<Control>, call: Call) -> Answer {
    let order = order(&call)?;
    let mut found = control.qos_specs(&call.context).await?;
    filter(&call, &mut found);
    found.sort_by(|a, b| compare(a, b, &order));
    if let Some(marker) = call.query.get("marker") {
        let id = ids::qos(marker)?;
        let at = found.iter().position(|spec| spec.id == id);
        let at = at.ok_or_else(|| Fault::not_found(format!("No such QoS spec {id}.")))?;
        found.drain(..=at);
    }
    let offset = (list::offset(&call)? as usize).min(found.len());
    found.drain(..offset);
    found.truncate(list::limit(&call)? as usize);
    let last = found.last().map(|spec| spec.id.to_string());
    let items = found.iter().map(view::brief).collect();
    ok(Collection::new(
        &call,
        "qos_specs",
        "qos_specs_links",
        "qos-specs",
        items,
        last,
    )?)
}

fn filter(call: &Call, found: &mut Vec<QosSpec>) {
    if let Some(id) = call.query.get("id") {
        found.retain(|spec| spec.id.to_string() == id);
    }
    if let Some(name) = call.query.get("name") {
        found.retain(|spec| spec.name == name);
    }
    if let Some(consumer) = call.query.get("consumer") {
        found.retain(|spec| spec.consumer.as_str() == consumer);
    }
}

/// As in Cinder, not by name: its table has no such column.
fn order(call: &Call) -> Result<Vec<(Key, Way)>, Fault> {
    let key = |text: &str| match text {
        "id" => Ok(Key::Id),
        "created_at" => Ok(Key::CreatedAt),
        "updated_at" => Ok(Key::UpdatedAt),
        _ => Err(Fault::invalid_input("Invalid sort key")),
    };
    let mut order = list::sort_keys(&call.query)?
        .into_iter()
        .map(|(text, way)| Ok::<_, Fault>((key(text)?, way)))
        .collect::<Result<Vec<_>, _>>()?;
    if order.is_empty() {
        order.push((Key::CreatedAt, Way::Down));
    }
    Ok(order)
}

fn compare(a: &QosSpec, b: &QosSpec, order: &[(Key, Way)]) -> Ordering {
    for (key, way) in order {
        let up = match key {
            Key::Id => a.id.cmp(&b.id),
            Key::CreatedAt => a.created_at.cmp(&b.created_at),
            Key::UpdatedAt => a.updated_at.cmp(&b.updated_at),
        };
        let ordered = match way {
            Way::Up => up,
            Way::Down => up.reverse(),
        };
        if ordered != Ordering::Equal {
            return ordered;
        }
    }
    b.id.cmp(&a.id)
}
