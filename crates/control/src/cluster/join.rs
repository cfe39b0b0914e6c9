//! A service joins the cluster of its configuration at its start, and leaves the one that it was in.

use firebrick_backend::SharedBackend;
use firebrick_db::{Cluster, Service, Tx, clusters, now, rehost, services, volumes};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{HostName, ServiceId};
use uuid::Uuid;

use super::follow::adopt;
use super::look::all;
use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::home::name_of;

impl Inner {
    /// Refuses clusters of backends that only one service may use.
    pub(crate) fn fit_clusters(&self) -> Result<()> {
        for backend in &self.options.backends {
            let Some(cluster) = &backend.cluster else {
                continue;
            };
            let refuse = |why: String| {
                let text = format!(
                    "The backend {} cannot be in the cluster {cluster}: {why}.",
                    backend.name
                );
                Err(Error::new(ErrorKind::Invalid, text))
            };
            if *cluster == self.options.node {
                return refuse("this node has the same name".to_owned());
            }
            let targets = backend.targets.iter().map(|(_, site)| site);
            let alone = |site: &&SharedBackend| !site.capabilities().active_active;
            if let Some(site) = [&backend.primary].into_iter().chain(targets).find(alone) {
                let name = site.name();
                return refuse(format!(
                    "the driver of its site {name} does not support several services at once (active/active)"
                ));
            }
        }
        Ok(())
    }

    /// Brings the row of a service that starts, which is there, and its volumes to the cluster that the
    /// configuration says, or to none. A service that was down learns here where its cluster is.
    pub(crate) async fn join(&self, tx: &mut Tx, service: &Service) -> Result<()> {
        let missing = || Error::no_service(&service.binary, &service.host);
        let known = services::get(tx, &service.binary, &service.host).await?;
        let mut known = known.ok_or_else(missing)?;
        let from = [known.replication_status];
        let former = known
            .cluster
            .clone()
            .filter(|_| known.cluster != service.cluster);
        if let Some(former) = former {
            leave(tx, &mut known, &former).await?;
        }
        if let Some(cluster) = &service.cluster {
            let host: HostName = cluster.parse().map_err(|_| missing())?;
            let cluster = enter(tx, &known, service, host).await?;
            adopt(&mut known, &cluster);
        }
        known.cluster.clone_from(&service.cluster);
        if !services::swap(tx, &from, &known).await?.won() {
            return Err(Error::lost(format_args!("Service {}", service.host)));
        }
        Ok(())
    }
}

/// The row of the cluster, made where it is the first service. The volumes that it has are the cluster's.
async fn enter(tx: &mut Tx, known: &Service, service: &Service, host: HostName) -> Result<Service> {
    let name = host.to_string();
    let found = services::get_locked(tx, &service.binary, &host).await?;
    let cluster = if let Some(cluster) = found {
        if known.cluster != service.cluster {
            refuse_elsewhere(tx, known, &cluster).await?;
        }
        cluster
    } else {
        let cluster = Service {
            id: ServiceId::random(),
            host: host.clone(),
            cluster: Some(name.clone()),
            ..known.clone()
        };
        services::insert(tx, &cluster).await?;
        cluster
    };
    refuse_moving(known)?;
    rehost(tx, &known.host, &host, true).await?;
    let rows = all(tx).await?;
    let is_it = |row: &Cluster| row.name == name && row.binary == service.binary;
    if !rows.iter().any(is_it) {
        let row = Cluster {
            id: Uuid::new_v4(),
            name,
            binary: service.binary.clone(),
            disabled: false,
            disabled_reason: None,
            frozen: false,
            replication_status: cluster.replication_status,
            active_backend_id: None,
            created_at: now(),
            updated_at: None,
        };
        clusters::insert(tx, &row).await?;
    }
    Ok(cluster)
}

/// One row says where all volumes of a cluster live.
async fn refuse_elsewhere(tx: &mut Tx, known: &Service, cluster: &Service) -> Result<()> {
    let site = |row: &Service| name_of(row.active_backend_id.as_deref()).to_owned();
    let (here, there) = (site(known), site(cluster));
    if here == there || volumes::of_service(tx, &known.host).await?.is_empty() {
        return Ok(());
    }
    Err(refused(format_args!(
        "{} cannot join {}: its volumes are at the site {here}, those of the cluster at {there}",
        known.host, cluster.host
    )))
}

/// The cluster keeps its volumes as long as another service is in it. The last one takes them along.
async fn leave(tx: &mut Tx, known: &mut Service, former: &str) -> Result<()> {
    let Ok(host) = former.parse::<HostName>() else {
        return Ok(());
    };
    let Some(cluster) = services::get_locked(tx, &known.binary, &host).await? else {
        return Ok(());
    };
    refuse_moving(&cluster)?;
    adopt(known, &cluster);
    let others = services::of_cluster(tx, &known.binary, former).await?;
    if others.iter().any(|other| other.id != known.id) {
        return Ok(());
    }
    rehost(tx, &host, &known.host, false).await?;
    services::remove(tx, cluster.id).await?;
    for row in all(tx).await? {
        if row.name == former && row.binary == known.binary {
            clusters::remove(tx, row.id).await?;
        }
    }
    Ok(())
}

/// What is under way knows volumes by their former host.
fn refuse_moving(service: &Service) -> Result<()> {
    let moving = service.replication_status == ReplicationStatus::FailingOver;
    if moving && (service.cluster.is_none() || service.is_cluster()) {
        let host = &service.host;
        return Err(refused(format_args!(
            "{host} fails over at the moment: it joins or leaves a cluster when that is done"
        )));
    }
    Ok(())
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, why)
}
