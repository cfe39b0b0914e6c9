//! What happens to a volume: activities, driver semantics, replication.

mod error;
mod options;
mod request;



// Rows: re-exported from db when it is there:
// pub use firebrick_db::{Attachment, Service, Snapshot, Volume, VolumeType, …queries};

pub use error::{Error, ErrorKind, Result};
pub use options::{
    BackendOptions, ControlOptions, FailoverOptions, POOL, Quotas, RunnerOptions,
};
pub use request::{
    AttachMode, ConnectionInfo, Context, CreateAttachment, CreateSnapshot, CreateType,
    CreateVolume, DeleteVolume, ForceDetach, LegacyAttach, Limits, Metadata, MetadataWrite, Object,
    Pool, Rename, ResetStatus, UpdateType, Zone,
};

/* INTERFACE, for api and the binary (bodies follow; signatures are settled):

impl Control {
    pub async fn start(db: Db, options: ControlOptions) -> Result<(Control, Running)>;   // Running::stop().await

    // volumes
    pub async fn create_volume(&self, ctx: &Context, request: CreateVolume) -> Result<VolumeDetail>;
    pub async fn volumes(&self, ctx: &Context, query: VolumeQuery) -> Result<Vec<VolumeDetail>>;
    pub async fn count_volumes(&self, ctx: &Context, query: VolumeQuery) -> Result<u64>;
    pub async fn volume_summary(&self, ctx: &Context, query: VolumeQuery) -> Result<VolumeSummary>; // count, gigabytes, metadata
    pub async fn volume(&self, ctx: &Context, id: VolumeId) -> Result<VolumeDetail>;
    pub async fn update_volume(&self, ctx: &Context, id: VolumeId, change: Rename) -> Result<VolumeDetail>;
    pub async fn delete_volume(&self, ctx: &Context, id: VolumeId, how: DeleteVolume) -> Result<()>;
    pub async fn extend_volume(&self, ctx: &Context, id: VolumeId, new_size: u32, in_use: bool) -> Result<()>;
    pub async fn reset_volume_status(&self, ctx: &Context, id: VolumeId, reset: ResetStatus) -> Result<()>;
    pub async fn set_bootable(&self, ctx: &Context, id: VolumeId, bootable: bool) -> Result<()>;
    pub async fn set_readonly(&self, ctx: &Context, id: VolumeId, readonly: bool) -> Result<()>;
    pub async fn volume_metadata(&self, ctx: &Context, id: VolumeId) -> Result<Metadata>;
    pub async fn set_volume_metadata(&self, ctx: &Context, id: VolumeId, metadata: Metadata, how: MetadataWrite) -> Result<Metadata>;
    pub async fn delete_volume_metadata(&self, ctx: &Context, id: VolumeId, key: &str) -> Result<()>;

    // snapshots
    pub async fn create_snapshot(&self, ctx: &Context, request: CreateSnapshot) -> Result<SnapshotDetail>;
    pub async fn snapshots(&self, ctx: &Context, query: SnapshotQuery) -> Result<Vec<SnapshotDetail>>;
    pub async fn count_snapshots(&self, ctx: &Context, query: SnapshotQuery) -> Result<u64>;
    pub async fn snapshot(&self, ctx: &Context, id: SnapshotUuid) -> Result<SnapshotDetail>;
    pub async fn update_snapshot(&self, ctx: &Context, id: SnapshotUuid, change: Rename) -> Result<SnapshotDetail>;
    pub async fn delete_snapshot(&self, ctx: &Context, id: SnapshotUuid, force: bool) -> Result<()>;
    pub async fn reset_snapshot_status(&self, ctx: &Context, id: SnapshotUuid, status: &str) -> Result<()>;
    pub async fn update_snapshot_status(&self, ctx: &Context, id: SnapshotUuid, status: &str, progress: Option<&str>) -> Result<()>;
    pub async fn snapshot_metadata / set_snapshot_metadata / delete_snapshot_metadata: as for volumes

    // attachments (3.27)
    pub async fn create_attachment(&self, ctx: &Context, request: CreateAttachment) -> Result<AttachmentDetail>;
    pub async fn attachments(&self, ctx: &Context, query: AttachmentQuery) -> Result<Vec<AttachmentDetail>>;
    pub async fn attachment(&self, ctx: &Context, id: AttachmentId) -> Result<AttachmentDetail>;
    pub async fn update_attachment(&self, ctx: &Context, id: AttachmentId, connector: Object) -> Result<AttachmentDetail>;
    pub async fn complete_attachment(&self, ctx: &Context, id: AttachmentId) -> Result<()>;
    pub async fn delete_attachment(&self, ctx: &Context, id: AttachmentId) -> Result<Vec<AttachmentDetail>>;  // those that remain
    // AttachmentDetail { attachment: Attachment (row), connection_info: Option<ConnectionInfo> }

    // the older actions
    pub async fn reserve(&self, ctx: &Context, id: VolumeId) -> Result<()>;
    pub async fn unreserve(&self, ctx: &Context, id: VolumeId) -> Result<()>;
    pub async fn begin_detaching(&self, ctx: &Context, id: VolumeId) -> Result<()>;
    pub async fn roll_detaching(&self, ctx: &Context, id: VolumeId) -> Result<()>;
    pub async fn initialize_connection(&self, ctx: &Context, id: VolumeId, connector: Object) -> Result<ConnectionInfo>;
    pub async fn terminate_connection(&self, ctx: &Context, id: VolumeId, connector: Object) -> Result<()>;
    pub async fn attach(&self, ctx: &Context, id: VolumeId, request: LegacyAttach) -> Result<()>;
    pub async fn detach(&self, ctx: &Context, id: VolumeId, attachment: Option<AttachmentId>) -> Result<()>;
    pub async fn force_detach(&self, ctx: &Context, id: VolumeId, request: ForceDetach) -> Result<()>;

    // types
    pub async fn types(&self, ctx: &Context, query: TypeQuery) -> Result<Vec<TypeDetail>>;
    pub async fn volume_type(&self, ctx: &Context, id: TypeId) -> Result<TypeDetail>;
    pub async fn default_type(&self, ctx: &Context) -> Result<TypeDetail>;
    pub async fn create_type(&self, ctx: &Context, request: CreateType) -> Result<TypeDetail>;
    pub async fn update_type(&self, ctx: &Context, id: TypeId, change: UpdateType) -> Result<TypeDetail>;
    pub async fn delete_type(&self, ctx: &Context, id: TypeId) -> Result<()>;
    pub async fn extra_specs(&self, ctx: &Context, id: TypeId) -> Result<Metadata>;
    pub async fn set_extra_specs(&self, ctx: &Context, id: TypeId, specs: Metadata) -> Result<Metadata>;   // merges
    pub async fn delete_extra_spec(&self, ctx: &Context, id: TypeId, key: &str) -> Result<()>;

    // operators
    pub async fn services(&self, ctx: &Context, binary: Option<&str>, host: Option<&str>) -> Result<Vec<ServiceDetail>>; // row + up: bool
    pub async fn enable_service(&self, ctx: &Context, binary: &str, host: &str) -> Result<ServiceDetail>;
    pub async fn disable_service(&self, ctx: &Context, binary: &str, host: &str, reason: Option<&str>) -> Result<ServiceDetail>;
    pub async fn freeze(&self, ctx: &Context, host: &str) -> Result<()>;
    pub async fn thaw(&self, ctx: &Context, host: &str) -> Result<()>;
    pub async fn failover(&self, ctx: &Context, host: &str, backend_id: Option<&str>) -> Result<()>;
    pub async fn pools(&self, ctx: &Context) -> Result<Vec<Pool>>;
    pub async fn capabilities(&self, ctx: &Context, host: &str) -> Result<Object>;   // the body, Cinder's keys
    pub async fn zones(&self, ctx: &Context) -> Result<Vec<Zone>>;
    pub async fn limits(&self, ctx: &Context) -> Result<Limits>;
}
*/
