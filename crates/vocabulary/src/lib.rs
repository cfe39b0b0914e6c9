//! One word for one thing: the types that every other room shares.
//!
//! What it is for: ids, positions, sizes, roles and names that would otherwise be integers and
//! strings. What it promises: no I/O, no clock, no logic beyond parsing, printing and ordering.
//! What it leans on: nothing of this project.

mod bytes;
mod counted;
mod features;
mod host;
mod image;
mod interval;
mod lag;
mod limits;
mod mirror_mode;
mod mirror_way;
mod position;
mod role;
mod sync_mode;
mod volume;

pub use bytes::{BLOCK_SIZE, ByteRange, Bytes, GIB, Gibibytes, KIB, MIB};
pub use counted::counted;
pub use features::{Feature, Features, UnknownFeature};
pub use host::{HostName, HostNameError};
pub use image::{
    ImageId, ImageName, ImageNameError, ImageSpec, PoolName, SnapshotId, SnapshotName, StoreId,
};
pub use interval::Interval;
pub use lag::Lag;
pub use limits::{Burst, LIMIT_MAX, Limit, Limits, LimitsError, LimitsRule, Rates};
pub use mirror_mode::ImageMirrorMode;
pub use mirror_way::MirrorWay;
pub use position::{Epoch, Position, Sequence};
pub use role::{Role, SyncState};
pub use sync_mode::{SyncMode, SyncPolicy};
pub use volume::{
    ActivityId, AttachmentId, BackupId, GroupId, GroupSnapshotId, GroupTypeId, MessageId,
    ProjectId, QosId, ServiceId, SnapshotUuid, TransferId, TypeId, UserId, VolumeId,
};
