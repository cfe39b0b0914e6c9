//! Freezing: a backend keeps what it has as it is. Servers still attach and detach, and it may fail over.

use firebrick_db::{Connection, Tx, services, volumes};
use firebrick_policy::Rule;
use firebrick_vocabulary::{HostName, VolumeId};

use crate::cluster::{deciding, follow};
use crate::control::{Control, VOLUME};
use crate::error::{Error, Result};
use crate::request::Context;

impl Control {
    /// `PUT /os-services/freeze`: nothing is made on the backend any more, nothing changed, nothing
    /// removed. What was begun before goes on.
    pub async fn freeze(&self, context: &Context, host: &str) -> Result<()> {
        self.turn(context, Rule::VolumeFreezeHost, host, true).await
    }

    /// `PUT /os-services/thaw`. A service that has failed over stays disabled.
    pub async fn thaw(&self, context: &Context, host: &str) -> Result<()> {
        self.turn(context, Rule::VolumeThawHost, host, false).await
    }

    async fn turn(&self, context: &Context, rule: Rule, host: &str, frozen: bool) -> Result<()> {
        context.allow(rule)?;
        let missing = || Error::no_service(VOLUME, host);
        let name: HostName = host.parse().map_err(|_| missing())?;
        let mut tx = self.inner.db.begin().await?;
        let found = services::get(&mut tx, VOLUME, &name).await?;
        let name = deciding(&mut tx, found.ok_or_else(missing)?).await?.host;
        // Requests that found it thawed have been written down before it says that it is frozen.
        tx.lock_backend(&name).await?;
        let found = services::get_locked(&mut tx, VOLUME, &name).await?;
        let mut service = found.ok_or_else(missing)?;
        if service.frozen == frozen {
            let state = if frozen { "already" } else { "not" };
            return Err(Error::invalid_input(format_args!(
                "Backend {host} is {state} frozen."
            )));
        }
        let away = service.active_backend_id.is_some();
        service.frozen = frozen;
        service.disabled = frozen || away;
        service.disabled_reason = match (frozen, away) {
            (true, _) => Some("frozen".to_owned()),
            (false, true) => Some("failed-over".to_owned()),
            (false, false) => None,
        };
        let from = [service.replication_status];
        if !services::swap(&mut tx, &from, &service).await?.won() {
            return Err(Error::lost(format_args!("Service {host}")));
        }
        follow::all(&mut tx, &service).await?;
        tx.commit().await?;
        self.inner.look.notify_one();
        Ok(())
    }
}

/// Refuses what a frozen backend does not do. It is not frozen before the transaction has ended. Called
/// right before the transaction writes: whoever waits here holds everything else that it needs.
pub(crate) async fn refuse_frozen(tx: &mut Tx, host: Option<&HostName>) -> Result<()> {
    // What is nowhere yet is told by the scheduler.
    let Some(host) = host.map(HostName::without_pool) else {
        return Ok(());
    };
    tx.lock_backend_shared(&host).await?;
    let connection: &mut Connection = tx;
    let service = services::get(connection, VOLUME, &host).await?;
    if service.is_some_and(|service| service.frozen) {
        return Err(Error::invalid_input(format_args!(
            "Backend {host} is frozen; thaw it first."
        )));
    }
    Ok(())
}

/// The same for what belongs to a volume.
pub(crate) async fn refuse_frozen_with(tx: &mut Tx, volume: VolumeId) -> Result<()> {
    let volume = volumes::get(tx, volume).await?;
    let host = volume.and_then(|volume| volume.host);
    refuse_frozen(tx, host.as_ref()).await
}
