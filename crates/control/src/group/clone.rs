//! A group is made of another one, or of a snapshot of one. From the group itself it is made of hidden
//! snapshots that are taken of all its volumes at once.

use firebrick_backend::{Backend, Fault, FaultKind, Origin};
use firebrick_db::{
    Activity, Connection, Group, Tx, Volume, group_types, groups, image_properties, now, pairs,
    snapshots, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::{
    ActivityKind, AttachStatus, GroupOperation, GroupSnapshotStatus, GroupStatus,
    ReplicationStatus, SnapshotOperation, VolumeOperation, VolumeStatus,
};
use firebrick_vocabulary::{
    GroupId, GroupSnapshotId, ImageId, SnapshotName, SnapshotUuid, VolumeId,
};
use serde_json::json;
use tracing::info;

use super::look::{hold_members, invalid, locked, members};
use super::replication::rests;
use super::{CloneGroup, Family, GroupSource};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::group_snapshot::look as snapshot_look;
use crate::group_snapshot::take::take;
use crate::group_type::look::is_consistent;
use crate::home::{Home, moves, refuse_apart};
use crate::quota;
use crate::request::{Context, Metadata};
use crate::story::{Step, Stop, noted};
use crate::volume::create::{build, image_of};
use crate::volume::is_moving;

/// What the names of the hidden snapshots begin with.
const HIDDEN: &str = "group-";

/// Of what a volume of the new group is made.
struct Part {
    origin: Volume,
    snapshot: Option<SnapshotUuid>,
    size: u32,
}

impl Control {
    /// `create-from-src`: the group and its volumes are `creating` until all of them are there.
    pub async fn clone_group(
        &self,
        context: &Context,
        family: Family,
        request: CloneGroup,
    ) -> Result<Group> {
        let inner = &self.inner;
        context.allow(Rule::GroupCreate)?;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(context.owner()?).await?;
        let (source, parts) = match request.source {
            GroupSource::Snapshot(id) => of_snapshot(&mut tx, context, family, id).await?,
            GroupSource::Group(id) => of_group(&mut tx, context, family, id).await?,
        };
        let quotas = &inner.options.quotas;
        let sizes = parts
            .iter()
            .map(|part| (part.origin.volume_type, part.size));
        let wanted = quota::Wanted::volumes_by_type(sizes);
        for wanted in wanted.into_iter().chain([quota::Wanted::group()]) {
            quota::check(&mut tx, quotas, &context.project, wanted).await?;
        }
        refuse_frozen(&mut tx, source.host.as_ref()).await?;
        let group = row(context, request, &source);
        groups::insert(&mut tx, &group).await?;
        for kind in pairs::types_of_group(&mut tx, source.id).await? {
            pairs::add_group_type(&mut tx, group.id, kind).await?;
        }
        for part in parts {
            // Of a volume that has left the group since.
            pairs::add_group_type(&mut tx, group.id, part.origin.volume_type).await?;
            let origin = part.snapshot.map_or(part.origin.id.0, |id| id.0);
            let volume = volume_of(context, &group, part);
            refuse_apart(&mut tx, &volume).await?;
            volumes::insert(&mut tx, &volume).await?;
            image_properties::copy(&mut tx, origin, volume.id.0).await?;
        }
        let story = ActivityKind::CreateGroup;
        inner
            .begin(&mut tx, context, story, group.id.0, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(group)
    }
}

async fn of_snapshot(
    tx: &mut Tx,
    context: &Context,
    family: Family,
    id: GroupSnapshotId,
) -> Result<(Group, Vec<Part>)> {
    let group = snapshot_look::group_of(tx, context, family, id).await?;
    let source = locked(tx, context, family, group).await?;
    rests(&source)?;
    let taken = snapshot_look::locked(tx, context, family, id).await?;
    if !GroupSnapshotStatus::CLONE_SOURCES.contains(&taken.status) {
        return Err(snapshot_look::invalid(format_args!(
            "Group snapshot {id} must be available, but its status is {}.",
            taken.status
        )));
    }
    let mut parts = Vec::new();
    for snapshot in snapshot_look::members(tx, id).await? {
        if !snapshot.status.allows(SnapshotOperation::Clone) {
            return Err(invalid(format_args!(
                "Cannot create group because snapshot {} is not in a valid state. Valid states \
                 are: available.",
                snapshot.id
            )));
        }
        let origin = volumes::get(tx, snapshot.volume).await?;
        let mut origin = origin.ok_or_else(|| Error::no_volume(snapshot.volume))?;
        origin.encryption_key = snapshot.encryption_key;
        parts.push(Part {
            origin,
            snapshot: Some(snapshot.id),
            size: snapshot.size,
        });
    }
    if parts.is_empty() {
        let text = "Group snapshot is empty. No group will be created.";
        return Err(invalid(text));
    }
    Ok((source, parts))
}

async fn of_group(
    tx: &mut Tx,
    context: &Context,
    family: Family,
    id: GroupId,
) -> Result<(Group, Vec<Part>)> {
    let source = locked(tx, context, family, id).await?;
    if !source.status.allows(GroupOperation::Clone) {
        return Err(invalid(format_args!(
            "Group {id} must be available, but its status is {}.",
            source.status
        )));
    }
    rests(&source)?;
    let mut parts = Vec::new();
    for origin in hold_members(tx, id).await? {
        if !origin.status.allows(VolumeOperation::Clone) || is_moving(&origin) {
            return Err(invalid(format_args!(
                "Cannot create group because source volume {} is not in a valid state. Valid \
                 states are: available, in-use.",
                origin.id
            )));
        }
        let size = origin.size;
        parts.push(Part {
            origin,
            snapshot: None,
            size,
        });
    }
    if parts.is_empty() {
        return Err(invalid("Source Group is empty. No group will be created."));
    }
    Ok((source, parts))
}

fn row(context: &Context, request: CloneGroup, source: &Group) -> Group {
    let (group_snapshot, from) = match request.source {
        GroupSource::Snapshot(id) => (Some(id), None),
        GroupSource::Group(id) => (None, Some(id)),
    };
    Group {
        id: GroupId::random(),
        project: context.project.clone(),
        user: context.user.clone(),
        name: request.name,
        description: request.description,
        status: GroupStatus::Creating,
        replication_status: ReplicationStatus::Disabled,
        group_snapshot,
        source: from,
        created_at: now(),
        updated_at: None,
        ..source.clone()
    }
}

/// As Cinder's, it has no name. It lives where its origin does.
fn volume_of(context: &Context, group: &Group, part: Part) -> Volume {
    let replicated = moves(&part.origin);
    Volume {
        id: VolumeId::random(),
        project: context.project.clone(),
        user: context.user.clone(),
        name: None,
        description: None,
        size: part.size,
        status: VolumeStatus::Creating,
        shown: None,
        previous_status: None,
        attach_status: AttachStatus::Detached,
        migration_status: None,
        is_migration_target: false,
        snapshot: part.snapshot,
        source: part.snapshot.is_none().then_some(part.origin.id),
        group: Some(group.id),
        site: None,
        image: None,
        provider_id: None,
        readonly: None,
        consumes_quota: true,
        replication_status: Some(if replicated {
            ReplicationStatus::Enabled
        } else {
            ReplicationStatus::Disabled
        }),
        metadata: Metadata::new(),
        created_at: now(),
        updated_at: None,
        launched_at: None,
        ..part.origin
    }
}

/// The story of a group that is made of something: hidden snapshots where needed, the images, the
/// rows.
pub(super) async fn run(inner: &Inner, activity: &Activity, group: Group) -> Step {
    let made = making(&mut *inner.db.read().await?, group.id).await?;
    if group.source.is_some() {
        inner.progress(activity, "taking snapshots", 0, 0).await?;
        let kind = group_types::get(&mut *inner.db.read().await?, group.group_type).await?;
        let together = kind.is_some_and(|kind| is_consistent(&kind));
        take(inner, &sources(inner, &made, group.id).await?, together).await?;
    }
    inner.progress(activity, "making volumes", 0, 0).await?;
    let mut homes = Vec::new();
    for volume in &made {
        let origin = origin(&mut *inner.db.read().await?, volume, group.id).await?;
        homes.push(build(inner, volume, Some(origin)).await?);
    }
    tidy(inner, &group).await?;
    let mut tx = inner.db.begin().await?;
    if let Err(stop) = stay(&mut tx, &homes).await {
        give_up(&homes, &made).await;
        return Err(stop);
    }
    let newer = groups::get_locked(&mut tx, group.id).await?;
    for (home, volume) in homes.iter().zip(&made) {
        if let Some(mut volume) = volumes::get_locked(&mut tx, volume.id).await? {
            volume.status = VolumeStatus::Available;
            volume.replication_status = Some(home.replication_status());
            volume.launched_at = Some(now());
            let from = [VolumeStatus::Creating];
            noted(volumes::swap(&mut tx, &from, &volume).await?, volume.id);
        }
    }
    if let Some(mut group) = newer {
        group.status = GroupStatus::Available;
        let from = [GroupStatus::Creating];
        noted(groups::swap(&mut tx, &from, &group).await?, group.id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

async fn stay(tx: &mut Tx, homes: &[Home]) -> Step {
    for home in homes {
        home.stays(tx).await?;
    }
    Ok(())
}

/// The next run makes them primary where they will live; these copies must not be that then.
async fn give_up(homes: &[Home], made: &[Volume]) {
    for (home, volume) in homes.iter().zip(made) {
        if let Err(fault) = home.site.demote(&[volume.image()]).await {
            info!(volume = %volume.id, %fault, "the copy of a new volume is given up where it was made");
        }
    }
}

/// The volumes that are made with the group.
async fn making(connection: &mut Connection, id: GroupId) -> Step<Vec<Volume>> {
    let mut made = members(connection, id).await?;
    made.retain(|volume| volume.status == VolumeStatus::Creating && volume.host.is_some());
    Ok(made)
}

/// The origins of the volumes with the names of their hidden snapshots.
async fn sources(
    inner: &Inner,
    made: &[Volume],
    group: GroupId,
) -> Step<Vec<(Volume, SnapshotName)>> {
    let connection = &mut *inner.db.read().await?;
    let mut found = Vec::new();
    for id in made.iter().filter_map(|volume| volume.source) {
        let origin = volumes::get(connection, id).await?;
        let origin = origin.ok_or_else(|| Stop::never(format!("volume {id} is gone")))?;
        found.push((origin, hidden_name(group)?));
    }
    Ok(found)
}

async fn origin(connection: &mut Connection, volume: &Volume, group: GroupId) -> Step<Origin> {
    if let Some(id) = volume.snapshot {
        let snapshot = snapshots::get(connection, id).await?;
        let snapshot = snapshot.ok_or_else(|| Stop::never(format!("snapshot {id} is gone")))?;
        return Ok(Origin {
            image: image_of(connection, snapshot.volume).await?,
            snapshot: Some(snapshot.image_name()),
        });
    }
    let id = volume
        .source
        .ok_or_else(|| Stop::never("it has no origin"))?;
    Ok(Origin {
        image: image_of(connection, id).await?,
        snapshot: Some(hidden_name(group)?),
    })
}

fn hidden_name(group: GroupId) -> Step<SnapshotName> {
    let name = SnapshotName::new(format!("{HIDDEN}{group}"));
    name.map_err(|error| Stop::never(error.to_string()))
}

/// The hidden snapshots go. Those that stay go with their volumes.
pub(super) async fn tidy(inner: &Inner, group: &Group) -> Step {
    if group.source.is_none() {
        return Ok(());
    }
    let made = making(&mut *inner.db.read().await?, group.id).await?;
    for (origin, name) in sources(inner, &made, group.id).await? {
        let home = inner.home(&origin).await?;
        match home.site.remove_snapshot(origin.image(), name).await {
            Ok(()) => {}
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            Err(fault) => info!(volume = %origin.id, %fault, "a hidden snapshot stays for now"),
        }
    }
    Ok(())
}

/// Whether it is one of these.
pub(crate) fn is_hidden(name: &SnapshotName) -> bool {
    let id = name.as_str().strip_prefix(HIDDEN);
    id.is_some_and(|id| id.parse::<GroupId>().is_ok())
}

/// Removes those that have stayed: the image goes.
pub(crate) async fn remove_hidden(
    site: &dyn Backend,
    image: ImageId,
) -> std::result::Result<(), Fault> {
    for snapshot in site.snapshots(image).await? {
        if is_hidden(&snapshot.name) {
            site.remove_snapshot(image, snapshot.name).await?;
        }
    }
    Ok(())
}

/// Volumes that were to be made with the group are errors. Their images go with them.
pub(super) async fn fail_volumes(tx: &mut Tx, group: &Group) -> Step {
    if group.source.is_none() && group.group_snapshot.is_none() {
        return Ok(());
    }
    for mut volume in hold_members(tx, group.id).await? {
        volume.status = VolumeStatus::Error;
        let from = [VolumeStatus::Creating];
        noted(volumes::swap(tx, &from, &volume).await?, volume.id);
    }
    Ok(())
}

/// Whether a group is being made of the snapshot.
pub(crate) async fn is_being_made_of(tx: &mut Tx, id: GroupSnapshotId) -> Result<bool> {
    use firebrick_db::{Column, Listing, Test};
    let creating = Test::OneOf(vec![GroupStatus::Creating.to_string()]);
    let listing = Listing::of(Column::GroupSnapshot, &id).and(Column::Status, creating);
    Ok(groups::total(tx, &listing).await? > 0)
}
