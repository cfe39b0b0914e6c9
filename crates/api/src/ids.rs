//! Ids in addresses. What is no id names nothing, and is answered as if it were looked for.

use firebrick_vocabulary::{
    ActivityId, AttachmentId, BackupId, GroupId, GroupSnapshotId, GroupTypeId, MessageId, QosId,
    SnapshotUuid, TransferId, TypeId, VolumeId,
};
use uuid::Uuid;

use crate::fault::Fault;

/// The most characters of a wrong id that a message repeats.
const SHOWN: usize = 64;

/// The one form in which ids are written.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok().filter(|_| text.len() == 36)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

fn missing(what: &str, id: &str) -> Fault {
    Fault::not_found(format!("{what} {} could not be found.", shown(id)))
}

/// The volume of an address.
pub(crate) fn volume(text: &str) -> Result<VolumeId, Fault> {
    uuid(text)
        .map(VolumeId)
        .ok_or_else(|| missing("Volume", text))
}

/// The replication of an address: a volume and a target of its backend, as `VOLUME@TARGET`.
pub(crate) fn replication(text: &str) -> Result<(VolumeId, &str), Fault> {
    let parts = text.split_once('@');
    parts
        .and_then(|(id, target)| Some((VolumeId(uuid(id)?), target)))
        .ok_or_else(|| missing("Replication", text))
}

/// The snapshot of an address.
pub(crate) fn snapshot(text: &str) -> Result<SnapshotUuid, Fault> {
    uuid(text)
        .map(SnapshotUuid)
        .ok_or_else(|| missing("Snapshot", text))
}

/// The backup of an address.
pub(crate) fn backup(text: &str) -> Result<BackupId, Fault> {
    uuid(text)
        .map(BackupId)
        .ok_or_else(|| missing("Backup", text))
}

/// The volume type of an address.
pub(crate) fn volume_type(text: &str) -> Result<TypeId, Fault> {
    uuid(text).map(TypeId).ok_or_else(|| no_volume_type(text))
}

/// That there is no such volume type.
pub(crate) fn no_volume_type(text: &str) -> Fault {
    missing("Volume type", text)
}

/// The group of an address.
pub(crate) fn group(text: &str) -> Result<GroupId, Fault> {
    uuid(text)
        .map(GroupId)
        .ok_or_else(|| missing("Group", text))
}

/// The group snapshot of an address.
pub(crate) fn group_snapshot(text: &str) -> Result<GroupSnapshotId, Fault> {
    uuid(text)
        .map(GroupSnapshotId)
        .ok_or_else(|| missing("GroupSnapshot", text))
}

/// The group type of an address.
pub(crate) fn group_type(text: &str) -> Result<GroupTypeId, Fault> {
    uuid(text)
        .map(GroupTypeId)
        .ok_or_else(|| missing("Group type", text))
}

/// The activity of an address.
pub(crate) fn activity(text: &str) -> Result<ActivityId, Fault> {
    uuid(text)
        .map(ActivityId)
        .ok_or_else(|| missing("Activity", text))
}

/// The message of an address.
pub(crate) fn message(text: &str) -> Result<MessageId, Fault> {
    uuid(text)
        .map(MessageId)
        .ok_or_else(|| missing("Message", text))
}

/// The transfer of an address.
pub(crate) fn transfer(text: &str) -> Result<TransferId, Fault> {
    uuid(text)
        .map(TransferId)
        .ok_or_else(|| missing("Transfer", text))
}

/// The QoS spec of an address.
pub(crate) fn qos(text: &str) -> Result<QosId, Fault> {
    uuid(text)
        .map(QosId)
        .ok_or_else(|| Fault::not_found(format!("No such QoS spec {}.", shown(text))))
}

/// The attachment of an address.
pub(crate) fn attachment(text: &str) -> Result<AttachmentId, Fault> {
    uuid(text).map(AttachmentId).ok_or_else(|| {
        let id = shown(text);
        Fault::not_found(format!(
            "Volume attachment could not be found with filter: attachment_id = {id}."
        ))
    })
}
