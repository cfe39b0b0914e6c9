//! The admin protocol: how the control plane and tools drive a site over its Unix socket.
//!
//! The socket belongs to the site's user alone (mode 0600); that is the authentication. A message is
//! a length of four bytes, the highest first, and that many bytes of JSON. The client speaks first
//! with [`Hello`], the site answers with its own; from then on each [`Request`] is answered by one
//! [`Answer`], in order. A client that wants two calls at once opens two connections.

mod bytes;
mod client;
mod frame;
mod journal_tools;
mod mirror_tools;
mod pool_tools;
mod protocol;
mod schedule_tools;
mod server;
mod sync_tools;
mod tool_client;
mod tools;

pub(crate) use bytes::{extents, one_transfer, writable};
pub use client::SiteClient;
pub use firebrick_backend::{TRANSFER_MAX, ViewOf};
pub use firebrick_mirror::{SyncPeer, SyncPlace};
pub use journal_tools::{
    JournalClient, JournalEntry, JournalEvent, JournalPart, JournalReply, JournalRequest,
    JournalStatus, SnapshotEvent,
};
pub(crate) use mirror_tools::wait_within;
pub use mirror_tools::{
    Drill, DrillRequest, ImagePeer, LastVerified, Loss, MirrorPeer, MirrorReply, MirrorReport,
    MirrorRequest, MirrorSnapshot, MirrorState, MirroredImage, PromotedImage, Reason, ReasonCode,
    Target, VerifiedPeer,
};
pub use pool_tools::{MirrorMode, NewPeer, PeerChange, PoolInfo, PoolPeer, PoolRequest};
pub use protocol::{Answer, Hello, PROTOCOL_VERSION, Reply, Request};
pub use schedule_tools::{
    NextRun, Schedule, ScheduleItem, ScheduleLevel, ScheduleRequest, Schedules, StartTime,
};
pub(crate) use server::serve_connection;
pub use sync_tools::SyncReport;
pub use tool_client::ToolClient;
pub(crate) use tools::Tools;
pub use tools::{
    Changes, GroupRequest, JournalSettings, Locks, Moment, NamespaceRequest, RotReport, Run,
    ScrubStatus, ToolChild, ToolGroup, ToolGroupSnapshot, ToolImage, ToolLock, ToolParent,
    ToolReply, ToolRequest, ToolSnapshot, ToolTrash, ToolWatcher, TrashRequest, TrashSource, Work,
    WorkState,
};
