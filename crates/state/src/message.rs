//! Messages to users: what failed, and why, in words that name no host.

/// A kind of message part: a number that clients know, and a text.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal, $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number, which is written with three digits.
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one of that number.
            pub const fn of_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

numbered!(
    /// What was being done. Numbers from 101 on are not Cinder's.
    ///
    /// Source: `cinder.message.message_field.Action`.
    MessageAction {
        /// Schedule allocate volume.
        ScheduleAllocateVolume = 1, "schedule allocate volume",
        /// Attach volume.
        AttachVolume = 2, "attach volume",
        /// Copy volume to image.
        CopyVolumeToImage = 3, "copy volume to image",
        /// Update attachment.
        UpdateAttachment = 4, "update attachment",
        /// Copy image to volume.
        CopyImageToVolume = 5, "copy image to volume",
        /// Unmanage volume.
        UnmanageVolume = 6, "unmanage volume",
        /// Extend volume.
        ExtendVolume = 7, "extend volume",
        /// Create volume from backend storage.
        CreateVolumeFromBackend = 8, "create volume from backend storage",
        /// Create snapshot.
        SnapshotCreate = 9, "create snapshot",
        /// Delete snapshot.
        SnapshotDelete = 10, "delete snapshot",
        /// Update snapshot.
        SnapshotUpdate = 11, "update snapshot",
        /// Update snapshot metadata.
        SnapshotMetadataUpdate = 12, "update snapshot metadata",
        /// Create backup.
        BackupCreate = 13, "create backup",
        /// Delete backup.
        BackupDelete = 14, "delete backup",
        /// Restore backup.
        BackupRestore = 15, "restore backup",
        /// Reimage volume.
        ReimageVolume = 16, "reimage volume",
        /// Change replication of group.
        ReplicateGroup = 101, "change replication of group",
        /// Fail over.
        FailOver = 102, "fail over",
        /// Migrate volume.
        MigrateVolume = 103, "migrate volume",
        /// Retype volume.
        RetypeVolume = 104, "retype volume",
        /// Revert volume to snapshot.
        RevertVolume = 105, "revert volume to snapshot",
        /// Transfer volume.
        TransferVolume = 106, "transfer volume",
        /// Manage volume.
        ManageVolume = 107, "manage volume",
        /// Manage snapshot.
        ManageSnapshot = 108, "manage snapshot",
        /// Unmanage snapshot.
        UnmanageSnapshot = 109, "unmanage snapshot",
        /// Delete volume.
        DeleteVolume = 110, "delete volume",
        /// Create group.
        CreateGroup = 111, "create group",
        /// Delete group.
        DeleteGroup = 113, "delete group",
        /// Create group snapshot.
        CreateGroupSnapshot = 114, "create group snapshot",
        /// Delete group snapshot.
        DeleteGroupSnapshot = 115, "delete group snapshot",
        /// Replicate volume.
        ReplicateVolume = 116, "replicate volume",
        /// Drill volume.
        DrillVolume = 117, "drill volume",
    }
);

numbered!(
    /// Why it failed. Numbers from 101 on are not Cinder's.
    ///
    /// Source: `cinder.message.message_field.Detail`.
    MessageDetail {
        /// An unknown error occurred.
        UnknownError = 1, "An unknown error occurred.",
        /// Driver is not initialized at present.
        DriverNotInitialized = 2, "Driver is not initialized at present.",
        /// Could not find any available weighted backend.
        NoBackendAvailable = 3, "Could not find any available weighted backend.",
        /// Failed to upload volume to image at backend.
        FailedToUploadVolume = 4, "Failed to upload volume to image at backend.",
        /// Volume's attach mode is invalid.
        VolumeAttachModeInvalid = 5, "Volume's attach mode is invalid.",
        /// Not enough quota resource for operation.
        QuotaExceed = 6, "Not enough quota resource for operation.",
        /// Image used for creating volume exceeds available space.
        NotEnoughSpaceForImage = 7, "Image used for creating volume exceeds available space.",
        /// Unmanaging encrypted volumes is not supported.
        UnmanageEncNotSupported = 8, "Unmanaging encrypted volumes is not supported.",
        /// Compute service failed to extend volume.
        NotifyComputeServiceFailed = 9, "Compute service failed to extend volume.",
        /// Volume Driver failed to extend volume.
        DriverFailedExtend = 10, "Volume Driver failed to extend volume.",
        /// Image signature verification failed.
        SignatureVerificationFailed = 11, "Image signature verification failed.",
        /// Driver failed to create the volume.
        DriverFailedCreate = 12, "Driver failed to create the volume.",
        /// Snapshot failed to create.
        SnapshotCreateError = 13, "Snapshot failed to create.",
        /// Volume snapshot update metadata failed.
        SnapshotUpdateMetadataFailed = 14, "Volume snapshot update metadata failed.",
        /// Snapshot is busy.
        SnapshotIsBusy = 15, "Snapshot is busy.",
        /// Snapshot failed to delete.
        SnapshotDeleteError = 16, "Snapshot failed to delete.",
        /// Backup status is invalid.
        BackupInvalidState = 17, "Backup status is invalid.",
        /// Backup service is down.
        BackupServiceDown = 18, "Backup service is down.",
        /// Failed to get backup device from the volume service.
        BackupCreateDeviceError = 19, "Failed to get backup device from the volume service.",
        /// Backup driver failed to create backup.
        BackupCreateDriverError = 20, "Backup driver failed to create backup.",
        /// Failed to attach volume.
        AttachError = 21, "Failed to attach volume.",
        /// Failed to detach volume.
        DetachError = 22, "Failed to detach volume.",
        /// Cleanup of temporary volume/snapshot failed.
        BackupCreateCleanupError = 23, "Cleanup of temporary volume/snapshot failed.",
        /// Backup failed to schedule. Service not found for creating backup.
        BackupScheduleError = 24, "Backup failed to schedule. Service not found for creating backup.",
        /// Backup driver failed to delete backup.
        BackupDeleteDriverError = 25, "Backup driver failed to delete backup.",
        /// Backup driver failed to restore backup.
        BackupRestoreError = 26, "Backup driver failed to restore backup.",
        /// Volume status is invalid.
        VolumeInvalidState = 27, "Volume status is invalid.",
        /// Compute service failed to reimage volume.
        ReimageVolumeFailed = 28, "Compute service failed to reimage volume.",
        /// The image disk format must be the same as the volume format for the volume type you are requesting.
        ImageFormatUnacceptable = 29, "The image disk format must be the same as the volume format for the volume type you are requesting.",
        /// Incremental backup not possible, forcing full backup.
        IncrementalBackupForcesFullBackup = 30, "Incremental backup not possible, forcing full backup.",
        /// The site of the volume cannot be reached.
        SiteUnreachable = 101, "The site of the volume cannot be reached.",
        /// The other site has not caught up.
        NotCaughtUp = 102, "The other site has not caught up.",
        /// The backend has no space left.
        NoSpace = 103, "The backend has no space left.",
        /// The source is gone or has changed.
        SourceChanged = 104, "The source is gone or has changed.",
        /// Data that was read does not match its checksum.
        DataDamaged = 105, "Data that was read does not match its checksum.",
        /// The operation was cancelled.
        Cancelled = 106, "The operation was cancelled.",
        /// The backend refused the operation.
        BackendRefused = 107, "The backend refused the operation.",
        /// The other site lacks more of the volume than its type allows.
        RpoTargetMissed = 108, "The other site lacks more of the volume than its type allows.",
    }
);

crate::text::texts!(
    /// What a message is about: Cinder's `Resource`, and groups.
    MessageResource, "resource of messages", {
        /// A volume.
        Volume = "VOLUME",
        /// A snapshot.
        Snapshot = "VOLUME_SNAPSHOT",
        /// A backup.
        Backup = "VOLUME_BACKUP",
        /// A group.
        Group = "VOLUME_GROUP",
        /// A group snapshot.
        GroupSnapshot = "VOLUME_GROUP_SNAPSHOT",
    }
);

/// `event_id` of a message: `VOLUME_<resource>_<action>_<detail>`.
pub fn event_id(resource: MessageResource, action: MessageAction, detail: MessageDetail) -> String {
    format!(
        "VOLUME_{resource}_{:03}_{:03}",
        action.number(),
        detail.number()
    )
}

/// `user_message`: what was being done, and why that failed.
pub fn user_message(action: MessageAction, detail: MessageDetail) -> String {
    format!("{}: {}", action.text(), detail.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_clients_know() {
        for action in MessageAction::ALL {
            assert_eq!(MessageAction::of_number(action.number()), Some(*action));
        }
        for detail in MessageDetail::ALL {
            assert_eq!(MessageDetail::of_number(detail.number()), Some(*detail));
        }
        let id = event_id(
            MessageResource::Volume,
            MessageAction::ScheduleAllocateVolume,
            MessageDetail::NoBackendAvailable,
        );
        assert_eq!(id, "VOLUME_VOLUME_001_003");
        let text = user_message(
            MessageAction::ScheduleAllocateVolume,
            MessageDetail::NoBackendAvailable,
        );
        assert_eq!(
            text,
            "schedule allocate volume: Could not find any available weighted backend."
        );
    }
}
