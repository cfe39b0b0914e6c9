//! The drill of a kind of site that has no state of a copy but its snapshots: one is taken at the primary, and once the
//! copy has it, the drill is a clone of it. Where the primary does not answer, nothing new can arrive either, and the
//! drill is a copy of what is there.
//!
//! The snapshot goes again as soon as the drill is there. Until that has been done, the activity does not end; so what
//! a crash leaves, at either site, is found by who takes it up.

use std::time::Duration;

use firebrick_backend::{DRILL_SNAPSHOT, Fault, FaultKind, SharedBackend};
use firebrick_db::{Activity, Volume, activities, volumes};
use firebrick_state::{ReplicationStatus, VolumeStatus};
use firebrick_vocabulary::{SnapshotName, VolumeId};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::control::{Inner, site};
use crate::home::{Home, SiteId, id_of, may_pass, moves, name_of};
use crate::image::unless_cancelled;
use crate::story::{Step, Stop};
use crate::why::Why;

/// How often the copy is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What the activity is about: one drill at a time of a volume at a site.
pub(super) fn resource(volume: VolumeId, follower: Option<&str>) -> Uuid {
    let what = format!("drill at {}", name_of(follower));
    Uuid::new_v5(&volume.0, what.as_bytes())
}

/// What is drilled.
struct Drill {
    volume: Volume,
    follower: SiteId,
    /// Where the copy is.
    there: SharedBackend,
    /// What is taken at the primary.
    snapshot: SnapshotName,
}

impl Drill {
    /// That of an activity; `None` where its volume is gone, which has taken it along.
    async fn of(inner: &Inner, activity: &Activity) -> Step<Option<Self>> {
        let id = activity.volume.ok_or_else(|| Stop::never("of no volume"))?;
        let found = volumes::get(&mut *inner.db.read().await?, id).await?;
        let Some((volume, host)) = found.and_then(|it| Some((it.clone(), it.host?))) else {
            return Ok(None);
        };
        let at = activity.input.get("at").and_then(Value::as_str);
        let follower = id_of(at.unwrap_or_default());
        let there = site(inner.backend_of(&host)?, follower.as_deref())?;
        let snapshot = SnapshotName::new(format!("{DRILL_SNAPSHOT}{}", activity.id));
        let snapshot = snapshot.map_err(|error| Stop::never(error.to_string()))?;
        Ok(Some(Self {
            volume,
            follower,
            there,
            snapshot,
        }))
    }

    async fn is_there(&self) -> Step<bool> {
        let (drills, image) = (self.there.drills().await?, self.volume.image());
        Ok(drills.iter().any(|drill| drill.of == image))
    }
}

/// The story.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let Some(drill) = Drill::of(inner, activity).await? else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    if !drill.is_there().await? {
        make(inner, activity, &drill).await?;
    }
    // Who ends drills says so before he looks for them, and so does who ends the replication or the volume.
    inner.cancelled(activity).await?;
    let row = volumes::get(&mut *inner.db.read().await?, drill.volume.id).await?;
    if row.is_none_or(|row| is_ending(&row)) {
        drill.there.end_drill(drill.volume.image()).await?;
    }
    tidy(inner, activity, &drill).await?;
    inner.finish_alone(activity, Ok(())).await
}

/// Whether the copy of a volume goes, or may.
fn is_ending(volume: &Volume) -> bool {
    matches!(
        volume.status,
        VolumeStatus::Deleting | VolumeStatus::Retyping
    ) || volume.replication_status == Some(ReplicationStatus::Disabling)
        || !moves(volume)
}

async fn make(inner: &Inner, activity: &Activity, drill: &Drill) -> Step {
    let home = inner.home(&drill.volume).await?;
    if home.is_at(drill.follower.as_deref()) {
        return Err(Stop::never("the volume lives there meanwhile"));
    }
    if answers(inner, &home).await && of_snapshot(inner, activity, drill, &home).await? {
        return Ok(());
    }
    inner.progress(activity, "copying", 0, 0).await?;
    let copied = async {
        let begun = drill.there.begin_drill(drill.volume.image(), None).await;
        begun.map(drop).map_err(Stop::from)
    };
    unless_cancelled(inner, activity, copied).await
}

/// Whether the site of the volume is there at all.
async fn answers(inner: &Inner, home: &Home) -> bool {
    let asked = timeout(inner.options.runner.call, home.site.status()).await;
    matches!(asked, Ok(Ok(_)))
}

/// Makes the drill of a snapshot; `false` where the primary does not answer any more.
async fn of_snapshot(inner: &Inner, activity: &Activity, drill: &Drill, home: &Home) -> Step<bool> {
    inner.progress(activity, "taking a snapshot", 0, 0).await?;
    // Before it is taken: it is looked for wherever this ends.
    note_taken(inner, activity).await?;
    let (image, name) = (drill.volume.image(), &drill.snapshot);
    let taken = async {
        home.site.create_snapshot(image, name.clone()).await?;
        home.site.send(image).await
    };
    if let Err(fault) = bounded(inner, taken).await {
        if fault.is_transient() && !answers(inner, home).await {
            return Ok(false);
        }
        return Err(fault.into());
    }
    inner
        .progress(activity, "waiting for the copy", 0, 0)
        .await?;
    let end = Instant::now() + inner.options.failover.resync;
    loop {
        inner.cancelled(activity).await?;
        if drill.there.begin_drill_of(image, name).await?.is_some() {
            return Ok(true);
        }
        if !answers(inner, home).await {
            return Ok(false);
        }
        if Instant::now() >= end {
            let waited = inner.options.failover.resync.as_secs();
            let why = format!("the copy has not got its snapshot within {waited} s");
            return Err(Stop::never(why));
        }
        sleep(LOOK).await;
    }
}

async fn note_taken(inner: &Inner, activity: &Activity) -> Step {
    let mut tx = inner.db.begin().await?;
    let state = json!({ "taken": true });
    if !activities::save(&mut tx, activity.id, &inner.owner, &state).await? {
        return Err(Stop::Lost);
    }
    Ok(tx.commit().await?)
}

async fn bounded<T>(
    inner: &Inner,
    asked: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let asked = timeout(inner.options.runner.call, asked).await;
    let silent = |_| Err(Fault::new(FaultKind::TimedOut, "drill", "no answer"));
    asked.unwrap_or_else(silent)
}

/// Removes the snapshot from where the volume lives now; whoever else has it follows. A site that does not answer is
/// waited for.
async fn tidy(inner: &Inner, activity: &Activity, drill: &Drill) -> Step {
    let image = drill.volume.image();
    let (noted, row) = {
        let connection = &mut *inner.db.read().await?;
        let noted = activities::get(connection, activity.id).await?;
        (noted, volumes::get(connection, drill.volume.id).await?)
    };
    let taken = noted.is_some_and(|noted| noted.state["taken"] == json!(true));
    let Some(volume) = row.filter(|row| taken && row.image() == image) else {
        return Ok(());
    };
    inner
        .progress(activity, "removing its snapshot", 0, 0)
        .await?;
    let home = inner.home(&volume).await?;
    let removed = async {
        home.site
            .remove_snapshot(image, drill.snapshot.clone())
            .await?;
        home.site.send(image).await
    };
    match bounded(inner, removed).await {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        Err(fault) if may_pass(&fault) => Err(Stop::always(fault)),
        Err(fault) => Err(fault.into()),
    }
}

/// What there is of the drill goes, and so does its snapshot.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    if let Some(drill) = Drill::of(inner, activity).await? {
        drill.there.end_drill(drill.volume.image()).await?;
        tidy(inner, activity, &drill).await?;
    }
    inner.finish_alone(activity, Err(why)).await
}
