//! Where a group can go.

use firebrick_policy::Rule;
use firebrick_vocabulary::GroupId;

use super::rules::check_group;
use crate::control::Control;
use crate::error::Result;
use crate::group::Family;
use crate::group::look::locked;
use crate::request::Context;

impl Control {
    /// `list_replication_targets`: the ids of the replication targets of its backend; none of a group that
    /// has no place.
    pub async fn group_replication_targets(
        &self,
        context: &Context,
        id: GroupId,
    ) -> Result<Vec<String>> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let group = locked(&mut tx, context, Family::Groups, id).await?;
        context.allow_for(Rule::GroupListReplicationTargets, &group)?;
        check_group(&mut tx, &group).await?;
        let Some(host) = &group.host else {
            return Ok(Vec::new());
        };
        let targets = &inner.backend_of(host)?.targets;
        Ok(targets.iter().map(|(id, _)| id.clone()).collect())
    }
}
