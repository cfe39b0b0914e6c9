//! A backup is made.

use firebrick_backend::{FaultKind, Reader, ViewOf};
use firebrick_backup::{Finished, Plan, Writing, remove};
use firebrick_db::{
    Activity, Backup, Snapshot, Tx, Volume, activities, backups, now, snapshots, volumes,
};
use firebrick_policy::Rule;
use firebrick_state::{
    ActivityKind, BackupStatus, MessageDetail, SnapshotOperation, SnapshotStatus, VolumeOperation,
    VolumeStatus,
};
use firebrick_vocabulary::{BackupId, SnapshotName};
use serde_json::json;
use tracing::{info, warn};

use super::image::{gone_is_fine, hidden_name, of_volume, tidy};
use super::request::CreateBackup;
use super::{container, notes, parent, refused};
use crate::control::{Control, Inner};
use crate::detail::BackupDetail;
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::home::Home;
use crate::quota::{self, Wanted};
use crate::request::Context;
use crate::snapshot::look::locked as hold_snapshot;
use crate::story::{Step, Stop, noted};
use crate::volume::hold;
use crate::why::Why;

/// So many bytes are copied between two looks at whether a user wants it to end.
const ASK_EVERY: u64 = 64 << 20;

impl Control {
    /// `POST /backups`. The volume stays free for everything but its end.
    pub async fn create_backup(
        &self,
        context: &Context,
        request: CreateBackup,
    ) -> Result<BackupDetail> {
        let inner = &self.inner;
        context.allow(Rule::BackupCreate)?;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(context.owner()?).await?;
        let volume = hold(&mut tx, context, request.volume).await?;
        context.allow_for(Rule::BackupCreate, &volume)?;
        let snapshot = match request.snapshot {
            Some(id) => Some(hold_snapshot(&mut tx, context, id).await?),
            None => None,
        };
        check(&volume, snapshot.as_ref(), request.force)?;
        self.check_zone(request.availability_zone.as_deref())?;
        let size = snapshot.as_ref().map_or(volume.size, |it| it.size);
        let quotas = &inner.options.quotas;
        quota::check(&mut tx, quotas, &context.project, Wanted::backup(size)).await?;
        let parent = if request.incremental {
            let project = &context.project;
            Some(parent::choose(&mut tx, project, volume.id, snapshot.as_ref()).await?)
        } else {
            None
        };
        let mut backup =
            self.new_backup(context, request, size, parent.as_ref(), snapshot.as_ref())?;
        backup.encryption_key = match &snapshot {
            Some(snapshot) => snapshot.encryption_key,
            None => volume.encryption_key,
        };
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        backups::insert(&mut tx, &backup).await?;
        let kind = ActivityKind::CreateBackup;
        if let Some(snapshot) = snapshot {
            take(&mut tx, snapshot).await?;
            // What the volume shows is not about its snapshots.
            inner
                .begin(&mut tx, context, kind, backup.id.0, json!({}))
                .await?;
        } else {
            inner
                .begin_for(&mut tx, context, kind, backup.id.0, volume.id, json!({}))
                .await?;
        }
        tx.commit().await?;
        inner.work.notify_one();
        Ok(BackupDetail {
            backup,
            has_dependents: false,
        })
    }

    fn new_backup(
        &self,
        context: &Context,
        request: CreateBackup,
        size: u32,
        parent: Option<&Backup>,
        snapshot: Option<&Snapshot>,
    ) -> Result<Backup> {
        let options = self.inner.backups()?;
        let container = match request.container.filter(|text| !text.is_empty()) {
            None => options.container.clone(),
            Some(text) => text.parse().map_err(Error::invalid_input)?,
        };
        let present = now();
        Ok(Backup {
            id: BackupId::random(),
            project: context.project.clone(),
            user: context.user.clone(),
            volume: request.volume,
            snapshot: request.snapshot,
            parent: parent.map(|parent| parent.id),
            name: request.name,
            description: request.description,
            size,
            status: BackupStatus::Creating,
            fail_reason: None,
            host: Some(self.inner.options.node.clone()),
            availability_zone: Some(
                request
                    .availability_zone
                    .unwrap_or_else(|| self.inner.options.availability_zone.clone()),
            ),
            container: Some(container.to_string()),
            kept_as: None,
            service: Some(options.repository.service().to_owned()),
            object_count: 0,
            data_timestamp: snapshot.map_or(present, |snapshot| snapshot.created_at),
            restore_volume: None,
            encryption_key: None,
            metadata: request.metadata,
            created_at: present,
            updated_at: None,
        })
    }
}

/// Whether the volume, or the snapshot, can be backed up now.
fn check(volume: &Volume, snapshot: Option<&Snapshot>, force: bool) -> Result<()> {
    if let Some(snapshot) = snapshot {
        if snapshot.volume != volume.id {
            return Err(Error::invalid_volume(format!(
                "Volume {} does not match with snapshot.volume_id {}.",
                volume.id, snapshot.volume
            )));
        }
        if !snapshot.status.allows(SnapshotOperation::Backup) {
            return Err(Error::invalid_snapshot(format!(
                "Snapshot to be backed up must be available, but the current status is \"{}\".",
                snapshot.status
            )));
        }
        return Ok(());
    }
    if !volume.status.allows(VolumeOperation::BackupInUse) {
        return Err(Error::invalid_volume(format!(
            "Volume to be backed up must be available or in-use, but the current status is \"{}\".",
            volume.status
        )));
    }
    if volume.status == VolumeStatus::InUse && !force {
        let text = "Backing up an in-use volume must use the force flag.";
        return Err(Error::invalid_volume(text));
    }
    Ok(())
}

async fn take(tx: &mut Tx, mut snapshot: Snapshot) -> Result<()> {
    let from = [snapshot.status];
    snapshot.status = SnapshotStatus::BackingUp;
    if snapshots::swap(tx, &from, &snapshot).await?.won() {
        return Ok(());
    }
    Err(Error::lost(format_args!("Snapshot {}", snapshot.id)))
}

/// The story: a snapshot of the image, its bytes, the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = BackupId(activity.resource);
    let found = backups::get(&mut *inner.db.read().await?, id).await?;
    let Some(backup) = found.filter(|backup| backup.status == BackupStatus::Creating) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let volume = volumes::get(&mut *inner.db.read().await?, backup.volume).await?;
    let volume = volume.ok_or_else(|| Stop::never("its volume is gone"))?;
    let home = inner.home(&volume).await?;
    inner.progress(activity, "snapshot", 0, 0).await?;
    let state = state(inner, &home, &volume, &backup).await?;
    let finished = copy(inner, activity, &home, &volume, &backup, state).await?;
    forget_older(inner, &home, &volume, id).await;
    let mut tx = inner.db.begin().await?;
    // The volume before what belongs to it, as everywhere.
    volumes::get_locked(&mut tx, backup.volume).await?;
    give_back(&mut tx, &backup).await?;
    if let Some(mut backup) = backups::get_locked(&mut tx, id).await? {
        backup.status = BackupStatus::Available;
        backup.object_count = finished.objects as u32;
        backup.fail_reason = None;
        let from = [BackupStatus::Creating];
        noted(backups::swap(&mut tx, &from, &backup).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// The snapshot of the image that the backup is made of, which is taken where it is not there yet.
async fn state(inner: &Inner, home: &Home, volume: &Volume, backup: &Backup) -> Step<SnapshotName> {
    if let Some(id) = backup.snapshot {
        let found = snapshots::get(&mut *inner.db.read().await?, id).await?;
        let found = found.ok_or_else(|| Stop::never("its snapshot is gone"))?;
        return Ok(found.image_name());
    }
    let (site, image) = (&home.site, volume.image());
    let name = hidden_name(backup.id)?;
    let there = site.snapshots(image).await?;
    if !there.iter().any(|snapshot| snapshot.name == name) {
        // What an earlier run has written (at a site that was lost) is of another moment.
        let repository = &*inner.backups()?.repository;
        let removed = remove(repository, &container(backup)?, backup.id).await;
        removed.map_err(|fault| refused(&fault))?;
        site.create_snapshot(image, name.clone()).await?;
    }
    Ok(name)
}

async fn copy(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    volume: &Volume,
    backup: &Backup,
    state: SnapshotName,
) -> Step<Finished> {
    let options = inner.backups()?;
    let (site, image) = (&home.site, volume.image());
    let there = site.snapshots(image).await?;
    let size = there.iter().find(|snapshot| snapshot.name == state);
    let size = size
        .ok_or_else(|| Stop::later("its snapshot has just gone"))?
        .size;
    let parent = parent::of(inner, backup).await?;
    // Where the parent's state is gone, the bytes are compared with what the parent has.
    let since = parent.as_ref().map(|(_, name)| name.clone());
    let since = since.filter(|name| there.iter().any(|snapshot| snapshot.name == *name));
    let plan = Plan {
        container: container(backup)?,
        id: backup.id,
        parent: parent.map(|(parent, _)| parent),
        differences: since.is_some(),
        size,
        object_bytes: options.object_bytes,
        notes: notes::of(inner, backup).await?,
    };
    let begun = Writing::begin(&options.repository, plan).await;
    let writing = begun.map_err(|fault| refused(&fault))?;
    let since = since.map(ViewOf::Snapshot);
    let from = writing.next();
    let reader = site
        .reader(image, ViewOf::Snapshot(state), since, from)
        .await;
    let reader = reader.map_err(|fault| match fault.kind {
        // The state of the parent went this moment: the next run does without.
        FaultKind::NotFound => Stop::later(fault),
        _ => Stop::from(fault),
    })?;
    pour(inner, activity, reader, writing).await
}

async fn pour(
    inner: &Inner,
    activity: &Activity,
    mut reader: Box<dyn Reader>,
    mut writing: Writing,
) -> Step<Finished> {
    let total = reader.size().0;
    let mut ask_at = 0;
    while let Some(extent) = reader.next().await? {
        if extent.offset >= ask_at {
            inner.cancelled(activity).await?;
            ask_at = extent.offset + ASK_EVERY;
        }
        inner
            .progress(activity, "copying", extent.offset, total)
            .await?;
        let added = writing.add(extent).await;
        added.map_err(|fault| refused(&fault))?;
    }
    inner.cancelled(activity).await?;
    writing.finish().await.map_err(|fault| refused(&fault))
}

/// A snapshot that was backed up is free again.
async fn give_back(tx: &mut Tx, backup: &Backup) -> Step {
    let Some(id) = backup.snapshot else {
        return Ok(());
    };
    if let Some(mut snapshot) = snapshots::get_locked(tx, id).await? {
        snapshot.status = SnapshotStatus::Available;
        let from = [SnapshotStatus::BackingUp];
        noted(snapshots::swap(tx, &from, &snapshot).await?, id);
    }
    Ok(())
}

/// Hidden snapshots that no backup needs any more go. If that fails, the next backup does it.
async fn forget_older(inner: &Inner, home: &Home, volume: &Volume, made: BackupId) {
    let forgotten = async {
        let rows = of_volume(&mut *inner.db.read().await?, volume.id).await?;
        tidy(&*home.site, volume.image(), &rows, Some(made)).await?;
        Ok::<(), Stop>(())
    };
    if let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) = forgotten.await {
        info!(volume = %volume.id, %why, "snapshots of older backups stay for now");
    }
}

/// Removes what has been made; the backup is an error.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = BackupId(activity.resource);
    let found = backups::get(&mut *inner.db.read().await?, id).await?;
    let Some(backup) = found.filter(|backup| backup.status == BackupStatus::Creating) else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    if let (Ok(container), Ok(options)) = (container(&backup), inner.backups()) {
        let removed = remove(&*options.repository, &container, id).await;
        if let Err(fault) = removed {
            warn!(backup = %id, %fault, "objects of a failed backup stay until the next sweep");
        }
    }
    let volume = volumes::get(&mut *inner.db.read().await?, backup.volume).await?;
    if let Some(volume) = volume.filter(|volume| volume.host.is_some()) {
        let home = inner.home(&volume).await?;
        let removed = home.site.remove_snapshot(volume.image(), hidden_name(id)?);
        if let Err(fault) = gone_is_fine(removed.await) {
            info!(backup = %id, %fault, "the snapshot of a failed backup stays for now");
        }
    }
    let mut tx = inner.db.begin().await?;
    volumes::get_locked(&mut tx, backup.volume).await?;
    give_back(&mut tx, &backup).await?;
    if let Some(mut backup) = backups::get_locked(&mut tx, id).await? {
        backup.status = BackupStatus::Error;
        let usual = MessageDetail::BackupCreateDriverError;
        let reason = why.note().unwrap_or(why.detail_or(usual).text());
        backup.fail_reason = Some(reason.chars().take(255).collect());
        let from = [BackupStatus::Creating];
        noted(backups::swap(&mut tx, &from, &backup).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}

/// Ends the making of a backup that is about to be removed.
pub(super) async fn stop_making(tx: &mut Tx, id: BackupId) -> Result<()> {
    let running = activities::running_for(tx, id.0).await?;
    let making = running.filter(|running| running.kind == ActivityKind::CreateBackup);
    if let Some(making) = making {
        // One that has just ended needs no word.
        let _ = activities::cancel(tx, making.id).await?.won();
    }
    Ok(())
}
