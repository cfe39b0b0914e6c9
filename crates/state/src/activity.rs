//! Activities: durable units of work.

use crate::text::texts;
use crate::volume::VolumeStatus;

texts!(
    /// What an activity does.
    ActivityKind, "activity", {
        /// Makes a volume.
        CreateVolume = "create_volume",
        /// Removes a volume.
        DeleteVolume = "delete_volume",
        /// Makes a volume larger.
        ExtendVolume = "extend_volume",
        /// Holds a volume to the limits of its type.
        LimitVolume = "limit_volume",
        /// Gives a volume another type, where needed by moving it.
        RetypeVolume = "retype_volume",
        /// Moves a volume to another pool.
        MigrateVolume = "migrate_volume",
        /// Returns a volume to its newest snapshot.
        RevertVolume = "revert_volume",
        /// Moves a volume to its other site.
        FailoverVolume = "failover_volume",
        /// Begins or ends the replication of a volume.
        ReplicateVolume = "replicate_volume",
        /// Makes a drill of the copy of a volume.
        Drill = "drill",
        /// Writes an image into a volume again.
        ReimageVolume = "reimage_volume",
        /// Takes over an image of a site as a volume.
        ManageVolume = "manage_volume",
        /// Gives up a volume and leaves its image.
        UnmanageVolume = "unmanage_volume",
        /// Uploads a volume as an image.
        UploadVolume = "upload_volume",
        /// Tells a server that its disk has grown.
        NotifyExtended = "notify_extended",
        /// Tells a server that its disk was written anew.
        NotifyReimaged = "notify_reimaged",
        /// Takes a snapshot.
        CreateSnapshot = "create_snapshot",
        /// Removes a snapshot.
        DeleteSnapshot = "delete_snapshot",
        /// Takes over a snapshot of an image.
        ManageSnapshot = "manage_snapshot",
        /// Gives up a snapshot and leaves it to its image.
        UnmanageSnapshot = "unmanage_snapshot",
        /// Makes a backup.
        CreateBackup = "create_backup",
        /// Writes a backup into a volume.
        RestoreBackup = "restore_backup",
        /// Removes a backup.
        DeleteBackup = "delete_backup",
        /// Makes a group.
        CreateGroup = "create_group",
        /// Removes a group.
        DeleteGroup = "delete_group",
        /// Takes snapshots of all volumes of a group at one position.
        CreateGroupSnapshot = "create_group_snapshot",
        /// Removes them.
        DeleteGroupSnapshot = "delete_group_snapshot",
        /// Begins or ends the replication of a group.
        GroupReplication = "group_replication",
        /// Moves a group to its other site.
        GroupFailover = "group_failover",
        /// Exports a volume for an attachment.
        Attach = "attach",
        /// Ends an export.
        Detach = "detach",
        /// Moves a backend to another site.
        Failover = "failover",
    }
);

texts!(
    /// What an activity does something to.
    ActivityResource, "resource of activities", {
        /// A volume.
        Volume = "volume",
        /// A snapshot.
        Snapshot = "snapshot",
        /// An attachment.
        Attachment = "attachment",
        /// The drill of a volume at a site.
        Drill = "drill",
        /// A backup.
        Backup = "backup",
        /// A group.
        Group = "group",
        /// A group snapshot.
        GroupSnapshot = "group_snapshot",
        /// An image of the image service.
        Image = "image",
        /// A server of the compute service.
        Server = "server",
        /// The service of a backend.
        Service = "service",
    }
);

impl ActivityKind {
    /// What its resource is.
    pub const fn resource(self) -> ActivityResource {
        match self {
            Self::CreateVolume
            | Self::DeleteVolume
            | Self::ExtendVolume
            | Self::LimitVolume
            | Self::RetypeVolume
            | Self::MigrateVolume
            | Self::RevertVolume
            | Self::FailoverVolume
            | Self::ReplicateVolume
            | Self::ReimageVolume
            | Self::ManageVolume
            | Self::UnmanageVolume => ActivityResource::Volume,
            Self::UploadVolume => ActivityResource::Image,
            Self::Drill => ActivityResource::Drill,
            Self::NotifyExtended | Self::NotifyReimaged => ActivityResource::Server,
            Self::CreateSnapshot
            | Self::DeleteSnapshot
            | Self::ManageSnapshot
            | Self::UnmanageSnapshot => ActivityResource::Snapshot,
            Self::CreateBackup | Self::RestoreBackup | Self::DeleteBackup => {
                ActivityResource::Backup
            }
            Self::CreateGroup
            | Self::DeleteGroup
            | Self::GroupReplication
            | Self::GroupFailover => ActivityResource::Group,
            Self::CreateGroupSnapshot | Self::DeleteGroupSnapshot => {
                ActivityResource::GroupSnapshot
            }
            Self::Attach | Self::Detach => ActivityResource::Attachment,
            Self::Failover => ActivityResource::Service,
        }
    }

    /// Whether it leaves the volume that it is about to others: its status stays what it was, and
    /// several run side by side. Its resource is never the volume.
    pub const fn is_independent(self) -> bool {
        match self {
            Self::CreateSnapshot
            | Self::CreateBackup
            | Self::UploadVolume
            | Self::Drill
            | Self::NotifyExtended
            | Self::NotifyReimaged
            | Self::CreateGroupSnapshot
            | Self::GroupReplication => true,
            Self::CreateVolume
            | Self::DeleteVolume
            | Self::ExtendVolume
            | Self::LimitVolume
            | Self::RetypeVolume
            | Self::MigrateVolume
            | Self::RevertVolume
            | Self::FailoverVolume
            | Self::ReplicateVolume
            | Self::ReimageVolume
            | Self::ManageVolume
            | Self::UnmanageVolume
            | Self::DeleteSnapshot
            | Self::ManageSnapshot
            | Self::UnmanageSnapshot
            | Self::RestoreBackup
            | Self::DeleteBackup
            | Self::CreateGroup
            | Self::DeleteGroup
            | Self::DeleteGroupSnapshot
            | Self::GroupFailover
            | Self::Attach
            | Self::Detach
            | Self::Failover => false,
        }
    }

    /// What its volume shows in the place of `available` or `in-use` while it runs, as clients that
    /// know no activities expect. Only of [independent](Self::is_independent) ones.
    pub const fn shows(self) -> Option<VolumeStatus> {
        match self {
            Self::CreateBackup => Some(VolumeStatus::BackingUp),
            Self::UploadVolume => Some(VolumeStatus::Uploading),
            Self::CreateVolume
            | Self::DeleteVolume
            | Self::ExtendVolume
            | Self::LimitVolume
            | Self::RetypeVolume
            | Self::MigrateVolume
            | Self::RevertVolume
            | Self::FailoverVolume
            | Self::ReplicateVolume
            | Self::ReimageVolume
            | Self::ManageVolume
            | Self::UnmanageVolume
            | Self::Drill
            | Self::NotifyExtended
            | Self::NotifyReimaged
            | Self::CreateSnapshot
            | Self::DeleteSnapshot
            | Self::ManageSnapshot
            | Self::UnmanageSnapshot
            | Self::RestoreBackup
            | Self::DeleteBackup
            | Self::CreateGroup
            | Self::DeleteGroup
            | Self::CreateGroupSnapshot
            | Self::DeleteGroupSnapshot
            | Self::GroupReplication
            | Self::GroupFailover
            | Self::Attach
            | Self::Detach
            | Self::Failover => None,
        }
    }

    /// Whether a user may end it before it is done: nothing that was there before is lost by that,
    /// and what it has made is removed.
    pub const fn may_cancel(self) -> bool {
        match self {
            Self::CreateVolume
            | Self::CreateBackup
            | Self::UploadVolume
            | Self::Drill
            | Self::MigrateVolume
            | Self::RetypeVolume => true,
            Self::DeleteVolume
            | Self::ExtendVolume
            | Self::LimitVolume
            | Self::RevertVolume
            | Self::FailoverVolume
            | Self::ReplicateVolume
            | Self::ReimageVolume
            | Self::ManageVolume
            | Self::UnmanageVolume
            | Self::NotifyExtended
            | Self::NotifyReimaged
            | Self::CreateSnapshot
            | Self::DeleteSnapshot
            | Self::ManageSnapshot
            | Self::UnmanageSnapshot
            | Self::RestoreBackup
            | Self::DeleteBackup
            | Self::CreateGroup
            | Self::DeleteGroup
            | Self::CreateGroupSnapshot
            | Self::DeleteGroupSnapshot
            | Self::GroupReplication
            | Self::GroupFailover
            | Self::Attach
            | Self::Detach
            | Self::Failover => false,
        }
    }
}

texts!(
    /// How far an activity is.
    ActivityStatus, "activity status", {
        /// Somebody works on it, or will.
        Running = "running",
        /// It is done.
        Done = "done",
        /// It failed, and what it had done is undone.
        Failed = "failed",
        /// A user ended it, and what it had done is undone.
        Cancelled = "cancelled",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_loses_nothing_may_be_cancelled() {
        for kind in ActivityKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            let removes = kind.as_str().starts_with("delete_");
            let overwrites = matches!(
                kind,
                ActivityKind::RestoreBackup
                    | ActivityKind::RevertVolume
                    | ActivityKind::ReimageVolume
            );
            assert!(!(removes || overwrites) || !kind.may_cancel(), "{kind}");
            assert!(
                !(removes || overwrites) || !kind.is_independent(),
                "{kind} occupies what it changes"
            );
            assert!(kind.shows().is_none() || kind.is_independent(), "{kind}");
        }
    }
}
