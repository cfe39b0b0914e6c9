//! The services of a cluster go along with it: each on its own node, as soon as it hears of it.

use std::sync::Arc;

use firebrick_db::{Service, Tx, services};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::HostName;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::control::{Inner, VOLUME, site};
use crate::error::{Error, Result};
use crate::home::name_of;
use crate::options::BackendOptions;
use crate::story::{Step, noted};

/// Why services are disabled by what their cluster does. Other reasons are those of operators.
const FROZEN: &str = "frozen";
const AWAY: &str = "failed-over";
const UNREACHED: &str = "the site that serves its cluster does not answer here";

/// The service does what its cluster does. What an operator has said of this service alone stays.
pub(super) fn adopt(service: &mut Service, cluster: &Service) {
    service.frozen = cluster.frozen;
    service.replication_status = cluster.replication_status;
    service
        .active_backend_id
        .clone_from(&cluster.active_backend_id);
    hold_back(
        service,
        cluster.disabled,
        cluster.disabled_reason.as_deref(),
    );
}

/// Disables or enables it, unless an operator did.
fn hold_back(service: &mut Service, disabled: bool, reason: Option<&str>) {
    let ours = [FROZEN, AWAY, UNREACHED];
    let known = service.disabled_reason.as_deref();
    if !service.disabled || known.is_some_and(|known| ours.contains(&known)) {
        service.disabled = disabled;
        service.disabled_reason = reason.filter(|_| disabled).map(str::to_owned);
    }
}

/// All services of a cluster learn in the transaction that changes it what they need no site for: that it
/// is frozen, that it begins to move, that it stays where it was. The row of the cluster is held.
pub(crate) async fn all(tx: &mut Tx, cluster: &Service) -> Result<()> {
    if !cluster.is_cluster() {
        return Ok(());
    }
    for mut service in services::of_cluster_locked(tx, VOLUME, &cluster.host.to_string()).await? {
        let from = [service.replication_status];
        let stays = service.active_backend_id == cluster.active_backend_id;
        if stays {
            adopt(&mut service, cluster);
        } else {
            // It has yet to go where the cluster is: what it says of sites is its own.
            service.frozen = cluster.frozen;
        }
        let swapped = services::swap(tx, &from, &service).await?;
        noted(swapped, &service.host);
    }
    Ok(())
}

/// Looks again and again whether a cluster of this node has moved.
pub(crate) async fn run(inner: Arc<Inner>) {
    let clustered = |backend: &&BackendOptions| backend.cluster.is_some();
    loop {
        for backend in inner.options.backends.iter().filter(clustered) {
            if let Err(error) = go_along(&inner, backend).await {
                warn!(backend = backend.name, %error, "a service could not follow its cluster");
            }
        }
        sleep(inner.options.runner.poll).await;
    }
}

/// Whether the service says something else than its cluster.
fn is_behind(service: &Service, cluster: &Service) -> bool {
    let says = |it: &Service| {
        (
            it.replication_status,
            it.active_backend_id.clone(),
            it.frozen,
        )
    };
    says(service) != says(cluster)
}

/// Lets the service of this node go where its cluster is, once it reaches the site that serves there.
async fn go_along(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    let (own, host) = (inner.own_host(backend), inner.host_of(backend));
    let (service, cluster) = {
        let connection = &mut *inner.db.read().await?;
        let service = services::get(connection, VOLUME, &own).await?;
        (service, services::get(connection, VOLUME, &host).await?)
    };
    let missing = || Error::no_service(VOLUME, &own);
    let (service, cluster) = service.zip(cluster).ok_or_else(missing)?;
    let moving = cluster.replication_status == ReplicationStatus::FailingOver;
    if moving || !is_behind(&service, &cluster) {
        return Ok(());
    }
    let to = cluster.active_backend_id.as_deref();
    let there = site(backend, to)?;
    let answered = timeout(inner.options.runner.call, there.status()).await;
    let reached = matches!(answered, Ok(Ok(_)));
    let mut tx = inner.db.begin().await?;
    let now = services::get_shared(&mut tx, VOLUME, &host).await?;
    let found = services::get_locked(&mut tx, VOLUME, &own).await?;
    let (now, mut service) = now.zip(found).ok_or_else(missing)?;
    if is_behind(&now, &cluster) {
        // It moves again: next time.
        return Ok(());
    }
    let from = [service.replication_status];
    if reached {
        adopt(&mut service, &now);
        info!(host = %own, site = name_of(to), "the service goes along with its cluster");
    } else if from[0] == ReplicationStatus::Error {
        return Ok(());
    } else {
        service.replication_status = ReplicationStatus::Error;
        hold_back(&mut service, true, Some(UNREACHED));
        warn!(host = %own, site = name_of(to), "the service does not reach the site of its cluster");
    }
    noted(services::swap(&mut tx, &from, &service).await?, &own);
    tx.commit().await?;
    inner.look.notify_one();
    inner.compare.notify_one();
    inner.work.notify_waiters();
    Ok(())
}

/// Waits until each service of the cluster that is up has gone along, or says that it cannot. One that is
/// down does when it starts.
pub(crate) async fn wait(inner: &Inner, cluster: &HostName) -> Step {
    loop {
        let (row, services) = {
            let connection = &mut *inner.db.read().await?;
            let row = services::get(connection, VOLUME, cluster).await?;
            let services = services::of_cluster(connection, VOLUME, &cluster.to_string()).await?;
            (row, services)
        };
        // They wait for the next move then, which waits for this one.
        let moves_again =
            row.is_none_or(|row| row.replication_status == ReplicationStatus::FailingOver);
        let lags = |service: &Service| {
            inner.is_up(service) && service.replication_status == ReplicationStatus::FailingOver
        };
        if moves_again || !services.iter().any(lags) {
            return Ok(());
        }
        sleep(inner.options.runner.poll / 4).await;
    }
}
