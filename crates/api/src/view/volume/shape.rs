//! The shapes of answers about volumes.

use crate::microversion::Microversion as V;
use crate::schema::{
    FLAG, ID, ID_OR_NULL, Kind, OBJECT, Schema, TEXT, TEXT_OR_NULL, Word, array, object, only, text,
};
use crate::view::shape::{LINKS, TEXTS, TIME, TIME_OR_NULL, WHOLE};

const ATTACHED: Schema = object(&[
    ("id", ID),
    ("attachment_id", ID),
    ("volume_id", ID),
    ("server_id", TEXT_OR_NULL),
    ("host_name", TEXT_OR_NULL),
    ("device", TEXT_OR_NULL),
    ("attached_at", TIME_OR_NULL),
])
.required(&[
    "id",
    "attachment_id",
    "volume_id",
    "server_id",
    "host_name",
    "device",
    "attached_at",
])
.closed();

/// What only some may see is not required.
const VOLUME: Schema = object(&[
    ("id", ID),
    ("status", TEXT),
    ("size", WHOLE),
    ("availability_zone", TEXT_OR_NULL),
    ("created_at", TIME),
    ("updated_at", TIME_OR_NULL),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("volume_type", TEXT_OR_NULL),
    ("snapshot_id", ID_OR_NULL),
    ("source_volid", ID_OR_NULL),
    ("metadata", TEXTS),
    ("volume_image_metadata", TEXTS),
    ("links", LINKS),
    ("user_id", TEXT),
    (
        "bootable",
        text().words(&[Word::Text("true"), Word::Text("false")]),
    ),
    ("encrypted", FLAG),
    ("replication_status", TEXT_OR_NULL),
    ("consistencygroup_id", ID_OR_NULL),
    ("multiattach", FLAG),
    ("attachments", array(&ATTACHED)),
    ("migration_status", TEXT_OR_NULL),
    ("group_id", ID_OR_NULL.since(V::GROUPS)),
    ("provider_id", TEXT_OR_NULL.since(V::PROVIDER_ID)),
    (
        "shared_targets",
        FLAG.kinds(&[Kind::Boolean, Kind::Null])
            .since(V::SHARED_TARGETS),
    ),
    ("service_uuid", ID_OR_NULL.since(V::SHARED_TARGETS)),
    ("cluster_name", TEXT_OR_NULL.since(V::CLUSTER_NAME)),
    ("volume_type_id", ID_OR_NULL.since(V::VOLUME_TYPE_ID)),
    ("encryption_key_id", ID_OR_NULL.since(V::ENCRYPTION_KEY_ID)),
    ("consumes_quota", FLAG.since(V::CONSUMES_QUOTA)),
    ("os-vol-tenant-attr:tenant_id", TEXT),
    ("os-vol-mig-status-attr:migstat", TEXT_OR_NULL),
    ("os-vol-mig-status-attr:name_id", ID_OR_NULL),
    ("os-vol-host-attr:host", TEXT_OR_NULL),
])
.required(&[
    "id",
    "status",
    "size",
    "availability_zone",
    "created_at",
    "updated_at",
    "name",
    "description",
    "volume_type",
    "snapshot_id",
    "source_volid",
    "metadata",
    "links",
    "user_id",
    "bootable",
    "encrypted",
    "replication_status",
    "consistencygroup_id",
    "multiattach",
    "attachments",
    "group_id",
    "shared_targets",
    "service_uuid",
    "volume_type_id",
    "consumes_quota",
])
.closed();

const BRIEF: Schema = object(&[("id", ID), ("name", TEXT_OR_NULL), ("links", LINKS)])
    .required(&["id", "name", "links"])
    .closed();

/// A volume that was created or changed, or is shown.
pub(crate) const ONE: Schema = only(&["volume"], &[("volume", VOLUME)]);

/// A volume that was taken over: as at the oldest version, whichever is asked for.
pub(crate) const MANAGED: Schema = only(
    &["volume"],
    &[(
        "volume",
        VOLUME.required(&[
            "id",
            "status",
            "size",
            "availability_zone",
            "created_at",
            "name",
            "description",
            "volume_type",
            "metadata",
            "links",
            "bootable",
            "attachments",
        ]),
    )],
);

const fn list(properties: &'static [(&'static str, Schema)]) -> Schema {
    object(properties).required(&["volumes"]).closed()
}

/// Volumes without details.
pub(crate) const LIST: Schema = list(&[
    ("volumes", array(&BRIEF)),
    ("volumes_links", LINKS),
    ("count", WHOLE.since(V::COUNT)),
]);

/// Volumes with details.
pub(crate) const LIST_DETAIL: Schema = list(&[
    ("volumes", array(&VOLUME)),
    ("volumes_links", LINKS),
    ("count", WHOLE.since(V::COUNT)),
]);

/// How many volumes there are, and of what size in all.
pub(crate) const SUMMARY: Schema = only(
    &["volume-summary"],
    &[(
        "volume-summary",
        object(&[
            ("total_count", WHOLE),
            ("total_size", WHOLE),
            ("metadata", OBJECT.since(V::SUMMARY_METADATA)),
        ])
        .required(&["total_count", "total_size", "metadata"])
        .closed(),
    )],
);
