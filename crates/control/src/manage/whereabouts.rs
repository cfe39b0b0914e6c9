//! The backend that is meant, and whether something can be taken over there.

use firebrick_db::{Service, now, services};
use firebrick_vocabulary::HostName;

use crate::cluster::deciding;
use crate::control::{Inner, VOLUME};
use crate::error::{Error, ErrorKind, Result};
use crate::options::POOL;

/// Where something is, in the words of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum At {
    /// `host`: `node@backend`, or `node@backend#pool`.
    Host(String),
    /// `cluster`: `cluster@backend`.
    Cluster(String),
}

impl At {
    /// What kind of name it is.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "Host",
            Self::Cluster(_) => "Cluster",
        }
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Host(name) | Self::Cluster(name) => name,
        }
    }
}

impl Inner {
    /// The service there; none where there is no such service, or it has no such pool.
    pub(crate) async fn service_there(&self, at: &At) -> Result<Option<Service>> {
        let connection = &mut *self.db.read().await?;
        match at {
            At::Host(name) => {
                let Ok(host) = name.parse::<HostName>() else {
                    return Ok(None);
                };
                if host.pool.as_deref().is_some_and(|pool| pool != POOL) {
                    return Ok(None);
                }
                match services::get(connection, VOLUME, &host.without_pool()).await? {
                    Some(service) => Ok(Some(deciding(connection, service).await?)),
                    None => Ok(None),
                }
            }
            At::Cluster(name) => {
                let name = name.split('#').next().unwrap_or_default();
                let Ok(host) = name.parse::<HostName>() else {
                    return Ok(None);
                };
                let found = services::get(connection, VOLUME, &host).await?;
                Ok(found.filter(Service::is_cluster))
            }
        }
    }

    /// Whether the service gave a sign of life lately.
    pub(crate) fn is_up(&self, service: &Service) -> bool {
        now() - service.reported_at <= self.options.service_down_time
    }

    /// Refuses a service that is disabled or down.
    pub(crate) fn refuse_unavailable(&self, service: &Service) -> Result<()> {
        if service.disabled || !self.is_up(service) {
            let text = "Service is unavailable at this time.";
            return Err(Error::new(ErrorKind::Unavailable, text));
        }
        Ok(())
    }
}
