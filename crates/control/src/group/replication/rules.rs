//! What a group must be to replicate, in Cinder's words.

use std::collections::BTreeSet;

use firebrick_db::{Group, GroupType, Tx, Volume, group_types, pairs, types};
use firebrick_state::{GroupOperation, ReplicationStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{MirrorWay, TypeId};

use crate::error::{Error, ErrorKind, Result};
use crate::group::look::invalid;
use crate::group_type::look::{replicates, replicates_in_both_ways};
use crate::replication::way::mirror_way;
use crate::volume::wants;

/// `Invalid group type: …`, Cinder's `InvalidGroupType`.
fn invalid_group_type(reason: impl std::fmt::Display) -> Error {
    let text = format!("Invalid group type: {reason}");
    Error::new(ErrorKind::Invalid, text)
}

/// Refuses a new group of a type that contradicts itself, and volume types that do not replicate in a group
/// that does.
pub(crate) async fn check_types(
    tx: &mut Tx,
    kind: &GroupType,
    volume_types: &BTreeSet<TypeId>,
) -> Result<()> {
    if replicates_in_both_ways(kind) {
        return Err(invalid_group_type(format_args!(
            "Unable to create group: create group with mixed specs is not supported: {} has \
             group_replication_enabled and consistent_group_replication_enabled.",
            kind.id
        )));
    }
    if !replicates(kind) {
        return Ok(());
    }
    for id in volume_types {
        let found = types::get(tx, *id).await?;
        let Some(found) = found.filter(|kind| wants(kind, "replication_enabled")) else {
            let text = format!(
                "Invalid volume type: Volume type {id} does not have 'replication_enabled' spec key \
                 set to '<is> True'."
            );
            return Err(Error::new(ErrorKind::Invalid, text));
        };
        if let Ok(MirrorWay::Snapshot(_)) = mirror_way(&found) {
            let text = format!(
                "Invalid volume type: Volume type {id} has 'replication_mode' snapshot. Each of its volumes \
                 returns to a mirror snapshot of its own, and those of a group are of one moment."
            );
            return Err(Error::new(ErrorKind::Invalid, text));
        }
    }
    Ok(())
}

/// Refuses a group that is none of those that replicate.
pub(super) async fn check_group(tx: &mut Tx, group: &Group) -> Result<()> {
    let kind = group_types::get_shared(tx, group.group_type).await?;
    let Some(kind) = kind.filter(replicates) else {
        return Err(invalid_group_type(format_args!(
            "Group {} is not a replication group type.",
            group.id
        )));
    };
    let types = pairs::types_of_group(tx, group.id).await?;
    check_types(tx, &kind, &types.into_iter().collect()).await
}

/// Refuses it in statuses in which it must not begin. `what` is what cannot be done then.
pub(super) fn check_statuses(
    group: &Group,
    volumes: &[Volume],
    operation: GroupOperation,
    attached: bool,
    what: &str,
) -> Result<()> {
    let id = group.id;
    if !group.status.allows(operation) {
        return Err(invalid(format_args!(
            "Group {id} status must be {}, but current status is: {}. Cannot {what} replication.",
            listed(operation.sources()),
            group.status
        )));
    }
    let sources = operation.replication_sources().unwrap_or_default();
    if !sources.contains(&group.replication_status) {
        return Err(invalid(format_args!(
            "Group {id} replication status must be {}, but current status is: {}. Cannot {what} \
             replication.",
            listed(sources),
            group.replication_status
        )));
    }
    for volume in volumes {
        check_volume(volume, operation, attached, what)?;
        let present = volume.replication_status;
        if !present.is_some_and(|present| sources.contains(&present)) {
            return Err(Error::invalid_volume(format_args!(
                "Volume {} replication status must be {}, but current status is: {}. Cannot {what} \
                 replication.",
                volume.id,
                listed(sources),
                present.map_or("none", ReplicationStatus::as_str)
            )));
        }
    }
    Ok(())
}

fn check_volume(
    volume: &Volume,
    operation: GroupOperation,
    attached: bool,
    what: &str,
) -> Result<()> {
    let needed = VolumeOperation::ReplicateGroup;
    // What fails may be let go of in any status, but of one that is being made nobody knows yet what to
    // let go of.
    let ready = match operation {
        GroupOperation::DisableReplication => !matches!(
            volume.status,
            VolumeStatus::Creating | VolumeStatus::Downloading
        ),
        _ => volume.status.allows(needed),
    };
    if !ready {
        return Err(Error::invalid_volume(format_args!(
            "Volume {} status must be {}, but current status is: {}. Cannot {what} replication.",
            volume.id,
            listed(needed.sources()),
            volume.status
        )));
    }
    if volume.status == VolumeStatus::InUse && !attached {
        return Err(Error::invalid_volume(format_args!(
            "Volume {} is attached but allow_attached_volume flag is False. Cannot {what} \
             replication.",
            volume.id
        )));
    }
    Ok(())
}

/// As Python shows a list of texts.
fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    let quoted: Vec<String> = all.iter().map(|one| format!("'{one}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Refuses what would meet a change of the group's replication.
pub(in crate::group) fn rests(group: &Group) -> Result<()> {
    if group.replication_status.is_changing() {
        return Err(invalid(format_args!(
            "Group {} replication status is {}; that ends by itself.",
            group.id, group.replication_status
        )));
    }
    Ok(())
}

/// Whether a volume replicates as the others of the group do. A group that does not replicate on its own
/// takes any.
pub(in crate::group) fn joins(group: &Group, volume: &Volume) -> bool {
    match group.replication_status {
        ReplicationStatus::Enabled | ReplicationStatus::FailedOver => {
            volume.replication_status == Some(group.replication_status)
        }
        _ => true,
    }
}
