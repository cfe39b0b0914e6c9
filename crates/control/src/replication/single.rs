//! One volume moves to another site on its own, with nothing of its backend: its image is promoted there, and its
//! attachments follow.

use firebrick_backend::Backend;
use firebrick_db::{Activity, Tx, Volume, now, services, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{ActivityId, HostName, VolumeId};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use tracing::{info, warn};

use super::commit::export_there;
use super::report;
use super::steps;
use super::switch::Switch;
use super::target::target;
use crate::control::{Control, Inner, VOLUME, site};
use crate::error::{Error, Result};
use crate::home::{id_of, name_of};
use crate::request::Context;
use crate::story::{Step, Stop, noted};
use crate::volume::hold;
use crate::why::Why;

const FROM: [ReplicationStatus; 1] = [ReplicationStatus::FailingOver];

/// Where a volume goes on its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FailoverVolume {
    /// A replication target, or `default` to come back.
    pub target: String,
    /// Whether it goes there without the help of the site that is left, whether that answers or not.
    pub force: bool,
    /// As of when it is wanted there; what was written since is lost. `None` for the newest state.
    pub at: Option<OffsetDateTime>,
}

/// What the activity was told.
#[derive(Debug, Deserialize)]
struct Input {
    /// Where it was, as rows name sites.
    from: String,
    to: String,
    /// Whether it goes home even where the site that is left does not answer.
    give_up: bool,
    force: bool,
    /// As of when it is wanted there, in nanoseconds since the Unix epoch.
    #[serde(default)]
    at: Option<u64>,
}

impl Control {
    /// The actions `failover`, `failback` and `reverse` of a replication: the volume goes to that site, and
    /// nothing else does.
    pub async fn failover_volume(
        &self,
        context: &Context,
        id: VolumeId,
        request: &FailoverVolume,
    ) -> Result<ActivityId> {
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        // The service is held before the volume, whose backend is looked at again behind that.
        let known = volumes::get(&mut tx, id).await?;
        let known = known.filter(|volume| context.sees(&volume.project));
        let host = known.and_then(|volume| Some(volume.host?.without_pool()));
        let host = host.ok_or_else(|| Error::no_volume(id))?;
        let service = services::get_shared(&mut tx, VOLUME, &host).await?;
        let service = service.ok_or_else(|| Error::no_service(VOLUME, &host))?;
        let mut volume = hold(&mut tx, context, id).await?;
        context.allow_for(Rule::FirebrickReplicationFailover, &volume)?;
        if service.replication_status == ReplicationStatus::FailingOver {
            return Err(refused(&volume, "its backend is failing over"));
        }
        check(&volume)?;
        if volume.host.as_ref().map(HostName::without_pool) != Some(host) {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let backend = inner.backend_of(&service.host)?;
        let own = volume.site.as_deref().map(id_of);
        let from = own.unwrap_or_else(|| service.active_backend_id.clone());
        let asked = Some(request.target.as_str());
        let to = target(backend, &format!("The volume {id}"), from.as_deref(), asked);
        let to = to.map_err(Error::invalid_input)?;
        let at = moment(request.at, &*site(backend, to.as_deref())?)?;
        let sources = [ReplicationStatus::Enabled, ReplicationStatus::FailedOver];
        // Until it has ended, the volume is nothing that its backend takes along.
        volume.site = Some(name_of(from.as_deref()).to_owned());
        volume.replication_status = Some(ReplicationStatus::FailingOver);
        if !volumes::swap_replication(&mut tx, &sources, &volume)
            .await?
            .won()
        {
            return Err(Error::lost(format_args!("Volume {id}")));
        }
        let input = json!({
            "from": name_of(from.as_deref()),
            "to": name_of(to.as_deref()),
            "give_up": request.force || asked == Some(backend.primary.name()),
            "force": request.force,
            "at": at,
        });
        let kind = ActivityKind::FailoverVolume;
        let begun = inner.begin(&mut tx, context, kind, id.0, input).await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(begun)
    }
}

/// Refuses a volume that cannot go alone now.
pub(super) fn check(volume: &Volume) -> Result<()> {
    if volume.group.is_some() {
        return Err(refused(
            volume,
            "it belongs to a group, which moves as a whole",
        ));
    }
    if !matches!(volume.status, VolumeStatus::Available | VolumeStatus::InUse) {
        let why = format!("its status is {}", volume.status);
        return Err(refused(volume, &why));
    }
    match volume.replication_status {
        Some(ReplicationStatus::Enabled | ReplicationStatus::FailedOver) => Ok(()),
        status => {
            let status = status.map_or("none", ReplicationStatus::as_str);
            let why = format!("its replication status is {status}");
            Err(refused(volume, &why))
        }
    }
}

/// The moment as of which it is wanted at that site.
fn moment(at: Option<OffsetDateTime>, there: &dyn Backend) -> Result<Option<u64>> {
    if at.is_some() && !there.capabilities().earlier_states {
        let name = there.name();
        let why = format!("at cannot be given: {name} has no states between snapshots.");
        return Err(Error::invalid_input(why));
    }
    at.map(past).transpose()
}

/// A moment in the past, in nanoseconds since the Unix epoch.
pub(super) fn past(at: OffsetDateTime) -> Result<u64> {
    let nanos = (at <= now()).then(|| u64::try_from(at.unix_timestamp_nanos()).ok());
    nanos
        .flatten()
        .ok_or_else(|| Error::invalid_input("at must be a time in the past."))
}

/// Why a volume does not go.
pub(super) fn refused(volume: &Volume, why: &str) -> Error {
    Error::invalid_volume(format_args!(
        "Volume {} cannot fail over: {why}.",
        volume.id
    ))
}

/// Everything a step needs.
struct Move<'a> {
    volume: Volume,
    host: HostName,
    input: Input,
    switch: Switch<'a>,
}

impl<'a> Move<'a> {
    /// `None` where the volume is not failing over any more.
    async fn of(inner: &'a Inner, activity: &'a Activity) -> Step<Option<Self>> {
        let input: Input = serde_json::from_value(activity.input.clone())
            .map_err(|error| Stop::never(error.to_string()))?;
        let id = VolumeId(activity.resource);
        let found = volumes::get(&mut *inner.db.read().await?, id).await?;
        let found = found.filter(|it| it.replication_status == Some(FROM[0]));
        let Some((volume, host)) = found.and_then(|it| {
            let host = it.host.clone()?;
            Some((it, host))
        }) else {
            return Ok(None);
        };
        let backend = inner.backend_of(&host)?;
        let (from, to) = (id_of(&input.from), id_of(&input.to));
        let switch = Switch {
            inner,
            activity,
            back: to.is_none() && !input.give_up,
            whole: true,
            force: input.force,
            moment: input.at,
            old: site(backend, from.as_deref())?,
            new: site(backend, to.as_deref())?,
            images: vec![volume.image()],
        };
        Ok(Some(Self {
            volume,
            host,
            input,
            switch,
        }))
    }
}

/// Goes through all steps, from where the last run stopped.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    // It is promoted there, or the story ends here.
    step.switch.run().await?;
    let returned = steps::go_back(&step.switch).await?;
    step.switch.at("exporting").await?;
    let moved = std::slice::from_ref(&step.volume);
    export_there(inner, &*step.switch.new, moved).await?;
    step.switch.at("writing down").await?;
    let mut tx = inner.db.begin().await?;
    arrive(&mut tx, &step, &step.input.to).await?;
    report::note(&mut tx, &step.switch, &step.host, moved).await?;
    let why = returned.err().map(|why| {
        let note = "The volume lives at the other site, as it was at last, and not as it was then.";
        Why::from(why).noting(note)
    });
    let outcome = why.as_ref().map_or(Ok(()), Err);
    inner.finish(&mut tx, activity, outcome).await?;
    tx.commit().await?;
    info!(volume = %step.volume.id, site = step.switch.new.name(), "a volume lives at another site");
    inner.compare.notify_one();
    Ok(())
}

/// The replication status of what lives at a site.
fn living_at(name: &str) -> ReplicationStatus {
    if id_of(name).is_some() {
        ReplicationStatus::FailedOver
    } else {
        ReplicationStatus::Enabled
    }
}

/// The volume lives at that site. Where its backend is too, and stays, it lives with it.
async fn arrive(tx: &mut Tx, step: &Move<'_>, name: &str) -> Step {
    let service = services::get_shared(tx, VOLUME, &step.host.without_pool()).await?;
    let Some(mut volume) = volumes::get_locked(tx, step.volume.id).await? else {
        return Ok(());
    };
    let together = service.is_some_and(|service| {
        service.replication_status != ReplicationStatus::FailingOver
            && name_of(service.active_backend_id.as_deref()) == name
    });
    volume.site = (!together).then(|| name.to_owned());
    volume.replication_status = Some(living_at(name));
    let swapped = volumes::swap_replication(tx, &FROM, &volume).await?;
    noted(swapped, volume.id);
    Ok(())
}

/// It was not promoted there: the volume is where and what it was.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    step.switch.undo(why).await?;
    warn!(volume = %step.volume.id, %why, "the failover of a volume did not take place");
    let mut tx = inner.db.begin().await?;
    arrive(&mut tx, &step, &step.input.from).await?;
    inner.finish(&mut tx, activity, Err(why)).await?;
    tx.commit().await?;
    inner.compare.notify_one();
    Ok(())
}
