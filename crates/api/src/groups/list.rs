//! `GET /groups` and `GET /groups/detail`.

use axum::extract::State;
use firebrick_control::{Column, Control, Family, GroupDetail};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion as V;
use crate::view::group as view;

/// How groups are listed.
pub(super) const GROUPS: Kind = Kind {
    filters: &[
        ("availability_zone", Column::AvailabilityZone),
        ("created_at", Column::CreatedAt),
        ("description", Column::Description),
        ("group_snapshot_id", Column::GroupSnapshot),
        ("group_type_id", Column::GroupType),
        ("host", Column::Host),
        ("id", Column::Id),
        ("name", Column::Name),
        ("project_id", Column::Project),
        ("replication_status", Column::ReplicationStatus),
        ("source_group_id", Column::Source),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
        ("user_id", Column::User),
    ],
    sorts: &[
        ("availability_zone", Column::AvailabilityZone),
        ("created_at", Column::CreatedAt),
        ("group_type_id", Column::GroupType),
        ("host", Column::Host),
        ("id", Column::Id),
        ("name", Column::Name),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
    ],
    open: list::open::GROUP,
    others: &["list_volume"],
    late: false,
};

/// The parameters of lists of groups.
pub(super) const QUERY: [&str; 23] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "list_volume",
    "availability_zone",
    "created_at",
    "description",
    "group_snapshot_id",
    "group_type_id",
    "host",
    "id",
    "name",
    "name~",
    "project_id",
    "replication_status",
    "source_group_id",
    "status",
    "updated_at",
    "user_id",
];

/// Without details.
pub(super) async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = page(&control, &call, false).await?;
    let items = found.iter().map(|detail| view::brief(&detail.group));
    answer(&call, "groups", &found, items.collect())
}

/// With details.
pub(super) async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let volumes = with_volumes(&call)?;
    let found = page(&control, &call, volumes).await?;
    let items = found
        .iter()
        .map(|detail| view::full(&call, detail, volumes));
    answer(&call, "groups/detail", &found, items.collect())
}

/// Whether each group shows its volumes.
pub(super) fn with_volumes(call: &Call) -> Result<bool, Fault> {
    Ok(call.at(V::GROUP_VOLUMES) && call.query.flag("list_volume")?)
}

async fn page(control: &Control, call: &Call, volumes: bool) -> Result<Vec<GroupDetail>, Fault> {
    let query = list::read(call, &GROUPS)?;
    let found = control.groups(&call.context, Family::Groups, query, volumes);
    Ok(found.await?)
}

fn answer(call: &Call, path: &str, found: &[GroupDetail], items: Vec<impl Serialize>) -> Answer {
    let last = found.last().map(|detail| detail.group.id.to_string());
    let page = Collection::new(call, "groups", "group_links", path, items, last)?;
    ok(page)
}
