//! The filters that are open to everybody, as in Cinder's `resource_filters.json`: what lists check by,
//! and what `/resource_filters` tells.

/// Of volumes.
pub(crate) const VOLUME: &[&str] = &[
    "name",
    "status",
    "metadata",
    "bootable",
    "migration_status",
    "availability_zone",
    "group_id",
    "size",
    "created_at",
    "updated_at",
    "consumes_quota",
];

/// Of backups.
pub(crate) const BACKUP: &[&str] = &["name", "status", "volume_id"];

/// Of snapshots.
pub(crate) const SNAPSHOT: &[&str] = &[
    "name",
    "status",
    "volume_id",
    "metadata",
    "availability_zone",
    "consumes_quota",
];

/// Of groups.
pub(crate) const GROUP: &[&str] = &["name"];

/// Of group snapshots.
pub(crate) const GROUP_SNAPSHOT: &[&str] = &["name", "status", "group_id"];

/// Of attachments.
pub(crate) const ATTACHMENT: &[&str] = &["volume_id", "status", "instance_id", "attach_status"];

/// Of messages.
pub(crate) const MESSAGE: &[&str] = &[
    "resource_uuid",
    "resource_type",
    "event_id",
    "request_id",
    "message_level",
];

/// Of pools.
pub(crate) const POOL: &[&str] = &["name", "volume_type"];

/// Of volume types.
pub(crate) const VOLUME_TYPE: &[&str] = &["is_public", "extra_specs"];

/// All of them, by the resource.
pub(crate) const ALL: [(&str, &[&str]); 9] = [
    ("volume", VOLUME),
    ("backup", BACKUP),
    ("snapshot", SNAPSHOT),
    ("group", GROUP),
    ("group_snapshot", GROUP_SNAPSHOT),
    ("attachment", ATTACHMENT),
    ("message", MESSAGE),
    ("pool", POOL),
    ("volume_type", VOLUME_TYPE),
];
