//! Looking at backups.

use std::collections::BTreeSet;

use firebrick_db::{Backup, Column, Connection, Listing, Test, Tx, backups};
use firebrick_policy::Rule;
use firebrick_vocabulary::BackupId;

use crate::control::Control;
use crate::detail::BackupDetail;
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Context, Query};

impl Control {
    /// `GET /backups/{id}`.
    pub async fn backup(&self, context: &Context, id: BackupId) -> Result<BackupDetail> {
        let connection = &mut *self.inner.db.read().await?;
        let backup = visible(connection, context, id).await?;
        one(connection, backup).await
    }

    /// `GET /backups` and `/backups/detail`.
    pub async fn backups(&self, context: &Context, query: Query) -> Result<Vec<BackupDetail>> {
        context.allow(Rule::BackupGetAll)?;
        let listing = context.narrowed(query);
        let connection = &mut *self.inner.db.read().await?;
        let Some(found) = backups::list(connection, &listing).await? else {
            let marker = listing.marker.unwrap_or_default();
            let text = format!("marker {marker} could not be found.");
            return Err(Error::new(ErrorKind::NotFound, text));
        };
        detailed(connection, found).await
    }

    /// How many backups a list has on all its pages.
    pub async fn count_backups(&self, context: &Context, query: Query) -> Result<u64> {
        context.allow(Rule::BackupGetAll)?;
        let listing = context.narrowed(query);
        let connection = &mut *self.inner.db.read().await?;
        Ok(backups::total(connection, &listing).await?.0)
    }
}

/// Adds whether others build upon them.
async fn detailed(connection: &mut Connection, found: Vec<Backup>) -> Result<Vec<BackupDetail>> {
    let ids: Vec<String> = found.iter().map(|backup| backup.id.to_string()).collect();
    let upon = Listing::default().and(Column::Parent, Test::OneOf(ids));
    let upon = backups::list(connection, &upon).await?.unwrap_or_default();
    let parents: BTreeSet<BackupId> = upon.iter().filter_map(|backup| backup.parent).collect();
    let details = found.into_iter().map(|backup| BackupDetail {
        has_dependents: parents.contains(&backup.id),
        backup,
    });
    Ok(details.collect())
}

pub(super) async fn one(connection: &mut Connection, backup: Backup) -> Result<BackupDetail> {
    let id = backup.id;
    let found = detailed(connection, vec![backup]).await?.pop();
    found.ok_or_else(|| no_backup(id))
}

pub(super) fn no_backup(id: BackupId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format_args!("Backup {id} could not be found."),
    )
}

/// `Invalid backup: …`, Cinder's `InvalidBackup`.
pub(super) fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format_args!("Invalid backup: {reason}"))
}

/// The backup, if it exists for whoever asks and they may look at it.
pub(super) async fn visible(
    connection: &mut Connection,
    context: &Context,
    id: BackupId,
) -> Result<Backup> {
    seen(backups::get(connection, id).await?, context, id)
}

/// The same, held until the transaction ends.
pub(super) async fn locked(tx: &mut Tx, context: &Context, id: BackupId) -> Result<Backup> {
    seen(backups::get_locked(tx, id).await?, context, id)
}

fn seen(found: Option<Backup>, context: &Context, id: BackupId) -> Result<Backup> {
    let found = found.filter(|backup| context.sees(&backup.project));
    let backup = found.ok_or_else(|| no_backup(id))?;
    context.allow_for(Rule::BackupGet, &backup)?;
    Ok(backup)
}
