//! `GET /volumes` and `GET /volumes/detail`.

use axum::extract::State;
use firebrick_control::{Column, Control, VolumeDetail};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::list::{self, Collection, Kind};
use crate::microversion::Microversion;
use crate::view::volume as view;

/// How volumes are listed.
pub(crate) const VOLUMES: Kind = Kind {
    filters: &[
        ("attach_status", Column::AttachStatus),
        ("availability_zone", Column::AvailabilityZone),
        ("bootable", Column::Bootable),
        ("created_at", Column::CreatedAt),
        ("description", Column::Description),
        ("display_description", Column::Description),
        ("display_name", Column::Name),
        ("group_id", Column::Group),
        ("host", Column::Host),
        ("id", Column::Id),
        ("migration_status", Column::MigrationStatus),
        ("multiattach", Column::Multiattach),
        ("name", Column::Name),
        ("project_id", Column::Project),
        ("replication_status", Column::ReplicationStatus),
        ("size", Column::Size),
        ("snapshot_id", Column::Snapshot),
        ("source_volid", Column::Source),
        ("status", Column::Shown),
        ("updated_at", Column::UpdatedAt),
        ("user_id", Column::User),
        ("volume_type", Column::VolumeType),
        ("volume_type_id", Column::VolumeType),
    ],
    sorts: &[
        ("availability_zone", Column::AvailabilityZone),
        ("bootable", Column::Bootable),
        ("created_at", Column::CreatedAt),
        ("display_name", Column::Name),
        ("host", Column::Host),
        ("id", Column::Id),
        ("name", Column::Name),
        ("size", Column::Size),
        ("status", Column::Status),
        ("updated_at", Column::UpdatedAt),
        ("volume_type_id", Column::VolumeType),
    ],
    open: list::open::VOLUME,
    others: &[],
    late: false,
};

/// The parameters of lists of volumes.
pub(crate) const QUERY: [&str; 35] = [
    "all_tenants",
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "with_count",
    "attach_status",
    "availability_zone",
    "bootable",
    "consumes_quota",
    "created_at",
    "description",
    "display_description",
    "display_name",
    "glance_metadata",
    "group_id",
    "host",
    "id",
    "metadata",
    "migration_status",
    "multiattach",
    "name",
    "name~",
    "project_id",
    "replication_status",
    "size",
    "snapshot_id",
    "source_volid",
    "status",
    "updated_at",
    "user_id",
    "volume_type",
    "volume_type_id",
];

/// Without details.
pub(crate) async fn brief(State(control): State<Control>, call: Call) -> Answer {
    let found = Found::read(&control, &call).await?;
    let items = found
        .volumes
        .iter()
        .map(|detail| view::brief(&call, detail))
        .collect();
    found.answer(&call, "volumes", items)
}

/// With details.
pub(crate) async fn detail(State(control): State<Control>, call: Call) -> Answer {
    let found = Found::read(&control, &call).await?;
    let items = found
        .volumes
        .iter()
        .map(|detail| view::full(&call, detail))
        .collect();
    found.answer(&call, "volumes/detail", items)
}

/// A page, and how many volumes all pages have where that was asked for.
struct Found {
    volumes: Vec<VolumeDetail>,
    count: Option<u64>,
}

impl Found {
    async fn read(control: &Control, call: &Call) -> Result<Self, Fault> {
        let query = list::read(call, &VOLUMES)?;
        let mut count = None;
        if call.at(Microversion::COUNT) && call.query.flag("with_count")? {
            count = Some(control.count_volumes(&call.context, query.clone()).await?);
        }
        let volumes = control.volumes(&call.context, query).await?;
        Ok(Self { volumes, count })
    }

    fn answer(&self, call: &Call, path: &str, items: Vec<impl Serialize>) -> Answer {
        let last = self
            .volumes
            .last()
            .map(|detail| detail.volume.id.to_string());
        let page = Collection::new(call, "volumes", "volumes_links", path, items, last)?;
        ok(page.counted(self.count))
    }
}
