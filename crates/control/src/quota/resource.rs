//! What is limited, by the names that Cinder's quota sets have for it.

use firebrick_db::{HardLimits, Usage, VolumeType};

use crate::options::Quotas;

/// What a project has some of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resource {
    Volumes,
    PerVolumeGigabytes,
    Snapshots,
    Gigabytes,
    Backups,
    BackupGigabytes,
    Groups,
}

impl Resource {
    pub(crate) const ALL: [Self; 7] = [
        Self::Volumes,
        Self::PerVolumeGigabytes,
        Self::Snapshots,
        Self::Gigabytes,
        Self::Backups,
        Self::BackupGigabytes,
        Self::Groups,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Volumes => "volumes",
            Self::PerVolumeGigabytes => "per_volume_gigabytes",
            Self::Snapshots => "snapshots",
            Self::Gigabytes => "gigabytes",
            Self::Backups => "backups",
            Self::BackupGigabytes => "backup_gigabytes",
            Self::Groups => "groups",
        }
    }

    /// What the configuration says.
    pub(crate) const fn configured(self, quotas: &Quotas) -> i64 {
        match self {
            Self::Volumes => quotas.volumes,
            Self::PerVolumeGigabytes => quotas.per_volume_gigabytes,
            Self::Snapshots => quotas.snapshots,
            Self::Gigabytes => quotas.gigabytes,
            Self::Backups => quotas.backups,
            Self::BackupGigabytes => quotas.backup_gigabytes,
            Self::Groups => quotas.groups,
        }
    }
}

/// What volumes of one type have limits of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OfType {
    Volumes,
    Snapshots,
    Gigabytes,
}

impl OfType {
    pub(crate) const ALL: [Self; 3] = [Self::Volumes, Self::Snapshots, Self::Gigabytes];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Volumes => "volumes_",
            Self::Snapshots => "snapshots_",
            Self::Gigabytes => "gigabytes_",
        }
    }

    /// The name of the limit for a type.
    pub(crate) fn name(self, kind: &str) -> String {
        [self.prefix(), kind].concat()
    }

    /// How much of it there is; `gigabytes` are those that count.
    pub(crate) const fn used(self, used: &Usage, gigabytes: u64) -> u64 {
        match self {
            Self::Volumes => used.volumes,
            Self::Snapshots => used.snapshots,
            Self::Gigabytes => gigabytes,
        }
    }

    /// Whether any type has a limit.
    pub(crate) fn are_in(limits: &HardLimits) -> bool {
        let one = |name: &str| Self::ALL.iter().any(|of| name.starts_with(of.prefix()));
        limits.iter().any(|(name, limit)| *limit >= 0 && one(name))
    }
}

/// The names of all limits there can be.
pub(crate) fn names(kinds: &[VolumeType]) -> Vec<String> {
    let plain = Resource::ALL.iter().map(|it| it.name().to_owned());
    let typed = kinds
        .iter()
        .flat_map(|kind| OfType::ALL.map(|of| of.name(&kind.name)));
    plain.chain(typed).collect()
}
