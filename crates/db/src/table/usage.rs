//! What a project has: counted from the rows, so that it can never drift from them.

use firebrick_vocabulary::ProjectId;

use crate::error::Error;
use crate::open::Connection;
use crate::table::listing::{Column, Listing};
use crate::table::{snapshots, volumes};

/// What a project has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Its volumes.
    pub volumes: u64,
    /// Its snapshots.
    pub snapshots: u64,
    /// The GiB of both.
    pub gigabytes: u64,
}

/// Counts. Within a transaction that goes on to insert, a quota holds exactly on SQLite, whose
/// writers take turns.
pub async fn of_project(connection: &mut Connection, project: &ProjectId) -> Result<Usage, Error> {
    let listing = Listing::of(Column::Project, project);
    let (volumes, of_volumes) = volumes::total(connection, &listing).await?;
    let (snapshots, of_snapshots) = snapshots::total(connection, &listing).await?;
    Ok(Usage {
        volumes,
        snapshots,
        gigabytes: of_volumes + of_snapshots,
    })
}
