//! Refuses what would exceed a quota.

use std::collections::BTreeMap;

use firebrick_db::{Tx, Usage, Volume, types, usage};
use firebrick_vocabulary::{ProjectId, TypeId};

use super::limits::Effective;
use super::resource::{OfType, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Quotas;

/// What a request wants to add.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) volumes: i64,
    pub(crate) snapshots: i64,
    /// Of volumes and, where they count, of snapshots.
    pub(crate) gigabytes: i64,
    /// The size that a volume will have.
    pub(crate) size: u32,
    /// The type of the volumes or of the snapshots' volumes.
    pub(crate) kind: Option<TypeId>,
    pub(crate) backups: i64,
    pub(crate) backup_gigabytes: i64,
    pub(crate) groups: i64,
}

impl Wanted {
    /// A volume of `size` GiB.
    pub(crate) fn volume(size: u32, kind: TypeId) -> Self {
        Self {
            volumes: 1,
            gigabytes: i64::from(size),
            size,
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// A snapshot of `size` GiB, of a volume of that type.
    pub(crate) fn snapshot(size: u32, kind: TypeId, quotas: &Quotas) -> Self {
        Self {
            snapshots: 1,
            gigabytes: if quotas.snapshots_are_free {
                0
            } else {
                i64::from(size)
            },
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// A backup of `size` GiB.
    pub(crate) fn backup(size: u32) -> Self {
        Self {
            backups: 1,
            backup_gigabytes: i64::from(size),
            ..Self::default()
        }
    }

    /// A group.
    pub(crate) fn group() -> Self {
        Self {
            groups: 1,
            ..Self::default()
        }
    }

    /// Volumes of these types and sizes.
    pub(crate) fn volumes_by_type(sizes: impl Iterator<Item = (TypeId, u32)>) -> Vec<Self> {
        summed(sizes.map(|(kind, size)| Self::volume(size, kind)))
    }

    /// Snapshots of volumes of these types and sizes.
    pub(crate) fn snapshots_by_type(
        sizes: impl Iterator<Item = (TypeId, u32)>,
        quotas: &Quotas,
    ) -> Vec<Self> {
        summed(sizes.map(|(kind, size)| Self::snapshot(size, kind, quotas)))
    }

    const fn is_of_volumes(&self) -> bool {
        self.volumes > 0 || self.snapshots > 0 || self.gigabytes > 0
    }

    const fn of_type(&self, of: OfType) -> i64 {
        match of {
            OfType::Volumes => self.volumes,
            OfType::Snapshots => self.snapshots,
            OfType::Gigabytes => self.gigabytes,
        }
    }
}

/// All together, and those of each type, which have quotas of their own.
fn summed(wanted: impl Iterator<Item = Wanted>) -> Vec<Wanted> {
    let mut all = Wanted::default();
    let mut by_type: BTreeMap<Option<TypeId>, Wanted> = BTreeMap::new();
    for one in wanted {
        let of_type = by_type.entry(one.kind).or_default();
        of_type.kind = one.kind;
        for sum in [&mut all, of_type] {
            sum.volumes += one.volumes;
            sum.snapshots += one.snapshots;
            sum.gigabytes += one.gigabytes;
            sum.size = sum.size.max(one.size);
        }
    }
    by_type.into_values().chain([all]).collect()
}

/// Refuses what would exceed a quota of the project, which is locked from here on.
pub(crate) async fn check(
    tx: &mut Tx,
    quotas: &Quotas,
    project: &ProjectId,
    wanted: Wanted,
) -> Result<()> {
    tx.lock_project(project).await?;
    let limits = Effective::of(tx, quotas, project).await?;
    check_size(&limits, wanted.size)?;
    if wanted.is_of_volumes() {
        check_volumes(tx, quotas, &limits, project, wanted).await?;
    }
    if wanted.backups > 0 || wanted.backup_gigabytes > 0 {
        check_backups(tx, &limits, project, wanted).await?;
    }
    let limit = limits.limit(Resource::Groups);
    if wanted.groups > 0 && limit >= 0 {
        let used = usage::of_groups(tx, project).await?;
        if exceeds(limit, used, wanted.groups) {
            return refuse(format!(
                "Maximum number of groups allowed ({limit}) exceeded"
            ));
        }
    }
    Ok(())
}

/// Refuses a volume that is there already and gets the type `kind`, where that would exceed a quota of
/// the type. Its project is locked from here on.
pub(crate) async fn check_type(
    tx: &mut Tx,
    quotas: &Quotas,
    volume: &Volume,
    kind: TypeId,
) -> Result<()> {
    let project = &volume.project;
    tx.lock_project(project).await?;
    let limits = Effective::of(tx, quotas, project).await?;
    let wanted = Wanted::volume(volume.size, kind);
    check_of_type(tx, quotas, &limits, project, wanted).await
}

async fn check_volumes(
    tx: &mut Tx,
    quotas: &Quotas,
    limits: &Effective,
    project: &ProjectId,
    wanted: Wanted,
) -> Result<()> {
    let used = usage::of_project(tx, project).await?;
    let promised = usage::promised(tx, project).await?;
    let gigabytes = gigabytes(quotas, &used) + promised.values().sum::<u64>();
    let limit = limits.limit(Resource::Gigabytes);
    if exceeds(limit, gigabytes, wanted.gigabytes) {
        return refuse(too_large("gigabytes", wanted.gigabytes, limit, gigabytes));
    }
    let limit = limits.limit(Resource::Volumes);
    if exceeds(limit, used.volumes, wanted.volumes) {
        return refuse(too_many_volumes("volumes", limit));
    }
    let limit = limits.limit(Resource::Snapshots);
    if exceeds(limit, used.snapshots, wanted.snapshots) {
        return refuse(too_many_snapshots(limit));
    }
    check_of_type(tx, quotas, limits, project, wanted).await
}

/// Refuses what would exceed a quota of a type.
async fn check_of_type(
    tx: &mut Tx,
    quotas: &Quotas,
    limits: &Effective,
    project: &ProjectId,
    wanted: Wanted,
) -> Result<()> {
    let Some(id) = wanted.kind.filter(|_| limits.limit_types()) else {
        return Ok(());
    };
    let Some(kind) = types::get(tx, id).await? else {
        return Ok(());
    };
    let promised = usage::promised(tx, project).await?;
    let used = usage::of_type(tx, project, id).await?;
    let gigabytes = gigabytes_of(quotas, &used, promised.get(&id).copied());
    for of in OfType::ALL {
        let name = of.name(&kind.name);
        let (limit, more) = (limits.named(&name), wanted.of_type(of));
        if exceeds(limit, of.used(&used, gigabytes), more) {
            return refuse(match of {
                OfType::Volumes => too_many_volumes(&name, limit),
                OfType::Snapshots => too_many_snapshots(limit),
                OfType::Gigabytes => too_large(&name, more, limit, gigabytes),
            });
        }
    }
    Ok(())
}

async fn check_backups(
    tx: &mut Tx,
    limits: &Effective,
    project: &ProjectId,
    wanted: Wanted,
) -> Result<()> {
    let (backups, gigabytes) = usage::of_backups(tx, project).await?;
    let limit = limits.limit(Resource::BackupGigabytes);
    if exceeds(limit, gigabytes, wanted.backup_gigabytes) {
        return refuse(format!(
            "Requested backup exceeds allowed Backup gigabytes quota. Requested {}G, quota is \
             {limit}G and {gigabytes}G has been consumed.",
            wanted.backup_gigabytes
        ));
    }
    let limit = limits.limit(Resource::Backups);
    if exceeds(limit, backups, wanted.backups) {
        return refuse(format!(
            "Maximum number of backups allowed ({limit}) exceeded"
        ));
    }
    Ok(())
}

/// The GiB that count.
pub(crate) const fn gigabytes(quotas: &Quotas, used: &Usage) -> u64 {
    if quotas.snapshots_are_free {
        used.gigabytes - used.snapshot_gigabytes
    } else {
        used.gigabytes
    }
}

fn gigabytes_of(quotas: &Quotas, used: &Usage, promised: Option<u64>) -> u64 {
    gigabytes(quotas, used) + promised.unwrap_or(0)
}

fn exceeds(limit: i64, used: u64, more: i64) -> bool {
    more > 0 && limit >= 0 && (used as i64).saturating_add(more) > limit
}

fn refuse(message: String) -> Result<()> {
    Err(Error::new(ErrorKind::OverQuota, message))
}

fn too_large(name: &str, wanted: i64, limit: i64, used: u64) -> String {
    format!(
        "Requested volume or snapshot exceeds allowed {name} quota. Requested {wanted}G, quota is \
         {limit}G and {used}G has been consumed."
    )
}

fn too_many_volumes(name: &str, limit: i64) -> String {
    format!("Maximum number of volumes allowed ({limit}) exceeded for quota '{name}'.")
}

fn too_many_snapshots(limit: i64) -> String {
    format!("Maximum number of snapshots allowed ({limit}) exceeded")
}

/// Refuses a volume that is larger than any may be.
fn check_size(limits: &Effective, size: u32) -> Result<()> {
    let limit = limits.limit(Resource::PerVolumeGigabytes);
    if limit >= 0 && i64::from(size) > limit {
        return refuse(format!(
            "Requested volume size {size}G is larger than maximum allowed limit {limit}G."
        ));
    }
    Ok(())
}
