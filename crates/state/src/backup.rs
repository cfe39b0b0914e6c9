//! Backups.

use crate::text::texts;

texts!(
    /// The status of a backup: Cinder's `BackupStatus`.
    BackupStatus, "backup status", {
        /// It could not be made.
        Error = "error",
        /// It could not be removed.
        ErrorDeleting = "error_deleting",
        /// Being made.
        Creating = "creating",
        /// Usable.
        Available = "available",
        /// Being removed.
        Deleting = "deleting",
        /// Gone.
        Deleted = "deleted",
        /// Being written into a volume.
        Restoring = "restoring",
    }
);

/// What can be done to a backup that depends on its status.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BackupOperation {
    /// `DELETE`.
    Delete,
    /// `os-force_delete`.
    ForceDelete,
    /// Written into a volume.
    Restore,
    /// `export_record`.
    Export,
    /// An incremental backup upon it.
    Build,
}

impl BackupOperation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Delete,
        Self::ForceDelete,
        Self::Restore,
        Self::Export,
        Self::Build,
    ];

    /// The statuses in which it may begin.
    ///
    /// Source: `cinder.backup.api.API`.
    pub const fn sources(self) -> &'static [BackupStatus] {
        use BackupStatus as S;
        match self {
            Self::Delete => &[S::Available, S::Error],
            Self::ForceDelete => S::ALL,
            Self::Restore | Self::Export | Self::Build => &[S::Available],
        }
    }

    /// The status that it leads to at once; `None` where the backup's own stays.
    pub const fn target(self) -> Option<BackupStatus> {
        match self {
            Self::Delete | Self::ForceDelete => Some(BackupStatus::Deleting),
            Self::Restore => Some(BackupStatus::Restoring),
            Self::Export | Self::Build => None,
        }
    }
}

impl BackupStatus {
    /// Whether the operation may begin in this status.
    pub fn allows(self, operation: BackupOperation) -> bool {
        operation.sources().contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_allows_exactly_what_the_table_says() {
        use BackupOperation as O;
        for status in BackupStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            let expected: &[O] = match status {
                BackupStatus::Available => O::ALL,
                BackupStatus::Error => &[O::Delete, O::ForceDelete],
                BackupStatus::ErrorDeleting
                | BackupStatus::Creating
                | BackupStatus::Deleting
                | BackupStatus::Deleted
                | BackupStatus::Restoring => &[O::ForceDelete],
            };
            for operation in O::ALL {
                let allowed = status.allows(*operation);
                let wanted = expected.contains(operation);
                assert_eq!(allowed, wanted, "{operation:?} in {status}");
            }
        }
    }
}
