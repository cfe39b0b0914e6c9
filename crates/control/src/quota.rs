//! Quotas: counted from the rows in the transaction that adds one.

use firebrick_db::{Tx, usage};
use firebrick_vocabulary::ProjectId;

use crate::error::{Error, ErrorKind, Result};
use crate::options::Quotas;

/// What a request wants to add.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) volumes: i64,
    pub(crate) snapshots: i64,
    pub(crate) gigabytes: i64,
}

/// Refuses what would exceed a quota of the project, which is locked from here on.
pub(crate) async fn check(
    tx: &mut Tx,
    quotas: &Quotas,
    project: &ProjectId,
    wanted: Wanted,
) -> Result<()> {
    tx.lock_project(project).await?;
    let mut used = usage::of_project(tx, project).await?;
    used.gigabytes += usage::promised(tx, project).await?;
    let exceeds =
        |limit: i64, used: u64, more: i64| more > 0 && limit >= 0 && used as i64 + more > limit;
    let refuse = |message: String| Err(Error::new(ErrorKind::OverQuota, message));
    if exceeds(quotas.gigabytes, used.gigabytes, wanted.gigabytes) {
        return refuse(format!(
            "Requested volume or snapshot exceeds allowed gigabytes quota. Requested {}G, quota is \
             {}G and {}G has been consumed.",
            wanted.gigabytes, quotas.gigabytes, used.gigabytes
        ));
    }
    if exceeds(quotas.volumes, used.volumes, wanted.volumes) {
        let limit = quotas.volumes;
        return refuse(format!(
            "Maximum number of volumes allowed ({limit}) exceeded for quota 'volumes'."
        ));
    }
    if exceeds(quotas.snapshots, used.snapshots, wanted.snapshots) {
        let limit = quotas.snapshots;
        return refuse(format!(
            "Maximum number of snapshots allowed ({limit}) exceeded"
        ));
    }
    Ok(())
}

/// Refuses a volume that is larger than any may be.
pub(crate) fn check_size(quotas: &Quotas, size: u32) -> Result<()> {
    let limit = quotas.per_volume_gigabytes;
    if limit >= 0 && i64::from(size) > limit {
        let message =
            format!("Requested volume size {size}G is larger than maximum allowed limit {limit}G");
        return Err(Error::new(ErrorKind::OverQuota, message));
    }
    Ok(())
}
