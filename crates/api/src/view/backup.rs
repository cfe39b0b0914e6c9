//! Backups in answers.

use firebrick_control::{BackupDetail, FIXED_KEY, Metadata, Record, Restored};
use firebrick_policy::Rule;
use firebrick_vocabulary::{BackupId, SnapshotUuid, VolumeId};
use serde::Serialize;
use uuid::Uuid;

use super::shape::{LINKS, TEXTS, TIME, TIME_OR_NULL, WHOLE};
use super::time::Moment;
use crate::call::Call;
use crate::links::Both;
use crate::microversion::Microversion as V;
use crate::schema::{FLAG, ID, ID_OR_NULL, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// A backup in a list without details, or that was created or changed.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: BackupId,
    name: Option<&'a str>,
    links: Both<'a, BackupId>,
}

/// A backup that is shown.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    id: BackupId,
    status: &'static str,
    size: u32,
    object_count: u32,
    availability_zone: Option<&'a str>,
    container: Option<&'a str>,
    created_at: Moment,
    updated_at: Option<Moment>,
    name: Option<&'a str>,
    description: Option<&'a str>,
    fail_reason: Option<&'a str>,
    volume_id: VolumeId,
    links: Both<'a, BackupId>,
    is_incremental: bool,
    has_dependent_backups: bool,
    snapshot_id: Option<SnapshotUuid>,
    data_timestamp: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(rename = "os-backup-project-attr:project_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key_id: Option<Uuid>,
}

/// What is restored into what.
#[derive(Serialize)]
pub(crate) struct Restore<'a> {
    backup_id: BackupId,
    volume_id: VolumeId,
    volume_name: Option<&'a str>,
}

/// What a backup is found by elsewhere.
#[derive(Serialize)]
pub(crate) struct Exported<'a> {
    backup_service: &'a str,
    backup_url: &'a str,
}

pub(crate) fn brief<'a>(call: &'a Call, detail: &'a BackupDetail) -> Brief<'a> {
    let backup = &detail.backup;
    Brief {
        id: backup.id,
        name: backup.name.as_deref(),
        links: call.links.of("backups", backup.id),
    }
}

pub(crate) fn full<'a>(call: &'a Call, detail: &'a BackupDetail) -> Full<'a> {
    let backup = &detail.backup;
    let whose = |version| {
        let rule = Rule::BackupProjectAttribute;
        call.at(version) && call.context.may_for(rule, backup)
    };
    Full {
        id: backup.id,
        status: backup.status.as_str(),
        size: backup.size,
        object_count: backup.object_count,
        availability_zone: backup.availability_zone.as_deref(),
        container: backup.container.as_deref(),
        created_at: Moment(backup.created_at),
        updated_at: backup.updated_at.map(Moment),
        name: backup.name.as_deref(),
        description: backup.description.as_deref(),
        fail_reason: backup.fail_reason.as_deref(),
        volume_id: backup.volume,
        links: call.links.of("backups", backup.id),
        is_incremental: backup.parent.is_some(),
        has_dependent_backups: detail.has_dependents,
        snapshot_id: backup.snapshot,
        data_timestamp: Moment(backup.data_timestamp),
        metadata: call.at(V::BACKUP_METADATA).then_some(&backup.metadata),
        project: whose(V::BACKUP_PROJECT).then_some(backup.project.as_str()),
        user_id: whose(V::BACKUP_USER_ID).then_some(backup.user.as_str()),
        // As of volumes: the id of the key that all share is hidden.
        encryption_key_id: backup
            .encryption_key
            .filter(|key| call.at(V::ENCRYPTION_KEY_ID) && *key != FIXED_KEY),
    }
}

pub(crate) fn restore(restored: &Restored) -> Restore<'_> {
    Restore {
        backup_id: restored.backup,
        volume_id: restored.volume,
        volume_name: restored.volume_name.as_deref(),
    }
}

pub(crate) fn record(record: &Record) -> Exported<'_> {
    Exported {
        backup_service: &record.service,
        backup_url: &record.url,
    }
}

const SHORT: Schema = object(&[("id", ID), ("name", TEXT_OR_NULL), ("links", LINKS)])
    .required(&["id", "name", "links"])
    .closed();

const SHAPE: Schema = object(&[
    ("id", ID),
    ("status", TEXT),
    ("size", WHOLE),
    ("object_count", WHOLE),
    ("availability_zone", TEXT_OR_NULL),
    ("container", TEXT_OR_NULL),
    ("created_at", TIME),
    ("updated_at", TIME_OR_NULL),
    ("name", TEXT_OR_NULL),
    ("description", TEXT_OR_NULL),
    ("fail_reason", TEXT_OR_NULL),
    ("volume_id", ID),
    ("links", LINKS),
    ("is_incremental", FLAG),
    ("has_dependent_backups", FLAG),
    ("snapshot_id", ID_OR_NULL),
    ("data_timestamp", TIME),
    ("metadata", TEXTS.since(V::BACKUP_METADATA)),
    (
        "os-backup-project-attr:project_id",
        TEXT.since(V::BACKUP_PROJECT),
    ),
    ("user_id", TEXT.since(V::BACKUP_USER_ID)),
    ("encryption_key_id", ID.since(V::ENCRYPTION_KEY_ID)),
])
.required(&[
    "id",
    "status",
    "size",
    "object_count",
    "availability_zone",
    "container",
    "created_at",
    "updated_at",
    "name",
    "description",
    "fail_reason",
    "volume_id",
    "links",
    "is_incremental",
    "has_dependent_backups",
    "snapshot_id",
    "data_timestamp",
])
.closed();

/// The shape of a backup that was created or changed.
pub(crate) const BRIEF: Schema = only(&["backup"], &[("backup", SHORT)]);

/// The shape of a backup that is shown.
pub(crate) const ONE: Schema = only(&["backup"], &[("backup", SHAPE)]);

/// The shape of lists without details.
pub(crate) const LIST: Schema = object(&[
    ("backups", array(&SHORT)),
    ("backups_links", LINKS),
    ("count", WHOLE.since(V::COUNT)),
])
.required(&["backups"])
.closed();

/// The shape of lists with details.
pub(crate) const DETAILS: Schema = object(&[
    ("backups", array(&SHAPE)),
    ("backups_links", LINKS),
    ("count", WHOLE.since(V::COUNT)),
])
.required(&["backups"])
.closed();

/// The shape of what is restored into what.
pub(crate) const RESTORE: Schema = only(
    &["restore"],
    &[(
        "restore",
        object(&[
            ("backup_id", ID),
            ("volume_id", ID),
            ("volume_name", TEXT_OR_NULL),
        ])
        .required(&["backup_id", "volume_id", "volume_name"])
        .closed(),
    )],
);

/// The shape of what a backup is found by elsewhere.
pub(crate) const RECORD: Schema = only(
    &["backup-record"],
    &[(
        "backup-record",
        object(&[("backup_service", TEXT), ("backup_url", TEXT)])
            .required(&["backup_service", "backup_url"])
            .closed(),
    )],
);
