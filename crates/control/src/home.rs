//! Where a volume lives: at its own site, at that of its group, at that which serves its backend, or where
//! it was made.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_backend::{Fault, FaultKind, SharedBackend};
use firebrick_db::{Connection, Group, Service, Tx, Volume, groups, services, snapshots, volumes};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::{GroupId, HostName, VolumeId};

use crate::control::{Inner, VOLUME, site};
use crate::error::{Error, Result};
use crate::story::{Step, Stop};
use crate::why::Why;

/// Whether a volume goes along when its backend moves.
pub(crate) fn moves(volume: &Volume) -> bool {
    volume
        .replication_status
        .is_some_and(ReplicationStatus::is_replicated)
}

/// A site of a backend: the id of a replication target, or `None` for the one of the configuration.
pub(crate) type SiteId = Option<String>;

/// Where a volume lives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Seat {
    /// At that site.
    At(SiteId),
    /// A failover decides it.
    Moving,
}

impl Seat {
    /// Where a volume lives as the rows have it. One that has a site of its own lives there. A group that
    /// has one keeps all its volumes there, mirrored or not; other volumes that are not mirrored stay at
    /// the site of the configuration, whatever serves the rest.
    fn of(volume: &Volume, service: &Service, group: Option<&Group>) -> Self {
        if let Some(own) = &volume.site {
            return match volume.replication_status {
                Some(ReplicationStatus::FailingOver) => Self::Moving,
                _ => Self::At(id_of(own)),
            };
        }
        if let Some((group, own)) = group.and_then(|group| Some((group, group.site.as_ref()?))) {
            return match group.replication_status {
                ReplicationStatus::FailingOver => Self::Moving,
                _ => Self::At(id_of(own)),
            };
        }
        if !moves(volume) {
            return Self::At(None);
        }
        match service.replication_status {
            ReplicationStatus::FailingOver => Self::Moving,
            _ => Self::At(service.active_backend_id.clone()),
        }
    }
}

/// The site that the row of a group or a volume names.
pub(crate) fn id_of(name: &str) -> SiteId {
    (name != groups::HOME).then(|| name.to_owned())
}

/// The other way round: what such a row calls a site.
pub(crate) fn name_of(id: Option<&str>) -> &str {
    id.unwrap_or(groups::HOME)
}

/// Where each volume of a backend lives, as the rows had it at one moment.
pub(crate) struct Seats {
    pub(crate) service: Service,
    /// Those that have a site of their own.
    groups: BTreeMap<GroupId, Group>,
    /// The sites of volumes that have one of their own.
    apart: BTreeSet<SiteId>,
}

impl Seats {
    /// Of the backend whose service has this host, which names no pool.
    pub(crate) async fn of(connection: &mut Connection, host: &HostName) -> Result<Self> {
        let service = services::get(connection, VOLUME, host).await?;
        let service = service.ok_or_else(|| Error::no_service(VOLUME, host))?;
        let groups = groups::apart(connection, host).await?;
        let alone = volumes::apart(connection, host).await?;
        let apart = alone.iter().filter_map(|volume| volume.site.as_deref());
        Ok(Self {
            service,
            apart: apart.map(id_of).collect(),
            groups: groups.into_iter().map(|group| (group.id, group)).collect(),
        })
    }

    /// Where that one lives.
    pub(crate) fn of_volume(&self, volume: &Volume) -> Seat {
        let group = volume.group.and_then(|id| self.groups.get(&id));
        Seat::of(volume, &self.service, group)
    }

    /// Whether it lives there.
    pub(crate) fn is_at(&self, volume: &Volume, id: Option<&str>) -> bool {
        matches!(self.of_volume(volume), Seat::At(there) if there.as_deref() == id)
    }

    /// Whether it or its group has a site of its own: then what the backend does is nothing to it.
    pub(crate) fn is_apart(&self, volume: &Volume) -> bool {
        volume.site.is_some() || (volume.group).is_some_and(|id| self.groups.contains_key(&id))
    }

    /// All sites at which volumes may live.
    pub(crate) fn sites(&self) -> BTreeSet<SiteId> {
        let apart = self.groups.values().filter_map(|group| group.site.as_ref());
        // Volumes that are not mirrored are at the first one.
        let mut sites = BTreeSet::from([None, self.service.active_backend_id.clone()]);
        sites.extend(apart.map(|name| id_of(name)));
        sites.extend(self.apart.iter().cloned());
        sites
    }

    /// The group of that id is as it was, if it had a site of its own then.
    pub(crate) async fn holds(&self, tx: &mut Tx, id: GroupId) -> Result<bool> {
        let now = groups::get_shared(tx, id).await?;
        let now = now.filter(|group| group.site.is_some());
        let where_it_is = |group: &Group| (group.site.clone(), group.replication_status);
        Ok(now.as_ref().map(where_it_is) == self.groups.get(&id).map(where_it_is))
    }
}

/// The site of a volume, as it was when a story began to ask it.
pub(crate) struct Home {
    pub(crate) site: SharedBackend,
    volume: VolumeId,
    host: HostName,
    moves: bool,
    id: SiteId,
}

impl Inner {
    /// The site that keeps the volume. A story waits while that is being decided.
    pub(crate) async fn home(&self, volume: &Volume) -> Step<Home> {
        let Some(host) = &volume.host else {
            return Err(Stop::never("the volume has no host".to_owned()));
        };
        let service = self.service_of(host).await?;
        let group = match volume.group {
            Some(id) => groups::get(&mut *self.db.read().await?, id).await?,
            None => None,
        };
        match Seat::of(volume, &service, group.as_ref()) {
            Seat::At(id) => Ok(Home {
                site: site(self.backend_of(host)?, id.as_deref())?,
                volume: volume.id,
                host: host.without_pool(),
                moves: moves(volume),
                id,
            }),
            Seat::Moving => Err(moving(host)),
        }
    }
}

/// Why a volume is not made of another one.
const APART: &str = "The source lives at another site than the new volume would: make it in the group of \
                     the source, or when that has come back.";

/// Refuses a new volume that would live at another site than that of which it is made.
pub(crate) async fn refuse_apart(tx: &mut Tx, new: &Volume) -> Result<()> {
    let placed = origin_of(tx, new).await?.and_then(|origin| {
        let host = origin.host.as_ref()?.without_pool();
        Some((origin, host))
    });
    let Some((origin, host)) = placed else {
        return Ok(());
    };
    let seats = Seats::of(tx, &host).await?;
    match (seats.of_volume(&origin), seats.of_volume(new)) {
        (Seat::At(there), Seat::At(here)) if there != here => Err(Error::invalid_volume(APART)),
        // Where one moves, the story waits and looks again.
        _ => Ok(()),
    }
}

impl Inner {
    /// The same for a story, in the middle of which a group may have moved.
    pub(crate) async fn beside(&self, home: &Home, new: &Volume) -> Step {
        let origin = origin_of(&mut *self.db.read().await?, new).await?;
        // Of one that is gone, the site says whether that matters.
        let Some(origin) = origin.filter(|origin| origin.host.is_some()) else {
            return Ok(());
        };
        if home.is_with(&self.home(&origin).await?) {
            Ok(())
        } else {
            Err(Stop::never(Why::from(APART).noting(APART)))
        }
    }
}

/// The volume of which, or of a snapshot of which, that one is made.
async fn origin_of(connection: &mut Connection, new: &Volume) -> Result<Option<Volume>> {
    let origin = match (new.snapshot, new.source) {
        (Some(id), _) => snapshots::get(connection, id).await?.map(|it| it.volume),
        (None, source) => source,
    };
    Ok(match origin {
        Some(id) => volumes::get(connection, id).await?,
        None => None,
    })
}

fn moving(host: &HostName) -> Stop {
    Stop::always(format!("a volume of {host} moves to another site"))
}

impl Home {
    /// The end of a story: what it did at the site counts only if the volume still lives there. The
    /// story begins again otherwise, at the other site. No move begins before the transaction ends.
    pub(crate) async fn stays(&self, tx: &mut Tx) -> Step {
        let service = services::get_shared(tx, VOLUME, &self.host).await?;
        let service = service.ok_or_else(|| Error::no_service(VOLUME, &self.host))?;
        // One that is gone, or has another backend now, is where it was asked.
        let found = volumes::named(tx, &[self.volume]).await?.pop();
        let here = |volume: &Volume| volume.host.as_ref().map(HostName::without_pool);
        let Some(known) = found.filter(|volume| here(volume).as_ref() == Some(&self.host)) else {
            return Ok(());
        };
        let group_of = known.group;
        // One of a group goes with that, and does not leave it meanwhile; others may go alone.
        let (group, held) = match known.group {
            Some(id) => (groups::get_shared(tx, id).await?, Some(known)),
            None => (None, volumes::get_locked(tx, self.volume).await?),
        };
        let Some(volume) = held.filter(|volume| volume.group == group_of) else {
            return Err(moving(&self.host));
        };
        match Seat::of(&volume, &service, group.as_ref()) {
            Seat::At(id) if id == self.id => Ok(()),
            Seat::At(_) | Seat::Moving => Err(moving(&self.host)),
        }
    }

    /// Whether it is the same site.
    pub(crate) fn is_with(&self, other: &Self) -> bool {
        self.host == other.host && self.id == other.id
    }

    /// Whether it is the site of that id.
    pub(crate) fn is_at(&self, id: Option<&str>) -> bool {
        self.id.as_deref() == id
    }

    /// Whether it is the site of the configuration.
    pub(crate) const fn is_first(&self) -> bool {
        self.id.is_none()
    }

    /// The replication status of a volume that is made here.
    pub(crate) fn replication_status(&self) -> ReplicationStatus {
        match (self.moves, &self.id) {
            (true, Some(_)) => ReplicationStatus::FailedOver,
            (true, None) => ReplicationStatus::Enabled,
            (false, _) => ReplicationStatus::Disabled,
        }
    }
}

/// Whether a failed call may do better when it is made again, perhaps at another site.
pub(crate) const fn may_pass(fault: &Fault) -> bool {
    fault.is_transient() || matches!(fault.kind, FaultKind::NotPrimary)
}
