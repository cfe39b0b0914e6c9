//! `failover-host`: what is checked before anything moves.

use firebrick_db::{Service, services};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, ReplicationStatus};
use firebrick_vocabulary::HostName;
use serde_json::json;

use crate::control::{Control, VOLUME};
use crate::error::{Error, ErrorKind, Result};
use crate::options::BackendOptions;
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
        let mut service = services::get_locked(&mut tx, VOLUME, &name.without_pool())
            .await?
            .ok_or_else(missing)?;
        let backend = inner.backend_of(&name).map_err(|_| missing())?;
        let to = target(backend, &service, backend_id)?;
        service.replication_status = ReplicationStatus::FailingOver;
        let sources = ReplicationStatus::FAILOVER_SOURCES;
        if !services::swap(&mut tx, sources, &service).await?.won() {
            let text = format!("Host {host} is failing over already, or does not replicate.");
            return Err(Error::invalid_input(text));
        }
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

/// The site to go to; `None` is the one of the configuration.
fn target(
    backend: &BackendOptions,
    service: &Service,
    asked: Option<&str>,
) -> Result<Option<String>> {
    let active = service.active_backend_id.as_deref();
    let refuse = |why: String| {
        Err(Error::new(
            ErrorKind::Invalid,
            format!("Invalid input received: {why}"),
        ))
    };
    if backend.targets.is_empty() {
        return refuse(format!(
            "The backend {} has no replication_device.",
            backend.name
        ));
    }
    match asked {
        Some("default") if active.is_none() => refuse(format!(
            "The backend {} is at its own site already.",
            backend.name
        )),
        Some("default") => Ok(None),
        Some(id) if id == backend.primary.name() && active.is_some() => Ok(None),
        Some(id) if active.unwrap_or(backend.primary.name()) == id => {
            refuse(format!("The backend {} is at {id} already.", backend.name))
        }
        Some(id) if backend.targets.iter().any(|(name, _)| name == id) => Ok(Some(id.to_owned())),
        Some(id) => {
            let known: Vec<&str> = backend
                .targets
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            refuse(format!(
                "The backend {} has no replication target {id}; it has {}.",
                backend.name,
                known.join(", ")
            ))
        }
        None => {
            let other = backend
                .targets
                .iter()
                .find(|(name, _)| active != Some(name.as_str()));
            match other {
                Some((name, _)) => Ok(Some(name.clone())),
                None => refuse(format!(
                    "The backend {} has failed over already; `default` brings it back.",
                    backend.name
                )),
            }
        }
    }
}
