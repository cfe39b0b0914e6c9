//! What tools ask about the journals of images, and what they are told.
//!
//! The journal of an image is its part of the log. It is read in parts, over a cursor that belongs to its
//! connection; the bytes of writes follow a part as they are, one after the other.

use std::time::Duration;

use firebrick_vocabulary::{ImageId, Position, Sequence, SnapshotId};
use serde::{Deserialize, Serialize};

/// A call about journals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "journal")]
pub enum JournalRequest {
    /// Where the journal of these images begins and ends, and who reads it. Answered by
    /// [`JournalReply::Status`].
    Status {
        /// Which.
        images: Vec<ImageId>,
    },
    /// Begins to read. Answered by [`JournalReply::Opened`].
    Open {
        /// Whose journal.
        images: Vec<ImageId>,
        /// From which record on; `None` for the first one.
        from: Option<Sequence>,
    },
    /// Reads and checks a part. Answered by [`JournalReply::Part`].
    Next {
        /// Over which cursor.
        cursor: u32,
        /// Whether the bytes of writes are wanted too.
        data: bool,
    },
    /// Lets go of a cursor.
    Close {
        /// Which.
        cursor: u32,
    },
    /// Keeps the log no longer for peers that do not read it. Answered by [`JournalReply::Disconnected`].
    /// [`FaultKind::Busy`] where one that is named reads.
    ///
    /// [`FaultKind::Busy`]: firebrick_backend::FaultKind::Busy
    Disconnect {
        /// Of these images.
        images: Vec<ImageId>,
        /// Only this one, by the id of its store or its name; `None` for all that do not read.
        client: Option<String>,
    },
    /// Lets the journals of images begin anew. [`FaultKind::Busy`] where a peer lacks some of them.
    ///
    /// [`FaultKind::Busy`]: firebrick_backend::FaultKind::Busy
    Reset {
        /// Which.
        images: Vec<ImageId>,
        /// Whether also where a peer lacks something.
        force: bool,
    },
}

/// What a site answers about journals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalReply {
    /// It is done.
    Done,
    /// Where it begins and ends, and who reads it.
    Status(JournalStatus),
    /// A cursor.
    Opened {
        /// Its number.
        cursor: u32,
        /// The first record that may belong to the journal.
        from: Sequence,
        /// The last one that is read.
        upto: Sequence,
    },
    /// The ids of those for whom the log is not kept any more.
    Disconnected(Vec<String>),
    /// A part.
    Part(JournalPart),
}

/// Where a journal begins and ends, and who reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// The segment of the log with which it begins.
    pub minimum_set: u32,
    /// The segment that is being written.
    pub active_set: u32,
    /// Who reads it: first the store itself, then its peers.
    pub clients: Vec<JournalClient>,
}

/// Somebody who reads a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalClient {
    /// The id of the peer's store, or its name as long as it has not been met; nothing for the store itself.
    pub id: String,
    /// The name of the site.
    pub name: String,
    /// Up to which record of the journal it has everything, and the segment of that; `None` where it has
    /// nothing, or has not said.
    pub position: Option<(Position, u32)>,
    /// Whether it reads now.
    pub connected: bool,
}

/// A part of a journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JournalPart {
    /// In their order.
    pub entries: Vec<JournalEntry>,
    /// The next record of the log that is looked at; `None` at the end.
    pub next: Option<Sequence>,
    /// The bytes that follow this message.
    pub bytes: usize,
}

/// An entry of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Of which image; `None` where that cannot be read.
    pub image: Option<ImageId>,
    /// Its place in the log.
    pub position: Position,
    /// When it was written, in nanoseconds since the Unix epoch.
    pub time: u64,
    /// What happened.
    pub event: JournalEvent,
    /// Whether it goes on with the entry before: long writes come in parts.
    pub continued: bool,
    /// Why it cannot be used: it is damaged. Its bytes do not come along.
    pub fault: Option<String>,
}

/// What happened to an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalEvent {
    /// Bytes were written.
    Write {
        /// The first one.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// A range was freed.
    Discard {
        /// The first byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// It got another size.
    Resize {
        /// In bytes.
        size: u64,
    },
    /// It got another name.
    Rename {
        /// The name, behind its namespace.
        name: String,
    },
    /// Something happened to a snapshot.
    Snapshot {
        /// Its id.
        id: SnapshotId,
        /// Its name; its id where nobody knows the name any more.
        name: String,
        /// What.
        what: SnapshotEvent,
    },
    /// It may have so many snapshots.
    SnapshotLimit {
        /// The most; `None` for any number.
        limit: Option<u64>,
    },
    /// It belongs to nobody but itself.
    Flatten,
    /// A key of its metadata was set, or removed.
    Metadata {
        /// The key, as users know it.
        key: String,
        /// The value.
        value: Option<String>,
    },
    /// Its role changed.
    DemotePromote {
        /// How, as the log says it.
        change: serde_json::Value,
    },
    /// Something that an image of RBD does not have.
    Other {
        /// What, as the log says it.
        change: serde_json::Value,
        /// Whether what follows cannot be understood without it: the blocks of the image changed.
        essential: bool,
    },
    /// Nothing can be read here any more.
    Unreadable,
}

/// What happened to a snapshot.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotEvent {
    /// It was taken.
    Create,
    /// It was removed.
    Remove,
    /// It got another name.
    Rename {
        /// The name before.
        from: String,
    },
    /// It must not be removed.
    Protect,
    /// It may be removed again.
    Unprotect,
    /// The image returned to it.
    Rollback,
}

impl JournalRequest {
    /// How long a site may take for it before the client gives up.
    pub(super) const fn patience(&self) -> Duration {
        match self {
            Self::Status { .. } | Self::Close { .. } => Duration::from_secs(30),
            Self::Open { .. }
            | Self::Next { .. }
            | Self::Disconnect { .. }
            | Self::Reset { .. } => Duration::from_secs(120),
        }
    }
}
