//! A backup is written into a volume: a new one, or one that is there.

use firebrick_backend::{Content, Reader as _};
use firebrick_backup::Chain;
use firebrick_db::{Activity, Backup, Tx, backups, properties, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, BackupOperation, BackupStatus, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{BackupId, VolumeId};
use serde_json::json;

use super::look::{invalid, locked};
use super::notes::{Notes, RESTORED};
use super::request::{RestoreBackup, Restored};
use super::{container, refused};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::home::Home;
use crate::request::{Context, CreateVolume, Metadata};
use crate::story::{Step, Stop, noted};
use crate::volume::hold;
use crate::why::Why;

/// What of a volume is freed at once.
const DISCARD: u64 = 1 << 30;

impl Control {
    /// `POST /backups/{id}/restore`.
    pub async fn restore_backup(
        &self,
        context: &Context,
        id: BackupId,
        request: RestoreBackup,
    ) -> Result<Restored> {
        let Some(volume) = request.volume else {
            let name = request.name;
            let wanted = CreateVolume {
                backup: Some(id),
                name: Some(name.unwrap_or_else(|| format!("{RESTORED}{id}"))),
                description: Some("auto-created_from_restore_from_backup".to_owned()),
                ..CreateVolume::default()
            };
            let volume = self.create_volume(context, wanted).await?.volume;
            return Ok(Restored {
                backup: id,
                volume: volume.id,
                volume_name: volume.name,
            });
        };
        self.restore_into(context, id, volume).await
    }

    async fn restore_into(
        &self,
        context: &Context,
        id: BackupId,
        volume: VolumeId,
    ) -> Result<Restored> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, volume).await?;
        let backup = locked(&mut tx, context, id).await?;
        check(inner, context, &backup)?;
        // An activity that does not occupy the volume still reads or writes it.
        if !volume.status.allows(VolumeOperation::Restore) || volume.shown.is_some() {
            let text = "Volume to be restored to must be available";
            return Err(Error::invalid_volume(text));
        }
        if backup.size > volume.size {
            return Err(Error::invalid_volume(format!(
                "volume size {} is too small to restore backup of size {}.",
                volume.size, backup.size
            )));
        }
        // What hosts have encrypted is noise to a volume whose hosts use no key, or another.
        if backup.encryption_key != volume.encryption_key {
            return Err(Error::invalid_volume(
                "An encrypted backup is restored to a volume of the same key, and only that.",
            ));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let from = [volume.status];
        volume.status = VolumeStatus::RestoringBackup;
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {}", volume.id)));
        }
        take(&mut tx, backup, volume.id).await?;
        let kind = ActivityKind::RestoreBackup;
        inner
            .begin_for(&mut tx, context, kind, id.0, volume.id, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(Restored {
            backup: id,
            volume: volume.id,
            volume_name: volume.name,
        })
    }
}

fn check(inner: &Inner, context: &Context, backup: &Backup) -> Result<()> {
    context.allow_for(Rule::BackupRestore, backup)?;
    inner.backups()?;
    if backup.status.allows(BackupOperation::Restore) {
        return Ok(());
    }
    Err(invalid("Backup status must be available"))
}

/// The backup that a new volume is to be made of, held.
pub(crate) async fn source(
    inner: &Inner,
    tx: &mut Tx,
    context: &Context,
    id: BackupId,
) -> Result<Backup> {
    let backup = locked(tx, context, id).await?;
    check(inner, context, &backup)?;
    Ok(backup)
}

/// The backup is being written into that volume.
pub(crate) async fn take(tx: &mut Tx, mut backup: Backup, volume: VolumeId) -> Result<()> {
    let from = [backup.status];
    backup.status = BackupStatus::Restoring;
    backup.restore_volume = Some(volume);
    if backups::swap(tx, &from, &backup).await?.won() {
        return Ok(());
    }
    Err(Error::lost(format_args!("Backup {}", backup.id)))
}

/// The backup is free again.
pub(crate) async fn give_back(tx: &mut Tx, id: BackupId) -> Step {
    if let Some(mut backup) = backups::get_locked(tx, id).await? {
        backup.status = BackupStatus::Available;
        let from = [BackupStatus::Restoring];
        noted(backups::swap(tx, &from, &backup).await?, id);
    }
    Ok(())
}

/// Writes the backup into the volume's image. `new` says that nothing has ever been in it.
pub(crate) async fn fill(
    inner: &Inner,
    activity: &Activity,
    home: &Home,
    image: firebrick_vocabulary::ImageId,
    id: BackupId,
    new: bool,
) -> Step<Notes> {
    let backup = backups::get(&mut *inner.db.read().await?, id).await?;
    let backup = backup.ok_or_else(|| Stop::never(format!("backup {id} is gone")))?;
    let repository = &inner.backups()?.repository;
    let chain = Chain::open(repository, &container(&backup)?, backup.kept()).await;
    let mut chain = chain.map_err(|fault| refused(&fault))?;
    let mut writer = home.site.writer(image).await?;
    let total = chain.size().0;
    let mut from = 0;
    while !new && from < total {
        let len = DISCARD.min(total - from);
        writer.discard(from, len).await?;
        from += len;
    }
    while let Some(extent) = chain.next().await.map_err(|fault| refused(&fault))? {
        inner
            .progress(activity, "restoring", extent.offset, total)
            .await?;
        if let Content::Data(data) = extent.content {
            writer.write(extent.offset, &data).await?;
        }
    }
    writer.flush().await?;
    Ok(Notes::read(chain.manifest().notes()))
}

/// The volume says which backup is in it, and what the volume of that backup said of itself.
pub(crate) async fn mark(tx: &mut Tx, volume: VolumeId, backup: BackupId, notes: Notes) -> Step {
    notes.apply(tx, volume).await?;
    let note = Metadata::from([("src_backup_id".to_owned(), backup.to_string())]);
    Ok(properties::merge(tx, volume.0, &note).await?)
}

/// The story: the image's bytes, then the rows.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = BackupId(activity.resource);
    let found = activity.volume;
    let volume = match found {
        Some(volume) => volumes::get(&mut *inner.db.read().await?, volume).await?,
        None => None,
    };
    let volume = volume.filter(|volume| volume.status == VolumeStatus::RestoringBackup);
    let Some(volume) = volume else {
        return end(inner, activity, VolumeStatus::Available, Ok(())).await;
    };
    let home = inner.home(&volume).await?;
    let notes = fill(inner, activity, &home, volume.image(), id, false).await?;
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    mark(&mut tx, volume.id, id, notes).await?;
    settle(inner, tx, activity, VolumeStatus::Available, Ok(())).await
}

async fn end(
    inner: &Inner,
    activity: &Activity,
    status: VolumeStatus,
    outcome: std::result::Result<(), &Why>,
) -> Step {
    let tx = inner.db.begin().await?;
    settle(inner, tx, activity, status, outcome).await
}

/// The volume gets its status, and the backup is free.
async fn settle(
    inner: &Inner,
    mut tx: Tx,
    activity: &Activity,
    status: VolumeStatus,
    outcome: std::result::Result<(), &Why>,
) -> Step {
    let volume = match activity.volume {
        Some(id) => volumes::get_locked(&mut tx, id).await?,
        None => None,
    };
    if let Some(mut volume) = volume {
        volume.status = status;
        let from = [VolumeStatus::RestoringBackup];
        noted(volumes::swap(&mut tx, &from, &volume).await?, volume.id);
    }
    give_back(&mut tx, BackupId(activity.resource)).await?;
    inner.finish(&mut tx, activity, outcome).await?;
    Ok(tx.commit().await?)
}

/// The volume is neither what it was nor what it should be, and says so.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    end(inner, activity, VolumeStatus::ErrorRestoring, Err(why)).await
}
