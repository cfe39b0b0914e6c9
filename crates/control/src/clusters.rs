//! Clusters: what operators see of them, and turn on and off. How a cluster replicates is what its
//! services say.

use firebrick_db::{Cluster, Connection, Listing, Service, Tx, clusters, now, services};
use firebrick_policy::Rule;
use firebrick_state::ReplicationStatus;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::control::{Control, Inner, VOLUME};
use crate::detail::ServiceDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Context;

/// A cluster with its services.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterDetail {
    /// The cluster.
    pub cluster: Cluster,
    /// Its services, by their hosts; not empty for long, as they make it.
    pub services: Vec<ServiceDetail>,
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

    /// The service that changed last, which tells how the cluster replicates.
    fn newest(&self) -> Option<&Service> {
        let services = self.services.iter().map(|it| &it.service);
        services.max_by_key(|service| service.updated_at)
    }

    /// How it replicates.
    pub fn replication_status(&self) -> ReplicationStatus {
        let newest = self.newest();
        newest.map_or(self.cluster.replication_status, |it| it.replication_status)
    }

    /// The site that serves; `None` for the one of the configuration.
    pub fn active_backend_id(&self) -> Option<&str> {
        self.newest()?.active_backend_id.as_deref()
    }

    /// Whether nothing is made on any of its hosts, and nothing removed.
    pub fn is_frozen(&self) -> bool {
        let mut services = self.services.iter();
        !self.services.is_empty() && services.all(|it| it.service.frozen)
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
        let rows = all(&mut *self.inner.db.read().await?).await?;
        let services = self.all_services(context).await?;
        let details = rows.into_iter().map(|cluster| {
            let of_it = |service: &Service| {
                service.cluster.as_ref() == Some(&cluster.name) && service.binary == cluster.binary
            };
            let services = services.iter().filter(|it| of_it(&it.service));
            ClusterDetail {
                services: services.cloned().collect(),
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
        tx.commit().await?;
        self.inner.look.notify_one();
        let found = self.all_clusters(context).await?.into_iter();
        let mut found = found.filter(|it| it.cluster.id == id);
        found.next().ok_or_else(missing)
    }

    /// The hosts of a cluster's volume services, for those who may do what `rule` is about.
    pub async fn hosts_of_cluster(
        &self,
        context: &Context,
        rule: Rule,
        name: &str,
    ) -> Result<Vec<String>> {
        context.allow(rule)?;
        let services = self.all_services(context).await?.into_iter();
        let of_it = services
            .map(|it| it.service)
            .filter(|it| it.binary == VOLUME && it.cluster.as_deref() == Some(name));
        let hosts: Vec<String> = of_it.map(|it| it.host.to_string()).collect();
        if hosts.is_empty() {
            return Err(no_cluster(name, VOLUME));
        }
        Ok(hosts)
    }
}

impl Inner {
    /// Makes the cluster of a service that the configuration says to be in one.
    pub(crate) async fn join(&self, tx: &mut Tx, service: &Service) -> Result<()> {
        let known = services::get_locked(tx, &service.binary, &service.host).await?;
        if let Some(mut known) = known.filter(|known| known.cluster != service.cluster) {
            known.cluster.clone_from(&service.cluster);
            let from = [known.replication_status];
            if !services::swap(tx, &from, &known).await?.won() {
                return Err(Error::lost(format_args!("Service {}", service.host)));
            }
        }
        let Some(name) = &service.cluster else {
            return Ok(());
        };
        let rows = all(tx).await?;
        if rows
            .iter()
            .any(|row| row.name == *name && row.binary == service.binary)
        {
            return Ok(());
        }
        let cluster = Cluster {
            id: Uuid::new_v4(),
            name: name.clone(),
            binary: service.binary.clone(),
            disabled: false,
            disabled_reason: None,
            frozen: false,
            replication_status: service.replication_status,
            active_backend_id: None,
            created_at: now(),
            updated_at: None,
        };
        Ok(clusters::insert(tx, &cluster).await?)
    }

    /// Why nothing new goes to the cluster, where that is so.
    pub(crate) async fn cluster_closed(&self, service: &Service) -> Result<Option<String>> {
        let Some(name) = &service.cluster else {
            return Ok(None);
        };
        let rows = all(&mut *self.db.read().await?).await?;
        let closed = rows
            .iter()
            .find(|row| row.name == *name && row.binary == service.binary && row.disabled);
        Ok(closed.map(|row| {
            let reason = row.disabled_reason.as_deref();
            let reason = reason.unwrap_or("no reason given");
            format!("the cluster {name} is disabled ({reason})")
        }))
    }
}

async fn all(connection: &mut Connection) -> Result<Vec<Cluster>> {
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
