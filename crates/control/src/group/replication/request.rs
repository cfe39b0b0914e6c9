//! What is asked for: checks, and one step of the statuses of a group and all its volumes.

use firebrick_db::{Group, Service, Tx, Volume, groups, services, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, GroupOperation, ReplicationStatus};
use firebrick_vocabulary::GroupId;
use serde_json::{Value, json};

use super::rules::{check_group, check_statuses};
use crate::control::{Control, VOLUME};
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::group::Family;
use crate::group::look::{hold_members, invalid, locked, no_group};
use crate::home::{id_of, name_of};
use crate::replication::target::target;
use crate::request::Context;

/// `failover_replication`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FailoverGroup {
    /// `allow_attached_volume`.
    pub allow_attached: bool,
    /// `secondary_backend_id`: a replication target, or `default` to come back; the first target
    /// without.
    pub target: Option<String>,
}

/// What is asked for.
struct Change {
    operation: GroupOperation,
    rule: Rule,
    /// What cannot be done where it is refused.
    what: &'static str,
    /// Whether volumes may be attached.
    attached: bool,
}

impl Change {
    const ENABLE: Self = Self {
        operation: GroupOperation::EnableReplication,
        rule: Rule::GroupEnableReplication,
        what: "enable",
        attached: true,
    };
    const DISABLE: Self = Self {
        operation: GroupOperation::DisableReplication,
        rule: Rule::GroupDisableReplication,
        what: "disable",
        attached: true,
    };
    const FAILOVER: Self = Self {
        operation: GroupOperation::Failover,
        rule: Rule::GroupFailoverReplication,
        what: "failover",
        attached: false,
    };
}

/// A group, its volumes and the service of its backend, which nobody changes.
struct Held {
    group: Group,
    volumes: Vec<Volume>,
    service: Service,
}

impl Control {
    /// `enable_replication`: all volumes of the group are mirrored.
    pub async fn enable_group_replication(&self, context: &Context, id: GroupId) -> Result<()> {
        self.replicate(context, id, Change::ENABLE).await
    }

    /// `disable_replication`: none of them is.
    pub async fn disable_group_replication(&self, context: &Context, id: GroupId) -> Result<()> {
        self.replicate(context, id, Change::DISABLE).await
    }

    async fn replicate(&self, context: &Context, id: GroupId, change: Change) -> Result<()> {
        let enable = change.operation == GroupOperation::EnableReplication;
        let mut tx = self.inner.db.begin().await?;
        let held = self.held(&mut tx, context, id, &change).await?;
        let what = change.what;
        if held.service.active_backend_id.is_some() && held.group.site.is_none() {
            return Err(invalid(format_args!(
                "The backend of group {id} has failed over. Cannot {what} replication."
            )));
        }
        let backend = self.inner.backend_of(&held.service.host)?;
        if enable && backend.targets.is_empty() {
            return Err(invalid(format_args!(
                "The backend of group {id} has no replication_device. Cannot {what} replication."
            )));
        }
        refuse_frozen(&mut tx, held.group.host.as_ref()).await?;
        let story = (ActivityKind::GroupReplication, json!({ "enable": enable }));
        self.begin_change(tx, context, held, change.operation, story)
            .await
    }

    /// `failover_replication`: the group goes to another site, or comes back.
    pub async fn failover_group(
        &self,
        context: &Context,
        id: GroupId,
        request: FailoverGroup,
    ) -> Result<()> {
        let change = Change {
            attached: request.allow_attached,
            ..Change::FAILOVER
        };
        let mut tx = self.inner.db.begin().await?;
        let mut held = self.held(&mut tx, context, id, &change).await?;
        let backend = self.inner.backend_of(&held.service.host)?;
        let own = held.group.site.as_deref().map(id_of);
        let from = own.unwrap_or_else(|| held.service.active_backend_id.clone());
        let asked = request.target.as_deref();
        let to = target(backend, &format!("The group {id}"), from.as_deref(), asked);
        let to = to.map_err(|why| {
            let text = format!("Invalid Replication Target: {why}");
            Error::new(ErrorKind::Invalid, text)
        })?;
        // Until it has ended, the group is nothing that its backend takes along.
        held.group.site = Some(name_of(from.as_deref()).to_owned());
        let input = json!({
            "from": name_of(from.as_deref()),
            "to": name_of(to.as_deref()),
            "give_up": asked == Some(backend.primary.name()),
        });
        let story = (ActivityKind::GroupFailover, input);
        self.begin_change(tx, context, held, change.operation, story)
            .await
    }

    /// Everything that the change is about, where the group is as it must be and its backend rests.
    async fn held(
        &self,
        tx: &mut Tx,
        context: &Context,
        id: GroupId,
        change: &Change,
    ) -> Result<Held> {
        // The service is held before the group, whose backend never changes once it has one.
        let known = groups::get(tx, id).await?.ok_or_else(|| no_group(id))?;
        let host = known.host.map(|host| host.without_pool());
        let service = match &host {
            Some(host) => services::get_shared(tx, VOLUME, host).await?,
            None => None,
        };
        let group = locked(tx, context, Family::Groups, id).await?;
        context.allow_for(change.rule, &group)?;
        check_group(tx, &group).await?;
        let volumes = hold_members(tx, id).await?;
        let what = change.what;
        check_statuses(&group, &volumes, change.operation, change.attached, what)?;
        let refuse = |why: &str| {
            let text = format!("{why} of group {id}. Cannot {what} replication.");
            Err(invalid(text))
        };
        match service {
            None => refuse("Nobody serves the backend"),
            Some(service) if service.replication_status == ReplicationStatus::FailingOver => {
                refuse("A failover is moving the backend")
            }
            Some(service) => Ok(Held {
                group,
                volumes,
                service,
            }),
        }
    }

    /// The group and all its volumes are on their way, and an activity goes on from there.
    async fn begin_change(
        &self,
        mut tx: Tx,
        context: &Context,
        held: Held,
        operation: GroupOperation,
        (kind, input): (ActivityKind, Value),
    ) -> Result<()> {
        let inner = &self.inner;
        let Held {
            mut group, volumes, ..
        } = held;
        let from = operation.replication_sources().unwrap_or_default();
        let Some(target) = operation.replication_target() else {
            let text = format!("{operation:?} does not change replication");
            return Err(Error::new(ErrorKind::Internal, text));
        };
        for mut volume in volumes {
            volume.replication_status = Some(target);
            let swapped = volumes::swap_replication(&mut tx, from, &volume).await?;
            if !swapped.won() {
                return Err(Error::lost(format_args!("Volume {}", volume.id)));
            }
        }
        group.replication_status = target;
        let swapped = groups::swap_replication(&mut tx, from, &group).await?;
        if !swapped.won() {
            return Err(Error::lost(format_args!("Group {}", group.id)));
        }
        inner
            .begin(&mut tx, context, kind, group.id.0, input)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}
