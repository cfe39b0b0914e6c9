//! The story of a failover of a backend: its images change sites, and that is written down volume by
//! volume. A database error is never a success: the activity goes on until everything is written down.

use firebrick_db::{Activity, Service, services};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::HostName;
use serde::Deserialize;
use tracing::warn;

use super::commit;
use super::report;
use super::switch::Switch;
use crate::cluster::follow;
use crate::control::{Inner, VOLUME, site};
use crate::story::{Step, Stop, noted};
use crate::why::Why;

/// What the request said.
#[derive(Debug, Deserialize)]
struct Input {
    host: HostName,
    /// The site to go to; `None` is the one of the configuration.
    to: Option<String>,
    /// Whether it goes there even where the site that is left does not answer.
    #[serde(default)]
    give_up: bool,
}

impl Input {
    fn of(activity: &Activity) -> Step<Self> {
        let input = serde_json::from_value(activity.input.clone());
        input.map_err(|error| Stop::never(error.to_string()))
    }
}

/// Everything a step needs.
pub(super) struct Move<'a> {
    pub(super) inner: &'a Inner,
    pub(super) activity: &'a Activity,
    pub(super) service: Service,
    pub(super) to: Option<String>,
    pub(super) switch: Switch<'a>,
}

/// Goes through all steps, from where the last run stopped.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return completed(inner, activity).await;
    };
    let outcomes = step.switch.run().await?;
    step.switch.at("writing down").await?;
    commit::volumes(&step, &outcomes).await?;
    commit::exports(&step).await?;
    report::write(&step).await?;
    commit::service(&step).await?;
    inner.look.notify_one();
    inner.compare.notify_one();
    if step.service.is_cluster() {
        completed(inner, activity).await?;
    }
    Ok(())
}

/// A cluster is done once each of its services that is up has gone along.
async fn completed(inner: &Inner, activity: &Activity) -> Step {
    let input = Input::of(activity)?;
    let service = services::get(&mut *inner.db.read().await?, VOLUME, &input.host).await?;
    if service.is_some_and(|service| service.is_cluster()) {
        inner
            .progress(activity, "waiting for the services", 0, 0)
            .await?;
        follow::wait(inner, &input.host).await?;
    }
    inner.finish_alone(activity, Ok(())).await
}

impl<'a> Move<'a> {
    /// `None` where the service is not failing over any more.
    async fn of(inner: &'a Inner, activity: &'a Activity) -> Step<Option<Self>> {
        let input = Input::of(activity)?;
        let service = services::get(&mut *inner.db.read().await?, VOLUME, &input.host).await?;
        let service =
            service.filter(|service| service.replication_status == ReplicationStatus::FailingOver);
        let Some(service) = service else {
            return Ok(None);
        };
        let backend = inner.backend_of(&input.host)?;
        let switch = Switch {
            inner,
            activity,
            back: input.to.is_none() && !input.give_up,
            whole: false,
            force: false,
            moment: None,
            old: site(backend, service.active_backend_id.as_deref())?,
            new: site(backend, input.to.as_deref())?,
            images: commit::replicated(inner, &service).await?,
        };
        Ok(Some(Self {
            inner,
            activity,
            service,
            to: input.to,
            switch,
        }))
    }
}

/// Nothing was promoted: the service is what it was.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    step.switch.undo(why).await?;
    let mut tx = inner.db.begin().await?;
    let found = services::get_locked(&mut tx, VOLUME, &step.service.host).await?;
    let mut service = found.unwrap_or(step.service);
    service.replication_status = if service.active_backend_id.is_some() {
        ReplicationStatus::FailedOver
    } else {
        ReplicationStatus::Enabled
    };
    warn!(backend = %service.host, %why, "the failover did not take place");
    let from = [ReplicationStatus::FailingOver];
    let swapped = services::swap(&mut tx, &from, &service).await?;
    noted(swapped, &service.host);
    if swapped.won() {
        follow::all(&mut tx, &service).await?;
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
