//! Services: what operators see of them, turn on and off.

use firebrick_db::{Service, now, services};
use firebrick_policy::Rule;
use firebrick_vocabulary::HostName;

use crate::cluster;
use crate::control::{Control, VOLUME};
use crate::detail::ServiceDetail;
use crate::error::{Error, Result};
use crate::request::Context;
use crate::story::noted;

impl Control {
    /// `GET /os-services`.
    pub async fn services(
        &self,
        context: &Context,
        binary: Option<&str>,
        host: Option<&str>,
    ) -> Result<Vec<ServiceDetail>> {
        context.allow(Rule::ServicesIndex)?;
        let wanted = |service: &Service| {
            binary.is_none_or(|binary| service.binary == binary)
                && host.is_none_or(|host| service.host.to_string() == host || node(service) == host)
        };
        let mut found = self.all_services(context).await?;
        found.retain(|detail| wanted(&detail.service));
        Ok(found)
    }

    pub(crate) async fn all_services(&self, _context: &Context) -> Result<Vec<ServiceDetail>> {
        let rows = services::all(&mut *self.inner.db.read().await?).await?;
        // That of a cluster is shown among the clusters.
        let rows = rows.into_iter().filter(|row| !row.is_cluster());
        Ok(rows.map(|service| self.detailed(service)).collect())
    }

    fn detailed(&self, service: Service) -> ServiceDetail {
        let silent = now() - service.reported_at;
        let up = silent <= self.inner.options.service_down_time;
        let backend = service.host.to_string();
        let backend_up = (service.binary == VOLUME).then(|| {
            let views = self.inner.views.read();
            let name = backend.split_once('@').map_or("", |(_, name)| name);
            views.get(name).is_some_and(|view| view.down.is_none())
        });
        ServiceDetail {
            service,
            up,
            backend_up,
        }
    }

    /// `PUT /os-services/enable`.
    pub async fn enable_service(
        &self,
        context: &Context,
        binary: &str,
        host: &str,
    ) -> Result<ServiceDetail> {
        self.change(context, Rule::ServicesUpdate, binary, host, |service| {
            service.disabled = false;
            service.disabled_reason = None;
            Ok(())
        })
        .await
    }

    /// `PUT /os-services/disable` and `disable-log-reason`.
    pub async fn disable_service(
        &self,
        context: &Context,
        binary: &str,
        host: &str,
        reason: Option<&str>,
    ) -> Result<ServiceDetail> {
        self.change(context, Rule::ServicesUpdate, binary, host, |service| {
            service.disabled = true;
            service.disabled_reason = reason.map(str::to_owned);
            Ok(())
        })
        .await
    }

    pub(crate) async fn change(
        &self,
        context: &Context,
        rule: Rule,
        binary: &str,
        host: &str,
        change: impl FnOnce(&mut Service) -> Result<()>,
    ) -> Result<ServiceDetail> {
        context.allow(rule)?;
        let missing = || Error::no_service(binary, host);
        let name: HostName = host.parse().map_err(|_| missing())?;
        let mut tx = self.inner.db.begin().await?;
        let cluster = cluster::held(&mut tx, binary, &name).await?;
        let mut service = services::get_locked(&mut tx, binary, &name)
            .await?
            .filter(|service| !service.is_cluster())
            .ok_or_else(missing)?;
        change(&mut service)?;
        let from = [service.replication_status];
        if !services::swap(&mut tx, &from, &service).await?.won() {
            return Err(Error::lost(format_args!("Service {host}")));
        }
        if let Some(mut cluster) = cluster.filter(|row| row.disabled && !service.disabled) {
            // One service that takes new volumes is enough, as after a failover.
            cluster.disabled = false;
            cluster.disabled_reason = None;
            let from = [cluster.replication_status];
            noted(
                services::swap(&mut tx, &from, &cluster).await?,
                &cluster.host,
            );
        }
        tx.commit().await?;
        self.inner.look.notify_one();
        Ok(self.detailed(service))
    }
}

/// The host of a service without its backend.
fn node(service: &Service) -> String {
    let host = service.host.to_string();
    host.split_once('@')
        .map_or(host.clone(), |(node, _)| node.to_owned())
}
