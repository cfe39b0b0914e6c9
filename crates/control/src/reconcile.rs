//! The reconciler: sites and the database agree, whatever died between two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_backend::{Backend, ExportAddress, ExportKey, FaultKind, PromoteMode};
use firebrick_db::{Attachment, Volume, activities, attachments, services, volumes};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{ImageId, Role, VolumeId};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::attachment::export::{access, moved_info};
use crate::attachment::export_key;
use crate::control::{Inner, VOLUME, site};
use crate::error::Result;
use crate::home::moves;
use crate::options::BackendOptions;
use crate::qos::compare::hold;
use crate::story::noted;

const PAUSE: Duration = Duration::from_secs(30);

/// At most one part in as many of the time is spent on it, however much there is to compare.
const SHARE: u32 = 20;

/// Compares again and again.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        let asked = inner.compare.notified();
        let begun = Instant::now();
        for backend in &inner.options.backends {
            if let Err(error) = heal(&inner, backend).await {
                warn!(backend = backend.name, %error, "roles could not be compared");
            }
            if let Err(error) = hold(&inner, backend).await {
                warn!(backend = backend.name, %error, "limits could not be compared");
            }
            if let Err(error) = agree(&inner, backend).await {
                warn!(backend = backend.name, %error, "exports could not be compared with attachments");
            }
        }
        let _ = timeout(PAUSE.max(begun.elapsed() * SHARE), asked).await;
    }
}

async fn agree(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    let service = inner.service_of(&inner.host_of(backend)).await?;
    let active = service.active_backend_id.as_deref();
    if active.is_some() {
        // Volumes that are not mirrored have stayed there.
        agree_at(inner, backend, None).await?;
    }
    agree_at(inner, backend, active).await
}

/// At the site of that id.
async fn agree_at(inner: &Inner, backend: &BackendOptions, id: Option<&str>) -> Result<()> {
    let site = site(backend, id)?;
    // The exports first: an attachment that is made meanwhile has its row before its export.
    let exports = match site.exports().await {
        Ok(exports) => exports,
        Err(fault) if fault.kind == FaultKind::Unreachable => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let Some(rows) = rows_at(inner, backend, id).await? else {
        return Ok(());
    };
    let wanted: BTreeMap<(ImageId, ExportKey), &Attachment> = rows
        .iter()
        .filter(|(_, row)| row.connector.is_some())
        .map(|(image, row)| ((*image, export_key(row)), row))
        .collect();
    let mut there = BTreeMap::new();
    for export in exports {
        let place = (export.image, export.key);
        if wanted.contains_key(&place) {
            there.insert(place, export.address);
        } else {
            info!(image = %place.0, key = %place.1.0, "an export that no attachment wants is ended");
            site.unexport(place.0, place.1).await?;
        }
    }
    for (place, row) in wanted {
        // Only complete ones: others have an activity that does it.
        if row.connection_info.is_none() || is_busy(inner, row).await? {
            continue;
        }
        let address = match there.remove(&place) {
            Some(address) if says(row, &address) => continue,
            Some(address) => Ok(address),
            None => {
                site.export(place.0, place.1.clone(), access(row.mode))
                    .await
            }
        };
        match address {
            Ok(address) => note(inner, &*site, place.0, row, &address).await?,
            Err(fault) => warn!(volume = %row.volume, %fault, "an attachment has no export"),
        }
    }
    Ok(())
}

fn says(row: &Attachment, address: &ExportAddress) -> bool {
    row.connection_info.as_ref() == Some(&moved_info(row, address))
}

/// The attachment says how its export is reached. The export of one that has gone, or
/// has no host any more, ends.
async fn note(
    inner: &Inner,
    site: &dyn Backend,
    image: ImageId,
    row: &Attachment,
    address: &ExportAddress,
) -> Result<()> {
    let mut tx = inner.db.begin().await?;
    let newer = attachments::get_locked(&mut tx, row.id).await?;
    let Some(mut newer) = newer.filter(|newer| newer.connector.is_some()) else {
        drop(tx);
        return Ok(site.unexport(image, export_key(row)).await?);
    };
    if !says(row, address) && newer == *row {
        info!(volume = %row.volume, site = site.name(), "an attachment learns where its export is");
        newer.connection_info = Some(moved_info(row, address));
        noted(attachments::update(&mut tx, &newer).await?, row.id);
        tx.commit().await?;
    }
    Ok(())
}

/// The attachments of the volumes that live at that site, with the images of those; `None` while the backend moves.
async fn rows_at(
    inner: &Inner,
    backend: &BackendOptions,
    id: Option<&str>,
) -> Result<Option<Vec<(ImageId, Attachment)>>> {
    let host = inner.host_of(backend);
    let service = inner.service_of(&host).await?;
    if service.replication_status == ReplicationStatus::FailingOver {
        return Ok(None);
    }
    let active = service.active_backend_id.as_deref();
    let connection = &mut *inner.db.read().await?;
    let rows = attachments::of_service(connection, &host).await?;
    let ids: BTreeSet<VolumeId> = rows.iter().map(|row| row.volume).collect();
    let ids: Vec<VolumeId> = ids.into_iter().collect();
    let volumes = volumes::named(connection, &ids).await?;
    let there: BTreeMap<VolumeId, ImageId> = volumes
        .iter()
        .filter(|volume| active.filter(|_| moves(volume)) == id)
        .map(|volume| (volume.id, volume.image()))
        .collect();
    let known = |row: Attachment| Some((*there.get(&row.volume)?, row));
    Ok(Some(rows.into_iter().filter_map(known).collect()))
}

/// Whether an activity is about to change the attachment.
async fn is_busy(inner: &Inner, row: &Attachment) -> Result<bool> {
    let running = activities::running_for(&mut *inner.db.read().await?, row.id.0).await?;
    Ok(running.is_some())
}

/// A move that was given up when the site died may have left it secondary: nobody could write to its
/// volumes any more. Where no other site is primary, it becomes so again.
async fn heal(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    let host = inner.host_of(backend);
    let service = inner.service_of(&host).await?;
    if backend.targets.is_empty() {
        return Ok(());
    }
    let site = site(backend, service.active_backend_id.as_deref())?;
    let images = match site.images().await {
        Ok(images) => images,
        Err(fault) if fault.kind == FaultKind::Unreachable => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let idle: BTreeSet<ImageId> = images
        .into_iter()
        .filter(|image| image.role == Role::Secondary)
        .map(|image| image.id)
        .collect();
    if idle.is_empty() {
        return Ok(());
    }
    // No move begins before this transaction has ended, so none is undone.
    let mut tx = inner.db.begin().await?;
    let unmoved = services::get_shared(&mut tx, VOLUME, &host)
        .await?
        .is_some_and(|now| {
            now.replication_status != ReplicationStatus::FailingOver
                && now.active_backend_id == service.active_backend_id
        });
    let mut ours = BTreeSet::new();
    let mut walk = volumes::Walk::of_service(&host);
    loop {
        let rows = walk.next(&mut tx).await?;
        if rows.is_empty() {
            break;
        }
        let resting = rows.iter().filter(|row| {
            moves(row) && !matches!(row.status, VolumeStatus::Error | VolumeStatus::Creating)
        });
        ours.extend(
            resting
                .map(Volume::image)
                .filter(|image| idle.contains(image)),
        );
    }
    let idle = ours;
    if unmoved && !idle.is_empty() {
        let idle: Vec<ImageId> = idle.into_iter().collect();
        let asked = site.promote(&idle, PromoteMode::Planned);
        match timeout(inner.options.runner.call, asked).await {
            Ok(Ok(outcomes)) => info!(
                site = site.name(),
                ?outcomes,
                "secondary images of the serving site were asked to become primary"
            ),
            Ok(Err(fault)) => warn!(site = site.name(), %fault, "images stay secondary for now"),
            Err(_) => warn!(
                site = site.name(),
                "images stay secondary for now: no answer"
            ),
        }
    }
    drop(tx);
    Ok(())
}
