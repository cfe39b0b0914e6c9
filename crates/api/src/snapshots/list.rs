//! `GET /snapshots` and `GET /snapshots/detail`.

use axum::extract::State;
use firebrick_control::{Column, Control, SnapshotDetail};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion;
use crate::view::snapshot as view;

/// How snapshots are listed.
const SNAPSHOTS: Kind = Kind {
    filters: &[
        ("created_at", Column::CreatedAt),
        ("description", Column::Description),
        ("display_name", Column::Name),
        ("group_snapshot_id", Column::GroupSnapshot),
        ("id", Column::Id),
        ("name", Column::Name),
        ("project_id", Column::Project),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
        ("user_id", Column::User),
        ("volume_id", Column::Volume),
    ],
    sorts: &[
        ("created_at", Column::CreatedAt),
        ("display_name", Column::Name),
        ("id", Column::Id),
        ("name", Column::Name),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
        ("volume_id", Column::Volume),
        ("volume_size", Column::Size),
    ],
    open: list::open::SNAPSHOT,
    // Snapshots are where their volumes are, and the zones are one failure domain each.
    others: &["availability_zone"],
    late: true,
};

/// The parameters of lists of snapshots.
pub(crate) const QUERY: [&str; 23] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "with_count",
    "availability_zone",
    "consumes_quota",
    "created_at",
    "description",
    "display_name",
    "group_snapshot_id",
    "id",
    "metadata",
    "name",
    "name~",
    "project_id",
    "status",
    "updated_at",
    "user_id",
    "volume_id",
];

/// Without details.
pub(crate) async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = Found::read(&control, &call).await?;
    let items = found.snapshots.iter().map(view::brief).collect();
    found.answer(&call, "snapshots", items)
}

/// With details.
pub(crate) async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = Found::read(&control, &call).await?;
    let items = found
        .snapshots
        .iter()
        .map(|detail| view::full(&call, detail))
        .collect();
    found.answer(&call, "snapshots/detail", items)
}

/// A page, and how many snapshots all pages have where that was asked for.
struct Found {
    snapshots: Vec<SnapshotDetail>,
    count: Option<u64>,
}

impl Found {
    async fn read(control: &Control, call: &Call) -> Result<Self, Fault> {
        let query = list::read(call, &SNAPSHOTS)?;
        let mut count = None;
        if call.at(Microversion::COUNT) && call.query.flag("with_count")? {
            count = Some(
                control
                    .count_snapshots(&call.context, query.clone())
                    .await?,
            );
        }
        let snapshots = control.snapshots(&call.context, query).await?;
        Ok(Self { snapshots, count })
    }

    fn answer(&self, call: &Call, path: &str, items: Vec<impl Serialize>) -> Answer {
        let last = self
            .snapshots
            .last()
            .map(|detail| detail.snapshot.id.to_string());
        let page = Collection::new(call, "snapshots", "snapshots_links", path, items, last)?;
        ok(page.counted(self.count))
    }
}
