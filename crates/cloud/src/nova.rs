//! Nova: it is told when a disk of one of its servers has changed.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use uuid::Uuid;

use crate::keystone::{Keystone, KeystoneError};
use crate::tls;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

/// Where Nova is, by the options of `[nova]`.
#[derive(Clone)]
pub struct NovaOptions {
    /// The Keystone with the catalogue and the token that Nova is shown.
    pub keystone: Arc<Keystone>,
    /// `interface` of the service `compute`, `public` by default.
    pub interface: String,
    /// `region_name` in the catalogue; any without.
    pub region: Option<String>,
    /// `cafile`.
    pub cafile: Option<PathBuf>,
    /// `insecure`: its certificate is not checked.
    pub insecure: bool,
    /// `timeout`: how long a call may take; 60 s by default.
    pub timeout: Duration,
}

impl NovaOptions {
    /// The defaults, with the services that `keystone` knows.
    pub fn new(keystone: Arc<Keystone>) -> Self {
        Self {
            keystone,
            interface: "public".to_owned(),
            region: None,
            cafile: None,
            insecure: false,
            timeout: Duration::from_secs(60),
        }
    }
}

/// What happened to a disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiskEvent {
    /// It is larger.
    Extended,
    /// It was written anew.
    Reimaged,
}

impl DiskEvent {
    /// The name in Nova's API.
    const fn name(self) -> &'static str {
        match self {
            Self::Extended => "volume-extended",
            Self::Reimaged => "volume-reimaged",
        }
    }

    /// The microversion that brought it.
    const fn version(self) -> &'static str {
        match self {
            Self::Extended => "2.51",
            Self::Reimaged => "2.93",
        }
    }
}

/// Why Nova did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NovaError {
    /// It does not answer, or that it cannot now.
    #[error("the compute service does not answer")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// It does not take the event: the server is not there, or may not have it now.
    #[error("the compute service does not take the event ({0})")]
    Refused(u16),
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
}

impl NovaError {
    /// Whether the same may work a little later.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    fn unreachable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable(source.into())
    }
}

impl From<KeystoneError> for NovaError {
    fn from(error: KeystoneError) -> Self {
        Self::unreachable(error)
    }
}

/// A Nova. Cheap to clone.
#[derive(Clone)]
pub struct Nova {
    options: NovaOptions,
    agent: Agent,
}

/// Without its options, which lead to a password.
impl fmt::Debug for Nova {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nova").finish_non_exhaustive()
    }
}

impl Nova {
    /// The one that the options name. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`NovaError::Options`] where the certificates cannot be read.
    pub fn new(options: NovaOptions) -> Result<Self, NovaError> {
        let tls =
            tls::checks(options.cafile.as_deref(), options.insecure).map_err(NovaError::Options)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(options.timeout))
            .tls_config(tls);
        Ok(Self {
            agent: config.build().new_agent(),
            options,
        })
    }

    /// Tells the server that `event` happened to its disk. Where the catalogue has no compute service,
    /// nobody is told. Telling it twice does no harm.
    ///
    /// # Errors
    ///
    /// Where Nova does not take it.
    pub async fn tell(&self, server: Uuid, disk: Uuid, event: DiskEvent) -> Result<(), NovaError> {
        let options = &self.options;
        let region = options.region.as_deref();
        let keystone = &options.keystone;
        let found = keystone.find("compute", &options.interface, region).await?;
        let Some(base) = found else {
            return Ok(());
        };
        let url = format!("{}/os-server-external-events", base.trim_end_matches('/'));
        let token = keystone.own_token().await?;
        let body = json!({ "events": [{
            "name": event.name(), "server_uuid": server, "tag": disk,
        }] });
        let agent = self.agent.clone();
        let sent = tokio::task::spawn_blocking(move || {
            let request = agent
                .post(url)
                .header("X-Auth-Token", token)
                .header("X-OpenStack-Nova-API-Version", event.version())
                .header(
                    "OpenStack-API-Version",
                    format!("compute {}", event.version()),
                );
            let mut answer = request.send_json(&body)?;
            let status = answer.status().as_u16();
            let read = answer.body_mut().with_config().limit(MAX_ANSWER);
            Ok::<_, ureq::Error>((status, read.read_to_vec()?))
        });
        let (status, body) = sent
            .await
            .map_err(NovaError::unreachable)?
            .map_err(NovaError::unreachable)?;
        match status {
            200 | 207 => accepted(&body),
            500.. | 401 | 408 | 429 => {
                let why = format!("it answered with status {status}");
                Err(NovaError::unreachable(why))
            }
            status => Err(NovaError::Refused(status)),
        }
    }
}

/// Whether the answer says that it took the one event.
fn accepted(body: &[u8]) -> Result<(), NovaError> {
    let found: Value = serde_json::from_slice(body).map_err(NovaError::unreachable)?;
    let code = found.pointer("/events/0/code").and_then(Value::as_u64);
    match code.and_then(|code| u16::try_from(code).ok()) {
        Some(200) => Ok(()),
        Some(code) => Err(NovaError::Refused(code)),
        None => Err(NovaError::unreachable(
            "its answer says nothing of the event",
        )),
    }
}
