//! A project's limits and what it has of them.

use firebrick_db::usage;
use firebrick_policy::Rule;

use crate::control::Control;
use crate::error::Result;
use crate::quota::{Effective, Resource};
use crate::request::{Context, Limits, UsedLimits};

impl Control {
    /// `GET /limits`; what is used, for those who may see it.
    pub async fn limits(&self, context: &Context) -> Result<Limits> {
        let connection = &mut *self.inner.db.read().await?;
        let (quotas, project) = (&self.inner.options.quotas, &context.project);
        let limits = Effective::of(connection, quotas, project).await?;
        let used = if context.may(Rule::UsedLimits) {
            let used = usage::of_project(connection, project).await?;
            let (backups, backup_gigabytes) = usage::of_backups(connection, project).await?;
            Some(UsedLimits {
                volumes: used.volumes as i64,
                snapshots: used.snapshots as i64,
                gigabytes: crate::quota::gigabytes(quotas, &used) as i64,
                backups: backups as i64,
                backup_gigabytes: backup_gigabytes as i64,
            })
        } else {
            None
        };
        Ok(Limits {
            volumes: limits.limit(Resource::Volumes),
            snapshots: limits.limit(Resource::Snapshots),
            gigabytes: limits.limit(Resource::Gigabytes),
            backups: limits.limit(Resource::Backups),
            backup_gigabytes: limits.limit(Resource::BackupGigabytes),
            used,
        })
    }
}
