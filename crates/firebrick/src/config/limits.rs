//! Numbers with bounds, and the quotas among them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use firebrick_config::{ConfigError, Section};
use firebrick_control::Quotas;

/// A number between two bounds.
pub(super) fn number<T: Copy + Display + FromStr + PartialOrd>(
    section: &Section,
    option: &str,
    default: T,
    range: &RangeInclusive<T>,
) -> Result<T, ConfigError> {
    let value = section.value_or(option, "a number", default)?;
    if range.contains(&value) {
        Ok(value)
    } else {
        let why = format!(
            "{value} is not between {} and {}",
            range.start(),
            range.end()
        );
        Err(section.refuse(option, why))
    }
}

/// The limits of each project: `defaults` where the file says nothing, -1 is no limit.
pub(super) fn quotas(section: &Section, defaults: Quotas) -> Result<Quotas, ConfigError> {
    let limit = |option, default: i64| number(section, option, default, &(-1..=i64::MAX));
    Ok(Quotas {
        volumes: limit("quota_volumes", defaults.volumes)?,
        snapshots: limit("quota_snapshots", defaults.snapshots)?,
        gigabytes: limit("quota_gigabytes", defaults.gigabytes)?,
        backups: limit("quota_backups", defaults.backups)?,
        backup_gigabytes: limit("quota_backup_gigabytes", defaults.backup_gigabytes)?,
        groups: limit("quota_groups", defaults.groups)?,
        snapshots_are_free: section.flag("no_snapshot_gb_quota", defaults.snapshots_are_free)?,
        per_volume_gigabytes: limit("per_volume_size_limit", defaults.per_volume_gigabytes)?,
    })
}
