//! What is left in the repository of backups that failed while it did not answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_backup::{Container, sweep};
use firebrick_db::{Listing, backups};
use firebrick_state::BackupStatus;
use firebrick_vocabulary::BackupId;
use tracing::{info, warn};

use crate::control::Inner;
use crate::options::BackupOptions;

/// How often it is looked for.
const PAUSE: Duration = Duration::from_secs(3600);

/// Looks again and again.
pub(crate) async fn run(inner: Arc<Inner>) {
    let Some(options) = &inner.options.backup else {
        return;
    };
    loop {
        if let Err(fault) = once(&inner, options).await {
            warn!(%fault, "the repository of backups could not be swept");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(inner: &Inner, options: &BackupOptions) -> Result<(), Fault> {
    let database =
        |error: firebrick_db::Error| Fault::new(FaultKind::Internal, "look for backups", error);
    let mut containers = BTreeSet::from([options.container.clone()]);
    let connection = &mut *inner.db.read().await.map_err(database)?;
    let rows = backups::list(connection, &Listing::default()).await;
    let rows = rows.map_err(database)?.unwrap_or_default();
    let named = rows.iter().filter_map(|row| row.container.as_deref());
    containers.extend(named.filter_map(|name| name.parse::<Container>().ok()));
    for container in containers {
        // What has no row here may be of another cloud that shares the repository.
        let is_wanted = async |id: BackupId| {
            let connection = &mut *inner.db.read().await.map_err(database)?;
            let row = backups::get(connection, id).await.map_err(database)?;
            Ok(row.is_none_or(|row| row.status != BackupStatus::Error))
        };
        for id in sweep(&*options.repository, &container, is_wanted).await? {
            info!(backup = %id, %container, "objects of a failed backup were removed");
        }
    }
    Ok(())
}
