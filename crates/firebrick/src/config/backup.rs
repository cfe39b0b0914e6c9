//! `backup_*`: where backups are kept.

use std::path::Path;
use std::sync::Arc;

use firebrick_config::{ConfigError, Section};
use firebrick_control::{BackupOptions, Container, Posix, SharedRepository};
use firebrick_edge::RealDisk;

use super::limits::number;

/// The one driver that there is so far, by Cinder's name for it.
const DRIVER: &str = "cinder.backup.drivers.posix.PosixBackupDriver";
/// The container of backups whose requests name none.
const CONTAINER: &str = "volumebackups";
/// The most bytes of an object: it is held in memory while it is made.
const OBJECT_MAX: u64 = 64 << 20;
/// The usual size of an object.
const OBJECT: u64 = 32 << 20;

/// The repository; `None` where the file names no folder for one.
pub(super) fn backup(
    defaults: &Section,
    base: &Path,
) -> Result<Option<BackupOptions>, ConfigError> {
    let driver = super::name(defaults, "backup_driver")?;
    if let Some(driver) = driver.filter(|driver| driver != DRIVER) {
        let why = format!("{driver:?} is not in this release; it has {DRIVER} alone");
        return Err(defaults.refuse("backup_driver", why));
    }
    let container = super::name(defaults, "backup_container")?;
    let container = container.as_deref().unwrap_or(CONTAINER).parse();
    let container: Container =
        container.map_err(|error| defaults.refuse("backup_container", format!("{error}")))?;
    let bytes = number(defaults, "backup_file_size", OBJECT, &(1..=u64::MAX))?;
    let Some(path) = super::name(defaults, "backup_posix_path")? else {
        return Ok(None);
    };
    let disk = RealDisk::new(base.join(path));
    let disk = disk.map_err(|error| defaults.refuse("backup_posix_path", error.to_string()))?;
    let repository: SharedRepository = Arc::new(Posix::new(Arc::new(disk)));
    Ok(Some(BackupOptions {
        repository,
        container,
        object_bytes: bytes.min(OBJECT_MAX),
    }))
}
