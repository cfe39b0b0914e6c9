//! Workers: they take activities, run their stories, and decide what a failure means.

use std::sync::Arc;
use std::time::Duration;

use firebrick_cloud::DiskEvent;
use firebrick_db::{Activity, activities};
use firebrick_state::ActivityKind;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::control::Inner;
use crate::story::{Step, Stop};
use crate::why::Why;
use crate::{
    attachment, backup, group, group_snapshot, image, manage, moving, qos, replication, servers,
    snapshot, volume,
};

/// The longest pause before another try.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// One worker.
pub(crate) async fn work(inner: Arc<Inner>, stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let asked = inner.work.notified();
        match inner.claim().await {
            Ok(Some(activity)) => {
                // Others may look for the next one meanwhile.
                inner.work.notify_one();
                inner.run_one(&activity).await;
                inner.pace.forget(activity.id);
                inner.ended.notify_waiters();
            }
            Ok(None) => {
                let _ = tokio::time::timeout(inner.options.runner.poll, asked).await;
            }
            Err(error) => {
                warn!(%error, "no work can be taken from the database");
                tokio::time::sleep(inner.options.runner.backoff).await;
            }
        }
    }
}

impl Inner {
    async fn claim(&self) -> Result<Option<Activity>, firebrick_db::Error> {
        let mut tx = self.db.begin().await?;
        let (lease, hosts) = (self.options.runner.lease, self.hosts());
        let claimed = activities::claim_for(&mut tx, &self.owner, lease, &hosts).await?;
        if claimed.is_some() {
            tx.commit().await?;
        }
        Ok(claimed)
    }

    async fn run_one(&self, activity: &Activity) {
        let ran = if activity.cancel && activity.kind.may_cancel() {
            Err(Stop::Never(Why::cancelled()))
        } else {
            self.with_lease(activity, self.tell(activity)).await
        };
        let Err(stop) = ran else { return };
        match stop {
            Stop::Lost => warn!(activity = %activity.id, "an activity went to another worker"),
            Stop::Always(why) => self.put_off(activity, &why).await,
            Stop::Later(why) if activity.attempts + 1 < self.options.runner.attempts => {
                self.put_off(activity, &why).await;
            }
            Stop::Later(why) | Stop::Never(why) => {
                warn!(activity = %activity.id, kind = %activity.kind, resource = %activity.resource,
                      %why, "an activity failed; undoing it");
                let undone = self.with_lease(activity, self.undo(activity, &why)).await;
                if let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) = undone {
                    self.put_off(activity, &why).await;
                }
            }
        }
    }

    /// Runs `story` as long as the activity belongs to this worker.
    async fn with_lease(&self, activity: &Activity, story: impl Future<Output = Step>) -> Step {
        let renewals = async {
            let lease = self.options.runner.lease;
            loop {
                tokio::time::sleep(lease / 3).await;
                let Ok(mut tx) = self.db.begin().await else {
                    continue;
                };
                let renewed = activities::renew(&mut tx, activity.id, &self.owner, lease).await;
                match renewed {
                    Ok(true) => drop(tx.commit().await),
                    Ok(false) => return Stop::Lost,
                    Err(error) => warn!(%error, "a lease could not be renewed"),
                }
            }
        };
        tokio::select! {
            ran = story => ran,
            lost = renewals => Err(lost),
        }
    }

    async fn tell(&self, activity: &Activity) -> Step {
        match activity.kind {
            ActivityKind::CreateVolume => volume::create::run(self, activity).await,
            ActivityKind::DeleteVolume => volume::delete::run(self, activity).await,
            ActivityKind::ExtendVolume => volume::extend::run(self, activity).await,
            ActivityKind::LimitVolume => qos::limit::run(self, activity).await,
            ActivityKind::RevertVolume => volume::revert::run(self, activity).await,
            ActivityKind::FailoverVolume => replication::single::run(self, activity).await,
            ActivityKind::ReplicateVolume => replication::mirroring::run(self, activity).await,
            ActivityKind::Drill => replication::drill::story::run(self, activity).await,
            // The longest stories: boxed, so that a worker's memory is not that of these.
            ActivityKind::RetypeVolume => Box::pin(moving::change_type(self, activity)).await,
            ActivityKind::MigrateVolume => Box::pin(moving::migrate(self, activity)).await,
            ActivityKind::ManageVolume => manage::adopt::run(self, activity).await,
            ActivityKind::UnmanageVolume => manage::unmanage::run(self, activity).await,
            ActivityKind::ManageSnapshot => manage::snapshot::run(self, activity).await,
            ActivityKind::UnmanageSnapshot => manage::snapshot::forget(self, activity).await,
            ActivityKind::CreateSnapshot => snapshot::create::run(self, activity).await,
            ActivityKind::DeleteSnapshot => snapshot::delete::run(self, activity).await,
            ActivityKind::Attach => attachment::export::run(self, activity).await,
            ActivityKind::Detach => attachment::unexport::run(self, activity).await,
            ActivityKind::Failover => replication::failover::run(self, activity).await,
            ActivityKind::CreateBackup => backup::create::run(self, activity).await,
            ActivityKind::RestoreBackup => backup::restore::run(self, activity).await,
            ActivityKind::DeleteBackup => backup::delete::run(self, activity).await,
            ActivityKind::UploadVolume => image::upload::run(self, activity).await,
            ActivityKind::ReimageVolume => image::reimage::run(self, activity).await,
            ActivityKind::NotifyExtended => servers::run(self, activity, DiskEvent::Extended).await,
            ActivityKind::NotifyReimaged => servers::run(self, activity, DiskEvent::Reimaged).await,
            ActivityKind::CreateGroup => group::create::run(self, activity).await,
            ActivityKind::DeleteGroup => group::delete::run(self, activity).await,
            ActivityKind::CreateGroupSnapshot => group_snapshot::create::run(self, activity).await,
            ActivityKind::DeleteGroupSnapshot => group_snapshot::delete::run(self, activity).await,
            ActivityKind::GroupReplication => {
                group::replication::mirroring::run(self, activity).await
            }
            ActivityKind::GroupFailover => group::replication::failover::run(self, activity).await,
        }
    }

    async fn undo(&self, activity: &Activity, why: &Why) -> Step {
        match activity.kind {
            ActivityKind::CreateVolume => volume::create::undo(self, activity, why).await,
            ActivityKind::DeleteVolume => volume::delete::undo(self, activity, why).await,
            ActivityKind::ExtendVolume => volume::extend::undo(self, activity, why).await,
            ActivityKind::LimitVolume => qos::limit::undo(self, activity, why).await,
            ActivityKind::RevertVolume => volume::revert::undo(self, activity, why).await,
            ActivityKind::FailoverVolume => replication::single::undo(self, activity, why).await,
            ActivityKind::ReplicateVolume => {
                replication::mirroring::undo(self, activity, why).await
            }
            ActivityKind::Drill => replication::drill::story::undo(self, activity, why).await,
            ActivityKind::RetypeVolume => moving::keep_type(self, activity, why).await,
            ActivityKind::MigrateVolume => moving::stay(self, activity, why).await,
            ActivityKind::ManageVolume => manage::adopt::undo(self, activity, why).await,
            ActivityKind::UnmanageVolume => manage::unmanage::undo(self, activity, why).await,
            ActivityKind::ManageSnapshot => manage::snapshot::undo(self, activity, why).await,
            ActivityKind::UnmanageSnapshot => manage::snapshot::keep(self, activity, why).await,
            ActivityKind::CreateSnapshot => snapshot::create::undo(self, activity, why).await,
            ActivityKind::DeleteSnapshot => snapshot::delete::undo(self, activity, why).await,
            ActivityKind::Attach => attachment::export::undo(self, activity, why).await,
            ActivityKind::Detach => attachment::unexport::undo(self, activity, why).await,
            ActivityKind::Failover => replication::failover::undo(self, activity, why).await,
            ActivityKind::CreateBackup => backup::create::undo(self, activity, why).await,
            ActivityKind::RestoreBackup => backup::restore::undo(self, activity, why).await,
            ActivityKind::DeleteBackup => backup::delete::undo(self, activity, why).await,
            ActivityKind::UploadVolume => image::upload::undo(self, activity, why).await,
            ActivityKind::ReimageVolume => image::reimage::undo(self, activity, why).await,
            ActivityKind::CreateGroup => group::create::undo(self, activity, why).await,
            ActivityKind::DeleteGroup => group::delete::undo(self, activity, why).await,
            ActivityKind::CreateGroupSnapshot => {
                group_snapshot::create::undo(self, activity, why).await
            }
            ActivityKind::DeleteGroupSnapshot => {
                group_snapshot::delete::undo(self, activity, why).await
            }
            ActivityKind::GroupReplication => {
                group::replication::mirroring::undo(self, activity, why).await
            }
            ActivityKind::GroupFailover => {
                group::replication::failover::undo(self, activity, why).await
            }
            ActivityKind::NotifyExtended | ActivityKind::NotifyReimaged => {
                self.finish_alone(activity, Err(why)).await
            }
        }
    }

    async fn put_off(&self, activity: &Activity, why: &Why) {
        let doubled = self.options.runner.backoff * 2_u32.saturating_pow(activity.attempts.min(10));
        let pause = doubled.min(LONGEST_PAUSE);
        info!(activity = %activity.id, kind = %activity.kind, %why, ?pause, "an activity is tried again later");
        let put_off = async {
            let mut tx = self.db.begin().await?;
            activities::retry(&mut tx, activity.id, &self.owner, pause, &why.to_string()).await?;
            tx.commit().await
        };
        if let Err(error) = put_off.await {
            // Its lease ends by itself, and somebody takes it up again.
            warn!(%error, "an activity could not be put off");
        }
    }
}
