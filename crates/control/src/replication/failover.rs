//! The story of a failover: look, demote, wait, promote, commit, finish.
//!
//! What has been found out is kept in the activity, so that another worker goes on where this one
//! stopped. Every step may run twice. A database error is never a success: the activity goes on until
//! everything is written down.

use firebrick_backend::{PromoteMode, PromoteOutcome, SharedBackend};
use firebrick_db::{Activity, Service, activities, services};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{HostName, ImageId, Position, StoreId};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{commit, steps};
use crate::control::{Inner, VOLUME, site};
use crate::story::{Step, Stop, noted};
use crate::why::Why;

/// What the request said.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) host: HostName,
    /// The site to go to; `None` is the one of the configuration.
    pub(super) to: Option<String>,
    /// Whether it goes there even where the site that is left does not answer.
    #[serde(default)]
    pub(super) give_up: bool,
}

/// What has been found out and done.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    /// Whether the site that is left takes part; `None` before that is known.
    pub(super) planned: Option<bool>,
    /// The site that is left has been asked to demote, whether it answered or not.
    pub(super) demoting: bool,
    /// The store that is left and the position of its demotion.
    pub(super) demoted: Option<(StoreId, Position)>,
    /// The demotion has arrived at the site to go to.
    pub(super) arrived: bool,
    /// The site to go to has been asked to promote, whether it answered or not.
    pub(super) promoting: bool,
    /// What became of the promotion.
    pub(super) promoted: Option<Vec<PromoteOutcome>>,
}

/// Everything a step needs.
pub(super) struct Move<'a> {
    pub(super) inner: &'a Inner,
    pub(super) activity: &'a Activity,
    pub(super) service: Service,
    pub(super) to: Option<String>,
    /// It goes back, and loses nothing by that.
    pub(super) back: bool,
    pub(super) old: SharedBackend,
    pub(super) new: SharedBackend,
    /// The replicated images.
    pub(super) images: Vec<ImageId>,
}

/// Goes through all steps, from where the last run stopped.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let mut progress: Progress = serde_json::from_value(activity.state.clone()).unwrap_or_default();
    if progress.promoted.is_none() {
        let planned = if let Some(planned) = progress.planned {
            planned
        } else {
            step.at("looking at both sites").await?;
            let planned = steps::look(&step).await?;
            progress.planned = Some(planned);
            step.save(&progress).await?;
            planned
        };
        step.at("handing over").await?;
        let handed = planned && steps::hand_over(&step, &mut progress).await?;
        if planned && !handed {
            // Once given up, the site that is left is not asked again, even if it returns.
            progress.planned = Some(false);
            step.save(&progress).await?;
        }
        let mode = if handed {
            PromoteMode::Planned
        } else {
            PromoteMode::Forced
        };
        progress.promoting = true;
        step.save(&progress).await?;
        step.at("promoting").await?;
        // Whatever it says, it may have done it: only asking again tells.
        let asked = step.new.promote(&step.images, mode).await;
        let outcomes = asked.map_err(Stop::later)?;
        info!(backend = %step.service.host, site = step.new.name(), ?mode, images = outcomes.len(),
              "the other site has been promoted");
        progress.promoted = Some(outcomes);
        step.save(&progress).await?;
    }
    let outcomes = progress.promoted.unwrap_or_default();
    step.at("writing down").await?;
    commit::volumes(&step, &outcomes).await?;
    commit::exports(&step).await?;
    commit::service(&step).await?;
    inner.look.notify_one();
    inner.compare.notify_one();
    Ok(())
}

impl<'a> Move<'a> {
    /// `None` where the service is not failing over any more.
    async fn of(inner: &'a Inner, activity: &'a Activity) -> Step<Option<Self>> {
        let input: Input = serde_json::from_value(activity.input.clone())
            .map_err(|error| Stop::never(error.to_string()))?;
        let service = services::get(&mut *inner.db.read().await?, VOLUME, &input.host).await?;
        let service =
            service.filter(|service| service.replication_status == ReplicationStatus::FailingOver);
        let Some(service) = service else {
            return Ok(None);
        };
        let backend = inner.backend_of(&input.host)?;
        let old = site(backend, service.active_backend_id.as_deref())?;
        let new = site(backend, input.to.as_deref())?;
        let images = commit::replicated(inner, &service).await?;
        Ok(Some(Self {
            inner,
            activity,
            service,
            back: input.to.is_none() && !input.give_up,
            to: input.to,
            old,
            new,
            images,
        }))
    }

    /// Says what it is at.
    async fn at(&self, phase: &'static str) -> Step {
        self.inner.progress(self.activity, phase, 0, 0).await
    }

    pub(super) async fn save(&self, progress: &Progress) -> Step {
        let state =
            serde_json::to_value(progress).map_err(|error| Stop::always(error.to_string()))?;
        let (id, owner) = (self.activity.id, &self.inner.owner);
        let mut tx = self.inner.db.begin().await?;
        if !activities::save(&mut tx, id, owner, &state).await? {
            return Err(Stop::Lost);
        }
        Ok(tx.commit().await?)
    }
}

/// Nothing was promoted: the service is what it was. What was demoted has been promoted again, or is
/// tried again now.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    let state = activities::get(&mut *inner.db.read().await?, activity.id).await?;
    let state = state.map(|activity| activity.state).unwrap_or_default();
    let progress: Progress = serde_json::from_value(state).unwrap_or_default();
    if progress.promoted.is_some() {
        // There is no way back any more: the rest must be written down.
        return Err(Stop::always(why.clone()));
    }
    if progress.demoting || progress.promoting {
        let patience = activity.attempts < 2 * inner.options.runner.attempts;
        match steps::take_back(&step, progress.promoting).await {
            Ok(()) => {}
            Err(why) if patience => return Err(Stop::later(why)),
            // Nobody can use a dead site's volumes anyway, and an operator must be able to decide
            // something else.
            Err(why) => warn!(site = step.old.name(), why, "a site may be secondary still"),
        }
    }
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
    noted(
        services::swap(&mut tx, &from, &service).await?,
        &service.host,
    );
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
