//! Clusters: several services on several nodes that have one backend. What decides for all of them is one
//! row, that of the cluster: its host is the host of their volumes, and it says which site serves.

pub(crate) mod follow;
mod join;
pub(crate) mod look;

use firebrick_db::{Connection, Service, Tx, services};
use firebrick_vocabulary::HostName;

use crate::error::{Error, Result};

pub use look::ClusterDetail;

/// The row that decides for a service: that of its cluster, or its own.
pub(crate) async fn deciding(connection: &mut Connection, service: Service) -> Result<Service> {
    let Some(cluster) = service.cluster.as_ref().filter(|_| !service.is_cluster()) else {
        return Ok(service);
    };
    let missing = || Error::no_service(&service.binary, cluster);
    let host: HostName = cluster.parse().map_err(|_| missing())?;
    let found = services::get(connection, &service.binary, &host).await?;
    found.ok_or_else(missing)
}

/// The row of the cluster in which the service of that host is, held before that of the service.
pub(crate) async fn held(tx: &mut Tx, binary: &str, host: &HostName) -> Result<Option<Service>> {
    let service = services::get(tx, binary, host).await?;
    let cluster = service
        .filter(|it| !it.is_cluster())
        .and_then(|it| it.cluster);
    let Some(cluster) = cluster.and_then(|name| name.parse::<HostName>().ok()) else {
        return Ok(None);
    };
    Ok(services::get_locked(tx, binary, &cluster).await?)
}
