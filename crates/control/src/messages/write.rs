//! The message that an activity leaves when it fails.

use firebrick_db::{Activity, Message, now};
use firebrick_state::{
    ActivityKind, MessageAction as Action, MessageDetail as Detail, MessageResource as Resource,
    event_id,
};
use firebrick_vocabulary::MessageId;
use uuid::Uuid;

use crate::options::ControlOptions;
use crate::why::Why;

/// The message of an activity that failed; none of one that no user asked for.
pub(crate) fn message_of(
    activity: &Activity,
    why: &Why,
    options: &ControlOptions,
) -> Option<Message> {
    let (resource_type, action, usually) = kind(activity.kind)?;
    let detail = why.detail_or(usually);
    let action = match (detail, activity.kind) {
        // No pool is sought by the backend.
        (Detail::NoBackendAvailable, _) => Action::ScheduleAllocateVolume,
        // It is the image that will not do.
        (
            Detail::NotEnoughSpaceForImage
            | Detail::ImageFormatUnacceptable
            | Detail::SignatureVerificationFailed,
            ActivityKind::CreateVolume,
        ) => Action::CopyImageToVolume,
        _ => action,
    };
    let created_at = now();
    Some(Message {
        id: MessageId::random(),
        project: activity.project.clone(),
        request_id: activity.request_id.clone(),
        resource_type,
        resource: Some(subject(activity, resource_type)),
        event_id: event_id(resource_type, action, detail),
        action: u32::from(action.number()),
        detail: u32::from(detail.number()),
        note: why.note().map(str::to_owned),
        level: "ERROR".to_owned(),
        created_at,
        expires_at: created_at + options.message_ttl,
    })
}

/// What the message is about: attachments have none of their own.
fn subject(activity: &Activity, of: Resource) -> Uuid {
    match (of, activity.volume) {
        (Resource::Volume, Some(volume)) => volume.0,
        _ => activity.resource,
    }
}

/// What a kind of activity is about, what it does, and what is usually wrong when it fails.
fn kind(kind: ActivityKind) -> Option<(Resource, Action, Detail)> {
    use ActivityKind as Kind;
    let volume = |action, detail| Some((Resource::Volume, action, detail));
    let snapshot = |action, detail| Some((Resource::Snapshot, action, detail));
    let backup = |action, detail| Some((Resource::Backup, action, detail));
    let group = |action| Some((Resource::Group, action, Detail::UnknownError));
    let group_snapshot = |action| Some((Resource::GroupSnapshot, action, Detail::UnknownError));
    match kind {
        Kind::CreateVolume => volume(Action::CreateVolumeFromBackend, Detail::DriverFailedCreate),
        Kind::DeleteVolume => volume(Action::DeleteVolume, Detail::BackendRefused),
        Kind::ExtendVolume => volume(Action::ExtendVolume, Detail::DriverFailedExtend),
        Kind::RetypeVolume => volume(Action::RetypeVolume, Detail::UnknownError),
        Kind::MigrateVolume => volume(Action::MigrateVolume, Detail::UnknownError),
        Kind::RevertVolume => volume(Action::RevertVolume, Detail::BackendRefused),
        Kind::FailoverVolume => volume(Action::FailOver, Detail::UnknownError),
        Kind::ReplicateVolume => volume(Action::ReplicateVolume, Detail::BackendRefused),
        Kind::Drill => volume(Action::DrillVolume, Detail::BackendRefused),
        Kind::ReimageVolume => volume(Action::ReimageVolume, Detail::UnknownError),
        Kind::ManageVolume => volume(Action::ManageVolume, Detail::BackendRefused),
        Kind::UnmanageVolume => volume(Action::UnmanageVolume, Detail::UnknownError),
        Kind::UploadVolume => volume(Action::CopyVolumeToImage, Detail::FailedToUploadVolume),
        Kind::NotifyExtended => volume(Action::ExtendVolume, Detail::NotifyComputeServiceFailed),
        Kind::NotifyReimaged => volume(Action::ReimageVolume, Detail::ReimageVolumeFailed),
        Kind::RestoreBackup => volume(Action::BackupRestore, Detail::BackupRestoreError),
        Kind::Attach => volume(Action::AttachVolume, Detail::AttachError),
        Kind::CreateSnapshot => snapshot(Action::SnapshotCreate, Detail::SnapshotCreateError),
        Kind::DeleteSnapshot => snapshot(Action::SnapshotDelete, Detail::SnapshotDeleteError),
        Kind::ManageSnapshot => snapshot(Action::ManageSnapshot, Detail::BackendRefused),
        Kind::UnmanageSnapshot => snapshot(Action::UnmanageSnapshot, Detail::UnknownError),
        Kind::CreateBackup => backup(Action::BackupCreate, Detail::BackupCreateDriverError),
        Kind::DeleteBackup => backup(Action::BackupDelete, Detail::BackupDeleteDriverError),
        Kind::CreateGroup => group(Action::CreateGroup),
        Kind::DeleteGroup => group(Action::DeleteGroup),
        Kind::GroupReplication => group(Action::ReplicateGroup),
        Kind::GroupFailover => group(Action::FailOver),
        Kind::CreateGroupSnapshot => group_snapshot(Action::CreateGroupSnapshot),
        Kind::DeleteGroupSnapshot => group_snapshot(Action::DeleteGroupSnapshot),
        // The reconciler asked for the one, what failed ends by itself of the other, and the third is
        // about no project's thing.
        Kind::LimitVolume | Kind::Detach | Kind::Failover => None,
    }
}
