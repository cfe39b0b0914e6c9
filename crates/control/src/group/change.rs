//! Names, volumes and statuses of groups.

use std::collections::BTreeSet;

use firebrick_db::{Group, Tx, Volume, groups, pairs, volumes};
use firebrick_policy::Rule;
use firebrick_state::{
    GroupOperation, GroupStatus, ReplicationStatus, VolumeOperation, VolumeStatus,
};
use firebrick_vocabulary::{GroupId, VolumeId};

use super::look::{held, invalid, is_being_cloned, locked};
use super::replication::{joins, rests};
use super::{Family, UpdateGroup};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::request::Context;
use crate::volume::is_moving;

impl Control {
    /// `PUT /groups/{id}`: volumes come and go at once, all of them or none.
    pub async fn update_group(
        &self,
        context: &Context,
        family: Family,
        id: GroupId,
        change: UpdateGroup,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut group = locked(&mut tx, context, family, id).await?;
        context.allow_for(Rule::GroupUpdate, &group)?;
        let both: Vec<String> = (change.add.iter())
            .filter(|id| change.remove.contains(id))
            .map(|id| format!("'{id}'"))
            .collect();
        if !both.is_empty() {
            return Err(Error::invalid_volume(format_args!(
                "UUIDs [{}] are in both add and remove volume list.",
                both.join(", ")
            )));
        }
        let moved = !change.add.is_empty() || !change.remove.is_empty();
        let moves = if moved {
            self.moves(&mut tx, context, &group, &change).await?
        } else {
            Vec::new()
        };
        let renamed = change
            .name
            .is_some_and(|name| renames(&mut group.name, name))
            | (change.description).is_some_and(|text| renames(&mut group.description, text));
        if !renamed && moves.is_empty() {
            return Err(invalid(format_args!(
                "Cannot update group {id} because no valid name, description, add_volumes, or \
                 remove_volumes were provided."
            )));
        }
        refuse_frozen(&mut tx, group.host.as_ref()).await?;
        let from = [group.status];
        if !groups::swap(&mut tx, &from, &group).await?.won() {
            return Err(Error::lost(format_args!("Group {id}")));
        }
        for volume in moves {
            let from = [volume.status];
            if !volumes::swap(&mut tx, &from, &volume).await?.won() {
                return Err(Error::lost(format_args!("Volume {}", volume.id)));
            }
        }
        Ok(tx.commit().await?)
    }

    /// The volumes that come and go, as they will be.
    async fn moves(
        &self,
        tx: &mut Tx,
        context: &Context,
        group: &Group,
        change: &UpdateGroup,
    ) -> Result<Vec<Volume>> {
        if !group.status.allows(GroupOperation::ChangeVolumes) {
            return Err(invalid("Group status must be available."));
        }
        if is_being_cloned(tx, group.id).await? {
            let text = "Its volumes cannot change while another group is made of it.";
            return Err(invalid(text));
        }
        rests(group)?;
        if group.site.is_some() {
            let text = "Its volumes cannot change while it is at another site.";
            return Err(invalid(text));
        }
        // In the order of their ids, as everybody locks several.
        let wanted: BTreeSet<VolumeId> = change.add.iter().chain(&change.remove).copied().collect();
        let mut moves = Vec::new();
        for id in wanted {
            let found = volumes::get_locked(tx, id).await?;
            let found = found.filter(|volume| context.sees(&volume.project));
            if change.add.contains(&id) {
                moves.extend(joining(tx, group, id, found).await?);
            } else {
                moves.push(leaving(group, id, found)?);
            }
        }
        Ok(moves)
    }

    /// `reset_status` of a group.
    pub async fn reset_group_status(
        &self,
        context: &Context,
        id: GroupId,
        status: &str,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut group = held(&mut tx, context, id).await?;
        context.allow_for(Rule::GroupResetStatus, &group)?;
        let from = [group.status];
        group.status = parsed(status)?;
        if !groups::swap(&mut tx, &from, &group).await?.won() {
            return Err(Error::lost(format_args!("Group {id}")));
        }
        Ok(tx.commit().await?)
    }
}

/// Whether that is another name than it has.
fn renames(present: &mut Option<String>, name: String) -> bool {
    let differs = present.as_deref() != Some(&name);
    *present = Some(name);
    differs
}

fn parsed(text: &str) -> Result<GroupStatus> {
    text.to_lowercase().parse().map_err(|_| {
        let known: Vec<String> = (GroupStatus::ALL.iter())
            .map(|status| format!("'{status}'"))
            .collect();
        let shown: String = text.chars().take(64).collect();
        Error::new(
            ErrorKind::Invalid,
            format_args!(
                "Invalid Group Status: Group status: {shown} is invalid, valid status are: ({}).",
                known.join(", ")
            ),
        )
    })
}

/// The volume as one of the group; `None` where it is that already.
async fn joining(
    tx: &mut Tx,
    group: &Group,
    id: VolumeId,
    found: Option<Volume>,
) -> Result<Option<Volume>> {
    let refuse = |why: String| {
        let text = format!("Cannot add volume {id} to group {} because {why}", group.id);
        Err(Error::invalid_volume(text))
    };
    let Some(mut volume) = found else {
        return refuse("volume cannot be found.".to_owned());
    };
    match volume.group {
        Some(other) if other == group.id => return Ok(None),
        Some(other) => return refuse(format!("it is already in group {other}.")),
        None => {}
    }
    if volume.project != group.project {
        let text = format!(
            "Cannot add volume {id} to group {} as they belong to different projects.",
            group.id
        );
        return Err(Error::invalid_volume(text));
    }
    let types = pairs::types_of_group(tx, group.id).await?;
    if !types.contains(&volume.volume_type) {
        let kind = volume.volume_type;
        return refuse(format!("volume type {kind} is not supported by the group."));
    }
    if !volume.status.allows(VolumeOperation::JoinGroup) || volume.is_migration_target {
        return refuse(state(volume.status, VolumeOperation::JoinGroup));
    }
    let backend = |host: &firebrick_vocabulary::HostName| host.without_pool();
    if volume.host.as_ref().map(backend) != group.host.as_ref().map(backend) {
        return Err(Error::invalid_volume("Volume is not local to this node."));
    }
    if is_moving(&volume) {
        return refuse("volume is migrating.".to_owned());
    }
    if volume.site.is_some() {
        return refuse("volume is at a site of its own.".to_owned());
    }
    if volume.shown.is_some() {
        return refuse(state(volume.shown_status(), VolumeOperation::JoinGroup));
    }
    if !joins(group, &volume) {
        let present = volume.replication_status;
        return refuse(format!(
            "its replication status is {}, and that of the group {}.",
            present.map_or("none", ReplicationStatus::as_str),
            group.replication_status
        ));
    }
    volume.group = Some(group.id);
    Ok(Some(volume))
}

/// The volume as one of no group.
fn leaving(group: &Group, id: VolumeId, found: Option<Volume>) -> Result<Volume> {
    let refuse = |why: String| {
        let text = format!(
            "Cannot remove volume {id} from group {} because {why}",
            group.id
        );
        Err(Error::invalid_volume(text))
    };
    let found = found.filter(|volume| volume.group == Some(group.id));
    let Some(mut volume) = found else {
        return refuse("it is not in the group.".to_owned());
    };
    if !volume.status.allows(VolumeOperation::LeaveGroup) {
        return refuse(state(volume.status, VolumeOperation::LeaveGroup));
    }
    volume.group = None;
    Ok(volume)
}

fn state(status: VolumeStatus, operation: VolumeOperation) -> String {
    let valid: Vec<String> = (operation.sources().iter())
        .map(|status| format!("'{status}'"))
        .collect();
    format!(
        "volume is in an invalid state: {status}. Valid states are: ({}).",
        valid.join(", ")
    )
}
