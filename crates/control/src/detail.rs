//! What a request gets back.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_cloud::Image;
use firebrick_db::{Attachment, Backup, Group, Service, Snapshot, Volume, VolumeType};
use firebrick_vocabulary::{TypeId, VolumeId};

use crate::request::{ConnectionInfo, Metadata};

/// A volume with what its view shows besides.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeDetail {
    /// The volume.
    pub volume: Volume,
    /// The name of its type.
    pub type_name: String,
    /// Whether its group is a consistency group.
    pub in_consistency_group: bool,
    /// What it remembers of its image.
    pub image: Metadata,
    /// Its attachments, oldest first, complete or not.
    pub attachments: Vec<Attachment>,
}

/// A volume that becomes an image.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadDetail {
    /// The volume.
    pub volume: Volume,
    /// Its type.
    pub volume_type: Option<VolumeType>,
    /// The image, which has no data yet.
    pub image: Image,
}

/// How much there is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VolumeSummary {
    /// Volumes.
    pub count: u64,
    /// Their GiB.
    pub gigabytes: u64,
    /// The keys of their metadata, each with its different values.
    pub metadata: BTreeMap<String, BTreeSet<String>>,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotDetail {
    /// The snapshot.
    pub snapshot: Snapshot,
}

/// A backup.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupDetail {
    /// The backup.
    pub backup: Backup,
    /// Whether others build upon it.
    pub has_dependents: bool,
}

/// A group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDetail {
    /// The group.
    pub group: Group,
    /// The types that its volumes may have.
    pub volume_types: Vec<TypeId>,
    /// Its volumes, where they were asked for.
    pub volumes: Vec<VolumeId>,
}

/// An attachment.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachmentDetail {
    /// The attachment.
    pub attachment: Attachment,
    /// How its host reaches the volume, once that is known.
    pub connection_info: Option<ConnectionInfo>,
}

impl From<Attachment> for AttachmentDetail {
    fn from(attachment: Attachment) -> Self {
        let connection_info = attachment
            .connection_info
            .as_ref()
            .and_then(ConnectionInfo::of_json);
        Self {
            attachment,
            connection_info,
        }
    }
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDetail {
    /// The type with its extra specs.
    pub volume_type: VolumeType,
    /// Whether it is listed as one that was given to the project.
    pub given: bool,
}

impl From<VolumeType> for TypeDetail {
    fn from(volume_type: VolumeType) -> Self {
        Self {
            volume_type,
            given: false,
        }
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceDetail {
    /// The service.
    pub service: Service,
    /// Whether it gave a sign of life lately.
    pub up: bool,
    /// Whether its site answers; `None` for services without a backend.
    pub backend_up: Option<bool>,
}
