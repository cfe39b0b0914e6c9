//! Drills: a clone of the copy of a volume, for guests that try what a failover would give. Nothing of the
//! volume or its replication is touched. Some kinds of sites answer with one at once; of others it is made by an
//! activity ([`story`]).

pub(crate) mod story;

use std::collections::BTreeMap;

use firebrick_backend::{DrillInfo, Fault, FaultKind, SharedBackend};
use firebrick_db::{Activity, Column, Connection, Listing, Test, Volume, activities, volumes};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ActivityStatus};
use firebrick_vocabulary::{ImageId, VolumeId};
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::warn;

use super::relation::{Relation, no_relation};
use super::single::past;
use crate::control::{Control, Inner, site};
use crate::error::{Error, ErrorKind, Result};
use crate::home::{SiteId, moves, name_of};
use crate::request::Context;
use crate::volume::hold;

impl Control {
    /// The action `drill` of a replication: a clone of the copy as it is now, or was at a time, exported at the
    /// site that follows. One that is there, or begins, stays as it is; a time is refused then. The drill of the answer
    /// has no address where it takes a while to begin.
    pub async fn begin_drill(
        &self,
        context: &Context,
        id: VolumeId,
        target: &str,
        at: Option<OffsetDateTime>,
    ) -> Result<Relation> {
        let at = at.map(past).transpose()?;
        let inner = &self.inner;
        let rule = Rule::FirebrickReplicationDrill;
        let mut relation = self.replication_under(context, rule, id, target).await?;
        let volume = volumes::get(&mut *inner.db.read().await?, id).await?;
        let volume = volume.ok_or_else(|| no_relation(id, target))?;
        let host = volume.host.as_ref();
        let backend = inner.backend_of(host.ok_or_else(|| no_relation(id, target))?)?;
        let follower = (!relation.away).then_some(target);
        let site = site(backend, follower)?;
        let image = volume.image();
        if at.is_none() && site.capabilities().drills_of_snapshots {
            if relation.drill.is_none() {
                inner.ready(&site, image).await?;
                let begun = inner.begin_story(context, id, target, follower).await?;
                relation.drill = Some(begins(&begun, image));
            }
            return Ok(relation);
        }
        let asked = async {
            let record = match at {
                Some(time) => Some(site.record_at(image, time).await?),
                None => None,
            };
            site.begin_drill(image, record).await
        };
        let begun = timeout(inner.options.runner.call, asked).await;
        let begun = begun.unwrap_or_else(|_| {
            let doing = format!("begin a drill of {id}");
            Err(Fault::new(FaultKind::TimedOut, doing, "no answer"))
        });
        relation.drill = Some(begun?);
        Ok(relation)
    }

    /// The action `end_drill` of a replication: the clone is removed, whoever is connected to it.
    pub async fn end_drill(&self, context: &Context, id: VolumeId, target: &str) -> Result<()> {
        let inner = &self.inner;
        let rule = Rule::FirebrickReplicationDrill;
        self.replication_under(context, rule, id, target).await?;
        let volume = volumes::get(&mut *inner.db.read().await?, id).await?;
        let volume = volume.ok_or_else(|| no_relation(id, target))?;
        // One that begins ends first, so that what it makes now is seen, here or by its story.
        let given_up = inner.give_up(&volume).await?;
        // The volume may have moved since it began.
        let mut silent = None;
        for at in [Some(target.to_owned()), None] {
            match inner.end_drill_at(&volume, &at).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(fault) => silent = Some(fault),
            }
        }
        if given_up {
            return Ok(());
        }
        Err(silent.map_or_else(
            || {
                let text = format!("There is no drill of {id}@{target}.");
                Error::new(ErrorKind::NotFound, text)
            },
            Into::into,
        ))
    }
}

impl Inner {
    /// Refuses a copy of which there can be no drill now.
    async fn ready(&self, site: &SharedBackend, image: ImageId) -> Result<()> {
        let doing = || format!("begin a drill of {image}");
        let asked = timeout(self.options.runner.call, site.image(image)).await;
        let silent = |_| Err(Fault::new(FaultKind::TimedOut, doing(), "no answer"));
        let found = asked.unwrap_or_else(silent)?;
        if !found.sync.is_consistent() {
            let why = "its first copy is not complete";
            return Err(Fault::new(FaultKind::Inconsistent, doing(), why).into());
        }
        Ok(())
    }

    async fn begin_story(
        &self,
        context: &Context,
        id: VolumeId,
        target: &str,
        follower: Option<&str>,
    ) -> Result<Activity> {
        let mut tx = self.db.begin().await?;
        let volume = hold(&mut tx, context, id).await;
        let volume = volume.map_err(|_| no_relation(id, target))?;
        let resource = story::resource(volume.id, follower);
        if let Some(known) = activities::running_for(&mut tx, resource).await? {
            if known.cancel {
                let text = format!("The former drill of volume {id} is being removed.");
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            return Ok(known);
        }
        let input = json!({ "at": name_of(follower) });
        let kind = ActivityKind::Drill;
        let begun = self.begin_for(&mut tx, context, kind, resource, id, input);
        let begun = begun.await?;
        let begun = activities::get(&mut tx, begun).await?;
        let begun = begun.ok_or_else(|| Error::lost(format_args!("The drill of volume {id}")))?;
        tx.commit().await?;
        self.work.notify_one();
        Ok(begun)
    }

    /// Ends the stories that make drills of a volume. Whether there were any.
    async fn give_up(&self, volume: &Volume) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let mut any = false;
        for story in running(&mut tx, &[volume.id]).await? {
            any |= activities::cancel(&mut tx, story.id).await?.won();
        }
        tx.commit().await?;
        self.work.notify_one();
        Ok(any)
    }

    /// Ends the drill of a volume at that site. Whether there was one.
    async fn end_drill_at(&self, volume: &Volume, at: &SiteId) -> std::result::Result<bool, Fault> {
        let image = volume.image();
        let doing = || format!("end the drill of {}", volume.id);
        let host = volume.host.as_ref();
        let found = host.and_then(|host| site(self.backend_of(host).ok()?, at.as_deref()).ok());
        let Some(site) = found else {
            return Ok(false);
        };
        let asked = async {
            let there = site.drills().await?;
            let there = there.iter().any(|drill| drill.of == image);
            if there {
                site.end_drill(image).await?;
            }
            Ok(there)
        };
        let asked = timeout(self.options.runner.call, asked).await;
        asked.unwrap_or_else(|_| Err(Fault::new(FaultKind::TimedOut, doing(), "no answer")))
    }

    /// A volume that goes, or is replicated no more, takes its drills along, where their sites answer.
    pub(crate) async fn end_drills(&self, volume: &Volume, image: ImageId) {
        let Some(host) = volume.host.as_ref().filter(|_| moves(volume)) else {
            return;
        };
        let Ok(backend) = self.backend_of(host) else {
            return;
        };
        let ids = backend.targets.iter().map(|(id, _)| Some(id.as_str()));
        for id in std::iter::once(None).chain(ids) {
            let Ok(site) = site(backend, id) else {
                continue;
            };
            match timeout(self.options.failover.probe, site.end_drill(image)).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => {
                    warn!(volume = %volume.id, %fault, "a drill may be left over");
                }
                Err(_) => {
                    warn!(volume = %volume.id, site = site.name(), "a drill may be left over");
                }
            }
        }
    }
}

/// The stories that run of these volumes' drills.
async fn running(
    connection: &mut Connection,
    ids: &[VolumeId],
) -> std::result::Result<Vec<Activity>, firebrick_db::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let about = ids.iter().map(ToString::to_string).collect();
    let only = |text: &str| Test::OneOf(vec![text.to_owned()]);
    let listing = Listing::default()
        .and(Column::Kind, only(ActivityKind::Drill.as_str()))
        .and(Column::Status, only(ActivityStatus::Running.as_str()))
        .and(Column::Volume, Test::OneOf(about));
    let found = activities::list(connection, &listing).await?;
    Ok(found.unwrap_or_default())
}

/// The drills of these volumes that begin, as sites say it of those that they have.
pub(super) async fn beginning(
    connection: &mut Connection,
    rows: &[Volume],
) -> Result<BTreeMap<VolumeId, DrillInfo>> {
    let ids: Vec<VolumeId> = rows.iter().map(|row| row.id).collect();
    let stories = running(connection, &ids).await?;
    let wanted = stories.iter().filter(|story| !story.cancel);
    let shown = wanted.filter_map(|story| {
        let row = rows.iter().find(|row| Some(row.id) == story.volume)?;
        Some((row.id, begins(story, row.image())))
    });
    Ok(shown.collect())
}

/// A drill that begins.
fn begins(story: &Activity, of: ImageId) -> DrillInfo {
    let began = story.created_at.unix_timestamp_nanos();
    DrillInfo {
        of,
        position: None,
        began: u64::try_from(began).unwrap_or_default(),
        address: None,
        clients: 0,
    }
}

/// The drill of an image among those of a site.
pub(super) fn of(drills: &[DrillInfo], image: ImageId) -> Option<DrillInfo> {
    drills.iter().find(|drill| drill.of == image).cloned()
}
