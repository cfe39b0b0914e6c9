//! The order of a list.

use firebrick_control::{Column, Direction};

use super::Kind;
use crate::call::Call;
use crate::fault::Fault;
use crate::microversion::Microversion;
use crate::query::Query;

/// Up or down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Up,
    Down,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Up => Self::Ascending,
            Way::Down => Self::Descending,
        }
    }
}

/// The keys of `sort`, or of the older `sort_key` and `sort_dir`.
pub(crate) fn keys(query: &Query) -> Result<Vec<(&str, Way)>, Fault> {
    let (key, dir) = (query.get("sort_key"), query.get("sort_dir"));
    if let Some(sort) = query.get("sort") {
        if key.is_some() || dir.is_some() {
            return Err(Fault::bad_request(
                "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with \
                 the 'sort' parameter.",
            ));
        }
        return sort.trim().split(',').map(one).collect();
    }
    if key.is_none() && dir.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![(
        key.unwrap_or("created_at").trim(),
        way(dir.unwrap_or_default())?,
    )])
}

fn one(text: &str) -> Result<(&str, Way), Fault> {
    let (key, dir) = text.split_once(':').unwrap_or((text, ""));
    Ok((key.trim(), way(dir)?))
}

fn way(text: &str) -> Result<Way, Fault> {
    match text.trim() {
        "" | "desc" => Ok(Way::Down),
        "asc" => Ok(Way::Up),
        _ => Err(Fault::invalid_input(
            "Unknown sort direction, must be one of: asc, desc.",
        )),
    }
}

/// The column of a sort key.
pub(super) fn column(key: &str, call: &Call, kind: &Kind) -> Result<Column, Fault> {
    let late = kind.late && key == "name";
    let known = kind.sorts.iter().find(|(name, _)| *name == key);
    match known {
        Some((_, column)) if !late || call.at(Microversion::SNAPSHOT_SORT_BY_NAME) => Ok(*column),
        Some(_) | None => Err(Fault::invalid_input("Invalid sort key")),
    }
}
