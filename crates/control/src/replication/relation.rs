//! Relations: one of each replicated volume to each target of its backend, and how it goes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use firebrick_backend::{DrillInfo, ImageStatus, MirrorStatus, SharedBackend};
use firebrick_db::{Column, Connection, Test, Volume, VolumeType, now, types, volumes};
use firebrick_policy::Rule;
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{
    BLOCK_SIZE, Gibibytes, GroupId, HostName, ImageId, MirrorWay, Position, ProjectId, SyncState,
    VolumeId,
};
use futures_util::future::{join, join_all};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::drill;
use super::rpo::rpo_target;
use crate::control::{Control, Inner, site};
use crate::error::{Error, ErrorKind, Result};
use crate::home::{Seat, Seats, SiteId, id_of, moves};
use crate::options::{BackendOptions, POOL};
use crate::request::{Context, Query};
use crate::volume::{look_at, no_marker};

/// A volume and a target of its backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// The volume.
    pub volume: VolumeId,
    /// Whose it is.
    pub project: ProjectId,
    /// Its group.
    pub group: Option<GroupId>,
    /// The id of the target.
    pub target: String,
    /// Whether the volume lives at the target.
    pub away: bool,
    /// The name of the site where the volume lives.
    pub primary: String,
    /// The name of the site that follows: the target, or the other one while the volume lives there.
    pub secondary: String,
    /// Where the replication of the volume stands.
    pub replication_status: ReplicationStatus,
    /// What happens to the copy.
    pub state: RelationState,
    /// Up to which record of the primary's log the copy is there.
    pub position: Option<Position>,
    /// How far it is behind, in seconds: what was written in them would be lost with the primary.
    pub lag_seconds: Option<f64>,
    /// How far it is behind, in bytes.
    pub lag_bytes: Option<u64>,
    /// The time of which the copy holds everything.
    pub consistent_at: Option<OffsetDateTime>,
    /// How many bytes of how many the first copy has, while it runs.
    pub progress: Option<(u64, u64)>,
    /// `rpo_target_seconds` of the volume's type.
    pub rpo_target: Option<f64>,
    /// The way in which the copy is kept; `None` where no site says.
    pub way: Option<MirrorWay>,
    /// Whether flushes of the volume wait for this copy now, where they are to; `None` where the primary does not
    /// say.
    pub in_sync: Option<bool>,
    /// A clone of the copy for guests that try, if there is one.
    pub drill: Option<DrillInfo>,
}

impl Relation {
    /// Whether the copy is no further behind than the type of the volume demands; `None` without a target or
    /// where the lag is not known.
    pub fn rpo_met(&self) -> Option<bool> {
        Some(self.lag_seconds? <= self.rpo_target?)
    }

    /// `sync` where flushes of the volume are to wait for the copy, else `async`; `None` where no site says.
    pub fn replication_type(&self) -> Option<&'static str> {
        Some(match self.way?.sync_mode() {
            Some(_) => "sync",
            None => "async",
        })
    }
}

/// What happens to a copy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RelationState {
    /// It follows.
    Replaying,
    /// Its first copy runs, and it cannot be used.
    Syncing,
    /// Its site does not follow, or does not answer.
    Disconnected,
    /// The volume is on its way to another site.
    FailingOver,
    /// No site says how it is.
    Unknown,
}

impl RelationState {
    /// As it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaying => "replaying",
            Self::Syncing => "syncing",
            Self::Disconnected => "disconnected",
            Self::FailingOver => "failing-over",
            Self::Unknown => "unknown",
        }
    }
}

impl Control {
    /// `GET /replications`: the relations of a page of volumes, by volume and target.
    pub async fn replications(&self, context: &Context, query: Query) -> Result<Vec<Relation>> {
        context.allow(Rule::FirebrickReplicationGetAll)?;
        let inner = &self.inner;
        let pools: Vec<String> = inner
            .options
            .backends
            .iter()
            .filter(|backend| !backend.targets.is_empty())
            .map(|backend| inner.host_of(backend).with_pool(POOL).to_string())
            .collect();
        let replicated = ReplicationStatus::ALL.iter();
        let replicated = replicated.filter(|status| status.is_replicated());
        let listing = context
            .narrowed(query)
            .and(Column::MigrationTarget, Test::Number(0))
            .and(Column::Host, Test::OneOf(pools))
            .and(
                Column::ReplicationStatus,
                Test::OneOf(replicated.map(ToString::to_string).collect()),
            );
        let connection = &mut *inner.db.read().await?;
        let found = volumes::list(connection, &listing).await?;
        let rows = found.ok_or_else(|| no_marker(&listing.marker.unwrap_or_default()))?;
        let kinds = kinds_of(connection, &rows).await?;
        inner.relations(&rows, &kinds).await
    }

    /// `GET /replications/{id}`: that of a volume to a target.
    pub async fn replication(
        &self,
        context: &Context,
        volume: VolumeId,
        target: &str,
    ) -> Result<Relation> {
        let rule = Rule::FirebrickReplicationGet;
        self.replication_under(context, rule, volume, target).await
    }

    /// The same for whoever may do what `rule` is about to it.
    pub async fn replication_under(
        &self,
        context: &Context,
        rule: Rule,
        volume: VolumeId,
        target: &str,
    ) -> Result<Relation> {
        let inner = &self.inner;
        let (row, kinds) = {
            let connection = &mut *inner.db.read().await?;
            let row = look_at(connection, context, volume).await;
            let row = row.map_err(|_| no_relation(volume, target))?;
            let kinds = kinds_of(connection, std::slice::from_ref(&row)).await?;
            (row, kinds)
        };
        context.allow_for(rule, &row)?;
        let found = inner.relations(&[row], &kinds).await?.into_iter();
        let mut found = found.filter(|relation| relation.target == target);
        found.next().ok_or_else(|| no_relation(volume, target))
    }
}

/// That a volume has no such relation.
pub(super) fn no_relation(volume: VolumeId, target: &str) -> Error {
    let target: String = target.chars().take(64).collect();
    let text = format!("Replication {volume}@{target} could not be found.");
    Error::new(ErrorKind::NotFound, text)
}

/// The types of these volumes.
async fn kinds_of(connection: &mut Connection, rows: &[Volume]) -> Result<Vec<VolumeType>> {
    let mut kinds: Vec<VolumeType> = Vec::new();
    for row in rows {
        if kinds.iter().all(|kind| kind.id != row.volume_type) {
            kinds.extend(types::get(connection, row.volume_type).await?);
        }
    }
    Ok(kinds)
}

impl Inner {
    /// The relations of these volumes, in their order.
    pub(super) async fn relations(
        &self,
        rows: &[Volume],
        kinds: &[VolumeType],
    ) -> Result<Vec<Relation>> {
        let mut looks: BTreeMap<HostName, Look<'_>> = BTreeMap::new();
        let mut relations = Vec::new();
        let beginning = drill::beginning(&mut *self.db.read().await?, rows).await?;
        for row in rows.iter().filter(|row| moves(row)) {
            let Some(host) = row.host.as_ref().map(HostName::without_pool) else {
                continue;
            };
            let look = match looks.entry(host) {
                Entry::Occupied(look) => look.into_mut(),
                Entry::Vacant(vacant) => match self.backend_of(vacant.key()) {
                    Ok(backend) => vacant.insert(Look::at(self, backend).await?),
                    Err(_) => continue,
                },
            };
            let kind = kinds.iter().find(|kind| kind.id == row.volume_type);
            look.relate(row, kind.and_then(rpo_target), &mut relations)?;
            let of_row = relations.iter_mut().filter(|it| it.volume == row.id);
            for relation in of_row.filter(|it| it.drill.is_none()) {
                relation.drill = beginning.get(&row.id).cloned();
            }
        }
        Ok(relations)
    }
}

/// What a site says of its images.
struct Seen {
    status: MirrorStatus,
    images: BTreeMap<ImageId, usize>,
    drills: Vec<DrillInfo>,
}

impl Seen {
    fn image(&self, id: ImageId) -> Option<&ImageStatus> {
        self.status.images.get(*self.images.get(&id)?)
    }
}

/// How all sites of a backend are at one moment.
struct Look<'a> {
    backend: &'a BackendOptions,
    seats: Seats,
    at: OffsetDateTime,
    sites: Vec<(SiteId, Option<Seen>)>,
}

impl<'a> Look<'a> {
    async fn at(inner: &Inner, backend: &'a BackendOptions) -> Result<Self> {
        let seats = Seats::of(&mut *inner.db.read().await?, &inner.host_of(backend)).await?;
        let ids = backend.targets.iter().map(|(id, _)| Some(id.clone()));
        let ids: Vec<SiteId> = std::iter::once(None).chain(ids).collect();
        let asked = ids.iter().map(|id| async move {
            let site = site(backend, id.as_deref())?;
            Ok((id.clone(), seen(inner, &site).await))
        });
        let sites: Result<Vec<_>> = join_all(asked).await.into_iter().collect();
        Ok(Self {
            backend,
            seats,
            at: now(),
            sites: sites?,
        })
    }

    fn said(&self, id: Option<&str>) -> Option<&Seen> {
        let found = self.sites.iter().find(|(it, _)| it.as_deref() == id);
        found?.1.as_ref()
    }

    /// Adds the relations of a volume.
    fn relate(
        &self,
        volume: &Volume,
        rpo_target: Option<f64>,
        relations: &mut Vec<Relation>,
    ) -> Result<()> {
        let seat = self.seats.of_volume(volume);
        let lives = match &seat {
            Seat::At(id) => id.clone(),
            Seat::Moving => match &volume.site {
                Some(own) => id_of(own),
                None => self.seats.service.active_backend_id.clone(),
            },
        };
        for (target, _) in &self.backend.targets {
            let away = lives.as_ref() == Some(target);
            let follower = if away { None } else { Some(target.as_str()) };
            let primary = site(self.backend, lives.as_deref())?;
            let secondary = site(self.backend, follower)?;
            let mut relation = Relation {
                volume: volume.id,
                project: volume.project.clone(),
                group: volume.group,
                target: target.clone(),
                away,
                primary: primary.name().to_owned(),
                secondary: secondary.name().to_owned(),
                replication_status: volume
                    .replication_status
                    .unwrap_or(ReplicationStatus::Disabled),
                state: RelationState::FailingOver,
                position: None,
                lag_seconds: None,
                lag_bytes: None,
                consistent_at: None,
                progress: None,
                rpo_target,
                way: None,
                in_sync: None,
                drill: [self.said(None), self.said(Some(target))]
                    .into_iter()
                    .flatten()
                    .find_map(|seen| drill::of(&seen.drills, volume.image())),
            };
            if seat != Seat::Moving {
                let (here, there) = (self.said(lives.as_deref()), self.said(follower));
                self.measure(volume, here, there, &mut relation);
            }
            relations.push(relation);
        }
        Ok(())
    }

    /// What both sites say of the copy. The primary knows best how far it is behind; the copy knows what it
    /// was told last.
    fn measure(
        &self,
        volume: &Volume,
        here: Option<&Seen>,
        there: Option<&Seen>,
        relation: &mut Relation,
    ) {
        let id = volume.image();
        let copy = there.and_then(|seen| seen.image(id));
        let reader = here.and_then(|seen| seen.image(id)).and_then(|image| {
            let mut readers = image.readers.iter();
            readers.find(|reader| reader.peer == relation.secondary)
        });
        if let Some(lag) = reader.and_then(|reader| reader.lag) {
            relation.lag_seconds = Some(lag.seconds);
            relation.lag_bytes = Some(lag.bytes.0);
            relation.position = reader.and_then(|reader| reader.position);
        } else if let Some(replay) = copy.and_then(|copy| copy.replay) {
            relation.lag_seconds = replay.loss.map(|loss| loss.seconds);
            relation.lag_bytes = replay.loss.map(|loss| loss.bytes.0);
            relation.position = Some(replay.position);
        }
        // The copy knows the way, but not whether flushes wait for it.
        let said = here.and_then(|seen| seen.image(id)).or(copy);
        relation.way = said.map(|image| image.way);
        let synchronous = relation.way.and_then(MirrorWay::sync_mode).is_some();
        let reader_of_flushes = reader.filter(|_| synchronous);
        relation.in_sync = reader_of_flushes.map(|reader| reader.synchronous);
        let incomplete = match (copy, reader.and_then(|reader| reader.consistent)) {
            (Some(copy), _) => !copy.sync.is_consistent(),
            (None, Some(complete)) => !complete,
            // It answers, and has nothing of the image yet.
            (None, None) => there.is_some(),
        };
        let connected = here.is_some_and(|seen| seen.reads(&relation.secondary))
            || there.is_some_and(|seen| seen.follows(&relation.primary));
        relation.state = if incomplete {
            RelationState::Syncing
        } else if here.is_none() && there.is_none() {
            RelationState::Unknown
        } else if connected {
            RelationState::Replaying
        } else {
            RelationState::Disconnected
        };
        if incomplete {
            // Of a part of an image nothing can be had.
            relation.lag_seconds = None;
            relation.lag_bytes = None;
            relation.progress = copy.map(|copy| copied(copy, volume.size));
        }
        let lag = relation.lag_seconds.and_then(ago);
        relation.consistent_at = lag.map(|lag| self.at - lag);
    }
}

impl Seen {
    /// Whether that site reads this one's log.
    fn reads(&self, peer: &str) -> bool {
        let mut peers = self.status.peers.iter();
        peers.any(|it| it.name == peer && it.reading)
    }

    /// Whether this site reads that one's log.
    fn follows(&self, peer: &str) -> bool {
        let mut peers = self.status.peers.iter();
        peers.any(|it| it.name == peer && it.following)
    }
}

/// So many seconds, where that is a time.
fn ago(seconds: f64) -> Option<time::Duration> {
    time::Duration::checked_seconds_f64(seconds)
}

fn copied(copy: &ImageStatus, size: u32) -> (u64, u64) {
    let total = Gibibytes(size).bytes().0;
    let done = match copy.sync {
        SyncState::Consistent => total,
        SyncState::Copying { next_block, .. } => next_block.saturating_mul(BLOCK_SIZE),
    };
    (done.min(total), total)
}

/// What a site says within the time that one has to answer.
async fn seen(inner: &Inner, site: &SharedBackend) -> Option<Seen> {
    let asked = async { join(site.mirror_status(), site.drills()).await };
    let (status, drills) = timeout(inner.options.failover.probe, asked).await.ok()?;
    let status = status.ok()?;
    let ids = status.images.iter().enumerate();
    Some(Seen {
        images: ids.map(|(index, image)| (image.id, index)).collect(),
        status,
        drills: drills.unwrap_or_default(),
    })
}
