//! How images change sites: look, demote, wait, promote. What has been found out is kept in the activity,
//! so that another worker goes on where this one stopped. Every step may run twice.

use firebrick_backend::{PromoteMode, PromoteOutcome, Reason, SharedBackend};
use firebrick_db::{Activity, Connection, activities};
use firebrick_state::MessageDetail;
use firebrick_vocabulary::{ActivityId, ImageId, Position, Sequence, StoreId};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::holding::{Holding, holdings};
use super::leftovers::foreign;
use super::report::FailoverReport;
use super::steps;
use crate::control::Inner;
use crate::story::{Step, Stop};
use crate::why::Why;

/// What has been found out and done.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// Whether the site that is left takes part; `None` before that is known.
    pub(super) planned: Option<bool>,
    /// Images that live at the site to go to already, as no failover took them along.
    pub(super) staying: Vec<ImageId>,
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
    /// What the site to go to had before a forced promotion, as far as it said so.
    pub(super) holdings: Option<Vec<Holding>>,
    /// Of which images the site to go to had only what is left of a mirroring that ended, before a forced promotion.
    pub(super) foreign: Vec<ImageId>,
    /// The record of the other site to which the images return there.
    pub(super) record: Option<Sequence>,
    /// What became of that.
    pub(super) returned: Option<Result<(), String>>,
    /// What all of it did.
    pub(super) report: Option<FailoverReport>,
}

impl Progress {
    /// That of an activity, by whichever worker.
    pub(super) async fn of(connection: &mut Connection, id: ActivityId) -> Step<Self> {
        let found = activities::get(connection, id).await?;
        let state = found.map(|activity| activity.state).unwrap_or_default();
        Ok(serde_json::from_value(state).unwrap_or_default())
    }

    /// How the other site is promoted, or was.
    pub(super) fn mode(&self) -> PromoteMode {
        if self.arrived {
            PromoteMode::Planned
        } else {
            PromoteMode::Forced
        }
    }
}

/// From where to where, and what.
pub(crate) struct Switch<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) activity: &'a Activity,
    /// It goes back, and loses nothing by that.
    pub(crate) back: bool,
    /// All of the images or none: it is not begun where the other site lacks one.
    pub(crate) whole: bool,
    /// It goes without the help of the site that is left, whether that answers or not.
    pub(crate) force: bool,
    /// What its one image was at this time is what is wanted of it there, in nanoseconds since the Unix epoch.
    pub(crate) moment: Option<u64>,
    pub(crate) old: SharedBackend,
    pub(crate) new: SharedBackend,
    /// The replicated images.
    pub(crate) images: Vec<ImageId>,
}

impl Switch<'_> {
    /// Goes through all steps, from where the last run stopped, and says what became of each image.
    pub(crate) async fn run(&self) -> Step<Vec<PromoteOutcome>> {
        let mut progress: Progress =
            serde_json::from_value(self.activity.state.clone()).unwrap_or_default();
        if let Some(outcomes) = progress.promoted {
            return Ok(outcomes);
        }
        let planned = if let Some(planned) = progress.planned {
            planned
        } else {
            self.at("looking at both sites").await?;
            let planned = steps::look(self).await?;
            // What cannot be had any more is said before anything moves.
            progress.record = steps::earlier(self).await?;
            progress.planned = Some(planned);
            self.save(&progress).await?;
            planned
        };
        self.at("handing over").await?;
        let handed = planned && steps::hand_over(self, &mut progress).await?;
        if planned && !handed {
            // Once given up, the site that is left is not asked again, even if it returns.
            progress.planned = Some(false);
            self.save(&progress).await?;
        }
        let mode = progress.mode();
        if mode == PromoteMode::Forced && !progress.promoting {
            // Once it is primary, nobody knows any more.
            progress.holdings = holdings(self.inner, &*self.new, &self.images).await;
            progress.foreign = foreign(self.inner, &*self.new, &self.images).await?;
        }
        progress.promoting = true;
        self.save(&progress).await?;
        self.at("promoting").await?;
        let all_of_them = self.images.iter().copied();
        let (foreign, own): (Vec<_>, Vec<_>) =
            all_of_them.partition(|id| progress.foreign.contains(id));
        // Whatever it says, it may have done it: only asking again tells.
        let asked = self.new.promote(&own, mode).await;
        let mut outcomes = asked.map_err(Stop::later)?;
        outcomes.extend(foreign.into_iter().map(refused));
        let none = outcomes.iter().all(|outcome| outcome.result.is_err());
        if self.whole && (none || mode == PromoteMode::Planned) {
            all(&outcomes)?;
        }
        info!(resource = %self.activity.resource, site = self.new.name(), ?mode,
              images = outcomes.len(), "the other site has been promoted");
        progress.promoted = Some(outcomes.clone());
        self.save(&progress).await?;
        Ok(outcomes)
    }

    /// Undoes what is no promotion of all of them: what was demoted has been promoted again, or is tried again now.
    pub(crate) async fn undo(&self, why: &Why) -> Step {
        let inner = self.inner;
        let progress = self.saved().await?;
        if progress.promoted.is_some() {
            // There is no way back any more: the rest must be written down.
            return Err(Stop::always(why.clone()));
        }
        if progress.demoting || progress.promoting {
            let patience = self.activity.attempts < 2 * inner.options.runner.attempts;
            match steps::take_back(self, progress.promoting).await {
                Ok(()) => {}
                Err(why) if patience => return Err(Stop::later(why)),
                // Nobody can use a dead site's volumes anyway, and an operator must be able to decide
                // something else.
                Err(why) => warn!(site = self.old.name(), why, "a site may be secondary still"),
            }
        }
        Ok(())
    }

    /// Says what it is at.
    pub(crate) async fn at(&self, phase: &'static str) -> Step {
        self.inner.progress(self.activity, phase, 0, 0).await
    }

    /// What has been found out and done so far, by whichever worker.
    pub(super) async fn saved(&self) -> Step<Progress> {
        let connection = &mut *self.inner.db.read().await?;
        Progress::of(connection, self.activity.id).await
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

/// What nobody may take for the volume.
fn refused(image: ImageId) -> PromoteOutcome {
    PromoteOutcome {
        image,
        result: Err(Reason::Leftover),
    }
}

/// All of them or none, where the site that was left can have them again, or has them still.
fn all(outcomes: &[PromoteOutcome]) -> Step {
    let refused = outcomes
        .iter()
        .find_map(|it| Some((it.image, it.result.as_ref().err()?)));
    match refused {
        None => Ok(()),
        Some((image, reason)) => {
            let why = Why::from(format!("{image} was not promoted: {reason:?}"));
            Err(Stop::never(why.detail(MessageDetail::NotCaughtUp)))
        }
    }
}
