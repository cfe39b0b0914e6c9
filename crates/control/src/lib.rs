//! What happens to a volume: activities, Cinder's driver semantics, replication.
//!
//! What it is for: [`Control`] takes requests, checks them, changes statuses and leaves the work to
//! activities; workers run those, one file a story. What it promises: a request that was accepted is
//! done or undone, whatever dies meanwhile (INV-5); a status changes by one compare-and-set; quotas are
//! counted in the transaction that uses them up. What it leans on: `db`, `state`, `scheduler`, and
//! sites behind `backend`.

mod access;
mod activity;
mod attachment;
mod backup;
mod cluster;
mod context;
mod control;
mod detail;
mod error;
mod freeze;
mod group;
mod group_snapshot;
mod group_type;
mod hidden;
mod home;
mod hosts;
mod image;
mod levels;
mod limits;
mod manage;
mod messages;
mod moving;
mod options;
mod place;
mod pools;
mod qos;
mod quota;
mod reconcile;
mod replication;
mod report;
mod request;
mod runner;
mod servers;
mod services;
mod snapshot;
mod stats;
mod story;
mod transfer;
mod types;
mod volume;
mod why;
mod workers;
mod zones;

pub use access::{Access, Owned};
pub use attachment::{StaleAttachment, bare_info};
pub use backup::{CreateBackup, Record, RestoreBackup, Restored, UpdateBackup};
pub use cluster::ClusterDetail;
pub use control::{Control, Running};
pub use detail::{
    AttachmentDetail, BackupDetail, GroupDetail, ServiceDetail, SnapshotDetail, TypeDetail,
    UploadDetail, VolumeDetail, VolumeSummary,
};
pub use error::{Error, ErrorKind, Result};
pub use firebrick_backend::{DrillInfo, PromoteMode};
pub use firebrick_backup::{Container, Posix, SharedRepository};
pub use firebrick_cloud::Visibility;
pub use firebrick_db::{
    Activity, AttachMode, Attachment, Backup, Column, Direction, Filter, Group, GroupSnapshot,
    GroupType, HardLimits, Listing, Message, PoolUsage, QosSpec, Service, Snapshot, Test, TimeTest,
    Transfer, TypeEncryption, Volume, VolumeType,
};
/// How volumes are placed.
pub use firebrick_scheduler::{
    Filter as PoolFilter, Function, Handler, Ratio, Scheduler, Weigher, Weighing,
};
pub use firebrick_state::QosConsumer;
pub use group::{CloneGroup, CreateGroup, FailoverGroup, Family, GroupSource, UpdateGroup};
pub use group_type::{CreateGroupType, UpdateGroupType};
pub use levels::{LogLevel, LogLevels, LogQuery, ServiceLevels};
pub use manage::{
    At, ManageSnapshot, ManageVolume, Manageable, ManageableKey, ManageableQuery, Reference,
};
pub use moving::{MigrateVolume, MigrationPolicy, RetypeVolume};
pub use options::{
    BackendOptions, BackupOptions, CacheOptions, ControlOptions, FIXED_KEY, FailoverOptions,
    ImageOptions, POOL, Quotas, RunnerOptions,
};
pub use quota::{QuotaSet, QuotaUse};
pub use replication::{
    FailoverReport, FailoverVolume, Relation, RelationState, VolumeOutcome, VolumeReport,
};
pub use request::{
    Began, ConnectionInfo, Context, CreateAttachment, CreateEncryption, CreateQos, CreateSnapshot,
    CreateType, CreateVolume, DeleteVolume, ForceDetach, ImageRef, LegacyAttach, Limits, Metadata,
    MetadataWrite, Object, Pool, PoolQuery, Query, Rename, ResetStatus, UpdateEncryption,
    UpdateQos, UpdateType, UploadImage, UsedLimits, Zone,
};
pub use transfer::{AuthKey, CreateTransfer};
pub use workers::{Cleaned, Cleanup};
