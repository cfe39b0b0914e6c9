//! What goes over the wire.

use std::time::Duration;

use firebrick_backend::{
    Access, DrillInfo, ExportAddress, ExportInfo, ExportKey, Fault, ImageInfo, MirrorStatus,
    NewImage, PromoteMode, PromoteOutcome, SiteStatus, SnapshotInfo, SpaceStats,
};
use firebrick_vocabulary::{
    Bytes, ImageId, ImageName, Limits, MirrorWay, Position, Sequence, SnapshotName, StoreId,
};
use serde::{Deserialize, Serialize};

use super::tools::{ToolReply, ToolRequest};

/// The version spoken here. A site answers another one with its own and ends the connection.
pub const PROTOCOL_VERSION: u32 = 2;

/// The first message in each direction.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol.
    pub version: u32,
    /// Who speaks, for logs: the site's name in its answer.
    pub name: String,
}

/// A call of [`firebrick_backend::Backend`], or one that only tools make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "call")]
#[allow(
    missing_docs,
    reason = "each is the method of the trait by that name, with its arguments"
)]
pub enum Request {
    Status,
    Space,
    CreateImage {
        image: NewImage,
    },
    Image {
        image: ImageId,
    },
    Images,
    RenameImage {
        image: ImageId,
        name: ImageName,
    },
    ExtendImage {
        image: ImageId,
        size: Bytes,
    },
    SetLimits {
        image: ImageId,
        limits: Limits,
    },
    RemoveImage {
        image: ImageId,
    },
    CreateSnapshot {
        image: ImageId,
        name: SnapshotName,
    },
    CreateSnapshots {
        wanted: Vec<(ImageId, SnapshotName)>,
    },
    Snapshots {
        image: ImageId,
    },
    RemoveSnapshot {
        image: ImageId,
        name: SnapshotName,
    },
    RollBack {
        image: ImageId,
        name: SnapshotName,
    },
    Export {
        image: ImageId,
        key: ExportKey,
        access: Access,
    },
    Unexport {
        image: ImageId,
        key: ExportKey,
    },
    Exports,
    SetMirroring {
        image: ImageId,
        enabled: bool,
    },
    SetMirrorWay {
        image: ImageId,
        way: MirrorWay,
    },
    MirrorStatus,
    Demote {
        images: Vec<ImageId>,
    },
    WaitApplied {
        of: StoreId,
        position: Position,
        within: Duration,
    },
    Promote {
        images: Vec<ImageId>,
        mode: PromoteMode,
    },
    BeginDrill {
        image: ImageId,
        #[serde(default)]
        at: Option<Sequence>,
    },
    Drills,
    EndDrill {
        image: ImageId,
    },
    RecordAt {
        image: ImageId,
        time: u64,
    },
    RollBackTo {
        image: ImageId,
        at: Sequence,
    },
    Tool {
        request: ToolRequest,
    },
}

impl Request {
    /// How long a site may take for it before the client gives up.
    pub fn patience(&self) -> Duration {
        match self {
            Self::Status | Self::Space | Self::MirrorStatus => Duration::from_secs(5),
            Self::Tool { request } => request.patience(),
            Self::WaitApplied { within, .. } => within.saturating_add(Duration::from_secs(5)),
            Self::Image { .. }
            | Self::Images
            | Self::Snapshots { .. }
            | Self::Exports
            | Self::Drills => Duration::from_secs(15),
            Self::CreateImage { .. }
            | Self::RenameImage { .. }
            | Self::ExtendImage { .. }
            | Self::SetLimits { .. }
            | Self::RemoveImage { .. }
            | Self::CreateSnapshot { .. }
            | Self::CreateSnapshots { .. }
            | Self::RemoveSnapshot { .. }
            | Self::Export { .. }
            | Self::Unexport { .. }
            | Self::SetMirroring { .. }
            | Self::SetMirrorWay { .. }
            | Self::BeginDrill { .. }
            | Self::EndDrill { .. } => Duration::from_secs(30),
            // All of an image may differ.
            Self::RecordAt { .. } | Self::RollBackTo { .. } => Duration::from_secs(3600),
            // These may read the log from an older checkpoint.
            Self::RollBack { .. } | Self::Demote { .. } | Self::Promote { .. } => {
                Duration::from_secs(120)
            }
        }
    }
}

/// What a site answers.
pub type Answer = Result<Reply, Fault>;

/// What a successful call yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "each carries what the method of the trait returns"
)]
pub enum Reply {
    Done,
    Status(SiteStatus),
    Space(SpaceStats),
    Image(ImageInfo),
    Images(Vec<ImageInfo>),
    Snapshot(SnapshotInfo),
    Snapshots(Vec<SnapshotInfo>),
    Address(ExportAddress),
    Exports(Vec<ExportInfo>),
    Mirror(MirrorStatus),
    Position(Position),
    Outcomes(Vec<PromoteOutcome>),
    Drill(DrillInfo),
    Drills(Vec<DrillInfo>),
    Record(Sequence),
    Tool(ToolReply),
}
