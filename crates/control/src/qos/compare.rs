//! Sites and the database agree on limits, also where a site did not answer when they changed.

use std::collections::BTreeMap;

use firebrick_backend::FaultKind;
use firebrick_db::{Volume, activities, volumes};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{ImageId, Limits, Role};
use tracing::info;

use super::limit::Rules;
use crate::access::Access;
use crate::control::{Inner, site};
use crate::error::Result;
use crate::home::Seats;
use crate::options::BackendOptions;
use crate::request::{Began, Context};

/// Has each volume of the backend whose image is held to something else looked after.
pub(crate) async fn hold(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    let seats = Seats::of(&mut *inner.db.read().await?, &inner.host_of(backend)).await?;
    if seats.service.replication_status == ReplicationStatus::FailingOver {
        return Ok(());
    }
    for id in seats.sites() {
        hold_at(inner, backend, &seats, id.as_deref()).await?;
    }
    Ok(())
}

async fn hold_at(
    inner: &Inner,
    backend: &BackendOptions,
    seats: &Seats,
    id: Option<&str>,
) -> Result<()> {
    let images = match site(backend, id)?.images().await {
        Ok(images) => images,
        Err(fault) if fault.kind == FaultKind::Unreachable => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let held: BTreeMap<ImageId, Limits> = images
        .into_iter()
        .filter(|image| image.role == Role::Primary)
        .map(|image| (image.id, image.limits))
        .collect();
    let mut walk = volumes::Walk::of_service(&inner.host_of(backend));
    loop {
        let (rules, rows) = {
            let connection = &mut *inner.db.read().await?;
            (Rules::now(connection).await?, walk.next(connection).await?)
        };
        if rows.is_empty() {
            return Ok(());
        }
        for volume in rows {
            let here = seats.is_at(&volume, id);
            let resting = !matches!(
                volume.status,
                VolumeStatus::Creating | VolumeStatus::Deleting | VolumeStatus::Extending
            );
            let differs = match held.get(&volume.image()) {
                Some(limits) => *limits != rules.of(&volume)?,
                None => false,
            };
            if here && resting && differs {
                look_after(inner, volume).await?;
            }
        }
    }
}

/// Whatever is about to happen to the volume comes first, and may be just that.
async fn look_after(inner: &Inner, volume: Volume) -> Result<()> {
    let mut tx = inner.db.begin().await?;
    let running = activities::running_for(&mut tx, volume.id.0).await?;
    if running.is_some() {
        return Ok(());
    }
    info!(volume = %volume.id, "a volume is not held to the limits of its type");
    let context = Context {
        access: Access::own(&volume.user, &volume.project),
        project: volume.project,
        user: volume.user,
        request_id: String::new(),
        began: Began::default(),
    };
    inner.limit_volume(&mut tx, &context, volume.id).await?;
    tx.commit().await?;
    inner.work.notify_one();
    Ok(())
}
