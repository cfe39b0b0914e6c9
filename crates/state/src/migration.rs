//! Migrations of volumes.

use std::fmt;
use std::str::FromStr;

use crate::UnknownText;

const TARGET: &str = "target:";

/// Where the migration of a volume stands: Cinder's `migration_status`. A volume that was never
/// migrated has none.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum MigrationStatus {
    /// Asked for.
    Starting,
    /// Data is being copied.
    Migrating,
    /// The volume changes places with its copy.
    Completing,
    /// It is done.
    Success,
    /// It failed; the volume is where it was.
    Error,
    /// The copy is being removed.
    Deleting,
    /// This row is the hidden copy of the volume with that id.
    Target(String),
}

impl MigrationStatus {
    /// What operators may say it is; `none` is said as the absence.
    pub const RESETTABLE: &'static [Self] = &[
        Self::Starting,
        Self::Migrating,
        Self::Completing,
        Self::Success,
        Self::Error,
    ];

    /// Whether the volume is free for a migration, a retype or a deletion. A volume that was never
    /// migrated is.
    ///
    /// Source: the conditional updates of `cinder.volume.api.API`.
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Success | Self::Error | Self::Deleting => true,
            Self::Starting | Self::Migrating | Self::Completing | Self::Target(_) => false,
        }
    }

    /// Whether the row is left out of all lists.
    pub const fn is_hidden(&self) -> bool {
        match self {
            Self::Target(_) => true,
            Self::Starting
            | Self::Migrating
            | Self::Completing
            | Self::Success
            | Self::Error
            | Self::Deleting => false,
        }
    }
}

impl fmt::Display for MigrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Migrating => "migrating",
            Self::Completing => "completing",
            Self::Success => "success",
            Self::Error => "error",
            Self::Deleting => "deleting",
            Self::Target(id) => return write!(f, "{TARGET}{id}"),
        })
    }
}

impl FromStr for MigrationStatus {
    type Err = UnknownText;

    fn from_str(text: &str) -> Result<Self, UnknownText> {
        if let Some(id) = text.strip_prefix(TARGET) {
            return Ok(Self::Target(id.to_owned()));
        }
        match text {
            "starting" => Ok(Self::Starting),
            "migrating" => Ok(Self::Migrating),
            "completing" => Ok(Self::Completing),
            "success" => Ok(Self::Success),
            "error" => Ok(Self::Error),
            "deleting" => Ok(Self::Deleting),
            _ => Err(UnknownText {
                what: "migration status",
                text: text.chars().take(64).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive() {
        let target = MigrationStatus::Target("7".to_owned());
        let all = MigrationStatus::RESETTABLE.iter().chain([&target]);
        for status in all {
            assert_eq!(status.to_string().parse().as_ref(), Ok(status));
            assert_eq!(status.is_hidden(), *status == target);
            assert!(!(status.is_hidden() && status.is_over()));
        }
        assert!("none".parse::<MigrationStatus>().is_err());
    }
}
