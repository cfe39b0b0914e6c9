//! What may happen: every status, its transitions and its drawing.
//!
//! What it is for: the statuses of volumes, snapshots, attachments, backups, groups, replication and
//! activities as enums, for each operation the statuses in which it may begin, and the parts of messages
//! to users. What it promises: no I/O; an
//! operation that is not listed for a status is refused before anything changes. What it leans on:
//! nothing of this project.

mod activity;
mod attachment;
mod backup;
mod diagram;
mod group;
mod message;
mod migration;
mod qos;
mod replication;
mod snapshot;
mod text;
mod volume;

pub use activity::{ActivityKind, ActivityResource, ActivityStatus};
pub use attachment::AttachmentStatus;
pub use backup::{BackupOperation, BackupStatus};
pub use diagram::{snapshot_diagram, volume_diagram};
pub use group::{GroupOperation, GroupSnapshotStatus, GroupStatus};
pub use message::{MessageAction, MessageDetail, MessageResource, event_id, user_message};
pub use migration::MigrationStatus;
pub use qos::QosConsumer;
pub use replication::ReplicationStatus;
pub use snapshot::{SnapshotOperation, SnapshotStatus};
pub use text::UnknownText;
pub use volume::{AttachStatus, VolumeOperation, VolumeStatus};
