//! The reconciler: sites and the database agree, whatever died between two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_backend::{Backend, ExportAddress, ExportKey, FaultKind, PromoteMode};
use firebrick_db::{
    Attachment, Column, Listing, Test, Tx, Volume, activities, attachments, services, volumes,
};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{GroupId, HostName, ImageId, Role, VolumeId};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::attachment::export::{access, moved_info};
use crate::attachment::{export_key, is_export_key};
use crate::control::{Inner, VOLUME, site};
use crate::error::Result;
use crate::home::{Seat, Seats, moves};
use crate::options::BackendOptions;
use crate::qos::compare::hold;
use crate::replication::leftovers::sweep;
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
            if let Err(error) = sweep(&inner, backend).await {
                warn!(backend = backend.name, %error, "what is left of volumes stays for now");
            }
        }
        let _ = timeout(PAUSE.max(begun.elapsed() * SHARE), asked).await;
    }
}

async fn agree(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    let seats = Seats::of(&mut *inner.db.read().await?, &inner.host_of(backend)).await?;
    for id in seats.sites() {
        agree_at(inner, backend, id.as_deref()).await?;
    }
    Ok(())
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
    let Some(Rows {
        there: rows,
        moving,
    }) = rows_at(inner, backend, id).await?
    else {
        return Ok(());
    };
    let wanted: BTreeMap<(ImageId, ExportKey), &Attachment> = rows
        .iter()
        .filter(|(_, row)| row.connector.is_some())
        .map(|(image, row)| ((*image, export_key(row)), row))
        .collect();
    let mut there = BTreeMap::new();
    let mut unwanted = Vec::new();
    for export in exports {
        let place = (export.image, export.key);
        if wanted.contains_key(&place) {
            there.insert(place, export.address);
        } else if !moving.contains(&place.0) && is_export_key(&place.1) {
            unwanted.push(place);
        }
    }
    let strangers = strangers(inner, backend, &unwanted).await?;
    for (image, key) in unwanted.into_iter().filter(|it| !strangers.contains(&it.1)) {
        info!(%image, key = %key.0, "an export that no attachment wants is ended");
        site.unexport(image, key).await?;
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

/// Which of these exports are for attachments of other backends: a site may serve several.
async fn strangers(
    inner: &Inner,
    backend: &BackendOptions,
    exports: &[(ImageId, ExportKey)],
) -> Result<BTreeSet<ExportKey>> {
    const AT_ONCE: usize = 500;
    let ours = inner.host_of(backend);
    let connection = &mut *inner.db.read().await?;
    let mut strangers = BTreeSet::new();
    for some in exports.chunks(AT_ONCE) {
        let ids = some.iter().map(|(_, key)| key.0.clone()).collect();
        let listing = Listing::default().and(Column::Id, Test::OneOf(ids));
        let rows = attachments::list(connection, &listing).await?;
        let rows = rows.unwrap_or_default();
        let of: Vec<VolumeId> = rows.iter().map(|row| row.volume).collect();
        let volumes = volumes::named(connection, &of).await?;
        let other = |host: &HostName| host.without_pool() != ours;
        let elsewhere: BTreeSet<VolumeId> = volumes
            .into_iter()
            .filter(|volume| volume.host.as_ref().is_some_and(other))
            .map(|volume| volume.id)
            .collect();
        let theirs = rows.iter().filter(|row| elsewhere.contains(&row.volume));
        strangers.extend(theirs.map(export_key));
    }
    Ok(strangers)
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

/// The attachments of a backend as one of its sites should know them.
struct Rows {
    /// Those of the volumes that live there, with the images of these.
    there: Vec<(ImageId, Attachment)>,
    /// The images of volumes whose groups are failing over: their exports are no matter of others.
    moving: BTreeSet<ImageId>,
}

/// Those for that site; `None` while the backend moves.
async fn rows_at(
    inner: &Inner,
    backend: &BackendOptions,
    id: Option<&str>,
) -> Result<Option<Rows>> {
    let host = inner.host_of(backend);
    let connection = &mut *inner.db.read().await?;
    let seats = Seats::of(connection, &host).await?;
    if seats.service.replication_status == ReplicationStatus::FailingOver {
        return Ok(None);
    }
    let rows = attachments::of_service(connection, &host).await?;
    let ids: BTreeSet<VolumeId> = rows.iter().map(|row| row.volume).collect();
    let ids: Vec<VolumeId> = ids.into_iter().collect();
    let volumes = volumes::named(connection, &ids).await?;
    let moving = volumes
        .iter()
        .filter(|volume| seats.of_volume(volume) == Seat::Moving);
    let moving = moving.map(Volume::image).collect();
    let there: BTreeMap<VolumeId, ImageId> = volumes
        .iter()
        .filter(|volume| seats.is_at(volume, id))
        .map(|volume| (volume.id, volume.image()))
        .collect();
    let known = |row: Attachment| Some((*there.get(&row.volume)?, row));
    let there = rows.into_iter().filter_map(known).collect();
    Ok(Some(Rows { there, moving }))
}

/// Whether an activity is about to change the attachment.
async fn is_busy(inner: &Inner, row: &Attachment) -> Result<bool> {
    let running = activities::running_for(&mut *inner.db.read().await?, row.id.0).await?;
    Ok(running.is_some())
}

/// A move that was given up when the site died may have left it secondary: nobody could write to its
/// volumes any more. Where no other site is primary, it becomes so again.
async fn heal(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    if backend.targets.is_empty() {
        return Ok(());
    }
    let seats = Seats::of(&mut *inner.db.read().await?, &inner.host_of(backend)).await?;
    for id in seats.sites() {
        heal_at(inner, backend, &seats, id.as_deref()).await?;
    }
    Ok(())
}

/// At the site of that id.
async fn heal_at(
    inner: &Inner,
    backend: &BackendOptions,
    seats: &Seats,
    id: Option<&str>,
) -> Result<()> {
    let site = site(backend, id)?;
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
    let idle = ours(&mut tx, seats, id, &idle).await?;
    if !idle.is_empty() {
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

/// Which of these are images of volumes that live at that site, and do so until the transaction ends.
async fn ours(
    tx: &mut Tx,
    seats: &Seats,
    id: Option<&str>,
    idle: &BTreeSet<ImageId>,
) -> Result<Vec<ImageId>> {
    let known = &seats.service;
    let unmoved = services::get_shared(tx, VOLUME, &known.host)
        .await?
        .is_some_and(|now| {
            now.replication_status != ReplicationStatus::FailingOver
                && now.active_backend_id == known.active_backend_id
        });
    if !unmoved {
        return Ok(Vec::new());
    }
    let mut ours: BTreeMap<Option<GroupId>, Vec<ImageId>> = BTreeMap::new();
    let mut alone = Vec::new();
    let mut walk = volumes::Walk::of_service(&known.host);
    loop {
        let rows = walk.next(tx).await?;
        if rows.is_empty() {
            break;
        }
        let resting = rows.iter().filter(|row| {
            moves(row)
                && seats.is_at(row, id)
                && !matches!(row.status, VolumeStatus::Error | VolumeStatus::Creating)
        });
        for row in resting.filter(|row| idle.contains(&row.image())) {
            if row.site.is_some() {
                alone.push(row.id);
            } else {
                ours.entry(row.group).or_default().push(row.image());
            }
        }
    }
    let mut held = Vec::new();
    // In the order of their ids, as everybody locks several.
    for (group, images) in ours {
        let there = match group {
            Some(group) => seats.holds(tx, group).await?,
            None => true,
        };
        if there {
            held.extend(images);
        }
    }
    for volume in alone {
        let now = volumes::get_locked(tx, volume).await?;
        let now = now.filter(|now| now.site.is_some() && seats.is_at(now, id));
        held.extend(now.as_ref().map(Volume::image));
    }
    Ok(held)
}
