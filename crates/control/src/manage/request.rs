//! What is to be taken over.

use firebrick_vocabulary::{ImageId, VolumeId};
use serde::{Deserialize, Serialize};

use super::whereabouts::At;
use crate::request::Metadata;

/// Which image of a site.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Reference {
    /// `source-name`: the one of that name.
    #[serde(rename = "source-name")]
    Name(String),
    /// `source-id`: the one of that id.
    #[serde(rename = "source-id")]
    Id(ImageId),
}

/// `POST /manageable_volumes`.
#[derive(Clone, Debug)]
pub struct ManageVolume {
    /// `host` or `cluster`.
    pub at: At,
    /// `ref`.
    pub reference: Reference,
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `volume_type`: an id or a name; the default type without.
    pub volume_type: Option<String>,
    /// `availability_zone`; that of the service without.
    pub availability_zone: Option<String>,
    /// `metadata`.
    pub metadata: Metadata,
    /// `bootable`.
    pub bootable: bool,
}

/// `POST /manageable_snapshots`.
#[derive(Clone, Debug)]
pub struct ManageSnapshot {
    /// `volume_id`.
    pub volume: VolumeId,
    /// `source-name` of `ref`: the name of the snapshot within the image of the volume.
    pub source: String,
    /// `name`.
    pub name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `metadata`.
    pub metadata: Metadata,
}
