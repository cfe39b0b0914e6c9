//! Quotas of projects and of classes, as administrators look at them and set them.

use std::collections::BTreeMap;

use firebrick_db::{Connection, HardLimits, LimitsOf, VolumeType, limits, types, usage};
use firebrick_policy::Rule;
use firebrick_vocabulary::ProjectId;

use super::check::gigabytes;
use super::limits::Effective;
use super::resource::{OfType, Resource, names};
use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Quotas;
use crate::request::Context;

/// All limits by their names; -1 is no limit.
pub type QuotaSet = BTreeMap<String, i64>;

/// A limit and what is used of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct QuotaUse {
    /// -1 is no limit.
    pub limit: i64,
    /// What there is.
    pub in_use: i64,
    /// What operations under way will add.
    pub reserved: i64,
}

impl Control {
    /// `GET /os-quota-sets/{project}`: the limits that hold for a project.
    pub async fn quota_set(&self, context: &Context, project: &ProjectId) -> Result<QuotaSet> {
        context.allow_for(Rule::QuotasShow, project)?;
        let connection = &mut *self.inner.db.read().await?;
        let kinds = types::all(connection).await?;
        self.inner.set_of(connection, project, &kinds).await
    }

    /// `GET /os-quota-sets/{project}?usage=true`: the same with what is used.
    pub async fn quota_use(
        &self,
        context: &Context,
        project: &ProjectId,
    ) -> Result<BTreeMap<String, QuotaUse>> {
        context.allow_for(Rule::QuotasShow, project)?;
        let connection = &mut *self.inner.db.read().await?;
        let kinds = types::all(connection).await?;
        let set = self.inner.set_of(connection, project, &kinds).await?;
        let quotas = &self.inner.options.quotas;
        let mut used = used(connection, quotas, project, &kinds).await?;
        let with_use = set.into_iter().map(|(name, limit)| {
            let used = used.remove(&name).unwrap_or_default();
            (name, QuotaUse { limit, ..used })
        });
        Ok(with_use.collect())
    }

    /// `GET /os-quota-sets/{project}/defaults`: the limits of projects for which none are set.
    pub async fn quota_defaults(&self, context: &Context, project: &ProjectId) -> Result<QuotaSet> {
        context.allow_for(Rule::QuotasShow, project)?;
        self.inner.class_set(limits::DEFAULT_CLASS).await
    }

    /// `PUT /os-quota-sets/{project}`: sets these limits, none of which may be below what there is.
    pub async fn set_quotas(
        &self,
        context: &Context,
        project: &ProjectId,
        change: HardLimits,
    ) -> Result<QuotaSet> {
        context.allow_for(Rule::QuotasUpdate, project)?;
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(project).await?;
        let kinds = types::all(&mut tx).await?;
        refuse_unknown(&kinds, &change, "quota set")?;
        let used = used(&mut tx, &inner.options.quotas, project, &kinds).await?;
        for (name, limit) in &change {
            let used = used.get(name).copied().unwrap_or_default();
            let usage = used.in_use + used.reserved;
            if *limit >= 0 && *limit < usage {
                let text = format!(
                    "Quota {name} limit must be equal or greater than existing resources. Current \
                     usage is {usage} and the requested limit is {limit}."
                );
                return Err(Error::new(ErrorKind::Invalid, text));
            }
        }
        limits::merge(&mut tx, LimitsOf::Project(project.as_str()), &change).await?;
        let set = inner.set_of(&mut tx, project, &kinds).await?;
        tx.commit().await?;
        Ok(set)
    }

    /// `DELETE /os-quota-sets/{project}`: the defaults hold again.
    pub async fn delete_quotas(&self, context: &Context, project: &ProjectId) -> Result<()> {
        context.allow_for(Rule::QuotasDelete, project)?;
        let mut tx = self.inner.db.begin().await?;
        tx.lock_project(project).await?;
        limits::clear(&mut tx, LimitsOf::Project(project.as_str())).await?;
        Ok(tx.commit().await?)
    }

    /// `GET /os-quota-class-sets/{class}`.
    pub async fn quota_class(&self, context: &Context, class: &str) -> Result<QuotaSet> {
        context.allow(Rule::QuotaClassesGet)?;
        self.inner.class_set(class).await
    }

    /// `PUT /os-quota-class-sets/{class}`: sets these; those of `default` hold for all projects.
    pub async fn set_quota_class(
        &self,
        context: &Context,
        class: &str,
        change: HardLimits,
    ) -> Result<QuotaSet> {
        context.allow(Rule::QuotaClassesUpdate)?;
        let mut tx = self.inner.db.begin().await?;
        let kinds = types::all(&mut tx).await?;
        refuse_unknown(&kinds, &change, "quota class set")?;
        limits::merge(&mut tx, LimitsOf::Class(class), &change).await?;
        tx.commit().await?;
        self.inner.class_set(class).await
    }
}

impl Inner {
    async fn set_of(
        &self,
        connection: &mut Connection,
        project: &ProjectId,
        kinds: &[VolumeType],
    ) -> Result<QuotaSet> {
        let limits = Effective::of(connection, &self.options.quotas, project).await?;
        Ok(named(&limits, kinds))
    }

    async fn class_set(&self, class: &str) -> Result<QuotaSet> {
        let connection = &mut *self.db.read().await?;
        let mut set = limits::of(connection, LimitsOf::Class(limits::DEFAULT_CLASS)).await?;
        set.extend(limits::of(connection, LimitsOf::Class(class)).await?);
        let kinds = types::all(connection).await?;
        let limits = Effective::with(&self.options.quotas, set);
        Ok(named(&limits, &kinds))
    }
}

fn named(limits: &Effective, kinds: &[VolumeType]) -> QuotaSet {
    let names = names(kinds).into_iter();
    names
        .map(|name| (name.clone(), limits.named(&name)))
        .collect()
}

fn refuse_unknown(kinds: &[VolumeType], change: &HardLimits, what: &str) -> Result<()> {
    let known = names(kinds);
    let bad: Vec<&str> = (change.keys().map(String::as_str))
        .filter(|key| !known.iter().any(|name| name == key))
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    let bad = bad.join(", ");
    Err(Error::invalid_input(format_args!(
        "Bad key(s) in {what}: {bad}"
    )))
}

/// What a project has, by the names of the limits.
async fn used(
    connection: &mut Connection,
    quotas: &Quotas,
    project: &ProjectId,
    kinds: &[VolumeType],
) -> Result<BTreeMap<String, QuotaUse>> {
    let used = usage::of_project(connection, project).await?;
    let promised = usage::promised(connection, project).await?;
    let (backups, backup_gigabytes) = usage::of_backups(connection, project).await?;
    let groups = usage::of_groups(connection, project).await?;
    let mut all = BTreeMap::new();
    for resource in Resource::ALL {
        let (in_use, reserved) = match resource {
            Resource::Volumes => (used.volumes, 0),
            Resource::PerVolumeGigabytes => (0, 0),
            Resource::Snapshots => (used.snapshots, 0),
            Resource::Gigabytes => (gigabytes(quotas, &used), promised.values().sum()),
            Resource::Backups => (backups, 0),
            Resource::BackupGigabytes => (backup_gigabytes, 0),
            Resource::Groups => (groups, 0),
        };
        all.insert(resource.name().to_owned(), counted(in_use, reserved));
    }
    for kind in kinds {
        let used = usage::of_type(connection, project, kind.id).await?;
        for of in OfType::ALL {
            let in_use = of.used(&used, gigabytes(quotas, &used));
            let reserved = match of {
                OfType::Gigabytes => promised.get(&kind.id).copied().unwrap_or(0),
                OfType::Volumes | OfType::Snapshots => 0,
            };
            all.insert(of.name(&kind.name), counted(in_use, reserved));
        }
    }
    Ok(all)
}

fn counted(in_use: u64, reserved: u64) -> QuotaUse {
    QuotaUse {
        limit: -1,
        in_use: in_use as i64,
        reserved: reserved as i64,
    }
}
