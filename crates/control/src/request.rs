//! What the API asks for, checked for shape already: who asks, and with which values.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use firebrick_cloud::Visibility;
use firebrick_db::{AttachMode, Listing};
use firebrick_state::QosConsumer;
use firebrick_vocabulary::{
    ActivityId, AttachmentId, BackupId, GroupId, ProjectId, SnapshotUuid, UserId, VolumeId,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::access::Access;

/// Keys and values that a user or an operator set.
pub type Metadata = BTreeMap<String, String>;

/// A JSON object, as connectors are.
pub type Object = Map<String, Value>;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Context {
    /// The project for which they ask.
    pub project: ProjectId,
    /// The user.
    pub user: UserId,
    /// `x-openstack-request-id`.
    pub request_id: String,
    /// What they may do.
    pub access: Access,
    /// What their request has begun.
    pub began: Began,
}

/// The activity that a request has begun, which the answer names. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Began(Arc<OnceLock<ActivityId>>);

impl Began {
    /// The first one that it has begun.
    pub fn activity(&self) -> Option<ActivityId> {
        self.0.get().copied()
    }

    /// What a request begins beside that is a part of it.
    pub(crate) fn note(&self, id: ActivityId) {
        self.0.get_or_init(|| id);
    }
}

/// A list, for the project that asks or (administrators) for all.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which rows, in which order, which page. Types may be named by their names.
    pub listing: Listing,
    /// `all_tenants`.
    pub all_projects: bool,
}

/// How a request names an image: by its id, by an address that ends with it, or by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageRef(String);

impl ImageRef {
    /// As the request has it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id in it.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.0.rsplit('/').next().and_then(|last| last.parse().ok())
    }

    /// All of it, which may be a name.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for ImageRef {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

/// `POST /volumes`.
#[derive(Clone, Debug, Default)]
pub struct CreateVolume {
    /// `size` in GiB; without it, that of the source.
    pub size: Option<u32>,
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `volume_type`: an id or a name; the default type without.
    pub volume_type: Option<String>,
    /// `availability_zone`.
    pub availability_zone: Option<String>,
    /// `metadata`.
    pub metadata: Metadata,
    /// `snapshot_id`.
    pub snapshot: Option<SnapshotUuid>,
    /// `source_volid`.
    pub source: Option<VolumeId>,
    /// `imageRef`, or `image_id`.
    pub image: Option<ImageRef>,
    /// From 3.46: an image without data that names the snapshot of a boot volume stands for that snapshot.
    pub follow_mapping: bool,
    /// `backup_id`, from 3.47.
    pub backup: Option<BackupId>,
    /// `group_id`, from 3.13, or `consistencygroup_id`.
    pub group: Option<GroupId>,
    /// `OS-SCH-HNT:scheduler_hints` `same_host`.
    pub same_host: Vec<VolumeId>,
    /// `OS-SCH-HNT:scheduler_hints` `different_host`.
    pub different_host: Vec<VolumeId>,
    /// `OS-SCH-HNT:scheduler_hints` `local_to_instance`.
    pub local_to_instance: Option<Uuid>,
    /// `OS-SCH-HNT:scheduler_hints` `query`: a condition on the pool, as JSON.
    pub query: Option<String>,
}

/// `os-volume_upload_image`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UploadImage {
    /// `image_name`.
    pub name: String,
    /// `force`: an attached volume too, where the options allow that.
    pub force: bool,
    /// `disk_format`; `raw` without.
    pub disk_format: String,
    /// `container_format`; `bare` without.
    pub container_format: String,
    /// `visibility`, from 3.1; that of Glance without.
    pub visibility: Option<Visibility>,
    /// `protected`, from 3.1.
    pub protected: Option<bool>,
}

/// `PUT /volumes/{id}` and `PUT /snapshots/{id}`: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Rename {
    /// `name`; `Some(None)` takes the name away.
    pub name: Option<Option<String>>,
    /// `description`.
    pub description: Option<Option<String>>,
    /// `metadata`, replacing all (volumes only).
    pub metadata: Option<Metadata>,
}

/// How metadata is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetadataWrite {
    /// `POST`: other keys stay.
    Merge,
    /// `PUT …/{key}`: other keys stay too.
    One,
    /// `PUT`: other keys go.
    Replace,
}

/// `DELETE /volumes/{id}`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DeleteVolume {
    /// Its snapshots go with it.
    pub cascade: bool,
    /// Whatever its status is.
    pub force: bool,
}

/// `os-reset_status` of a volume, with the texts as they came; `None` stays as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResetStatus {
    /// `status`.
    pub status: Option<String>,
    /// `attach_status`.
    pub attach_status: Option<String>,
    /// `migration_status`; `none` clears it.
    pub migration_status: Option<String>,
}

/// `POST /snapshots`.
#[derive(Clone, Debug)]
pub struct CreateSnapshot {
    /// `volume_id`.
    pub volume: VolumeId,
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `metadata`.
    pub metadata: Metadata,
    /// Whether an attached volume is taken too: `force`, or any request from 3.66 on.
    pub in_use: bool,
}

/// `POST /attachments`.
#[derive(Clone, Debug)]
pub struct CreateAttachment {
    /// `volume_uuid`.
    pub volume: VolumeId,
    /// `instance_uuid`.
    pub instance: Option<String>,
    /// `connector`; without it the attachment is only reserved.
    pub connector: Option<Object>,
    /// `mode`, from 3.54.
    pub mode: Option<AttachMode>,
}

/// `os-attach`.
#[derive(Clone, Debug)]
pub struct LegacyAttach {
    /// `instance_uuid`.
    pub instance: Option<String>,
    /// `host_name`.
    pub host: Option<String>,
    /// `mountpoint`.
    pub mountpoint: Option<String>,
    /// `mode`; `rw` without.
    pub mode: Option<AttachMode>,
}

/// `os-force_detach`.
#[derive(Clone, Debug, Default)]
pub struct ForceDetach {
    /// `attachment_id`.
    pub attachment: Option<AttachmentId>,
    /// `connector`.
    pub connector: Option<Object>,
}

/// `connection_info`: how a host reaches a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionInfo {
    /// `driver_volume_type`, for example `nbd`.
    pub driver_volume_type: String,
    /// `data`: `uri`, `export`, `access_mode`, `volume_id`, `encrypted`, …
    pub data: Object,
}

impl ConnectionInfo {
    /// What [`Self::to_json`] made.
    pub fn of_json(value: &Value) -> Option<Self> {
        let driver_volume_type = value.get("driver_volume_type")?.as_str()?.to_owned();
        let data = value.get("data")?.as_object()?.clone();
        Some(Self {
            driver_volume_type,
            data,
        })
    }

    /// Both as one JSON object, in the form of `os-initialize_connection`.
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "driver_volume_type": self.driver_volume_type, "data": self.data })
    }
}

/// `POST /types`.
#[derive(Clone, Debug)]
pub struct CreateType {
    /// `name`.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `os-volume-type-access:is_public`.
    pub is_public: bool,
    /// `extra_specs`.
    pub extra_specs: Metadata,
}

/// `PUT /types/{id}`: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateType {
    /// `name`.
    pub name: Option<String>,
    /// `description`; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// `is_public`.
    pub is_public: Option<bool>,
}

/// `POST /types/{id}/encryption`.
#[derive(Clone, Debug)]
pub struct CreateEncryption {
    /// `provider`: what encrypts, for example `luks`.
    pub provider: String,
    /// `cipher`.
    pub cipher: Option<String>,
    /// `key_size`, in bits.
    pub key_size: Option<i64>,
    /// `control_location`: `front-end` or `back-end`.
    pub control_location: String,
}

/// `PUT /types/{id}/encryption/{encryption}`: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateEncryption {
    /// `provider`.
    pub provider: Option<String>,
    /// `cipher`; `Some(None)` takes it away.
    pub cipher: Option<Option<String>>,
    /// `key_size`.
    pub key_size: Option<Option<i64>>,
    /// `control_location`.
    pub control_location: Option<String>,
}

/// `POST /qos-specs`.
#[derive(Clone, Debug)]
pub struct CreateQos {
    /// `name`.
    pub name: String,
    /// `consumer`.
    pub consumer: QosConsumer,
    /// All other keys.
    pub specs: Metadata,
}

/// `PUT /qos-specs/{id}`.
#[derive(Clone, Debug, Default)]
pub struct UpdateQos {
    /// `consumer`; `None` stays as it is.
    pub consumer: Option<QosConsumer>,
    /// All other keys; those that are not here stay as they are.
    pub specs: Metadata,
}

/// A project's limits, -1 for none: `GET /limits`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// `maxTotalVolumes`.
    pub volumes: i64,
    /// `maxTotalSnapshots`.
    pub snapshots: i64,
    /// `maxTotalVolumeGigabytes`.
    pub gigabytes: i64,
    /// `maxTotalBackups`.
    pub backups: i64,
    /// `maxTotalBackupGigabytes`.
    pub backup_gigabytes: i64,
    /// What it has, for those who may see it.
    pub used: Option<UsedLimits>,
}

/// What a project has of its limits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UsedLimits {
    /// `totalVolumesUsed`.
    pub volumes: i64,
    /// `totalSnapshotsUsed`.
    pub snapshots: i64,
    /// `totalGigabytesUsed`, of volumes and, where they count, snapshots.
    pub gigabytes: i64,
    /// `totalBackupsUsed`.
    pub backups: i64,
    /// `totalBackupGigabytesUsed`.
    pub backup_gigabytes: i64,
}

/// One availability zone: `GET /os-availability-zone`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone {
    /// `zoneName`.
    pub name: String,
    /// `zoneState.available`: an enabled service in it is up.
    pub available: bool,
}

/// Which pools: `GET /scheduler-stats/get_pools`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoolQuery<'a> {
    /// The one of that name.
    pub name: Option<&'a str>,
    /// Those that take volumes of this type, by its id or name.
    pub volume_type: Option<&'a str>,
    /// Those with these capabilities.
    pub capabilities: &'a [(&'a str, &'a str)],
}

impl PoolQuery<'_> {
    /// Whether a pool is asked for.
    pub(crate) fn fits(&self, name: &str, capabilities: &Object) -> bool {
        let has = |key: &str, wanted: &str| match capabilities.get(key) {
            Some(Value::Bool(flag)) => {
                wanted.eq_ignore_ascii_case(if *flag { "true" } else { "false" })
            }
            Some(Value::Number(number)) => number.as_f64() == wanted.parse().ok(),
            Some(Value::String(text)) => text == wanted,
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
        };
        self.name.is_none_or(|wanted| wanted == name)
            && self
                .capabilities
                .iter()
                .all(|(key, wanted)| has(key, wanted))
    }
}

/// One pool: `GET /scheduler-stats/get_pools`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// `name`: `host@backend#pool`.
    pub name: String,
    /// `capabilities`, shown with `detail`.
    pub capabilities: Object,
}
