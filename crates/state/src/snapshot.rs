//! Snapshots.

use crate::text::texts;

texts!(
    /// The status of a snapshot: Cinder's `SnapshotStatus`.
    SnapshotStatus, "snapshot status", {
        /// It could not be taken, or was lost with its site.
        Error = "error",
        /// Usable.
        Available = "available",
        /// Being taken.
        Creating = "creating",
        /// Being removed.
        Deleting = "deleting",
        /// Gone.
        Deleted = "deleted",
        /// Being changed.
        Updating = "updating",
        /// It could not be removed.
        ErrorDeleting = "error_deleting",
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
    /// A backup made of it.
    Backup,
    /// Its volume returned to it.
    Revert,
    /// `os-unmanage`.
    Unmanage,
    /// Offered to another project with its volume.
    OfferTransfer,
}

impl SnapshotOperation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Delete,
        Self::ForceDelete,
        Self::Clone,
        Self::Backup,
        Self::Revert,
        Self::Unmanage,
        Self::OfferTransfer,
    ];

    /// The statuses in which it may begin.
    ///
    /// Source: `cinder.volume.api.API.delete_snapshot` and `create_volume` from a snapshot.
    pub const fn sources(self) -> &'static [SnapshotStatus] {
        use SnapshotStatus as S;
        match self {
            Self::Delete | Self::Unmanage => &[S::Available, S::Error],
            Self::ForceDelete => S::ALL,
            Self::Clone | Self::Backup | Self::Revert | Self::OfferTransfer => &[S::Available],
        }
    }

    /// The status that it leads to at once; `None` where the snapshot's own stays.
    pub const fn target(self) -> Option<SnapshotStatus> {
        match self {
            Self::Delete | Self::ForceDelete => Some(SnapshotStatus::Deleting),
            Self::Backup => Some(SnapshotStatus::BackingUp),
            Self::Revert => Some(SnapshotStatus::Restoring),
            Self::Unmanage => Some(SnapshotStatus::Unmanaging),
            Self::Clone | Self::OfferTransfer => None,
        }
    }
}

impl SnapshotStatus {
    /// Whether the operation may begin in this status.
    pub fn allows(self, operation: SnapshotOperation) -> bool {
        operation.sources().contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_allows_exactly_what_the_table_says() {
        use SnapshotOperation as O;
        for status in SnapshotStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            let expected: &[O] = match status {
                SnapshotStatus::Available => O::ALL,
                SnapshotStatus::Error => &[O::Delete, O::ForceDelete, O::Unmanage],
                SnapshotStatus::Creating
                | SnapshotStatus::Deleting
                | SnapshotStatus::ErrorDeleting
                | SnapshotStatus::Deleted
                | SnapshotStatus::Updating
                | SnapshotStatus::Unmanaging
                | SnapshotStatus::BackingUp
                | SnapshotStatus::Restoring => &[O::ForceDelete],
            };
            for operation in O::ALL {
                let allowed = status.allows(*operation);
                assert_eq!(
                    allowed,
                    expected.contains(operation),
                    "{operation:?} in {status}"
                );
            }
        }
    }
}
