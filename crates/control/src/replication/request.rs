//! `failover-host`: what is checked before anything moves.

use firebrick_db::services;
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ReplicationStatus};
use firebrick_vocabulary::HostName;
use serde_json::json;

use super::target::target;
use crate::cluster::{deciding, follow};
use crate::control::{Control, VOLUME};
use crate::error::{Error, Result};
use crate::request::Context;

impl Control {
    /// `PUT /os-services/failover_host` and `failover`: moves a backend to the site of that id, to
    /// the first one without an id, or with `default` back to the one of the configuration. That one
    /// has a name too, and by its name it takes over even where the other site is lost.
    pub async fn failover(
        &self,
        context: &Context,
        host: &str,
        backend_id: Option<&str>,
    ) -> Result<()> {
        context.allow(Rule::VolumeFailoverHost)?;
        let missing = || Error::no_service(VOLUME, host);
        let name: HostName = host.parse().map_err(|_| missing())?;
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let found = services::get(&mut tx, VOLUME, &name.without_pool()).await?;
        // A service of a cluster stands for all of them.
        let seat = deciding(&mut tx, found.ok_or_else(missing)?).await?.host;
        let mut service = services::get_locked(&mut tx, VOLUME, &seat)
            .await?
            .ok_or_else(missing)?;
        let backend = inner.backend_of(&seat).map_err(|_| missing())?;
        let whose = format!("The backend {}", backend.name);
        let active = service.active_backend_id.as_deref();
        let to = target(backend, &whose, active, backend_id).map_err(Error::invalid_input)?;
        service.replication_status = ReplicationStatus::FailingOver;
        let sources = ReplicationStatus::FAILOVER_SOURCES;
        if !services::swap(&mut tx, sources, &service).await?.won() {
            let text = format!("Host {host} is failing over already, or does not replicate.");
            return Err(Error::invalid_input(text));
        }
        follow::all(&mut tx, &service).await?;
        let give_up = backend_id == Some(backend.primary.name());
        let input = json!({ "host": service.host, "to": to, "give_up": give_up });
        let kind = ActivityKind::Failover;
        inner
            .begin(&mut tx, context, kind, service.id.0, input)
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(())
    }
}
