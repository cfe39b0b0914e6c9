//! What only tools ask of a site: things about the engine that other kinds of site may not have.
//!
//! Bytes of blocks do not go through JSON: behind a [`ToolRequest::Write`] its bytes follow as they are,
//! and so they do behind a [`ToolReply::Changes`] with data. A view belongs to its connection and ends
//! with it.

mod collections;
mod images;

use std::time::Duration;

use firebrick_backend::{Fault, ViewOf};
use firebrick_vocabulary::{Bytes, Features, ImageId, ImageName, Sequence, SnapshotName};
use serde::{Deserialize, Serialize};

use super::journal_tools::{JournalReply, JournalRequest};
use super::mirror_tools::{MirrorReply, MirrorRequest};
pub use collections::{
    GroupRequest, Locks, NamespaceRequest, ToolGroup, ToolGroupSnapshot, ToolLock, ToolTrash,
    TrashRequest, TrashSource,
};
pub use images::{JournalSettings, ToolChild, ToolImage, ToolParent, ToolSnapshot, ToolWatcher};

/// A call that only tools make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "tool")]
pub enum ToolRequest {
    /// All images, by name. Answered by [`ToolReply::Images`].
    Images,
    /// One image. Answered by [`ToolReply::Images`] with one.
    Image {
        /// Its name.
        name: ImageName,
    },
    /// The snapshots of an image, oldest first. Answered by [`ToolReply::Snapshots`].
    Snapshots {
        /// The image.
        image: ImageId,
    },
    /// Gives an image another size, a smaller one too.
    Resize {
        /// The image.
        image: ImageId,
        /// Its new size.
        size: Bytes,
    },
    /// Makes an image from another one, of the size that it has or had.
    Clone {
        /// The new image's id.
        id: ImageId,
        /// The new image's name.
        name: ImageName,
        /// From which image.
        source: ImageId,
        /// As what.
        state: ViewOf,
        /// Whether it belongs to nobody but itself from the beginning: a copy.
        flat: bool,
    },
    /// Returns an image to what it was at a record.
    RollBackTo {
        /// The image.
        image: ImageId,
        /// The record.
        at: Sequence,
    },
    /// Keeps a snapshot from being removed, or no longer; [`FaultKind::Busy`] where it is protected
    /// already, or has children that belong to it.
    ///
    /// [`FaultKind::Busy`]: firebrick_backend::FaultKind::Busy
    Protect {
        /// The image.
        image: ImageId,
        /// The snapshot.
        snapshot: SnapshotName,
        /// Whether.
        protected: bool,
    },
    /// Gives a snapshot another name.
    RenameSnapshot {
        /// The image.
        image: ImageId,
        /// The snapshot.
        snapshot: SnapshotName,
        /// Its new name.
        name: SnapshotName,
    },
    /// How many snapshots an image may have.
    LimitSnapshots {
        /// The image.
        image: ImageId,
        /// The most; `None` for any number.
        limit: Option<u64>,
    },
    /// The images that started as an image or as its snapshots, and belong to it. Answered by
    /// [`ToolReply::Children`].
    Children {
        /// The image.
        image: ImageId,
    },
    /// Makes an image belong to nobody but itself. It copies nothing: an image has all of its blocks.
    Flatten {
        /// The image.
        image: ImageId,
    },
    /// Sets a key of what users note about an image, or removes it with `None`.
    Note {
        /// The image.
        image: ImageId,
        /// The key.
        key: String,
        /// The value.
        value: Option<String>,
    },
    /// Adds features to an image; what they need comes along, but for the exclusive lock.
    Enable {
        /// The image.
        image: ImageId,
        /// Which; none of them may be there already.
        features: Features,
        /// What is said of the journal.
        journal: Option<JournalSettings>,
    },
    /// Takes features from an image. Its journal is taken only once no peer reads it.
    Disable {
        /// The image.
        image: ImageId,
        /// Which; all of them must be there.
        features: Features,
        /// How long to wait for peers, in seconds.
        within: u64,
    },
    /// Puts a lock on an image, which the site itself does not heed.
    Lock {
        /// The image.
        image: ImageId,
        /// The lock.
        lock: ToolLock,
        /// With whom it is shared; `None` for nobody.
        tag: Option<String>,
    },
    /// Ends a lock.
    Unlock {
        /// The image.
        image: ImageId,
        /// The lock; its address does not matter.
        lock: ToolLock,
    },
    /// What is in the trash. Answered by [`ToolReply::Trash`].
    Trash,
    /// Moves an image to the trash, or does something with one that is there.
    Throw {
        /// The image.
        image: ImageId,
        /// What.
        what: TrashRequest,
    },
    /// All namespaces. Answered by [`ToolReply::Namespaces`].
    Namespaces,
    /// Makes a namespace, or removes one.
    Namespace {
        /// Its name.
        name: String,
        /// What.
        what: NamespaceRequest,
    },
    /// All groups. Answered by [`ToolReply::Groups`].
    Groups,
    /// Makes a group, or does something with one.
    Group {
        /// Its name, behind its namespace.
        name: ImageName,
        /// What.
        what: GroupRequest,
    },
    /// How far back an image can be had. Answered by [`ToolReply::Window`].
    Window {
        /// The image.
        image: ImageId,
    },
    /// The last record that was there at a time. Answered by [`ToolReply::Record`].
    RecordAt {
        /// Nanoseconds since the Unix epoch.
        time: u64,
    },
    /// Holds a state of an image for this connection. Answered by [`ToolReply::View`].
    Open {
        /// The image.
        image: ImageId,
        /// Which state.
        state: ViewOf,
    },
    /// Lets go of a view.
    Close {
        /// Which.
        view: u32,
    },
    /// A part of what differs between two views. Answered by [`ToolReply::Changes`].
    Changes {
        /// The newer view.
        view: u32,
        /// The older view; without, everything that the newer one maps.
        older: Option<u32>,
        /// The first block to look at.
        from_block: u64,
        /// Whether the bytes are wanted too.
        data: bool,
    },
    /// The data in a view that the older one does not have. Answered by [`ToolReply::Size`].
    Used {
        /// The newer view.
        view: u32,
        /// The older view.
        older: Option<u32>,
    },
    /// Writes the bytes that follow. Durable after [`ToolRequest::Flush`].
    Write {
        /// The image.
        image: ImageId,
        /// The first byte.
        offset: u64,
        /// How many follow, at most [`firebrick_backend::TRANSFER_MAX`].
        len: usize,
    },
    /// Frees a range.
    Discard {
        /// The image.
        image: ImageId,
        /// The first byte.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// Makes durable what was written.
    Flush,
    /// Begins to read and check everything that is stored, at once and without pauses. Answered by
    /// [`ToolReply::Scrub`].
    ScrubStart,
    /// How that goes. Answered by [`ToolReply::Scrub`].
    ScrubStatus,
    /// What goes on in the background. Answered by [`ToolReply::Background`].
    Background,
    /// Something about mirroring. Answered by [`ToolReply::Mirror`].
    Mirror {
        /// What.
        request: MirrorRequest,
    },
    /// Something about journals. Answered by [`ToolReply::Journal`].
    Journal {
        /// What.
        request: JournalRequest,
    },
}

/// What a site answers to tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolReply {
    /// It is done.
    Done,
    /// Images, by name.
    Images(Vec<ToolImage>),
    /// Snapshots, oldest first.
    Snapshots(Vec<ToolSnapshot>),
    /// What is in the trash.
    Trash(Vec<ToolTrash>),
    /// Namespaces, by name.
    Namespaces(Vec<String>),
    /// Groups, by name.
    Groups(Vec<ToolGroup>),
    /// Images that started as another one.
    Children(Vec<ToolChild>),
    /// The first and the last moment; `None` where nothing is retained.
    Window(Option<[Moment; 2]>),
    /// A record.
    Record(Sequence),
    /// A view: its number and its size.
    View(u32, Bytes),
    /// Differences.
    Changes(Changes),
    /// A size.
    Size(Bytes),
    /// How a scrub goes.
    Scrub(ScrubStatus),
    /// Work in the background.
    Background(Vec<Work>),
    /// About mirroring.
    Mirror(MirrorReply),
    /// About journals.
    Journal(JournalReply),
}

/// A record, and when it was the newest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The record.
    pub sequence: Sequence,
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
}

/// A part of what differs between two views.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Neighbouring blocks of one kind, in their order.
    pub runs: Vec<Run>,
    /// The block to go on with; `None` where there is nothing more.
    pub next: Option<u64>,
    /// The bytes that follow this message: those of the runs with data, one after the other.
    pub bytes: usize,
}

/// Neighbouring blocks of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The first.
    pub block: u64,
    /// How many.
    pub blocks: u64,
    /// Whether there is something; otherwise they read as zeroes now.
    pub data: bool,
}

/// How the newest scrub goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScrubStatus {
    /// The pass that runs or ran last; 0 before the first.
    pub pass: u64,
    /// The last pass that came to its end.
    pub completed: u64,
    /// What was read in this pass.
    pub done: Bytes,
    /// About what there is to read.
    pub total: Bytes,
    /// Why the pass ended early.
    pub failed: Option<String>,
    /// What it found.
    pub rot: Vec<RotReport>,
    /// Damaged blocks beyond those that are listed.
    pub more: u64,
}

/// A damaged block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RotReport {
    /// Of which image.
    pub image: ImageId,
    /// Its name, if it is there still.
    pub name: Option<ImageName>,
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub len: u64,
    /// Whether it is whole again.
    pub repaired: bool,
}

/// Work in the background.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// What it is called.
    pub name: String,
    /// What it does now.
    pub state: WorkState,
    /// How it goes, in words.
    pub progress: String,
    /// The last thing that went wrong, since the start of the site.
    pub last_error: Option<String>,
}

/// What a background worker does now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    /// It works.
    Busy,
    /// There is work, and it pauses so that guests have the disk.
    Throttled,
    /// There is nothing to do.
    Idle,
}

impl ToolRequest {
    /// How long a site may take for it before the client gives up.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Mirror { request } => request.patience(),
            Self::Journal { request } => request.patience(),
            Self::Images
            | Self::Close { .. }
            | Self::Image { .. }
            | Self::Snapshots { .. }
            | Self::Window { .. }
            | Self::Children { .. }
            | Self::Trash
            | Self::Namespaces
            | Self::Groups
            | Self::ScrubStart
            | Self::ScrubStatus
            | Self::Background => Duration::from_secs(30),
            Self::Resize { .. }
            | Self::Protect { .. }
            | Self::RenameSnapshot { .. }
            | Self::LimitSnapshots { .. }
            | Self::Flatten { .. }
            | Self::Note { .. }
            | Self::Enable { .. }
            | Self::Lock { .. }
            | Self::Unlock { .. }
            | Self::Throw { .. }
            | Self::Namespace { .. }
            | Self::Group { .. }
            | Self::Changes { .. }
            | Self::Write { .. }
            | Self::Discard { .. }
            | Self::Flush => Duration::from_secs(120),
            Self::Disable { within, .. } => Duration::from_secs(within.saturating_add(30)),
            // These may read the log from an older checkpoint, or all of an image's map.
            Self::Clone { .. }
            | Self::RollBackTo { .. }
            | Self::RecordAt { .. }
            | Self::Open { .. }
            | Self::Used { .. } => Duration::from_secs(3600),
        }
    }

    /// The bytes that follow the request.
    pub(crate) const fn payload(&self) -> usize {
        match self {
            Self::Write { len, .. } => *len,
            _ => 0,
        }
    }
}

impl ToolReply {
    /// The bytes that follow the answer.
    pub(crate) const fn payload(&self) -> usize {
        match self {
            Self::Changes(changes) => changes.bytes,
            Self::Journal(JournalReply::Part(part)) => part.bytes,
            _ => 0,
        }
    }
}

/// What a site does for tools.
#[async_trait::async_trait]
pub(crate) trait Tools: Send + Sync + 'static {
    /// What is kept for one connection.
    type Session: Default + Send;

    /// Answers one call; `payload` is what followed it, and what is returned follows the answer.
    async fn tool(
        &self,
        session: &mut Self::Session,
        request: ToolRequest,
        payload: Vec<u8>,
    ) -> Result<(ToolReply, Vec<u8>), Fault>;
}
