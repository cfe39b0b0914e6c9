//! Group types and their specs.

mod look;
mod request;
mod resource;
mod specs;

pub use request::{CreateGroupType, UpdateGroupType};
pub(crate) use resource::ensure_default;

/// The type of what the older addresses call consistency groups, made at the first start as Cinder's
/// migrations make it.
const CONSISTENCY: &str = "default_cgsnapshot_type";

/// The spec by which groups of a type are snapshotted at one moment.
const CONSISTENT_SNAPSHOTS: &str = "consistent_group_snapshot_enabled";
