//! What holds images: groups, namespaces, the trash; and the locks that users put on them.

use firebrick_vocabulary::{
    ImageId, ImageMirrorMode, ImageName, Role, SnapshotId, SnapshotName, SyncMode,
};
use serde::{Deserialize, Serialize};

use super::images::JournalSettings;

/// An image in the trash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolTrash {
    /// Its id.
    pub id: ImageId,
    /// What it was called.
    pub name: ImageName,
    /// Since when it is there, in nanoseconds since the Unix epoch.
    pub deleted: u64,
    /// Until when it is protected.
    pub until: u64,
    /// Who brought it there.
    #[serde(default)]
    pub source: TrashSource,
}

/// Who brought an image into the trash.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrashSource {
    /// A user.
    #[default]
    User,
    /// Its primary removed it, and this site keeps what it had of it.
    Mirroring,
}

impl TrashSource {
    /// As `rbd trash ls` calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Mirroring => "MIRRORING",
        }
    }
}

/// What is asked about the trash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrashRequest {
    /// Moves an image there.
    Move {
        /// Until when it is protected, in nanoseconds since the Unix epoch.
        until: u64,
    },
    /// Gives an image its name back.
    Restore {
        /// Another name.
        name: Option<ImageName>,
    },
    /// Removes an image that is there.
    Remove {
        /// Also where it is protected still.
        force: bool,
    },
}

/// What is asked about a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceRequest {
    /// Makes it.
    Create,
    /// Removes it; it must be empty.
    Remove,
}

/// The locks on an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Locks {
    /// What those who share it agreed on; `None` where it is exclusive.
    pub tag: Option<String>,
    /// Who holds one.
    pub held: Vec<ToolLock>,
}

/// A lock.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ToolLock {
    /// What its holder calls it.
    pub id: String,
    /// Its holder.
    pub locker: String,
    /// Where the holder is.
    pub address: String,
}

/// A group of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolGroup {
    /// Its id.
    pub id: ImageId,
    /// Its name, behind its namespace.
    pub name: ImageName,
    /// Its role here.
    pub role: Role,
    /// Whether it is mirrored.
    pub mirrored: bool,
    /// How, if it is.
    pub mode: ImageMirrorMode,
    /// Whether flushes of its images wait for peers.
    #[serde(default)]
    pub sync: Option<SyncMode>,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created: u64,
    /// Its images, by name.
    pub images: Vec<(ImageId, ImageName)>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<ToolGroupSnapshot>,
    /// What was said of its journal.
    pub journal: Option<JournalSettings>,
}

/// A snapshot of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolGroupSnapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// When it was taken, in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Whether all images that the group had then have it still.
    pub complete: bool,
    /// The images that the group had then.
    pub images: Vec<ImageId>,
}

/// What is asked of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupRequest {
    /// Makes it.
    Create {
        /// What is said of its journal.
        journal: Option<JournalSettings>,
    },
    /// Gives it another name.
    Rename {
        /// The name.
        to: ImageName,
    },
    /// Removes it; it must have neither images nor snapshots.
    Remove,
    /// Adds an image, which may belong to one group.
    Add {
        /// Which.
        image: ImageId,
        /// Whether one with a journal of its own is refused.
        without_journal: bool,
    },
    /// Removes an image from it.
    Detach {
        /// Which.
        image: ImageId,
    },
    /// Has flushes of all its images wait for their peers, or with `None` no longer. It must be mirrored.
    Sync {
        /// How.
        mode: Option<SyncMode>,
    },
    /// Takes a snapshot of all its images at one position.
    TakeSnapshot {
        /// Its name.
        snapshot: SnapshotName,
    },
    /// Removes a snapshot.
    RemoveSnapshot {
        /// Which.
        snapshot: SnapshotName,
    },
    /// Gives a snapshot another name.
    RenameSnapshot {
        /// Which.
        snapshot: SnapshotName,
        /// The name.
        to: SnapshotName,
    },
    /// Mirrors the group and all its images, or no longer.
    Mirror {
        /// How; `None` for no longer.
        mode: Option<ImageMirrorMode>,
    },
    /// Returns all its images to a snapshot.
    RollBack {
        /// Which.
        snapshot: SnapshotName,
    },
}
