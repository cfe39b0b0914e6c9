//! What stories and those who begin them do with an activity.

use firebrick_db::{Activity, Tx, activities, messages, now, volumes};
use firebrick_state::{ActivityKind, ActivityStatus, MessageDetail};
use firebrick_vocabulary::{ActivityId, VolumeId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::messages::message_of;
use crate::request::Context;
use crate::story::{Step, Stop};
use crate::why::Why;

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
        self.begin_about(tx, context, kind, (resource, None), input)
            .await
    }

    /// As [`Self::begin`], where the resource is not the volume that it is about. A volume that shows
    /// another status meanwhile is held by the transaction already, before anything else is.
    pub(crate) async fn begin_for(
        &self,
        tx: &mut Tx,
        context: &Context,
        kind: ActivityKind,
        resource: Uuid,
        volume: VolumeId,
        input: Value,
    ) -> Result<ActivityId> {
        self.begin_about(tx, context, kind, (resource, Some(volume)), input)
            .await
    }

    async fn begin_about(
        &self,
        tx: &mut Tx,
        context: &Context,
        kind: ActivityKind,
        (resource, volume): (Uuid, Option<VolumeId>),
        input: Value,
    ) -> Result<ActivityId> {
        let present = now();
        let activity = Activity {
            id: ActivityId::random(),
            kind,
            resource,
            volume,
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
        show(tx, &activity).await?;
        context.began.note(activity.id);
        Ok(activity.id)
    }

    /// Notes how far the story is: what it is at, and how many bytes of how many are done
    /// (of none, where it moves no bytes). Within one
    /// phase it is written once a second at most, so that stories say it as often as they like.
    pub(crate) async fn progress(
        &self,
        activity: &Activity,
        phase: &'static str,
        done: u64,
        total: u64,
    ) -> Step {
        if !self.pace.is_due(activity.id, phase) {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let bytes = (total > 0).then_some((done, total));
        if !activities::progress(&mut tx, activity.id, &self.owner, phase, bytes).await? {
            return Err(Stop::Lost);
        }
        Ok(tx.commit().await?)
    }

    /// Stops the story where a user has asked for that. Stories of kinds that [may be
    /// cancelled](ActivityKind::may_cancel) ask between two pieces of their work, and before the step
    /// behind which there is no way back.
    pub(crate) async fn cancelled(&self, activity: &Activity) -> Step {
        let found = activities::get(&mut *self.db.read().await?, activity.id).await?;
        match found {
            Some(found) if found.cancel && found.kind.may_cancel() => {
                Err(Stop::Never(Why::cancelled()))
            }
            Some(_) => Ok(()),
            None => Err(Stop::Lost),
        }
    }

    /// Ends the activity in the transaction that does its last step, and tells the project where it
    /// failed. A worker that lost it must not commit.
    pub(crate) async fn finish(
        &self,
        tx: &mut Tx,
        activity: &Activity,
        outcome: std::result::Result<(), &Why>,
    ) -> Step {
        let status = match outcome {
            Ok(()) => ActivityStatus::Done,
            Err(why) if why.is(MessageDetail::Cancelled) => ActivityStatus::Cancelled,
            Err(_) => ActivityStatus::Failed,
        };
        let error = outcome.err().map(ToString::to_string);
        let error = error.as_deref();
        if !activities::finish(tx, activity.id, &self.owner, status, error).await? {
            return Err(Stop::Lost);
        }
        show(tx, activity).await?;
        let failed = outcome.err();
        if let Some(message) = failed.and_then(|why| message_of(activity, why, &self.options)) {
            messages::insert(tx, &message).await?;
        }
        Ok(())
    }

    /// As [`Self::finish`], with nothing else to do.
    pub(crate) async fn finish_alone(
        &self,
        activity: &Activity,
        outcome: std::result::Result<(), &Why>,
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
            let pause = std::time::Duration::from_millis(100);
            if tokio::time::Instant::now() > deadline {
                let text = format!("The backend of volume {volume} does not answer in time.");
                return Err(Error::new(ErrorKind::Unavailable, text));
            }
            // A second look now and then, as the end may come from another process.
            let _ = tokio::time::timeout(pause, ended).await;
        }
    }
}

/// The volume that the activity is about shows what those that run make of it. Such a volume is held
/// first, so that of two that begin or end at once the later one sees the other.
async fn show(tx: &mut Tx, activity: &Activity) -> std::result::Result<(), firebrick_db::Error> {
    let Some(id) = activity.volume.filter(|_| activity.kind.shows().is_some()) else {
        return Ok(());
    };
    let Some(volume) = volumes::get_locked(tx, id).await? else {
        return Ok(());
    };
    let running = activities::kinds_about(tx, id).await?;
    let shown = running.into_iter().find_map(ActivityKind::shows);
    if shown != volume.shown {
        // A volume that is held is there.
        let _ = volumes::show(tx, id, shown).await?.won();
    }
    Ok(())
}
