//! What all stories have in common: how a step fails, and what that means.

use firebrick_backend::Fault;
use firebrick_db::{Activity, Swapped, Tx, activities, now};
use firebrick_state::{ActivityKind, ActivityStatus};
use firebrick_vocabulary::{ActivityId, VolumeId};
use serde_json::{Value, json};
use tracing::info;
use uuid::Uuid;

use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::home::may_pass;
use crate::request::Context;

/// Why a story did not reach its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It may work later; it begins again, as every step may run twice.
    Later(String),
    /// As [`Self::Later`], however often it takes: giving up would be worse.
    Always(String),
    /// It will never work: what was done is undone.
    Never(String),
    /// The activity belongs to somebody else now: hands off.
    Lost,
}

/// What a step returns.
pub(crate) type Step<T = ()> = std::result::Result<T, Stop>;

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        if may_pass(&fault) {
            Self::Later(fault.to_string())
        } else {
            Self::Never(fault.to_string())
        }
    }
}

impl From<firebrick_db::Error> for Stop {
    fn from(error: firebrick_db::Error) -> Self {
        // Nothing is known to have failed but the database: success and undoing need it equally.
        Self::Always(error.to_string())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let text = match &error.source {
            Some(source) => format!("{error} ({source})"),
            None => error.to_string(),
        };
        match error.kind {
            ErrorKind::Unavailable => Self::Later(text),
            ErrorKind::Internal => Self::Always(text),
            ErrorKind::NotFound
            | ErrorKind::Invalid
            | ErrorKind::Conflict
            | ErrorKind::OverQuota
            | ErrorKind::Forbidden => Self::Never(text),
        }
    }
}

/// What a story did to a row counts only where the row still was as the story found it: an operator
/// may have said something else meanwhile, or the row may be gone. The story ends all the same.
pub(crate) fn noted(swapped: Swapped, what: impl std::fmt::Display) {
    match swapped {
        Swapped::Won => {}
        Swapped::Lost => info!(%what, "it changed its status while an activity was at work"),
    }
}

impl Inner {
    /// Adds an activity to the transaction that makes it necessary.
    pub(crate) async fn begin(
        &self,
        tx: &mut Tx,
        context: &Context,
        kind: ActivityKind,
        resource: Uuid,
        input: Value,
    ) -> Result<ActivityId> {
        let present = now();
        let activity = Activity {
            id: ActivityId::random(),
            kind,
            resource,
            volume: None,
            parent: None,
            project: context.project.clone(),
            user: Some(context.user.clone()),
            request_id: context.request_id.clone(),
            input,
            state: json!({}),
            status: ActivityStatus::Running,
            phase: None,
            done: None,
            total: None,
            cancel: false,
            node: None,
            attempts: 0,
            error: None,
            created_at: present,
            updated_at: present,
            finished_at: None,
        };
        activities::insert(tx, &activity).await?;
        Ok(activity.id)
    }

    /// Ends the activity in the transaction that does its last step. A worker that lost it must not
    /// commit.
    pub(crate) async fn finish(
        &self,
        tx: &mut Tx,
        activity: &Activity,
        outcome: std::result::Result<(), &str>,
    ) -> Step {
        let status = match outcome {
            Ok(()) => ActivityStatus::Done,
            Err(_) => ActivityStatus::Failed,
        };
        let error = outcome.err();
        let owned = activities::finish(tx, activity.id, &self.owner, status, error).await?;
        if owned { Ok(()) } else { Err(Stop::Lost) }
    }

    /// As [`Self::finish`], with nothing else to do.
    pub(crate) async fn finish_alone(
        &self,
        activity: &Activity,
        outcome: std::result::Result<(), &str>,
    ) -> Step {
        let mut tx = self.db.begin().await?;
        self.finish(&mut tx, activity, outcome).await?;
        Ok(tx.commit().await?)
    }

    /// Waits for the end of an activity, as long as requests wait. An activity that failed is an
    /// error of the request.
    pub(crate) async fn wait(&self, id: ActivityId, volume: VolumeId) -> Result<()> {
        let deadline = tokio::time::Instant::now() + self.options.runner.wait;
        loop {
            let ended = self.ended.notified();
            let activity = activities::get(&mut *self.db.read().await?, id).await?;
            match activity.map(|activity| (activity.status, activity.error)) {
                Some((ActivityStatus::Running, _)) => {}
                Some((ActivityStatus::Done, _)) => return Ok(()),
                Some((ActivityStatus::Failed | ActivityStatus::Cancelled, error)) => {
                    let why = error.unwrap_or_default();
                    let text = format!("Unable to complete the request for volume {volume}: {why}");
                    return Err(Error::new(ErrorKind::Unavailable, text));
                }
                None => {
                    let text = format!("The request for volume {volume} is not known any more.");
                    return Err(Error::new(ErrorKind::Internal, text));
                }
            }
            let pause = std::time::Duration::from_millis(500);
            if tokio::time::Instant::now() > deadline {
                let text = format!("The backend of volume {volume} does not answer in time.");
                return Err(Error::new(ErrorKind::Unavailable, text));
            }
            // A second look now and then, as the end may come from another process.
            let _ = tokio::time::timeout(pause, ended).await;
        }
    }
}
