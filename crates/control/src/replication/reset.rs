//! `reset-active-backend`: the site to which a backend has failed over becomes the one of its configuration, for
//! good. The site that was left is given up, and so is what only it had.

use std::collections::BTreeSet;

use firebrick_db::{Group, Service, Tx, Volume, groups, services, snapshots, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{ImageId, Role};
use tracing::info;

use crate::cluster::follow;
use crate::control::{Control, Inner, VOLUME};
use crate::error::{Error, Result};
use crate::home::{Seats, moves};
use crate::options::BackendOptions;
use crate::request::Context;
use crate::story::noted;

impl Control {
    /// `PUT /os-services/reset-active-backend`: for a backend that is frozen and whose configuration names the
    /// site that serves as its own already. Asking again where it failed in the middle goes on.
    pub async fn reset_active_backend(&self, context: &Context, host: &str) -> Result<()> {
        context.allow(Rule::FirebrickServiceResetActiveBackend)?;
        let inner = &self.inner;
        let service = inner.deciding(host).await?;
        let missing = |_| Error::no_service(VOLUME, host);
        let backend = inner.backend_of(&service.host).map_err(missing)?;
        let active = check(&service, backend)?;
        let images = inner.serving(&service, backend).await?;
        for image in &images {
            // The site keeps nothing for a peer that is gone.
            let mirrored = !backend.targets.is_empty();
            backend.primary.set_mirroring(*image, mirrored).await?;
        }
        self.write_home(&service, backend, &active, &images).await?;
        info!(backend = %service.host, site = active, "a site serves its backend for good");
        inner.look.notify_one();
        inner.compare.notify_one();
        Ok(())
    }

    /// All rows in one transaction.
    async fn write_home(
        &self,
        known: &Service,
        backend: &BackendOptions,
        active: &str,
        images: &BTreeSet<ImageId>,
    ) -> Result<()> {
        let status = if backend.targets.is_empty() {
            ReplicationStatus::Disabled
        } else {
            ReplicationStatus::Enabled
        };
        let mut tx = self.inner.db.begin().await?;
        let held = services::get_locked(&mut tx, VOLUME, &known.host).await?;
        let mut service = held.ok_or_else(|| Error::no_service(VOLUME, &known.host))?;
        check(&service, backend)?;
        let from = [service.replication_status];
        service.replication_status = status;
        service.active_backend_id = None;
        if !services::swap(&mut tx, &from, &service).await?.won() {
            return Err(Error::lost(format_args!("Service {}", known.host)));
        }
        // Each service of a cluster goes along once it reaches the site.
        follow::all(&mut tx, &service).await?;
        for group in groups::of_service(&mut tx, &known.host).await? {
            settle_group(&mut tx, group, active, status).await?;
        }
        for volume in volumes::of_service(&mut tx, &known.host).await? {
            settle_volume(&mut tx, &volume, images, status).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// The id of the site that serves, where it may become the one of the configuration.
fn check(service: &Service, backend: &BackendOptions) -> Result<String> {
    let host = &service.host;
    let refuse = |why: String| Err(Error::invalid_input(why));
    let active = match &service.active_backend_id {
        Some(active) if service.replication_status == ReplicationStatus::FailedOver => active,
        Some(_) => return refuse(format!("Host {host} is failing over.")),
        None => return refuse(format!("Host {host} has not failed over.")),
    };
    if !service.frozen {
        return refuse(format!("Host {host} must be frozen first."));
    }
    if backend.targets.iter().any(|(id, _)| id == active) {
        return refuse(format!(
            "{active} is a replication_device of the backend {} still: make it the site of its \
             configuration first.",
            backend.name
        ));
    }
    Ok(active.clone())
}

impl Inner {
    /// The images of the volumes that moved, all of which the site of the configuration must serve.
    async fn serving(
        &self,
        service: &Service,
        backend: &BackendOptions,
    ) -> Result<BTreeSet<ImageId>> {
        let active = service.active_backend_id.as_deref();
        let moved: Vec<Volume> = {
            let connection = &mut *self.db.read().await?;
            let seats = Seats::of(connection, &service.host).await?;
            let mut all = volumes::of_service(connection, &service.host).await?;
            all.retain(|volume| moves(volume) || seats.is_apart(volume));
            if let Some(volume) = all.iter().find(|volume| !seats.is_at(volume, active)) {
                return Err(Error::invalid_input(format_args!(
                    "Volume {} lives at the site that is given up.",
                    volume.id
                )));
            }
            all.retain(|volume| volume.status != VolumeStatus::Error);
            all
        };
        let there = backend.primary.images().await?;
        let primary: BTreeSet<ImageId> = there
            .into_iter()
            .filter(|image| image.role == Role::Primary)
            .map(|image| image.id)
            .collect();
        let absent = moved.iter().filter(|it| !primary.contains(&it.image()));
        let absent: Vec<&Volume> = absent.collect();
        if let Some(volume) = absent.first() {
            return Err(Error::invalid_input(format_args!(
                "{} does not serve {} of {} volumes, {} among them: it is not the site that serves \
                 the backend {}.",
                backend.primary.name(),
                absent.len(),
                moved.len(),
                volume.id,
                backend.name
            )));
        }
        Ok(moved.iter().map(Volume::image).collect())
    }
}

async fn settle_group(
    tx: &mut Tx,
    known: Group,
    active: &str,
    status: ReplicationStatus,
) -> Result<()> {
    let Some(mut group) = groups::get_locked(tx, known.id).await? else {
        return Ok(());
    };
    let from = [group.replication_status];
    if from[0].is_changing() {
        return Err(Error::invalid_input(format_args!(
            "Group {} is {}; that ends by itself.",
            group.id, from[0]
        )));
    }
    if group.site.as_deref() == Some(active) {
        group.site = None;
    }
    if matches!(
        from[0],
        ReplicationStatus::Enabled | ReplicationStatus::FailedOver
    ) {
        group.replication_status = status;
    }
    if groups::swap_replication(tx, &from, &group).await?.won() {
        return Ok(());
    }
    Err(Error::lost(format_args!("Group {}", group.id)))
}

/// What is served replicates on from there, or not at all. What is not was only at the site that is given up.
async fn settle_volume(
    tx: &mut Tx,
    known: &Volume,
    images: &BTreeSet<ImageId>,
    status: ReplicationStatus,
) -> Result<()> {
    let Some(mut volume) = volumes::get_locked(tx, known.id).await? else {
        return Ok(());
    };
    let from = [volume.status];
    if images.contains(&volume.image()) {
        volume.replication_status = Some(status);
        volume.site = None;
    } else if from[0] == VolumeStatus::Error {
        volume.replication_status = Some(ReplicationStatus::Disabled);
        volume.previous_status = None;
        for mut snapshot in snapshots::of_volume(tx, volume.id).await? {
            let from = [snapshot.status];
            if snapshot.previous_status.take().is_some() {
                let swapped = snapshots::swap(tx, &from, &snapshot).await?;
                noted(swapped, snapshot.id);
            }
        }
    } else {
        return Err(Error::invalid_input(format_args!(
            "Volume {} is {}; that ends by itself.",
            volume.id, volume.status
        )));
    }
    if volumes::swap(tx, &from, &volume).await?.won() {
        return Ok(());
    }
    Err(Error::lost(format_args!("Volume {}", volume.id)))
}
