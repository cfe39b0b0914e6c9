//! Volumes.

use crate::text::texts;

texts!(
    /// The status of a volume: Cinder's `VolumeStatus`, plus `reverting` and `unmanaging`, which it
    /// writes without listing them.
    VolumeStatus, "volume status", {
        /// Being made.
        Creating = "creating",
        /// Free to be used.
        Available = "available",
        /// Being removed.
        Deleting = "deleting",
        /// It could not be made, or was lost with its site.
        Error = "error",
        /// It could not be removed.
        ErrorDeleting = "error_deleting",
        /// It could not be taken over.
        ErrorManaging = "error_managing",
        /// One that could not be taken over is being removed; there is no image to go with it.
        ErrorManagingDeleting = "error_managing_deleting",
        /// Being taken over.
        Managing = "managing",
        /// Reserved by the older actions, or being attached.
        Attaching = "attaching",
        /// Attached.
        InUse = "in-use",
        /// Being detached.
        Detaching = "detaching",
        /// Locked by an operator.
        Maintenance = "maintenance",
        /// A backup is being restored into it.
        RestoringBackup = "restoring-backup",
        /// That failed.
        ErrorRestoring = "error_restoring",
        /// Reserved by an attachment.
        Reserved = "reserved",
        /// Offered to another project.
        AwaitingTransfer = "awaiting-transfer",
        /// A backup is being made of it.
        BackingUp = "backing-up",
        /// That failed.
        ErrorBackingUp = "error_backing-up",
        /// It could not be extended.
        ErrorExtending = "error_extending",
        /// An image is being written into it.
        Downloading = "downloading",
        /// It is being uploaded as an image.
        Uploading = "uploading",
        /// Its type is being changed.
        Retyping = "retyping",
        /// It is being extended.
        Extending = "extending",
        /// It is being returned to a snapshot.
        Reverting = "reverting",
        /// It is being given up.
        Unmanaging = "unmanaging",
    }
);

texts!(
    /// Whether a volume is attached.
    AttachStatus, "attach status", {
        /// It is.
        Attached = "attached",
        /// It is about to be.
        Attaching = "attaching",
        /// It is not.
        Detached = "detached",
        /// Somebody has reserved it.
        Reserved = "reserved",
        /// It could not be attached.
        ErrorAttaching = "error_attaching",
        /// It could not be detached.
        ErrorDetaching = "error_detaching",
        /// The attachment is gone.
        Deleted = "deleted",
    }
);

/// What can be done to a volume that depends on its status.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum VolumeOperation {
    /// `DELETE`.
    Delete,
    /// `os-force_delete`, or `DELETE` with `force`.
    ForceDelete,
    /// `os-extend` of a volume that nobody uses.
    Extend,
    /// `os-extend` from 3.42 on.
    ExtendInUse,
    /// A snapshot.
    Snapshot,
    /// A snapshot with `force`, or any from 3.66 on.
    SnapshotInUse,
    /// A clone of it.
    Clone,
    /// `os-reserve`.
    Reserve,
    /// `os-unreserve`.
    Unreserve,
    /// `POST /attachments`.
    Attach,
    /// `os-attach`.
    LegacyAttach,
    /// `os-begin_detaching`.
    BeginDetaching,
    /// `os-roll_detaching`.
    RollDetaching,
    /// `os-retype`.
    Retype,
    /// `os-migrate_volume`.
    Migrate,
    /// `os-migrate_volume` with `lock_volume`.
    MigrateLocked,
    /// `os-volume_upload_image`.
    Upload,
    /// `os-volume_upload_image` with `force`, where that is enabled.
    UploadForced,
    /// A backup of it.
    Backup,
    /// A backup of it with `force`.
    BackupInUse,
    /// A backup written into it.
    Restore,
    /// `revert`.
    Revert,
    /// `os-reimage`.
    Reimage,
    /// `os-reimage` with `reimage_reserved`.
    ReimageReserved,
    /// `os-unmanage`.
    Unmanage,
    /// `POST /volume-transfers`.
    OfferTransfer,
    /// `accept` of a transfer.
    AcceptTransfer,
    /// `DELETE /volume-transfers/{id}`.
    WithdrawTransfer,
    /// `os-update_readonly_flag`.
    SetReadonly,
    /// `os-extend_volume_completion`.
    CompleteExtension,
    /// Taken into a group.
    JoinGroup,
    /// Given away by a group.
    LeaveGroup,
    /// Its group's replication begins, ends or fails over.
    ReplicateGroup,
}

impl VolumeOperation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Delete,
        Self::ForceDelete,
        Self::Extend,
        Self::ExtendInUse,
        Self::Snapshot,
        Self::SnapshotInUse,
        Self::Clone,
        Self::Reserve,
        Self::Unreserve,
        Self::Attach,
        Self::LegacyAttach,
        Self::BeginDetaching,
        Self::RollDetaching,
        Self::Retype,
        Self::Migrate,
        Self::MigrateLocked,
        Self::Upload,
        Self::UploadForced,
        Self::Backup,
        Self::BackupInUse,
        Self::Restore,
        Self::Revert,
        Self::Reimage,
        Self::ReimageReserved,
        Self::Unmanage,
        Self::OfferTransfer,
        Self::AcceptTransfer,
        Self::WithdrawTransfer,
        Self::SetReadonly,
        Self::CompleteExtension,
        Self::JoinGroup,
        Self::LeaveGroup,
        Self::ReplicateGroup,
    ];

    /// The statuses in which it may begin.
    ///
    /// Source: the conditional updates of `cinder.volume.api.API`. What else must hold (no snapshots,
    /// not attached, multiattach) is the caller's to see to.
    pub const fn sources(self) -> &'static [VolumeStatus] {
        use VolumeStatus as S;
        match self {
            Self::Delete | Self::Unmanage => &[
                S::Available,
                S::Error,
                S::ErrorRestoring,
                S::ErrorExtending,
                S::ErrorManaging,
            ],
            Self::ForceDelete => S::ALL,
            Self::Extend
            | Self::Snapshot
            | Self::Reserve
            | Self::MigrateLocked
            | Self::Upload
            | Self::Backup
            | Self::Restore
            | Self::Revert
            | Self::OfferTransfer
            | Self::SetReadonly => &[S::Available],
            Self::ExtendInUse
            | Self::SnapshotInUse
            | Self::Clone
            | Self::Retype
            | Self::Migrate
            | Self::UploadForced
            | Self::BackupInUse
            | Self::JoinGroup
            | Self::ReplicateGroup => &[S::Available, S::InUse],
            Self::LeaveGroup => &[S::Available, S::InUse, S::Error, S::ErrorDeleting],
            Self::Reimage => &[S::Available, S::Error],
            Self::ReimageReserved => &[S::Available, S::Error, S::Reserved],
            Self::AcceptTransfer | Self::WithdrawTransfer => &[S::AwaitingTransfer],
            Self::CompleteExtension => &[S::Extending],
            Self::Unreserve => &[S::Attaching],
            Self::Attach => &[S::Available, S::Downloading],
            Self::LegacyAttach => &[S::Available, S::Attaching],
            Self::BeginDetaching => &[S::InUse],
            Self::RollDetaching => &[S::Detaching],
        }
    }

    /// The status that it leads to at once; `None` where the volume's own stays.
    pub const fn target(self) -> Option<VolumeStatus> {
        use VolumeStatus as S;
        match self {
            Self::Delete | Self::ForceDelete => Some(S::Deleting),
            Self::Extend | Self::ExtendInUse => Some(S::Extending),
            Self::Snapshot
            | Self::SnapshotInUse
            | Self::Clone
            | Self::Migrate
            | Self::Upload
            | Self::UploadForced
            | Self::Backup
            | Self::BackupInUse
            | Self::SetReadonly
            | Self::CompleteExtension
            | Self::JoinGroup
            | Self::LeaveGroup
            | Self::ReplicateGroup => None,
            Self::Retype => Some(S::Retyping),
            Self::MigrateLocked => Some(S::Maintenance),
            Self::Restore => Some(S::RestoringBackup),
            Self::Revert => Some(S::Reverting),
            Self::Reimage | Self::ReimageReserved => Some(S::Downloading),
            Self::Unmanage => Some(S::Unmanaging),
            Self::OfferTransfer => Some(S::AwaitingTransfer),
            Self::Reserve => Some(S::Attaching),
            Self::Unreserve | Self::AcceptTransfer | Self::WithdrawTransfer => Some(S::Available),
            Self::Attach => Some(S::Reserved),
            Self::LegacyAttach | Self::RollDetaching => Some(S::InUse),
            Self::BeginDetaching => Some(S::Detaching),
        }
    }
}

impl VolumeStatus {
    /// Whether the operation may begin in this status.
    pub fn allows(self, operation: VolumeOperation) -> bool {
        operation.sources().contains(&self)
    }

    /// Whether somebody works on the volume, so that the status must end by itself.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Creating
            | Self::Deleting
            | Self::ErrorManagingDeleting
            | Self::Managing
            | Self::Attaching
            | Self::Detaching
            | Self::RestoringBackup
            | Self::BackingUp
            | Self::Downloading
            | Self::Uploading
            | Self::Retyping
            | Self::Extending
            | Self::Reverting
            | Self::Unmanaging => true,
            Self::Available
            | Self::Error
            | Self::ErrorDeleting
            | Self::ErrorManaging
            | Self::InUse
            | Self::Maintenance
            | Self::ErrorRestoring
            | Self::Reserved
            | Self::AwaitingTransfer
            | Self::ErrorBackingUp
            | Self::ErrorExtending => false,
        }
    }
}

#[cfg(test)]
mod tests;
