//! A group moves to another site on its own: its images are promoted there at one position, and its
//! attachments follow. What lives there afterwards is written down in one transaction.

use std::collections::BTreeMap;

use firebrick_backend::{PromoteOutcome, Reason};
use firebrick_db::{Activity, Group, Tx, Volume, groups, services, volumes};
use firebrick_state::{GroupStatus, MessageDetail, ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{GroupId, HostName, VolumeId};
use serde::Deserialize;
use tracing::{info, warn};

use crate::control::{Inner, VOLUME, site};
use crate::group::look::{hold_members, members};
use crate::home::{id_of, name_of};
use crate::replication::commit::{export_there, follow};
use crate::replication::report;
use crate::replication::switch::Switch;
use crate::story::{Step, Stop, noted};
use crate::why::Why;

const FROM: [ReplicationStatus; 1] = [ReplicationStatus::FailingOver];

/// What the request said.
#[derive(Debug, Deserialize)]
struct Input {
    /// Where it was, as the rows of groups name sites.
    from: String,
    to: String,
    /// Whether it goes home even where the site that is left does not answer.
    give_up: bool,
}

/// Everything a step needs.
struct Move<'a> {
    group: Group,
    host: HostName,
    input: Input,
    /// Those that go.
    volumes: Vec<Volume>,
    switch: Switch<'a>,
}

impl<'a> Move<'a> {
    /// `None` where the group is not failing over any more.
    async fn of(inner: &'a Inner, activity: &'a Activity) -> Step<Option<Self>> {
        let input: Input = serde_json::from_value(activity.input.clone())
            .map_err(|error| Stop::never(error.to_string()))?;
        let id = GroupId(activity.resource);
        let found = groups::get(&mut *inner.db.read().await?, id).await?;
        let found = found.filter(|group| FROM.contains(&group.replication_status));
        let Some((group, host)) = found.and_then(|group| {
            let host = group.host.clone()?;
            Some((group, host))
        }) else {
            return Ok(None);
        };
        let mut volumes = members(&mut *inner.db.read().await?, id).await?;
        volumes.retain(|volume| volume.replication_status == Some(FROM[0]));
        let backend = inner.backend_of(&host)?;
        let (from, to) = (id_of(&input.from), id_of(&input.to));
        let switch = Switch {
            inner,
            activity,
            back: to.is_none() && !input.give_up,
            whole: true,
            force: false,
            moment: None,
            old: site(backend, from.as_deref())?,
            new: site(backend, to.as_deref())?,
            images: volumes.iter().map(Volume::image).collect(),
        };
        Ok(Some(Self {
            group,
            host,
            input,
            volumes,
            switch,
        }))
    }
}

/// Goes through all steps, from where the last run stopped.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    let outcomes = step.switch.run().await?;
    step.switch.at("exporting").await?;
    let moved = step.volumes.iter();
    let moved = moved.filter(|volume| refusal(&outcomes, volume).is_none());
    let moved: Vec<Volume> = moved.cloned().collect();
    export_there(inner, &*step.switch.new, &moved).await?;
    step.switch.at("writing down").await?;
    write_down(inner, activity, &step, &outcomes).await?;
    info!(group = %step.group.id, site = step.switch.new.name(), "a group lives at another site");
    inner.compare.notify_one();
    Ok(())
}

/// Why the image of a volume is not primary there.
fn refusal(outcomes: &[PromoteOutcome], volume: &Volume) -> Option<Reason> {
    let of = |outcome: &&PromoteOutcome| outcome.image == volume.image();
    match outcomes.iter().find(of) {
        Some(outcome) => outcome.result.as_ref().err().cloned(),
        None => Some(Reason::NotFound),
    }
}

/// The replication status of what lives at a site.
fn living_at(name: &str) -> ReplicationStatus {
    if id_of(name).is_some() {
        ReplicationStatus::FailedOver
    } else {
        ReplicationStatus::Enabled
    }
}

/// The group has its new site, and its volumes with it, and the activity ends.
async fn write_down(
    inner: &Inner,
    activity: &Activity,
    step: &Move<'_>,
    outcomes: &[PromoteOutcome],
) -> Step {
    let refused = step.volumes.iter();
    let refused = refused.filter_map(|it| Some((it.id, refusal(outcomes, it)?)));
    let refused: BTreeMap<VolumeId, Reason> = refused.collect();
    let ended = if refused.is_empty() {
        living_at(&step.input.to)
    } else {
        // All of them, so that they can be let go of together.
        ReplicationStatus::Error
    };
    let mut tx = inner.db.begin().await?;
    let group = settled(&mut tx, &step.group, &step.input.to).await?;
    for mut volume in hold_members(&mut tx, step.group.id).await? {
        volume.replication_status = Some(ended);
        if let Some(reason) = refused.get(&volume.id) {
            warn!(volume = %volume.id, ?reason, "a volume could not be moved with its group");
            volume.previous_status = Some(volume.status);
            volume.status = VolumeStatus::Error;
            follow(&mut tx, volume.id, true).await?;
        }
        let swapped = volumes::swap_replication(&mut tx, &FROM, &volume).await?;
        noted(swapped, volume.id);
    }
    if let Some(mut group) = group {
        group.replication_status = ended;
        if !refused.is_empty() {
            group.status = GroupStatus::Error;
        }
        let swapped = groups::swap_replication(&mut tx, &FROM, &group).await?;
        noted(swapped, group.id);
    }
    report::note(&mut tx, &step.switch, &step.host, &step.volumes).await?;
    let why = format!("{} of its volumes could not be moved", refused.len());
    let why = Why::from(why).detail(MessageDetail::NotCaughtUp);
    let outcome = if refused.is_empty() {
        Ok(())
    } else {
        Err(&why)
    };
    inner.finish(&mut tx, activity, outcome).await?;
    Ok(tx.commit().await?)
}

/// The group at that site, held. Where its backend is too, and stays, the group lives with it.
async fn settled(tx: &mut Tx, known: &Group, name: &str) -> Step<Option<Group>> {
    let service = match &known.host {
        Some(host) => services::get_shared(tx, VOLUME, &host.without_pool()).await?,
        None => None,
    };
    let Some(mut group) = groups::get_locked(tx, known.id).await? else {
        return Ok(None);
    };
    let together = service.is_some_and(|service| {
        service.replication_status != ReplicationStatus::FailingOver
            && name_of(service.active_backend_id.as_deref()) == name
    });
    group.site = (!together).then(|| name.to_owned());
    Ok(Some(group))
}

/// Nothing was promoted: the group is where and what it was.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let Some(step) = Move::of(inner, activity).await? else {
        return inner.finish_alone(activity, Err(why)).await;
    };
    step.switch.undo(why).await?;
    warn!(group = %step.group.id, %why, "the failover of a group did not take place");
    let lives = living_at(&step.input.from);
    let mut tx = inner.db.begin().await?;
    let group = settled(&mut tx, &step.group, &step.input.from).await?;
    for mut volume in hold_members(&mut tx, step.group.id).await? {
        volume.replication_status = Some(lives);
        let swapped = volumes::swap_replication(&mut tx, &FROM, &volume).await?;
        noted(swapped, volume.id);
    }
    if let Some(mut group) = group {
        group.replication_status = lives;
        let swapped = groups::swap_replication(&mut tx, &FROM, &group).await?;
        noted(swapped, group.id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    tx.commit().await?;
    inner.compare.notify_one();
    Ok(())
}
