//! Drills: a clone of the copy of a volume, for guests that try what a failover would give. Nothing of the
//! volume or its replication is touched.

use firebrick_backend::{DrillInfo, Fault, FaultKind};
use firebrick_db::{Volume, volumes};
use firebrick_policy::Rule;
use firebrick_vocabulary::{ImageId, VolumeId};
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::warn;

use super::relation::{Relation, no_relation};
use super::single::past;
use crate::control::{Control, Inner, site};
use crate::error::{Error, ErrorKind, Result};
use crate::home::{SiteId, moves};
use crate::request::Context;

impl Control {
    /// The action `drill` of a replication: a clone of the copy as it is now, or was at a time, exported at the
    /// site that follows. One that is there stays as it is; a time is refused then.
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
        // The volume may have moved since it began.
        let mut silent = None;
        for at in [Some(target.to_owned()), None] {
            match inner.end_drill_at(&volume, &at).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(fault) => silent = Some(fault),
            }
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

    /// A volume that goes takes its drills along, where their sites answer.
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

/// The drill of an image among those of a site.
pub(super) fn of(drills: &[DrillInfo], image: ImageId) -> Option<DrillInfo> {
    drills.iter().find(|drill| drill.of == image).cloned()
}
