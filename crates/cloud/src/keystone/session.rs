//! This service's own token, with which it asks about those of others.

use std::sync::Arc;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use super::catalog::Catalog;
use super::token::Token;
use super::wire::Wire;
use super::{Domain, KeystoneError, KeystoneOptions};

/// So long before its end a token of one's own is replaced.
const MARGIN: Duration = Duration::minutes(1);

/// The own token, made when it is needed.
pub(super) struct Session {
    log_in: Value,
    own: Mutex<Option<Own>>,
}

struct Own {
    token: String,
    expires_at: OffsetDateTime,
    catalog: Arc<Catalog>,
}

impl Session {
    pub(super) fn new(options: &KeystoneOptions) -> Self {
        let user = json!({
            "name": options.username,
            "password": options.password,
            "domain": domain(&options.user_domain),
        });
        let project = json!({
            "name": options.project,
            "domain": domain(&options.project_domain),
        });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let scope = json!({ "project": project });
        Self {
            log_in: json!({ "auth": { "identity": identity, "scope": scope } }),
            own: Mutex::new(None),
        }
    }

    /// What Keystone knows of `subject`; none where it is no token.
    pub(super) async fn look_up(
        &self,
        wire: &Arc<Wire>,
        subject: &str,
        expired: bool,
    ) -> Result<Option<Token>, KeystoneError> {
        let mut own = self.token(wire, None).await?.0;
        for again in [true, false] {
            let answer = wire.show(own.clone(), subject.to_owned(), expired).await?;
            match answer.status {
                200 => {
                    let token = Token::read(&answer.body).map_err(KeystoneError::Unavailable)?;
                    return Ok(Some(token));
                }
                404 => return Ok(None),
                // The own token was revoked, or Keystone has new keys.
                401 if again => own = self.token(wire, Some(&own)).await?.0,
                status => return Err(unexpected("a validation", status)),
            }
        }
        Err(unexpected("a validation", 401))
    }

    /// The own token and what came with it, new ones where that is `bad` or about to end.
    pub(super) async fn token(
        &self,
        wire: &Arc<Wire>,
        bad: Option<&str>,
    ) -> Result<(String, Arc<Catalog>), KeystoneError> {
        let mut own = self.own.lock().await;
        let soon = OffsetDateTime::now_utc() + MARGIN;
        if let Some(own) = own.as_ref()
            && own.expires_at > soon
            && bad != Some(own.token.as_str())
        {
            return Ok((own.token.clone(), Arc::clone(&own.catalog)));
        }
        *own = None;
        let answer = wire.log_in(self.log_in.clone()).await?;
        if answer.status != 201 {
            tracing::error!(
                status = answer.status,
                "keystone does not accept this service's user and password"
            );
            return Err(unexpected("a log-in", answer.status));
        }
        let described = Token::read(&answer.body).map_err(KeystoneError::Unavailable)?;
        let catalog = Catalog::read(&answer.body).map_err(KeystoneError::Unavailable)?;
        let catalog = Arc::new(catalog);
        let missing = || KeystoneError::Unavailable("a log-in gave no token".into());
        let token = answer.subject.ok_or_else(missing)?;
        *own = Some(Own {
            token: token.clone(),
            expires_at: described.expires_at,
            catalog: Arc::clone(&catalog),
        });
        Ok((token, catalog))
    }
}

fn domain(domain: &Domain) -> Value {
    match domain {
        Domain::Name(name) => json!({ "name": name }),
        Domain::Id(id) => json!({ "id": id }),
    }
}

fn unexpected(what: &str, status: u16) -> KeystoneError {
    KeystoneError::Unavailable(format!("keystone answered {what} with {status}").into())
}
