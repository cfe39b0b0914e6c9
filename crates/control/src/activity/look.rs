//! Looking at activities, and ending them.

use firebrick_db::{Activity, Connection, activities};
use firebrick_policy::Rule;
use firebrick_state::ActivityStatus;
use firebrick_vocabulary::ActivityId;

use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Query};
use crate::volume::no_marker;

impl Control {
    /// `GET /activities`.
    pub async fn activities(&self, context: &Context, query: Query) -> Result<Vec<Activity>> {
        context.allow(Rule::FirebrickActivityGetAll)?;
        let listing = context.narrowed(query);
        let found = activities::list(&mut *self.inner.db.read().await?, &listing).await?;
        found.ok_or_else(|| no_marker(&listing.marker.unwrap_or_default()))
    }

    /// `GET /activities/{id}`.
    pub async fn activity(&self, context: &Context, id: ActivityId) -> Result<Activity> {
        let connection = &mut *self.inner.db.read().await?;
        let activity = visible(connection, context, id).await?;
        context.allow_for(Rule::FirebrickActivityGet, &activity.project)?;
        Ok(activity)
    }

    /// `DELETE /activities/{id}`: it ends as soon as its story looks, and what it has made is removed.
    /// Refused where that would leave something half done, and where it has ended.
    pub async fn cancel_activity(&self, context: &Context, id: ActivityId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let activity = visible(&mut tx, context, id).await?;
        context.allow_for(Rule::FirebrickActivityCancel, &activity.project)?;
        if !activity.kind.may_cancel() {
            let text = format!(
                "Activity {id} cannot be cancelled: {} is not undone safely.",
                activity.kind
            );
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let ended = || {
            let text = format!("Activity {id} has ended.");
            Error::new(ErrorKind::Conflict, text)
        };
        if activity.status != ActivityStatus::Running
            || !activities::cancel(&mut tx, id).await?.won()
        {
            return Err(ended());
        }
        tx.commit().await?;
        self.inner.work.notify_one();
        Ok(())
    }
}

/// The activity, if it exists for whoever asks.
async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: ActivityId,
) -> Result<Activity> {
    let found = activities::get(connection, id).await?;
    let found = found.filter(|activity| context.sees(&activity.project));
    found.ok_or_else(|| Error::no_activity(id))
}
