//! Hosts: the older view of services, and what projects have on them.

use std::collections::BTreeMap;

use firebrick_db::{PoolUsage, services, usage};
use firebrick_policy::Rule;
use firebrick_vocabulary::{HostName, ProjectId};

use crate::cluster::deciding;
use crate::control::{Control, VOLUME};
use crate::detail::ServiceDetail;
use crate::error::{Error, Result};
use crate::options::POOL;
use crate::request::Context;

impl Control {
    /// `GET /os-hosts`: the services that are enabled, of one zone where it is given.
    pub async fn hosts(&self, context: &Context, zone: Option<&str>) -> Result<Vec<ServiceDetail>> {
        context.allow(Rule::Hosts)?;
        let mut found = self.all_services(context).await?;
        found.retain(|detail| {
            let service = &detail.service;
            !service.disabled && zone.is_none_or(|zone| service.availability_zone == zone)
        });
        Ok(found)
    }

    /// `GET /os-hosts/{host}`: what each project has on a host with a backend.
    pub async fn host(
        &self,
        context: &Context,
        host: &str,
    ) -> Result<BTreeMap<ProjectId, PoolUsage>> {
        context.allow(Rule::Hosts)?;
        let missing = || Error::no_service(VOLUME, host);
        let name: HostName = host.parse().map_err(|_| missing())?;
        let connection = &mut *self.inner.db.read().await?;
        let found = services::get(connection, VOLUME, &name).await?;
        let service = found.ok_or_else(missing)?;
        let service = deciding(connection, service).await?;
        Ok(usage::of_pool(connection, &service.host.with_pool(POOL)).await?)
    }

    /// `PUT /os-hosts/{host}`: its backend takes new volumes, or none.
    pub async fn enable_host(
        &self,
        context: &Context,
        host: &str,
        enabled: bool,
    ) -> Result<ServiceDetail> {
        self.change(context, Rule::Hosts, VOLUME, host, |service| {
            service.disabled = !enabled;
            service.disabled_reason = None;
            Ok(())
        })
        .await
    }
}
