//! Backups: rows, and the stories behind them. A backup never occupies its volume: it is made of a
//! snapshot that is taken first.

mod change;
pub(crate) mod create;
pub(crate) mod delete;
mod image;
mod look;
pub(crate) mod notes;
mod parent;
mod record;
mod request;
pub(crate) mod restore;
pub(crate) mod sweep;

use firebrick_backend::Fault;
use firebrick_backup::Container;
use firebrick_db::Backup;

use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::options::BackupOptions;
use crate::story::{Step, Stop};
use crate::why::Why;

pub(crate) use image::{is_hidden, remove_hidden};
pub use request::{CreateBackup, Record, RestoreBackup, Restored, UpdateBackup};

/// The program name of the service, as clients expect it.
pub(crate) const BACKUP: &str = "cinder-backup";

impl Inner {
    /// The repository and what goes with it; without one there is no backup service.
    pub(crate) fn backups(&self) -> Result<&BackupOptions> {
        self.options.backup.as_ref().ok_or_else(|| {
            let text = format!("Service {BACKUP} could not be found.");
            Error::new(ErrorKind::Unavailable, text)
        })
    }
}

/// Where a backup lies.
fn container(backup: &Backup) -> Step<Container> {
    let found = backup.container.as_deref().map(str::parse);
    match found {
        Some(Ok(container)) => Ok(container),
        Some(Err(_)) | None => Err(Stop::never("it is in no container that there can be")),
    }
}

/// What the repository did not do. Its words name objects and containers, never hosts, so that users
/// may read them.
fn refused(fault: &Fault) -> Stop {
    let note = fault.to_string();
    let why = Why::from(fault).noting(note);
    if fault.is_transient() {
        Stop::Later(why)
    } else {
        Stop::Never(why)
    }
}
