//! What a backup says of its volume besides the bytes, and what a volume takes over of it.

use firebrick_db::{Backup, Tx, image_properties, properties, volumes};
use firebrick_vocabulary::VolumeId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control::Inner;
use crate::request::Metadata;
use crate::story::{Step, Stop, noted};

/// How volumes are named that are made only to restore a backup into.
pub(super) const RESTORED: &str = "restore_backup_";

/// What is written down in the repository with a backup.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    volume_id: Option<VolumeId>,
    /// The backup's own name.
    name: Option<String>,
    /// Backups of earlier releases have none.
    volume: Option<Described>,
}

/// A volume as its users have described it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Described {
    name: Option<String>,
    description: Option<String>,
    metadata: Metadata,
    image_metadata: Metadata,
    bootable: bool,
}

/// What is to be written down with a backup; a volume that is gone says nothing any more.
pub(super) async fn of(inner: &Inner, backup: &Backup) -> Step<Value> {
    let connection = &mut *inner.db.read().await?;
    let volume = match volumes::get(connection, backup.volume).await? {
        Some(volume) => Some(Described {
            metadata: properties::of(connection, volume.id.0).await?,
            image_metadata: image_properties::of(connection, volume.id.0).await?,
            name: volume.name,
            description: volume.description,
            bootable: volume.bootable,
        }),
        None => None,
    };
    let notes = Notes {
        volume_id: Some(backup.volume),
        name: backup.name.clone(),
        volume,
    };
    serde_json::to_value(notes).map_err(|error| Stop::never(error.to_string()))
}

impl Notes {
    /// What is written down with a backup. What no release has written says nothing.
    pub(super) fn read(notes: &Value) -> Self {
        Self::deserialize(notes).unwrap_or_default()
    }

    /// The volume that the backup was restored into is described as that of the backup was. A name that
    /// a user has given it stays.
    pub(super) async fn apply(self, tx: &mut Tx, id: VolumeId) -> Step {
        let (Some(described), Some(mut volume)) = (self.volume, volumes::get_locked(tx, id).await?)
        else {
            return Ok(());
        };
        let own = volume.name.as_deref().unwrap_or_default();
        if described.name.is_some() && (own.is_empty() || own.starts_with(RESTORED)) {
            volume.name = described.name;
            volume.description = described.description;
            noted(volumes::rename(tx, &volume).await?, id);
        }
        properties::clear(tx, id.0).await?;
        properties::merge(tx, id.0, &described.metadata).await?;
        if !described.image_metadata.is_empty() {
            image_properties::clear(tx, id.0).await?;
            image_properties::merge(tx, id.0, &described.image_metadata).await?;
        }
        if described.bootable {
            noted(volumes::set_bootable(tx, id, true).await?, id);
        }
        Ok(())
    }
}
