//! `workers/cleanup`: who goes on with what services left behind when they ended.
//!
//! Activities whose lease has ended are taken up by whoever is up, without being asked. A request only
//! makes them look at once, and tells which services it was about.

use firebrick_db::{Service, activities};
use firebrick_policy::Rule;
use uuid::Uuid;

use crate::control::{Control, SCHEDULER, VOLUME};
use crate::detail::ServiceDetail;
use crate::error::{Error, Result};
use crate::request::Context;

/// `POST /workers/cleanup`: the services that all of these are true for.
#[derive(Clone, Debug, Default)]
pub struct Cleanup {
    /// `cluster_name`.
    pub cluster: Option<String>,
    /// `host`.
    pub host: Option<String>,
    /// `binary`.
    pub binary: Option<String>,
    /// `service_id`: the number in the answers.
    pub service: Option<u64>,
    /// `is_up`: whether they gave a sign of life lately.
    pub is_up: bool,
    /// `disabled`; `None` for all.
    pub disabled: Option<bool>,
    /// `resource_id`: what an activity was at.
    pub resource: Option<Uuid>,
}

/// The services of a clean-up, each with its number.
#[derive(Clone, Debug, Default)]
pub struct Cleaned {
    /// Their work is taken up.
    pub cleaning: Vec<(u64, Service)>,
    /// Nobody is there who could.
    pub unavailable: Vec<(u64, Service)>,
}

impl Control {
    /// `POST /workers/cleanup`.
    pub async fn cleanup(&self, context: &Context, mut request: Cleanup) -> Result<Cleaned> {
        context.allow(Rule::WorkersCleanup)?;
        let placed =
            request.service.is_some() || request.cluster.is_some() || request.host.is_some();
        if let Some(resource) = request.resource.filter(|_| !placed) {
            let connection = &mut *self.inner.db.read().await?;
            let left = activities::abandoned(connection, resource).await?;
            let node = left.and_then(|activity| activity.node);
            let node = node.ok_or_else(|| {
                let text = format!("There is no resource with UUID {resource} pending cleanup.");
                Error::invalid_input(text)
            })?;
            request.host = Some(node);
            request.binary.get_or_insert_with(|| VOLUME.to_owned());
        }
        let mut services = self.all_services(context).await?;
        services.sort_by(|a, b| {
            let (a, b) = (&a.service, &b.service);
            (a.created_at, &a.binary, &a.host).cmp(&(b.created_at, &b.binary, &b.host))
        });
        let mut cleaned = Cleaned::default();
        for (number, detail) in (1..).zip(&services) {
            if !request.means(number, detail) {
                continue;
            }
            let found = (number, detail.service.clone());
            if is_reached(detail, &services) {
                cleaned.cleaning.push(found);
            } else {
                cleaned.unavailable.push(found);
            }
        }
        if !cleaned.cleaning.is_empty() {
            self.inner.work.notify_waiters();
        }
        Ok(cleaned)
    }
}

impl Cleanup {
    fn means(&self, number: u64, detail: &ServiceDetail) -> bool {
        let service = &detail.service;
        let on = |wanted: &String| {
            let host = service.host.to_string();
            host == *wanted || host.split('@').next() == Some(wanted)
        };
        self.cluster
            .as_ref()
            .is_none_or(|name| service.cluster.as_ref() == Some(name))
            && self.host.as_ref().is_none_or(on)
            && self
                .binary
                .as_ref()
                .is_none_or(|name| service.binary == *name)
            && self.service.is_none_or(|wanted| wanted == number)
            && detail.up == self.is_up
            && self
                .disabled
                .is_none_or(|disabled| service.disabled == disabled)
    }
}

/// Whether somebody can go on with the work of a service.
fn is_reached(detail: &ServiceDetail, all: &[ServiceDetail]) -> bool {
    let service = &detail.service;
    let mut peers = all
        .iter()
        .filter(|other| other.up && other.service.binary == service.binary);
    detail.up
        || match &service.cluster {
            Some(name) => peers.any(|other| other.service.cluster.as_ref() == Some(name)),
            None => service.binary == SCHEDULER && peers.next().is_some(),
        }
}
