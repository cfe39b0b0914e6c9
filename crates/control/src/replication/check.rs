//! What a failover would do, without doing it.

use firebrick_backend::{Backend, PromoteMode};
use firebrick_db::{
    Activity, Column, Direction, Listing, Service, Test, Volume, activities, services,
};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ReplicationStatus};
use firebrick_vocabulary::HostName;
use tokio::time::timeout;

use super::commit::goes_along;
use super::holding::{foreseen, holdings};
use super::report::{Facts, FailoverReport, rows};
use super::target::target;
use crate::cluster::deciding;
use crate::control::{Control, Inner, VOLUME, site};
use crate::error::{Error, Result};
use crate::request::Context;

impl Inner {
    /// What decides about the backend of that host: its service, or the row of the cluster of that.
    pub(super) async fn deciding(&self, host: &str) -> Result<Service> {
        let missing = || Error::no_service(VOLUME, host);
        let name: HostName = host.parse().map_err(|_| missing())?;
        let connection = &mut *self.db.read().await?;
        let found = services::get(connection, VOLUME, &name.without_pool()).await?;
        deciding(connection, found.ok_or_else(missing)?).await
    }
}

impl Control {
    /// `PUT /os-services/failover-check`: what [`Control::failover`] with the same words would do to each
    /// volume now. Nothing changes.
    pub async fn check_failover(
        &self,
        context: &Context,
        host: &str,
        backend_id: Option<&str>,
    ) -> Result<FailoverReport> {
        context.allow(Rule::VolumeFailoverHost)?;
        let inner = &self.inner;
        let service = inner.deciding(host).await?;
        let missing = |_| Error::no_service(VOLUME, host);
        let backend = inner.backend_of(&service.host).map_err(missing)?;
        let whose = format!("The backend {}", backend.name);
        let active = service.active_backend_id.as_deref();
        let to = target(backend, &whose, active, backend_id).map_err(Error::invalid_input)?;
        if !ReplicationStatus::FAILOVER_SOURCES.contains(&service.replication_status) {
            let text = format!("Host {host} is failing over already, or does not replicate.");
            return Err(Error::invalid_input(text));
        }
        let given_up = backend_id == Some(backend.primary.name());
        let (old, new) = (site(backend, active)?, site(backend, to.as_deref())?);
        let back = to.is_none() && !given_up;
        foretell(inner, service, &*old, &*new, (to.is_none(), back)).await
    }

    /// The failover of a backend that was asked for last, if it is remembered.
    pub async fn last_failover(&self, context: &Context, host: &str) -> Result<Option<Activity>> {
        context.allow(Rule::VolumeFailoverHost)?;
        let service = self.inner.deciding(host).await?;
        let connection = &mut *self.inner.db.read().await?;
        let kind = ActivityKind::Failover.to_string();
        let listing = Listing {
            limit: Some(1),
            sort: vec![(Column::CreatedAt, Direction::Descending)],
            ..Listing::of(Column::Resource, &service.id)
        };
        let listing = listing.and(Column::Kind, Test::OneOf(vec![kind]));
        let found = activities::list(connection, &listing).await?;
        Ok(found.unwrap_or_default().pop())
    }
}

async fn foretell(
    inner: &Inner,
    service: Service,
    old: &dyn Backend,
    new: &dyn Backend,
    (home, back): (bool, bool),
) -> Result<FailoverReport> {
    let probe = inner.options.failover.probe;
    let answers = matches!(timeout(probe, old.status()).await, Ok(Ok(_)));
    let mode = if answers {
        PromoteMode::Planned
    } else {
        PromoteMode::Forced
    };
    let (seats, all) = rows(inner, &service).await?;
    let images: Vec<_> = all
        .iter()
        .filter(|volume| goes_along(&seats, volume))
        .map(Volume::image)
        .collect();
    let found = holdings(inner, new, &images).await;
    let refused = match &found {
        None => Some(format!("{} does not answer", new.name())),
        Some(_) if back && !answers => Some(format!(
            "{} does not answer, so nobody knows what it has written",
            old.name()
        )),
        Some(_) => None,
    };
    let holdings = found.unwrap_or_default();
    let outcomes = foreseen(&images, &holdings);
    let facts = Facts {
        seats: &seats,
        home,
        mode,
        outcomes: &outcomes,
        holdings: &holdings,
        demoted: None,
    };
    Ok(FailoverReport {
        from: old.name().to_owned(),
        to: new.name().to_owned(),
        mode,
        refused,
        duration_seconds: None,
        volumes: all.iter().map(|volume| facts.of(volume)).collect(),
        host: service.host,
    })
}
