//! Which pool a volume goes to, and which one next, where it could not be made.

use std::collections::BTreeMap;

use firebrick_backend::FaultKind;
use firebrick_db::{
    Activity, Column, Connection, Listing, Volume, activities, attachments, types, volumes,
};
use firebrick_scheduler::{Capability, Locality, Refusal, Request};
use firebrick_state::{MessageDetail, VolumeStatus};
use firebrick_vocabulary::HostName;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::{info, warn};

use crate::control::Inner;
use crate::group::join::pool_for;
use crate::messages::unplaced;
use crate::qos::front::spec_of;
use crate::replication::way::is_scheduled;
use crate::request::Metadata;
use crate::story::{Step, Stop};
use crate::why::Why;

/// What the request said about the place: the input of the activity.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Hints {
    availability_zone: Option<String>,
    same_host: Vec<HostName>,
    different_host: Vec<HostName>,
    /// Where the origin lives.
    only: Option<HostName>,
    local_to_instance: Option<String>,
    query: Option<String>,
}

/// A pool where the volume could not be made.
#[derive(Deserialize, Serialize)]
struct Attempt {
    host: HostName,
    why: String,
}

/// The state of the activity.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Tried {
    attempts: Vec<Attempt>,
}

impl Tried {
    /// An activity of an earlier release has no attempts.
    fn of(activity: &Activity) -> Self {
        serde_json::from_value(activity.state.clone()).unwrap_or_default()
    }

    /// What went wrong where, for operators.
    fn failures(&self) -> Vec<String> {
        let attempts = self.attempts.iter();
        attempts
            .map(|attempt| format!("{} failed: {}", attempt.host, attempt.why))
            .collect()
    }
}

/// Chooses the pool and notes it, so that a second run takes the same one.
pub(crate) async fn place(inner: &Inner, activity: &Activity, mut volume: Volume) -> Step<Volume> {
    let tried = Tried::of(activity);
    let request = request(inner, activity, &volume, &tried).await?;
    let host = choose(inner, &request).await?.map_err(|refusal| {
        let why = unplaced(&refusal, &tried.failures());
        // One that starts, or starts again, has room in a moment.
        if inner.awaits_backend() {
            Stop::later(why)
        } else {
            Stop::never(why)
        }
    })?;
    let service = inner.service_of(&host).await?;
    let mut tx = inner.db.begin().await?;
    if let Some(newer) = volumes::get_locked(&mut tx, volume.id).await? {
        volume = newer;
    }
    volume.host = Some(host.clone());
    volume.service = Some(service.id);
    volume.cluster = service.cluster_of(&host);
    volume.availability_zone = service.availability_zone;
    let from = [VolumeStatus::Creating];
    if !volumes::swap(&mut tx, &from, &volume).await?.won() {
        // Nothing has been made anywhere, and nothing may be: the next run finds out why.
        let why = "the volume changed while its pool was chosen";
        return Err(Stop::always(why));
    }
    tx.commit().await?;
    inner.consume(&host, volume.size);
    Ok(volume)
}

/// Asks the scheduler, and notes how often each filter refused where none is left.
pub(crate) async fn choose(inner: &Inner, request: &Request) -> Step<Result<HostName, Refusal>> {
    let pools = inner.pool_states().await?;
    let scheduler = &inner.options.scheduler;
    let chosen = scheduler.choose(request, &pools, &mut rand::random::<f64>);
    if let Err(refusal) = &chosen {
        info!(size = request.size, refused = ?refusal.counts(), "no pool takes a volume");
    }
    Ok(chosen.map(|choice| choice.host))
}

async fn request(
    inner: &Inner,
    activity: &Activity,
    volume: &Volume,
    tried: &Tried,
) -> Step<Request> {
    let hints: Hints = serde_json::from_value(activity.input.clone()).unwrap_or_default();
    let connection = &mut *inner.db.read().await?;
    let wanted = wanted(connection, volume).await?;
    let of_group = pool_for(connection, volume).await?;
    let local_to_instance = match hints.local_to_instance {
        Some(instance) => Some(locality(connection, &instance).await?),
        None => None,
    };
    Ok(Request {
        availability_zone: hints.availability_zone.or(wanted.availability_zone),
        only: hints.only.or(of_group).into_iter().collect(),
        same_host: hints.same_host,
        different_host: hints.different_host,
        local_to_instance,
        query: hints.query,
        attempted: tried.attempts.iter().map(|it| it.host.clone()).collect(),
        ..wanted
    })
}

/// What a type with these extra specs asks of a pool.
pub(crate) fn of_type(extra_specs: Metadata) -> Request {
    Request {
        scheduled_snapshots: is_scheduled(&extra_specs),
        extra_specs,
        ..Request::default()
    }
}

/// What a volume asks of its pool by what it is, and by its type.
pub(crate) async fn wanted(connection: &mut Connection, volume: &Volume) -> Step<Request> {
    let kind = types::get(connection, volume.volume_type).await?;
    let qos = spec_of(connection, volume).await?;
    let extra_specs = kind.map_or_else(BTreeMap::new, |kind| kind.extra_specs);
    // A type that is bound to zones chooses where the request did not.
    let usual = !extra_specs.contains_key("RESKEY:availability_zones");
    Ok(Request {
        size: volume.size,
        qos_specs: qos.map_or_else(BTreeMap::new, |spec| spec.specs),
        volume: described(volume),
        availability_zone: usual.then(|| volume.availability_zone.clone()),
        ..of_type(extra_specs)
    })
}

/// Why that pool does not take what is asked for; `None` where it does.
pub(crate) async fn refused_at(
    inner: &Inner,
    request: Request,
    host: &HostName,
) -> Step<Option<Why>> {
    let request = Request {
        availability_zone: None,
        only: vec![host.clone()],
        ..request
    };
    let Err(mut refusal) = choose(inner, &request).await? else {
        return Ok(None);
    };
    // That the others are others says nothing.
    refusal.pools.retain(|(pool, ..)| pool == host);
    let why = unplaced(&refusal, &[]);
    // One that starts, or starts again, takes it in a moment.
    if inner.awaits_backend() {
        return Err(Stop::later(why));
    }
    Ok(Some(why))
}

/// Where an instance runs is known from what is attached to it.
async fn locality(connection: &mut Connection, instance: &str) -> Step<Locality> {
    let listing = Listing::of(Column::Instance, &instance);
    let found = attachments::list(connection, &listing).await?;
    let node = found.into_iter().flatten().find_map(|row| row.host);
    Ok(node.map_or(Locality::Unknown, Locality::Node))
}

/// What functions may ask of a volume.
fn described(volume: &Volume) -> BTreeMap<String, Capability> {
    let text = |text: &str| Capability::Text(text.to_owned());
    let maybe = |value: &Option<String>| value.as_deref().map(text);
    let known = [
        ("size", Some(Capability::Number(volume.size.into()))),
        ("id", Some(text(&volume.id.to_string()))),
        ("project_id", Some(text(volume.project.as_str()))),
        ("user_id", Some(text(volume.user.as_str()))),
        ("display_name", maybe(&volume.name)),
        ("display_description", maybe(&volume.description)),
        ("availability_zone", Some(text(&volume.availability_zone))),
        (
            "volume_type_id",
            Some(text(&volume.volume_type.to_string())),
        ),
        ("multiattach", Some(Capability::Flag(volume.multiattach))),
    ];
    let known = known.into_iter();
    known
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

/// A volume could not be made where it was placed: removes what is there, and lets its story begin
/// again in another pool. `false` where that is not possible and the volume is an error; what is there
/// goes with the volume then.
pub(crate) async fn elsewhere(
    inner: &Inner,
    activity: &Activity,
    mut volume: Volume,
    why: &Why,
) -> Step<bool> {
    let Some(host) = volume.host.clone() else {
        return Ok(false);
    };
    let home = inner.home(&volume).await?;
    match home.site.remove_image(volume.image()).await {
        Ok(()) => {}
        Err(fault) if fault.kind == FaultKind::NotFound => {}
        Err(fault) => {
            // Two pools must never have an image of one volume.
            info!(volume = %volume.id, %fault, "the image of a failed volume stays for now");
            return Ok(false);
        }
    }
    let mut tried = Tried::of(activity);
    tried.attempts.push(Attempt {
        host: host.clone(),
        why: why.to_string(),
    });
    let most = inner.options.scheduler_max_attempts as usize;
    if why.is(MessageDetail::Cancelled) || tried.attempts.len() >= most {
        return Ok(false);
    }
    let another = request(inner, activity, &volume, &tried).await?;
    if choose(inner, &another).await?.is_err() {
        return Ok(false);
    }
    let mut tx = inner.db.begin().await?;
    let Some(newer) = volumes::get_locked(&mut tx, volume.id).await? else {
        return Ok(false);
    };
    volume = newer;
    volume.host = None;
    volume.service = None;
    volume.cluster = None;
    let from = [VolumeStatus::Creating];
    if !volumes::swap(&mut tx, &from, &volume).await?.won() {
        return Ok(false);
    }
    if !activities::save(&mut tx, activity.id, &inner.owner, &json!(tried)).await? {
        return Err(Stop::Lost);
    }
    tx.commit().await?;
    inner.placed.lock().remove(&host);
    warn!(volume = %volume.id, %host, %why, "a volume could not be made in a pool; another is tried");
    Ok(true)
}
