//! Lists of what could be taken over: they come from sites, so no database sorts them.

use std::cmp::Ordering;

use firebrick_db::Direction;
use uuid::Uuid;

use super::whereabouts::At;
use crate::error::{Error, Result};

/// Something that a site has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manageable {
    /// `source-name` of `reference`.
    pub reference: String,
    /// `size` in GiB, rounded up.
    pub size: u32,
    /// `reason_not_safe`; `None` where it can be taken over.
    pub reason_not_safe: Option<String>,
    /// `cinder_id`: the volume or snapshot that it is already.
    pub id: Option<Uuid>,
    /// `extra_info`.
    pub extra_info: Option<String>,
    /// `source-name` of `source_reference`: the image of a snapshot.
    pub source: Option<String>,
}

/// By what lists are sorted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ManageableKey {
    /// `reference`.
    Reference,
    /// `size`.
    Size,
}

/// Which page of what a backend has.
#[derive(Clone, Debug)]
pub struct ManageableQuery {
    /// `host` or `cluster`.
    pub at: At,
    /// `sort`.
    pub sort: Vec<(ManageableKey, Direction)>,
    /// `source-name` of `marker`: the last item of the page before.
    pub marker: Option<String>,
    /// `limit`.
    pub limit: u32,
    /// `offset`.
    pub offset: u32,
}

fn compare(one: &Manageable, other: &Manageable, sort: &[(ManageableKey, Direction)]) -> Ordering {
    let by = |(key, direction): &(ManageableKey, Direction)| {
        let order = match key {
            ManageableKey::Reference => one.reference.cmp(&other.reference),
            ManageableKey::Size => one.size.cmp(&other.size),
        };
        match direction {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        }
    };
    let asked = sort.iter().map(by).find(|order| order.is_ne());
    // What is equal keeps one order on all pages. Names of snapshots may be there twice.
    asked.unwrap_or_else(|| {
        (&one.reference, &one.source, one.id).cmp(&(&other.reference, &other.source, other.id))
    })
}

/// The page.
pub(super) fn page(mut all: Vec<Manageable>, query: &ManageableQuery) -> Result<Vec<Manageable>> {
    all.sort_by(|one, other| compare(one, other, &query.sort));
    let behind = match &query.marker {
        None => 0,
        Some(marker) => {
            let at = all.iter().rposition(|item| item.reference == *marker);
            let missing = || {
                let shown: String = marker.chars().take(64).collect();
                Error::invalid_input(format_args!("marker not found: {shown}"))
            };
            at.ok_or_else(missing)? + 1
        }
    };
    let from = behind.saturating_add(query.offset as usize);
    let items = all.into_iter().skip(from).take(query.limit as usize);
    Ok(items.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(reference: &str, size: u32) -> Manageable {
        Manageable {
            reference: reference.to_owned(),
            size,
            reason_not_safe: None,
            id: None,
            extra_info: None,
            source: None,
        }
    }

    fn names(query: &ManageableQuery) -> Vec<String> {
        let all = vec![item("b", 1), item("d", 2), item("a", 2), item("c", 1)];
        let found = page(all, query).unwrap();
        found.into_iter().map(|item| item.reference).collect()
    }

    #[test]
    fn pages_follow_each_other_in_the_order_asked_for() {
        use Direction::{Ascending, Descending};
        let mut query = ManageableQuery {
            at: At::Host("h@b".to_owned()),
            sort: vec![(ManageableKey::Reference, Descending)],
            marker: None,
            limit: 3,
            offset: 0,
        };
        assert_eq!(names(&query), ["d", "c", "b"]);
        query.marker = Some("b".to_owned());
        assert_eq!(names(&query), ["a"]);
        query.marker = Some("d".to_owned());
        query.offset = 1;
        assert_eq!(names(&query), ["b", "a"]);
        query.sort = vec![
            (ManageableKey::Size, Ascending),
            (ManageableKey::Reference, Descending),
        ];
        (query.marker, query.offset, query.limit) = (None, 0, 10);
        assert_eq!(names(&query), ["c", "b", "d", "a"]);
        query.marker = Some("x".to_owned());
        assert!(page(vec![item("a", 1)], &query).is_err());
    }
}
