//! Group types and their specs.

pub(crate) mod look;
mod request;
mod resource;
mod specs;

pub use request::{CreateGroupType, UpdateGroupType};
pub(crate) use resource::ensure_default;

/// The type of what the older addresses call consistency groups, made at the first start as Cinder's
/// migrations make it.
pub(crate) const CONSISTENCY: &str = "default_cgsnapshot_type";

/// The spec by which groups of a type are snapshotted at one moment.
pub(crate) const CONSISTENT_SNAPSHOTS: &str = "consistent_group_snapshot_enabled";

/// The spec of groups that replicate on their own.
pub(crate) const REPLICATES: &str = "group_replication_enabled";

/// The same, with the promise that all volumes are of one moment. Here they always are.
pub(crate) const REPLICATES_AT_ONCE: &str = "consistent_group_replication_enabled";
