//! Snapshots.

use crate::text::texts;

texts!(
    /// The status of a snapshot: Cinder's `SnapshotStatus`.
    SnapshotStatus, "snapshot status", {
        /// Being taken.
        Creating = "creating",
        /// Usable.
        Available = "available",
        /// It could not be taken, or was lost with its site.
        Error = "error",
        /// Being removed.
        Deleting = "deleting",
        /// It could not be removed.
        ErrorDeleting = "error_deleting",
        /// Gone.
        Deleted = "deleted",
        /// Being changed.
        Updating = "updating",
        /// Being given up.
        Unmanaging = "unmanaging",
        /// A backup is being made of it.
        BackingUp = "backing-up",
        /// Its volume is being returned to it.
        Restoring = "restoring",
    }
);

/// What can be done to a snapshot that depends on its status.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SnapshotOperation {
    /// `DELETE`.
    Delete,
    /// `os-force_delete`.
    ForceDelete,
    /// A volume made from it.
    Clone,
}

impl SnapshotOperation {
    /// The statuses in which it may begin.
    pub const fn sources(self) -> &'static [SnapshotStatus] {
        use SnapshotStatus as S;
        match self {
            Self::Delete => &[S::Available, S::Error, S::ErrorDeleting],
            Self::ForceDelete => S::ALL,
            Self::Clone => &[S::Available],
        }
    }
}

impl SnapshotStatus {
    /// Whether the operation may begin in this status.
    pub fn allows(self, operation: SnapshotOperation) -> bool {
        operation.sources().contains(&self)
    }
}
