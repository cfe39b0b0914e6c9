//! What a failover would do, without doing it.

use firebrick_backend::{PromoteMode, PromoteOutcome, Reason, SharedBackend};
use firebrick_db::{
    Activity, Column, Direction, Listing, Service, Test, Volume, activities, services,
};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ReplicationStatus};
use firebrick_vocabulary::{HostName, ImageId, VolumeId};
use tokio::time::timeout;

use super::commit::goes_along;
use super::holding::{Holding, foreseen, holdings};
use super::leftovers::foreign;
use super::report::{Facts, FailoverReport, VolumeReport, rows};
use super::single::{self, FailoverVolume};
use super::target::target;
use crate::cluster::deciding;
use crate::control::{Control, Inner, VOLUME, site};
use crate::error::{Error, Result};
use crate::home::{Seat, Seats};
use crate::request::Context;
use crate::volume::look_at;

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
        let (seats, rows) = rows(inner, &service).await?;
        let along = rows.iter().filter(|volume| goes_along(&seats, volume));
        let images: Vec<ImageId> = along.map(Volume::image).collect();
        let (home, way) = (
            to.is_none(),
            Way {
                old,
                new,
                back,
                force: false,
            },
        );
        let seen = way.foresee(inner, &images).await;
        let facts = seen.facts();
        let told = rows.iter().map(|volume| facts.of(&seats, home, volume));
        Ok(way.report(&service.host, &seen, told.collect()))
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

impl Control {
    /// The action `check` of a replication: what a failover of that volume alone to the site where it does not
    /// live would do now.
    pub async fn check_volume_failover(
        &self,
        context: &Context,
        id: VolumeId,
        request: &FailoverVolume,
    ) -> Result<FailoverReport> {
        let inner = &self.inner;
        let volume = look_at(&mut *inner.db.read().await?, context, id).await?;
        context.allow_for(Rule::FirebrickReplicationCheck, &volume)?;
        single::check(&volume)?;
        let host = volume.host.as_ref().ok_or_else(|| Error::no_volume(id))?;
        let service = inner.service_of(host).await?;
        let backend = inner.backend_of(host)?;
        let seats = Seats::of(&mut *inner.db.read().await?, &service.host).await?;
        let Seat::At(active) = seats.of_volume(&volume) else {
            return Err(single::refused(&volume, "its backend is failing over"));
        };
        let (whose, asked) = (format!("The volume {id}"), Some(request.target.as_str()));
        let to = target(backend, &whose, active.as_deref(), asked);
        let to = to.map_err(Error::invalid_input)?;
        let way = Way {
            old: site(backend, active.as_deref())?,
            new: site(backend, to.as_deref())?,
            back: to.is_none() && !request.force,
            force: request.force,
        };
        let mut seen = way.foresee(inner, &[volume.image()]).await;
        if seen.refused.is_none() && seen.outcomes.iter().any(|it| it.result.is_err()) {
            seen.refused = Some(format!("{} has no complete copy of it", way.new.name()));
        }
        let told = vec![seen.facts().of_moving(&volume)];
        Ok(way.report(&service.host, &seen, told))
    }
}

/// From where to where.
struct Way {
    old: SharedBackend,
    new: SharedBackend,
    /// It goes back, and loses nothing by that.
    back: bool,
    /// It goes without the help of the site that is left.
    force: bool,
}

/// What both sites say of it now.
struct Foresight {
    mode: PromoteMode,
    refused: Option<String>,
    holdings: Vec<Holding>,
    outcomes: Vec<PromoteOutcome>,
}

impl Foresight {
    fn facts(&self) -> Facts<'_> {
        Facts {
            mode: self.mode,
            outcomes: &self.outcomes,
            holdings: &self.holdings,
            demoted: None,
        }
    }
}

impl Way {
    async fn foresee(&self, inner: &Inner, images: &[ImageId]) -> Foresight {
        let probe = inner.options.failover.probe;
        let answers = !self.force && matches!(timeout(probe, self.old.status()).await, Ok(Ok(_)));
        let found = holdings(inner, &*self.new, images).await;
        let refused = match &found {
            None => Some(format!("{} does not answer", self.new.name())),
            Some(_) if self.back && !answers => Some(format!(
                "{} does not answer, so nobody knows what it has written",
                self.old.name()
            )),
            Some(_) => None,
        };
        let holdings = found.unwrap_or_default();
        let mut outcomes = foreseen(images, &holdings);
        let mode = if answers {
            PromoteMode::Planned
        } else {
            PromoteMode::Forced
        };
        if mode == PromoteMode::Forced {
            let foreign = foreign(inner, &*self.new, images).await;
            let foreign = foreign.unwrap_or_default();
            for outcome in &mut outcomes {
                if foreign.contains(&outcome.image) {
                    outcome.result = Err(Reason::Leftover);
                }
            }
        }
        Foresight {
            mode,
            refused,
            holdings,
            outcomes,
        }
    }

    fn report(
        &self,
        host: &HostName,
        seen: &Foresight,
        volumes: Vec<VolumeReport>,
    ) -> FailoverReport {
        FailoverReport {
            host: host.clone(),
            from: self.old.name().to_owned(),
            to: self.new.name().to_owned(),
            mode: seen.mode,
            refused: seen.refused.clone(),
            duration_seconds: None,
            volumes,
        }
    }
}
