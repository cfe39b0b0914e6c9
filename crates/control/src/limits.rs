//! A project's limits and what it has of them.

use firebrick_db::usage;

use crate::control::Control;
use crate::error::Result;
use crate::request::{Context, Limits};

impl Control {
    /// `GET /limits`.
    pub async fn limits(&self, context: &Context) -> Result<Limits> {
        let quotas = self.inner.options.quotas;
        let used = usage::of_project(&mut *self.inner.db.read().await?, &context.project).await?;
        Ok(Limits {
            volumes: quotas.volumes,
            snapshots: quotas.snapshots,
            gigabytes: quotas.gigabytes,
            volumes_used: used.volumes as i64,
            snapshots_used: used.snapshots as i64,
            gigabytes_used: used.gigabytes as i64,
        })
    }
}
