//! Calls over HTTP, one at a time each on a thread that may wait.

use std::sync::Arc;

use serde_json::Value;
use ureq::Agent;

use super::{KeystoneError, KeystoneOptions};
use crate::tls;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

/// The way to one Keystone.
pub(super) struct Wire {
    agent: Agent,
    /// The address of tokens.
    tokens: String,
    /// The address of projects.
    projects: String,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    /// `X-Subject-Token`.
    pub(super) subject: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) fn new(options: &KeystoneOptions) -> Result<Self, KeystoneError> {
        let base = options.auth_url.trim_end_matches('/');
        if !base.starts_with("http://") && !base.starts_with("https://") {
            let why = "auth_url must begin with http:// or https://";
            return Err(KeystoneError::Options(why.to_owned()));
        }
        let base = base.strip_suffix("/v3").unwrap_or(base);
        let tls = tls::checks(options.cafile.as_deref(), options.insecure)
            .map_err(KeystoneError::Options)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(options.timeout))
            .tls_config(tls);
        Ok(Self {
            agent: config.build().new_agent(),
            tokens: format!("{base}/v3/auth/tokens"),
            projects: format!("{base}/v3/projects"),
        })
    }

    /// Asks for a token of one's own.
    pub(super) async fn log_in(self: &Arc<Self>, body: Value) -> Result<Answer, KeystoneError> {
        self.call(move |wire| wire.agent.post(&wire.tokens).send_json(&body))
            .await
    }

    /// Asks whose `subject` is, showing `own`.
    pub(super) async fn show(
        self: &Arc<Self>,
        own: String,
        subject: String,
        expired: bool,
    ) -> Result<Answer, KeystoneError> {
        let query = if expired {
            "?nocatalog=1&allow_expired=1"
        } else {
            "?nocatalog=1"
        };
        self.call(move |wire| {
            wire.agent
                .get(format!("{}{query}", wire.tokens))
                .header("X-Auth-Token", own)
                .header("X-Subject-Token", subject)
                .call()
        })
        .await
    }

    /// Asks for the project `id`, which must be [plain](super::projects), for who has `token`.
    pub(super) async fn project(
        self: &Arc<Self>,
        token: String,
        id: &str,
    ) -> Result<Answer, KeystoneError> {
        let url = format!("{}/{id}", self.projects);
        self.call(move |wire| wire.agent.get(url).header("X-Auth-Token", token).call())
            .await
    }

    async fn call(
        self: &Arc<Self>,
        send: impl FnOnce(&Self) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>
        + Send
        + 'static,
    ) -> Result<Answer, KeystoneError> {
        let wire = Arc::clone(self);
        let called = tokio::task::spawn_blocking(move || -> Result<Answer, ureq::Error> {
            let mut response = send(&wire)?;
            let subject = response.headers().get("x-subject-token");
            Ok(Answer {
                status: response.status().as_u16(),
                subject: subject.and_then(|value| value.to_str().ok().map(str::to_owned)),
                body: response
                    .body_mut()
                    .with_config()
                    .limit(MAX_ANSWER)
                    .read_to_vec()?,
            })
        });
        match called.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(KeystoneError::Unavailable(error.into())),
            Err(error) => Err(KeystoneError::Unavailable(error.into())),
        }
    }
}
