//! `GET /group_types`.

use axum::extract::State;
use firebrick_control::{Column, Control, Test};

use crate::call::{Call, ok};
use crate::fault::Answer;
use crate::list::{self, Collection, Kind};
use crate::types::is_public;
use crate::view::group_type as view;

/// How group types are listed. They have one filter, which is read here.
const GROUP_TYPES: Kind = Kind {
    filters: &[],
    sorts: &[
        ("created_at", Column::CreatedAt),
        ("description", Column::Description),
        ("id", Column::Id),
        ("is_public", Column::IsPublic),
        ("name", Column::Name),
        ("updated_at", Column::UpdatedAt),
    ],
    open: list::open::always(&[]),
    others: &[],
    late: false,
};

/// The parameters of lists of group types.
pub(super) const QUERY: [&str; 7] = [
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "is_public",
];

pub(super) async fn list(State(control): State<Control>, call: Call) -> Answer {
    let mut listing = list::unfiltered(&call, &GROUP_TYPES)?;
    if let Some(public) = is_public(&call)? {
        listing = listing.and(Column::IsPublic, Test::Number(i64::from(public)));
    }
    let found = control.group_types(&call.context, listing).await?;
    let last = found.last().map(|kind| kind.id.to_string());
    let items = found.iter().map(|kind| view::full(&call, kind)).collect();
    ok(Collection::new(
        &call,
        "group_types",
        "group_type_links",
        "group_types",
        items,
        last,
    )?)
}
