//! Which limits hold for a project.

use firebrick_db::{Connection, HardLimits, limits};
use firebrick_vocabulary::ProjectId;

use super::resource::{OfType, Resource};
use crate::error::Result;
use crate::options::Quotas;

/// The limits that hold; -1 is no limit.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    set: HardLimits,
    configured: Quotas,
}

impl Effective {
    /// Those of a project.
    pub(crate) async fn of(
        connection: &mut Connection,
        configured: &Quotas,
        project: &ProjectId,
    ) -> Result<Self> {
        Ok(Self {
            set: limits::holding(connection, project.as_str()).await?,
            configured: *configured,
        })
    }

    /// Those of projects with these limits.
    pub(crate) const fn with(configured: &Quotas, set: HardLimits) -> Self {
        Self {
            set,
            configured: *configured,
        }
    }

    /// The limit of a resource.
    pub(crate) fn limit(&self, resource: Resource) -> i64 {
        let set = self.set.get(resource.name()).copied();
        set.unwrap_or_else(|| resource.configured(&self.configured))
    }

    /// The limit of that name, whatever it is of; types are not limited where nobody says so.
    pub(crate) fn named(&self, name: &str) -> i64 {
        let resource = Resource::ALL.iter().find(|it| it.name() == name);
        match resource {
            Some(resource) => self.limit(*resource),
            None => self.set.get(name).copied().unwrap_or(-1),
        }
    }

    /// Whether any type is limited.
    pub(crate) fn limit_types(&self) -> bool {
        OfType::are_in(&self.set)
    }
}
