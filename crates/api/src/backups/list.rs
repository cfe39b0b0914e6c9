//! `GET /backups` and `GET /backups/detail`.

use axum::extract::State;
use firebrick_control::{BackupDetail, Column, Control};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion as V;
use crate::view::backup as view;

/// How backups are listed.
const BACKUPS: Kind = Kind {
    filters: &[
        ("availability_zone", Column::AvailabilityZone),
        ("container", Column::Container),
        ("created_at", Column::CreatedAt),
        ("description", Column::Description),
        ("display_name", Column::Name),
        ("host", Column::Host),
        ("id", Column::Id),
        ("name", Column::Name),
        ("parent_id", Column::Parent),
        ("project_id", Column::Project),
        ("size", Column::Size),
        ("snapshot_id", Column::Snapshot),
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
        ("size", Column::Size),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
        ("volume_id", Column::Volume),
    ],
    open: list::open::BACKUP,
    others: &[],
    late: false,
};

/// The parameters of lists of backups.
pub(super) const QUERY: [&str; 25] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "with_count",
    "availability_zone",
    "container",
    "created_at",
    "description",
    "display_name",
    "host",
    "id",
    "name",
    "name~",
    "parent_id",
    "project_id",
    "size",
    "snapshot_id",
    "status",
    "updated_at",
    "user_id",
    "volume_id",
];

/// Without details.
pub(super) async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = Found::read(&control, &call).await?;
    let items = found.backups.iter().map(|it| view::brief(&call, it));
    found.answer(&call, "backups", items.collect())
}

/// With details.
pub(super) async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = Found::read(&control, &call).await?;
    let items = found.backups.iter().map(|it| view::full(&call, it));
    found.answer(&call, "backups/detail", items.collect())
}

/// A page, and how many backups all pages have where that was asked for.
struct Found {
    backups: Vec<BackupDetail>,
    count: Option<u64>,
}

impl Found {
    async fn read(control: &Control, call: &Call) -> Result<Self, Fault> {
        let query = list::read(call, &BACKUPS)?;
        let mut count = None;
        if call.at(V::COUNT) && call.query.flag("with_count")? {
            count = Some(control.count_backups(&call.context, query.clone()).await?);
        }
        let backups = control.backups(&call.context, query).await?;
        Ok(Self { backups, count })
    }

    fn answer(&self, call: &Call, path: &str, items: Vec<impl Serialize>) -> Answer {
        let last = self.backups.last();
        let last = last.map(|detail| detail.backup.id.to_string());
        let page = Collection::new(call, "backups", "backups_links", path, items, last)?;
        ok(page.counted(self.count))
    }
}
