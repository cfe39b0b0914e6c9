//! Writing down what a failover did: volume by volume, then exports, then the service.

use firebrick_backend::{Backend, PromoteOutcome, Reason};
use firebrick_db::{Service, Tx, Volume, attachments, groups, services, snapshots, volumes};
use firebrick_state::{ReplicationStatus, SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{ImageId, VolumeId};
use tracing::warn;

use super::failover::Move;
use crate::attachment::export::{access, moved_info};
use crate::attachment::{export_key, settle, with_images};
use crate::control::{Inner, VOLUME};
use crate::home::{Seats, moves, name_of};
use crate::story::{Step, Stop, noted};

/// The images of the volumes that go along.
pub(super) async fn replicated(inner: &Inner, service: &Service) -> Step<Vec<ImageId>> {
    let connection = &mut *inner.db.read().await?;
    let seats = Seats::of(connection, &service.host).await?;
    let all = volumes::of_service(connection, &service.host).await?;
    let along = all.iter().filter(|volume| goes_along(&seats, volume));
    Ok(along.map(Volume::image).collect())
}

/// Those of groups that have a site of their own stay there, or move by themselves.
pub(super) fn goes_along(seats: &Seats, volume: &Volume) -> bool {
    let unborn = volume.status == VolumeStatus::Creating;
    !unborn && moves(volume) && !seats.is_apart(volume)
}

/// Each volume in a transaction of its own. A second run finds what the first one did.
pub(super) async fn volumes(step: &Move<'_>, outcomes: &[PromoteOutcome]) -> Step {
    let inner = step.inner;
    let (seats, all) = {
        let connection = &mut *inner.db.read().await?;
        let seats = Seats::of(connection, &step.service.host).await?;
        let all = volumes::of_service(connection, &step.service.host).await?;
        (seats, all)
    };
    for volume in all.into_iter().filter(|volume| !seats.is_apart(volume)) {
        let outcome = outcomes
            .iter()
            .find(|outcome| outcome.image == volume.image());
        let mut tx = inner.db.begin().await?;
        let Some(volume) = volumes::get_locked(&mut tx, volume.id).await? else {
            continue;
        };
        let from = volume.status;
        let mut changed = volume.clone();
        let lost = match outcome {
            Some(PromoteOutcome { result: Ok(_), .. }) => {
                arrive(&mut changed, step.to.is_none());
                false
            }
            // Its deletion was further than it looked, and goes on at the other site.
            Some(PromoteOutcome {
                result: Err(Reason::NotFound),
                ..
            }) if from == VolumeStatus::Deleting => continue,
            Some(PromoteOutcome {
                result: Err(reason),
                ..
            }) => {
                warn!(volume = %volume.id, ?reason, "a volume could not be moved");
                fail(&mut changed, ReplicationStatus::Error);
                true
            }
            // Their activities go on, each at the site where the volume lives.
            None if goes_along(&seats, &volume)
                || matches!(from, VolumeStatus::Creating | VolumeStatus::Deleting) =>
            {
                continue;
            }
            None if step.to.is_none() => {
                restore(&mut changed);
                false
            }
            None => {
                fail(&mut changed, ReplicationStatus::NotCapable);
                true
            }
        };
        follow(&mut tx, volume.id, lost).await?;
        if !volumes::swap(&mut tx, &[from], &changed).await?.won() {
            return Err(Stop::always(format!("volume {} changed", volume.id)));
        }
        if from != changed.status {
            // Servers may have come and gone while it was an error.
            settle(&mut tx, volume.id).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// The snapshots of a volume are lost with it, or there again.
pub(crate) async fn follow(tx: &mut Tx, volume: VolumeId, lost: bool) -> Step {
    for mut snapshot in snapshots::of_volume(tx, volume).await? {
        let from = [snapshot.status];
        // What is under way ends by its activity, at the site where the volume lives.
        let busy = matches!(
            snapshot.status,
            SnapshotStatus::Creating | SnapshotStatus::Deleting
        );
        if lost && !busy && snapshot.previous_status.is_none() {
            snapshot.previous_status = Some(snapshot_resting(snapshot.status));
            snapshot.status = SnapshotStatus::Error;
        } else if !lost && let Some(previous) = snapshot.previous_status.take() {
            snapshot.status = previous;
        } else {
            continue;
        }
        let swapped = snapshots::swap(tx, &from, &snapshot).await?;
        noted(swapped, snapshot.id);
    }
    Ok(())
}

/// The volume lives at the other site, or is back.
fn arrive(volume: &mut Volume, back: bool) {
    let present = volume.replication_status;
    // What its group is about to make of it ends by itself.
    if !present.is_some_and(ReplicationStatus::is_changing) {
        volume.replication_status = Some(if back {
            ReplicationStatus::Enabled
        } else {
            ReplicationStatus::FailedOver
        });
    }
    if volume.status == VolumeStatus::Error
        && let Some(previous) = volume.previous_status.take()
    {
        volume.status = previous;
    }
}

/// The volume stays behind. What it was is kept, once.
fn fail(volume: &mut Volume, replication: ReplicationStatus) {
    if volume.replication_status != Some(replication) || volume.status != VolumeStatus::Error {
        volume.previous_status = Some(resting(volume));
    }
    volume.status = VolumeStatus::Error;
    volume.replication_status = Some(replication);
}

/// What the volume will be when it is back. What was under way ends here, as its activity finds
/// another status.
fn resting(volume: &Volume) -> VolumeStatus {
    match volume.status {
        // Whether its image has grown is not known.
        VolumeStatus::Extending => VolumeStatus::ErrorExtending,
        VolumeStatus::Deleting => VolumeStatus::ErrorDeleting,
        VolumeStatus::RestoringBackup => VolumeStatus::ErrorRestoring,
        VolumeStatus::Managing | VolumeStatus::ErrorManagingDeleting => VolumeStatus::ErrorManaging,
        // What is in it is neither the one nor the other.
        VolumeStatus::Downloading | VolumeStatus::Reverting | VolumeStatus::Unmanaging => {
            VolumeStatus::Error
        }
        VolumeStatus::Retyping => volume.previous_status.unwrap_or(VolumeStatus::Available),
        VolumeStatus::Maintenance => volume.previous_status.unwrap_or(VolumeStatus::Maintenance),
        other => other,
    }
}

/// The same of a snapshot.
const fn snapshot_resting(status: SnapshotStatus) -> SnapshotStatus {
    match status {
        SnapshotStatus::Restoring | SnapshotStatus::BackingUp | SnapshotStatus::Updating => {
            SnapshotStatus::Available
        }
        SnapshotStatus::Unmanaging => SnapshotStatus::Error,
        other => other,
    }
}

/// A volume that stayed behind is reachable again.
fn restore(volume: &mut Volume) {
    if volume.replication_status == Some(ReplicationStatus::NotCapable) {
        volume.replication_status = Some(ReplicationStatus::Disabled);
        if let Some(previous) = volume.previous_status.take() {
            volume.status = previous;
        }
    }
}

/// The attachments of the volumes that moved.
pub(super) async fn exports(step: &Move<'_>) -> Step {
    let moved = {
        let connection = &mut *step.inner.db.read().await?;
        let seats = Seats::of(connection, &step.service.host).await?;
        let mut moved = volumes::of_service(connection, &step.service.host).await?;
        moved.retain(|volume| goes_along(&seats, volume) && volume.status != VolumeStatus::Error);
        moved
    };
    export_there(step.inner, &*step.switch.new, &moved).await
}

/// Attachments of volumes that moved get their exports at the new site, under their own keys.
pub(crate) async fn export_there(inner: &Inner, site: &dyn Backend, moved: &[Volume]) -> Step {
    let rows = with_images(&mut *inner.db.read().await?, moved).await?;
    let hosted = rows.into_iter().filter(|(_, row)| row.connector.is_some());
    for (image, row) in hosted {
        let asked = site.export(image, export_key(&row), access(row.mode));
        let address = match asked.await {
            Ok(address) => address,
            Err(fault) if fault.is_transient() => return Err(Stop::always(fault)),
            Err(fault) => {
                warn!(volume = %row.volume, %fault, "an attachment has no export at the new site");
                continue;
            }
        };
        let mut tx = inner.db.begin().await?;
        // What has been said of it meanwhile stays.
        let newer = attachments::get_locked(&mut tx, row.id).await?;
        let Some(mut newer) = newer.filter(|newer| newer.connector.is_some()) else {
            continue;
        };
        newer.connection_info = Some(moved_info(&newer, &address));
        noted(attachments::update(&mut tx, &newer).await?, row.id);
        tx.commit().await?;
    }
    Ok(())
}

/// Last of all, the service says where it is, in the transaction that ends the activity. That of a cluster
/// goes on: volumes are where they belong, but its services have to go along.
pub(super) async fn service(step: &Move<'_>) -> Step {
    let mut tx = step.inner.db.begin().await?;
    // Read again: an operator may have frozen or thawed it meanwhile.
    let found = services::get_locked(&mut tx, VOLUME, &step.service.host).await?;
    let mut service = found.unwrap_or_else(|| step.service.clone());
    service.active_backend_id.clone_from(&step.to);
    if step.to.is_none() {
        service.replication_status = ReplicationStatus::Enabled;
        service.disabled = service.frozen;
        service.disabled_reason = service.frozen.then(|| "frozen".to_owned());
    } else {
        service.replication_status = ReplicationStatus::FailedOver;
        service.disabled = true;
        service.disabled_reason = Some("failed-over".to_owned());
    }
    let from = [ReplicationStatus::FailingOver];
    let swapped = services::swap(&mut tx, &from, &service).await?;
    noted(swapped, &service.host);
    if swapped.won() {
        gather(&mut tx, &service).await?;
    }
    if !service.is_cluster() {
        step.inner.finish(&mut tx, step.activity, Ok(())).await?;
    }
    Ok(tx.commit().await?)
}

/// Groups that went along say so, and groups and volumes that were there already live with their backend
/// again.
async fn gather(tx: &mut Tx, service: &Service) -> Step {
    let here = name_of(service.active_backend_id.as_deref());
    for known in groups::of_service(tx, &service.host).await? {
        let Some(mut group) = groups::get_locked(tx, known.id).await? else {
            continue;
        };
        let from = [group.replication_status];
        if from[0].is_changing() {
            // It ends by itself, and looks where its backend is then.
            continue;
        }
        match group.site.as_deref() {
            Some(site) if site == here => group.site = None,
            Some(_) => continue,
            None => {}
        }
        if matches!(
            group.replication_status,
            ReplicationStatus::Enabled | ReplicationStatus::FailedOver
        ) {
            group.replication_status = service.replication_status;
        }
        let swapped = groups::swap_replication(tx, &from, &group).await?;
        noted(swapped, group.id);
    }
    for known in volumes::apart(tx, &service.host).await? {
        let Some(mut volume) = volumes::get_locked(tx, known.id).await? else {
            continue;
        };
        let from = [volume
            .replication_status
            .unwrap_or(service.replication_status)];
        // One that moves looks where its backend is when it arrives.
        if !from[0].is_changing() && volume.site.as_deref() == Some(here) {
            volume.site = None;
            let swapped = volumes::swap_replication(tx, &from, &volume).await?;
            noted(swapped, volume.id);
        }
    }
    Ok(())
}
