//! Where a volume lives: at the site that serves its backend, or where it was made.

use firebrick_backend::{Fault, FaultKind, SharedBackend};
use firebrick_db::{Service, Tx, Volume, services};
use firebrick_state::ReplicationStatus;
use firebrick_vocabulary::HostName;

use crate::control::{Inner, VOLUME, site};
use crate::error::Error;
use crate::options::BackendOptions;
use crate::story::{Step, Stop};

/// Whether a volume goes along when its backend moves.
pub(crate) fn moves(volume: &Volume) -> bool {
    volume
        .replication_status
        .is_some_and(ReplicationStatus::is_replicated)
}

/// The site of the volume as the service row has it. Volumes that are not mirrored stay at the site
/// of the configuration, whatever serves the others.
pub(crate) fn site_for(
    backend: &BackendOptions,
    service: &Service,
    volume: &Volume,
) -> crate::error::Result<SharedBackend> {
    let active = service.active_backend_id.as_deref();
    site(backend, active.filter(|_| moves(volume)))
}

/// The site of a volume, as it was when a story began to ask it.
pub(crate) struct Home {
    pub(crate) site: SharedBackend,
    host: HostName,
    moves: bool,
    active: Option<String>,
}

impl Inner {
    /// The site that keeps the volume. A story waits while that is being decided.
    pub(crate) async fn home(&self, volume: &Volume) -> Step<Home> {
        let Some(host) = &volume.host else {
            return Err(Stop::never("the volume has no host".to_owned()));
        };
        let service = self.service_of(host).await?;
        let home = Home {
            site: site_for(self.backend_of(host)?, &service, volume)?,
            host: host.without_pool(),
            moves: moves(volume),
            active: service.active_backend_id.clone(),
        };
        home.compare(&service)?;
        Ok(home)
    }
}

impl Home {
    /// The end of a story: what it did at the site counts only if the volume still lives there. The
    /// story begins again otherwise, at the other site. No move begins before the transaction ends.
    pub(crate) async fn stays(&self, tx: &mut Tx) -> Step {
        let service = services::get_shared(tx, VOLUME, &self.host).await?;
        let service = service.ok_or_else(|| Error::no_service(VOLUME, &self.host))?;
        self.compare(&service)
    }

    fn compare(&self, service: &Service) -> Step {
        let moving = service.replication_status == ReplicationStatus::FailingOver;
        if self.moves && (moving || service.active_backend_id != self.active) {
            return Err(Stop::always(format!("{} moves to another site", self.host)));
        }
        Ok(())
    }

    /// The replication status of a volume that is made here.
    pub(crate) fn replication_status(&self) -> ReplicationStatus {
        match (self.moves, &self.active) {
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
