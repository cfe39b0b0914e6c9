//! A volume grows.

use firebrick_db::{Activity, types, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{Gibibytes, VolumeId};
use serde_json::json;

use super::look::{locked, visible};
use crate::control::{Control, Inner};
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::qos::limit::limits_of;
use crate::quota::{self, Wanted};
use crate::request::Context;
use crate::servers;
use crate::story::{Step, Stop, noted};
use crate::types::check_size;
use crate::why::Why;

impl Control {
    /// `os-extend` to `size` GiB; `in_use` says whether an attached volume may grow (3.42).
    pub async fn extend_volume(
        &self,
        context: &Context,
        id: VolumeId,
        size: u32,
        in_use: bool,
    ) -> Result<()> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        // The project comes before the volume: whoever adds to it takes the same way.
        let project = visible(&mut tx, context, id).await?.project;
        tx.lock_project(&project).await?;
        let mut volume = locked(&mut tx, context, id).await?;
        let rule = if in_use && volume.status == VolumeStatus::InUse {
            Rule::VolumeExtendAttachedVolume
        } else {
            Rule::VolumeExtend
        };
        context.allow_for(rule, &volume)?;
        let operation = if in_use {
            VolumeOperation::ExtendInUse
        } else {
            VolumeOperation::Extend
        };
        if !volume.status.allows(operation) {
            let text = format!(
                "Volume {id} status must be '{}' to extend, currently {}.",
                if in_use {
                    "available' or 'in-use"
                } else {
                    "available"
                },
                volume.status
            );
            return Err(Error::invalid_volume(text));
        }
        if size <= volume.size {
            return Err(Error::invalid_input(format!(
                "New size for extend must be greater than current size. (current: {}, extended: \
                 {size}).",
                volume.size
            )));
        }
        if let Some(kind) = types::get(&mut tx, volume.volume_type).await? {
            check_size(&kind, size)?;
        }
        let wanted = Wanted {
            gigabytes: i64::from(size - volume.size),
            size,
            kind: Some(volume.volume_type),
            ..Wanted::default()
        };
        quota::check(&mut tx, &inner.options.quotas, &volume.project, wanted).await?;
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        let former = volume.status;
        volume.previous_status = Some(former);
        volume.status = VolumeStatus::Extending;
        if !volumes::swap(&mut tx, &[former], &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({ "size": size });
        inner
            .begin(&mut tx, context, ActivityKind::ExtendVolume, id.0, input)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}

/// The story: the image grows, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = VolumeId(activity.resource);
    let found = volumes::get(&mut *inner.db.read().await?, id).await?;
    let Some(volume) = found.filter(|volume| volume.status == VolumeStatus::Extending) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let size = activity
        .input
        .get("size")
        .and_then(serde_json::Value::as_u64);
    let size = size.and_then(|size| u32::try_from(size).ok());
    let size = size.ok_or_else(|| Stop::never("the new size is not known".to_owned()))?;
    let home = inner.home(&volume).await?;
    let image = volume.image();
    home.site
        .extend_image(image, Gibibytes(size).bytes())
        .await?;
    let (former, limits) = {
        let connection = &mut *inner.db.read().await?;
        let former = limits_of(connection, &volume, volume.size).await?;
        (former, limits_of(connection, &volume, size).await?)
    };
    if former != limits {
        home.site.set_limits(image, limits).await?;
    }
    let mut tx = inner.db.begin().await?;
    // What was promised becomes what is used between two counts of the project, never during one: who
    // counts the one before and the other after it would find neither.
    tx.lock_project(&volume.project).await?;
    home.stays(&mut tx).await?;
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.size = size;
        let former = volume.previous_status.take();
        volume.status = former.unwrap_or(VolumeStatus::Available);
        let from = [VolumeStatus::Extending];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
        servers::notify(
            inner,
            &mut tx,
            activity,
            ActivityKind::NotifyExtended,
            &volume,
        )
        .await?;
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    tx.commit().await?;
    inner.work.notify_one();
    Ok(())
}

/// The volume keeps its size and says what happened.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let mut tx = inner.db.begin().await?;
    let id = VolumeId(activity.resource);
    if let Some(mut volume) = volumes::get_locked(&mut tx, id).await? {
        volume.status = VolumeStatus::ErrorExtending;
        volume.previous_status = None;
        let from = [VolumeStatus::Extending];
        noted(volumes::swap(&mut tx, &from, &volume).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
