//! What may happen: every status, its transitions and its drawing.
//!
//! What it is for: the statuses of volumes, snapshots, attachments, replication and activities as
//! enums, and for each operation the statuses in which it may begin. What it promises: no I/O; an
//! operation that is not listed for a status is refused before anything changes. What it leans on:
//! nothing of this project.

mod activity;
mod attachment;
mod diagram;
mod qos;
mod replication;
mod snapshot;
mod text;
mod volume;

pub use activity::{ActivityKind, ActivityStatus};
pub use attachment::AttachmentStatus;
pub use diagram::{snapshot_diagram, volume_diagram};
pub use qos::QosConsumer;
pub use replication::ReplicationStatus;
pub use snapshot::{SnapshotOperation, SnapshotStatus};
pub use text::UnknownText;
pub use volume::{AttachStatus, VolumeOperation, VolumeStatus};
