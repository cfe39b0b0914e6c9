//! `GET /types`. There are few types: they are filtered and sorted here.

use std::cmp::Ordering;

use axum::extract::State;
use firebrick_control::{Control, TypeDetail};

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Way};
use crate::query::boolean;
use crate::view::volume_type as view;
use crate::{ids, literal};

/// By what types are sorted.
#[derive(Clone, Copy)]
enum Key {
    Id,
    Name,
    Description,
    IsPublic,
    CreatedAt,
    UpdatedAt,
}

pub(crate) async fn list(State(control): State<Control>, call: Call) -> Answer {
    let order = order(&call)?;
    let mut found = control.types(&call.context).await?;
    filter(&call, &mut found)?;
    found.sort_by(|a, b| compare(a, b, &order));
    if let Some(marker) = call.query.get("marker") {
        let at = found
            .iter()
            .position(|detail| detail.volume_type.id.to_string() == marker);
        let at = at.ok_or_else(|| ids::no_volume_type(marker))?;
        found.drain(..=at);
    }
    let offset = (list::offset(&call)? as usize).min(found.len());
    found.drain(..offset);
    found.truncate(list::limit(&call)? as usize);
    let last = found.last().map(|detail| detail.volume_type.id.to_string());
    let items = found
        .iter()
        .map(|detail| view::full(&call, detail))
        .collect();
    ok(Collection::new(
        &call,
        "volume_types",
        "volume_type_links",
        "types",
        items,
        last,
    )?)
}

fn order(call: &Call) -> Result<Vec<(Key, Way)>, Fault> {
    let key = |text: &str| match text {
        "id" => Ok(Key::Id),
        "name" => Ok(Key::Name),
        "description" => Ok(Key::Description),
        "is_public" => Ok(Key::IsPublic),
        "created_at" => Ok(Key::CreatedAt),
        "updated_at" => Ok(Key::UpdatedAt),
        _ => Err(Fault::invalid_input("Invalid sort key")),
    };
    let keys = list::sort_keys(&call.query)?;
    let mut order = keys
        .into_iter()
        .map(|(text, way)| Ok::<_, Fault>((key(text)?, way)))
        .collect::<Result<Vec<_>, _>>()?;
    if order.is_empty() {
        order.push((Key::CreatedAt, Way::Down));
    }
    Ok(order)
}

fn compare(a: &TypeDetail, b: &TypeDetail, order: &[(Key, Way)]) -> Ordering {
    let (a, b) = (&a.volume_type, &b.volume_type);
    for (key, way) in order {
        let up = match key {
            Key::Id => a.id.cmp(&b.id),
            Key::Name => a.name.cmp(&b.name),
            Key::Description => a.description.cmp(&b.description),
            Key::IsPublic => a.is_public.cmp(&b.is_public),
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

fn filter(call: &Call, found: &mut Vec<TypeDetail>) -> Result<(), Fault> {
    if let Some(public) = is_public(call)? {
        // Those that were given to the project are listed with the public ones.
        found.retain(|detail| detail.volume_type.is_public == public || (public && detail.given));
    }
    if let Some(name) = call.query.get("name") {
        found.retain(|detail| detail.volume_type.name == name);
    }
    if let Some(text) = call.query.get("extra_specs") {
        let wanted =
            literal::map(text).ok_or_else(|| Fault::bad_request("Invalid extra_specs filter"))?;
        found.retain(|detail| {
            let specs = view::visible(call, &detail.volume_type.extra_specs);
            wanted
                .iter()
                .all(|(key, value)| specs.get(key.as_str()) == Some(&value.as_str()))
        });
    }
    Ok(())
}

/// Which types: public ones unless an administrator says otherwise; `None` for both kinds.
pub(crate) fn is_public(call: &Call) -> Result<Option<bool>, Fault> {
    if !call.context.is_admin() {
        return Ok(Some(true));
    }
    match call.query.get("is_public") {
        None => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("none") => Ok(None),
        Some(text) => boolean(text).map(Some).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            Fault::bad_request(format!("Invalid is_public filter [{shown}]"))
        }),
    }
}
