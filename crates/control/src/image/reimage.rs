//! A volume is written anew from an image, or from the snapshot for which it stands.

use firebrick_cloud::Image;
use firebrick_db::{Activity, Snapshot, Tx, Volume, attachments, image_properties, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{SnapshotUuid, VolumeId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::refill::refill;
use super::{BootSnapshot, Pinned, check, check_image, fill, is_encrypted, remembered, wanted};
use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::request::Context;
use crate::servers;
use crate::story::{Step, Stop, noted};
use crate::volume::{hold, look_at};
use crate::why::Why;

/// Where the snapshot stands in the input of an activity.
const SNAPSHOT: &str = "snapshot";

impl Control {
    /// `os-reimage` (3.68): what is in the volume is replaced. `reserved` says that it may be reserved for an
    /// instance.
    pub async fn reimage_volume(
        &self,
        context: &Context,
        id: VolumeId,
        image: Uuid,
        reserved: bool,
    ) -> Result<()> {
        let inner = &self.inner;
        // Nobody learns what images there are who may not do this.
        let seen = look_at(&mut *inner.db.read().await?, context, id).await?;
        allow(context, &seen)?;
        let image = wanted(inner, context, image).await?;
        let snapshot = mapped(inner, context, &image, &seen).await?;
        let mut tx = inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, id).await?;
        allow(context, &volume)?;
        if attachments::of_volume(&mut tx, id).await?.len() > 1 {
            let text = "Cannot re-image a volume which is attached to more than one server.";
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let operation = if reserved {
            VolumeOperation::ReimageReserved
        } else {
            VolumeOperation::Reimage
        };
        // What reads the volume would read two states of it.
        if !volume.status.allows(operation) || volume.shown.is_some() {
            let statuses = if reserved {
                "available or error or reserved"
            } else {
                "available or error"
            };
            return Err(Error::invalid_volume(format_args!(
                "Volume {id} status must be {statuses}, but current status is {}.",
                volume.shown_status()
            )));
        }
        let encrypted = if let Some(snapshot) = &snapshot {
            check_image(&image, volume.size)?;
            snapshot.encryption_key.is_some()
        } else {
            check(&image, volume.size)?;
            is_encrypted(&image)
        };
        if volume.encryption_key.is_some() != encrypted {
            let text =
                "An encrypted volume is written from an image of the same key, and only that.";
            return Err(Error::invalid_volume(text));
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let from = [volume.status];
        volume.previous_status = Some(volume.status);
        volume.status = VolumeStatus::Downloading;
        if !volumes::swap(&mut tx, &from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let pinned = Pinned::new(inner, context, image)?.to_json()?;
        let snapshot = snapshot.map(|snapshot| snapshot.id);
        let (kind, input) = (
            ActivityKind::ReimageVolume,
            json!({ "image": pinned, SNAPSHOT: snapshot }),
        );
        inner.begin(&mut tx, context, kind, id.0, input).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The snapshot for which the image stands: it must fit.
async fn mapped(
    inner: &Inner,
    context: &Context,
    image: &Image,
    volume: &Volume,
) -> Result<Option<Snapshot>> {
    let Some(boot) = BootSnapshot::of(image) else {
        return Ok(None);
    };
    let snapshot = boot.find(&mut *inner.db.read().await?, context).await?;
    let least = boot.size.unwrap_or(0).max(u64::from(snapshot.size));
    if least > u64::from(volume.size) {
        let text = format_args!(
            "Volume size must be greater than the image size. (Image: {least}, Volume: {}).",
            volume.size
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    Ok(Some(snapshot))
}

fn allow(context: &Context, volume: &Volume) -> Result<()> {
    let rule = if volume.status == VolumeStatus::Reserved {
        Rule::VolumeReimageReserved
    } else {
        Rule::VolumeReimage
    };
    context.allow_for(rule, volume)
}

/// The story: the image's bytes, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Downloading) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let pinned = Pinned::of(activity)?.ok_or_else(|| Stop::never("its image is not known"))?;
    let home = inner.home(&volume).await?;
    match of_snapshot(activity) {
        Some(snapshot) => refill(inner, activity, &home, &volume, snapshot).await?,
        None => fill(inner, activity, &home, &volume, &pinned, false).await?,
    }
    let mut tx = inner.db.begin().await?;
    home.stays(&mut tx).await?;
    image_properties::clear(&mut tx, id.0).await?;
    let known = remembered(&pinned.image);
    image_properties::merge(&mut tx, id.0, &known).await?;
    settle(inner, tx, activity, Ok(())).await
}

/// The snapshot for which its image stands.
fn of_snapshot(activity: &Activity) -> Option<SnapshotUuid> {
    let text = activity.input.get(SNAPSHOT).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok())
}

/// What the volume has now is neither the one nor the other: it says so.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let tx = inner.db.begin().await?;
    settle(inner, tx, activity, Err(why)).await
}

async fn settle(
    inner: &Inner,
    mut tx: Tx,
    activity: &Activity,
    outcome: std::result::Result<(), &Why>,
) -> Step {
    let id = VolumeId(activity.resource);
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        let former = volume.previous_status.take();
        volume.status = match outcome {
            Ok(()) => former.unwrap_or(VolumeStatus::Available),
            Err(_) => VolumeStatus::Error,
        };
        volume.bootable |= outcome.is_ok();
        let from = [VolumeStatus::Downloading];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
        if outcome.is_ok() && volume.status == VolumeStatus::Reserved {
            let kind = ActivityKind::NotifyReimaged;
            servers::notify(inner, &mut tx, activity, kind, &volume).await?;
        }
    }
    inner.finish(&mut tx, activity, outcome).await?;
    tx.commit().await?;
    inner.work.notify_one();
    Ok(())
}
