//! Groups of volumes, and their snapshots.

use crate::ReplicationStatus;
use crate::text::texts;

texts!(
    /// The status of a group: Cinder's `GroupStatus`.
    GroupStatus, "group status", {
        /// It could not be made, or its replication failed.
        Error = "error",
        /// Usable.
        Available = "available",
        /// Being made.
        Creating = "creating",
        /// Being removed.
        Deleting = "deleting",
        /// Gone.
        Deleted = "deleted",
        /// Volumes come or go.
        Updating = "updating",
        /// In use.
        InUse = "in-use",
        /// It could not be removed.
        ErrorDeleting = "error_deleting",
    }
);

texts!(
    /// The status of a group snapshot: Cinder's `GroupSnapshotStatus`.
    GroupSnapshotStatus, "group snapshot status", {
        /// It could not be taken.
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
    }
);

/// What can be done to a group that depends on its status.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum GroupOperation {
    /// `delete` of a group without volumes.
    Delete,
    /// `delete` with `delete-volumes`.
    DeleteWithVolumes,
    /// `PUT /groups/{id}` that only gives a name or a description.
    Rename,
    /// `PUT /groups/{id}` that takes in or gives away volumes.
    ChangeVolumes,
    /// A snapshot of it.
    Snapshot,
    /// A group made from it.
    Clone,
    /// `enable_replication`.
    EnableReplication,
    /// `disable_replication`.
    DisableReplication,
    /// `failover_replication`.
    Failover,
}

impl GroupOperation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Delete,
        Self::DeleteWithVolumes,
        Self::Rename,
        Self::ChangeVolumes,
        Self::Snapshot,
        Self::Clone,
        Self::EnableReplication,
        Self::DisableReplication,
        Self::Failover,
    ];

    /// The statuses in which it may begin.
    ///
    /// Source: `cinder.group.api.API`. A snapshot and a clone need the group to be there, and their
    /// volumes to allow it, as Cinder asks; a group that is being changed is refused too.
    pub const fn sources(self) -> &'static [GroupStatus] {
        use GroupStatus as S;
        match self {
            Self::Delete | Self::DisableReplication => &[S::Available, S::Error],
            Self::DeleteWithVolumes | Self::Rename => S::ALL,
            Self::ChangeVolumes
            | Self::Snapshot
            | Self::Clone
            | Self::EnableReplication
            | Self::Failover => &[S::Available],
        }
    }

    /// The status that it leads to at once; `None` where the group's own stays.
    pub const fn target(self) -> Option<GroupStatus> {
        match self {
            Self::Delete | Self::DeleteWithVolumes => Some(GroupStatus::Deleting),
            Self::ChangeVolumes => Some(GroupStatus::Updating),
            Self::Rename
            | Self::Snapshot
            | Self::Clone
            | Self::EnableReplication
            | Self::DisableReplication
            | Self::Failover => None,
        }
    }

    /// The replication statuses, of the group and of its volumes, in which it may begin; `None`
    /// where they do not matter.
    pub const fn replication_sources(self) -> Option<&'static [ReplicationStatus]> {
        use ReplicationStatus as R;
        match self {
            Self::EnableReplication => Some(&[R::Disabled, R::Enabled]),
            Self::DisableReplication => Some(&[R::Enabled, R::Error]),
            Self::Failover => Some(&[R::Enabled, R::FailedOver]),
            Self::Delete
            | Self::DeleteWithVolumes
            | Self::Rename
            | Self::ChangeVolumes
            | Self::Snapshot
            | Self::Clone => None,
        }
    }

    /// The replication statuses in which it may end; none where it changes nothing of that. A failover
    /// that cannot be done leaves the group where it was, and ends as it began.
    pub const fn replication_ends(self) -> &'static [ReplicationStatus] {
        use ReplicationStatus as R;
        match self {
            // A group that lives at another site replicates from there.
            Self::EnableReplication | Self::Failover => &[R::Enabled, R::FailedOver, R::Error],
            Self::DisableReplication => &[R::Disabled, R::Error],
            Self::Delete
            | Self::DeleteWithVolumes
            | Self::Rename
            | Self::ChangeVolumes
            | Self::Snapshot
            | Self::Clone => &[],
        }
    }

    /// The replication status that it leads to at once; `None` where that stays.
    pub const fn replication_target(self) -> Option<ReplicationStatus> {
        match self {
            Self::EnableReplication => Some(ReplicationStatus::Enabling),
            Self::DisableReplication => Some(ReplicationStatus::Disabling),
            Self::Failover => Some(ReplicationStatus::FailingOver),
            Self::Delete
            | Self::DeleteWithVolumes
            | Self::Rename
            | Self::ChangeVolumes
            | Self::Snapshot
            | Self::Clone => None,
        }
    }
}

impl GroupStatus {
    /// Whether the operation may begin in this status.
    pub fn allows(self, operation: GroupOperation) -> bool {
        operation.sources().contains(&self)
    }
}

impl GroupSnapshotStatus {
    /// The statuses in which it may be removed.
    pub const DELETE_SOURCES: &'static [Self] = &[Self::Available, Self::Error];

    /// The statuses in which groups may be made from it.
    pub const CLONE_SOURCES: &'static [Self] = &[Self::Available];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_allows_exactly_what_the_table_says() {
        use GroupOperation as O;
        for status in GroupStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            let expected: &[O] = match status {
                GroupStatus::Available => O::ALL,
                GroupStatus::Error => &[
                    O::Delete,
                    O::DeleteWithVolumes,
                    O::Rename,
                    O::DisableReplication,
                ],
                GroupStatus::Creating
                | GroupStatus::Deleting
                | GroupStatus::Deleted
                | GroupStatus::Updating
                | GroupStatus::InUse
                | GroupStatus::ErrorDeleting => &[O::DeleteWithVolumes, O::Rename],
            };
            for operation in O::ALL {
                let allowed = status.allows(*operation);
                let wanted = expected.contains(operation);
                assert_eq!(allowed, wanted, "{operation:?} in {status}");
            }
        }
        for status in GroupSnapshotStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
    }

    #[test]
    fn replication_changes_once_at_a_time() {
        use ReplicationStatus as R;
        let mut left = Vec::new();
        for operation in GroupOperation::ALL {
            let sources = operation.replication_sources();
            let target = operation.replication_target();
            assert_eq!(sources.is_some(), target.is_some(), "{operation:?}");
            if let (Some(sources), Some(target)) = (sources, target) {
                assert!(target.is_changing(), "{operation:?} leads to {target}");
                let ends = operation.replication_ends();
                assert!(!ends.is_empty(), "{operation:?} never ends");
                // Nothing begins while another one runs, and none ends on its way.
                for status in sources.iter().chain(ends) {
                    assert!(!status.is_changing(), "{operation:?} and {status}");
                }
                left.extend(sources);
            }
        }
        // Whatever one of them leaves, another can take up: no group needs an edit of the database.
        for operation in GroupOperation::ALL {
            for end in operation.replication_ends() {
                assert!(left.contains(end), "nothing leads out of {end}");
            }
        }
        let changing = R::ALL.iter().filter(|status| status.is_changing());
        assert_eq!(changing.count(), 3);
    }
}
