//! What requests about backups ask for, and get back.

use firebrick_vocabulary::{BackupId, SnapshotUuid, VolumeId};

use crate::request::Metadata;

/// `POST /backups`.
#[derive(Clone, Debug)]
pub struct CreateBackup {
    /// `volume_id`.
    pub volume: VolumeId,
    /// `snapshot_id`: its state is backed up.
    pub snapshot: Option<SnapshotUuid>,
    /// `incremental`.
    pub incremental: bool,
    /// `force`: an attached volume too.
    pub force: bool,
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `container`; without, that of the configuration.
    pub container: Option<String>,
    /// `availability_zone`, from 3.51.
    pub availability_zone: Option<String>,
    /// `metadata`, from 3.43.
    pub metadata: Metadata,
}

/// `POST /backups/{id}/restore`.
#[derive(Clone, Debug, Default)]
pub struct RestoreBackup {
    /// `volume_id`; without, a new volume is made.
    pub volume: Option<VolumeId>,
    /// `name` of the new volume.
    pub name: Option<String>,
}

/// What is restored into what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// `backup_id`.
    pub backup: BackupId,
    /// `volume_id`.
    pub volume: VolumeId,
    /// `volume_name`.
    pub volume_name: Option<String>,
}

/// `PUT /backups/{id}`: what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateBackup {
    /// `name`.
    pub name: Option<Option<String>>,
    /// `description`.
    pub description: Option<Option<String>>,
    /// `metadata`, replacing all.
    pub metadata: Option<Metadata>,
}

/// What a backup is found by in another database: `export_record` and `import_record`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// `backup_service`.
    pub service: String,
    /// `backup_url`: base64.
    pub url: String,
}
