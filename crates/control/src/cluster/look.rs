//! Clusters: what operators see of them, and turn on and off.

use firebrick_db::{Cluster, Connection, Listing, Service, Tx, clusters, services};
use firebrick_policy::Rule;
use firebrick_state::ReplicationStatus;
use time::OffsetDateTime;

use super::follow;
use crate::control::{Control, Inner, VOLUME};
use crate::detail::ServiceDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;
use crate::story::noted;

/// A cluster with its services.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterDetail {
    /// The cluster.
    pub cluster: Cluster,
    /// Its services, by their hosts; not empty for long, as they make it.
    pub services: Vec<ServiceDetail>,
    /// What decides for all of them; there as soon as there is a service.
    pub deciding: Option<Service>,
}

impl ClusterDetail {
    /// Whether one of its services gave a sign of life lately.
    pub fn is_up(&self) -> bool {
        self.services.iter().any(|service| service.up)
    }

    /// How many of its hosts gave none.
    pub fn down_hosts(&self) -> usize {
        self.services.iter().filter(|service| !service.up).count()
    }

    /// When one of its services last gave a sign of life.
    pub fn last_heartbeat(&self) -> Option<OffsetDateTime> {
        let reported = self.services.iter().map(|it| it.service.reported_at);
        reported.max().filter(|at| *at > OffsetDateTime::UNIX_EPOCH)
    }

    /// How it replicates. It fails over until each of its services that is up has gone along.
    pub fn replication_status(&self) -> ReplicationStatus {
        let moving = ReplicationStatus::FailingOver;
        let lags = |it: &ServiceDetail| it.up && it.service.replication_status == moving;
        if self.services.iter().any(lags) {
            return moving;
        }
        let deciding = self.deciding.as_ref();
        deciding.map_or(self.cluster.replication_status, |it| it.replication_status)
    }

    /// The site that serves; `None` for the one of the configuration.
    pub fn active_backend_id(&self) -> Option<&str> {
        self.deciding.as_ref()?.active_backend_id.as_deref()
    }

    /// Whether nothing is made there, nothing changed, and nothing removed.
    pub fn is_frozen(&self) -> bool {
        self.deciding.as_ref().is_some_and(|it| it.frozen)
    }
}

impl Control {
    /// `GET /clusters` and `/clusters/detail`, by their names.
    pub async fn clusters(&self, context: &Context) -> Result<Vec<ClusterDetail>> {
        context.allow(Rule::ClustersGetAll)?;
        self.all_clusters(context).await
    }

    /// `GET /clusters/{name}`.
    pub async fn cluster(
        &self,
        context: &Context,
        name: &str,
        binary: &str,
    ) -> Result<ClusterDetail> {
        context.allow(Rule::ClustersGet)?;
        let found = self.all_clusters(context).await?.into_iter();
        let mut found = found.filter(|it| it.cluster.name == name && it.cluster.binary == binary);
        found.next().ok_or_else(|| no_cluster(name, binary))
    }

    async fn all_clusters(&self, context: &Context) -> Result<Vec<ClusterDetail>> {
        let (rows, deciding) = {
            let connection = &mut *self.inner.db.read().await?;
            let services = services::all(connection).await?.into_iter();
            let deciding: Vec<Service> = services.filter(Service::is_cluster).collect();
            (all(connection).await?, deciding)
        };
        let services = self.all_services(context).await?;
        let details = rows.into_iter().map(|cluster| {
            let of_it = |service: &Service| {
                service.cluster.as_ref() == Some(&cluster.name) && service.binary == cluster.binary
            };
            let services = services.iter().filter(|it| of_it(&it.service));
            ClusterDetail {
                services: services.cloned().collect(),
                deciding: deciding.iter().find(|row| of_it(row)).cloned(),
                cluster,
            }
        });
        Ok(details.collect())
    }

    /// `PUT /clusters/enable` and `/clusters/disable`: whether it takes new volumes.
    pub async fn switch_cluster(
        &self,
        context: &Context,
        name: &str,
        binary: &str,
        disabled: bool,
        reason: Option<String>,
    ) -> Result<ClusterDetail> {
        context.allow(Rule::ClustersUpdate)?;
        let missing = || no_cluster(name, binary);
        let mut tx = self.inner.db.begin().await?;
        let rows = all(&mut tx).await?;
        let found = rows
            .iter()
            .find(|it| it.name == name && it.binary == binary);
        let id = found.ok_or_else(missing)?.id;
        let found = clusters::get_locked(&mut tx, id).await?;
        let mut cluster = found.ok_or_else(missing)?;
        cluster.disabled = disabled;
        cluster.disabled_reason = reason;
        let from = [cluster.replication_status];
        if !clusters::swap(&mut tx, &from, &cluster).await?.won() {
            return Err(Error::lost(format_args!("Cluster {name}")));
        }
        if !disabled {
            self.open(&mut tx, name, binary).await?;
        }
        tx.commit().await?;
        self.inner.look.notify_one();
        let found = self.all_clusters(context).await?.into_iter();
        let mut found = found.filter(|it| it.cluster.id == id);
        found.next().ok_or_else(missing)
    }

    /// An operator wants new volumes there, whatever a failover or a freeze has said of it.
    async fn open(&self, tx: &mut Tx, name: &str, binary: &str) -> Result<()> {
        let Ok(host) = name.parse() else {
            return Ok(());
        };
        let found = services::get_locked(tx, binary, &host).await?;
        let Some(mut row) = found.filter(|row| row.disabled) else {
            return Ok(());
        };
        row.disabled = false;
        row.disabled_reason = None;
        let from = [row.replication_status];
        noted(services::swap(tx, &from, &row).await?, name);
        follow::all(tx, &row).await
    }

    /// What stands for a cluster in requests about hosts, for those who may do what `rule` is about.
    pub async fn host_of_cluster(
        &self,
        context: &Context,
        rule: Rule,
        name: &str,
    ) -> Result<String> {
        context.allow(rule)?;
        let missing = || no_cluster(name, VOLUME);
        let host = name.parse().map_err(|_| missing())?;
        let found = services::get(&mut *self.inner.db.read().await?, VOLUME, &host).await?;
        let found = found.filter(Service::is_cluster);
        found.map(|row| row.host.to_string()).ok_or_else(missing)
    }
}

impl Inner {
    /// Why nothing new goes to the cluster, where that is so.
    pub(crate) async fn cluster_closed(&self, service: &Service) -> Result<Option<String>> {
        let Some(name) = &service.cluster else {
            return Ok(None);
        };
        let connection = &mut *self.db.read().await?;
        let said = |reason: Option<&str>| reason.unwrap_or("no reason given").to_owned();
        let rows = all(connection).await?;
        let row = rows
            .iter()
            .find(|row| row.name == *name && row.binary == service.binary && row.disabled);
        if let Some(row) = row {
            let reason = said(row.disabled_reason.as_deref());
            return Ok(Some(format!("the cluster {name} is disabled ({reason})")));
        }
        let services = services::of_cluster(connection, &service.binary, name).await?;
        let last = services
            .last()
            .filter(|_| services.iter().all(|it| it.disabled));
        Ok(last.map(|last| {
            let reason = said(last.disabled_reason.as_deref());
            format!("all services of the cluster {name} are disabled ({reason})")
        }))
    }
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<Cluster>> {
    let found = clusters::list(connection, &Listing::default()).await?;
    let mut rows = found.unwrap_or_default();
    rows.sort_by(|a, b| (&a.name, &a.binary).cmp(&(&b.name, &b.binary)));
    Ok(rows)
}

/// As Cinder words it.
fn no_cluster(name: &str, binary: &str) -> Error {
    let text = format!("Cluster {{'binary': '{binary}', 'name': '{name}'}} could not be found.");
    Error::new(ErrorKind::NotFound, text)
}
