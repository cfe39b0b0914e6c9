//! Keystone: whose token is this?

mod catalog;
mod projects;
mod session;
mod token;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_policy::Credentials;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::seal::Seal;
pub use projects::ProjectAnswer;
use session::Session;
use token::Token;
use wire::Wire;

/// The most tokens that are remembered.
const REMEMBERED: usize = 10_000;
/// How long a token that is none is remembered as such.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// The longest token, in bytes.
const MAX_TOKEN: usize = 8 << 10;

/// A domain of users or projects.
#[derive(Clone, Debug)]
pub enum Domain {
    /// By its name.
    Name(String),
    /// By its id.
    Id(String),
}

/// The one that every Keystone begins with.
impl Default for Domain {
    fn default() -> Self {
        Self::Name("Default".to_owned())
    }
}

/// `[keystone_authtoken]`. Option names are those of keystonemiddleware.
#[derive(Clone)]
pub struct KeystoneOptions {
    /// `auth_url`, with or without `/v3` at its end.
    pub auth_url: String,
    /// `username` of this service's own user.
    pub username: String,
    /// `password` of this service's own user.
    pub password: String,
    /// `user_domain_name` or `user_domain_id`.
    pub user_domain: Domain,
    /// `project_name` for which this service asks.
    pub project: String,
    /// `project_domain_name` or `project_domain_id`.
    pub project_domain: Domain,
    /// `cafile`: PEM certificates that Keystone's must descend from; those of the web without.
    pub cafile: Option<PathBuf>,
    /// `www_authenticate_uri`: where clients get tokens; `auth_url` without.
    pub public_url: Option<String>,
    /// `insecure`: Keystone's certificate is not checked.
    pub insecure: bool,
    /// `service_token_roles`: what a service must be for its token to count; `service` by default.
    pub service_token_roles: Vec<String>,
    /// `service_token_roles_required`: without, any valid service token counts.
    pub service_token_roles_required: bool,
    /// `token_cache_time`: how long a verdict holds, and so how long a revoked token may live on.
    pub cache_time: Duration,
    /// `http_connect_timeout`: how long one call may take in all.
    pub timeout: Duration,
}

impl KeystoneOptions {
    /// The defaults, for a user of the default domain.
    pub fn new(auth_url: &str, username: &str, password: &str, project: &str) -> Self {
        Self {
            auth_url: auth_url.to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            user_domain: Domain::default(),
            project: project.to_owned(),
            project_domain: Domain::default(),
            cafile: None,
            public_url: None,
            insecure: false,
            service_token_roles: vec!["service".to_owned()],
            service_token_roles_required: true,
            cache_time: Duration::from_secs(300),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum KeystoneError {
    /// The token is none, has expired or was revoked: 401.
    #[error("The request you have made requires authentication.")]
    Refused,
    /// Keystone does not answer, or not to this service; the token may be good: 503.
    #[error("The identity service cannot be asked now.")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
}

/// A Keystone, and what it said lately. Cheap to share behind an [`Arc`].
pub struct Keystone {
    options: KeystoneOptions,
    wire: Arc<Wire>,
    session: Session,
    verdicts: Cache<Key, Verdict>,
}

/// Who asks.
pub struct Identity {
    /// What the user's token says, and the roles in the service's.
    pub who: Credentials,
    /// Whether a service passes the request on that has one of `service_token_roles`.
    pub service: bool,
}

/// Without its options, which hold a password.
impl fmt::Debug for Keystone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.options.auth_url;
        f.debug_struct("Keystone")
            .field("url", url)
            .finish_non_exhaustive()
    }
}

/// A digest of a token, and whether an expired one counts.
type Key = ([u8; 32], bool);

/// What Keystone said about a token, none where it is none.
#[derive(Clone)]
struct Verdict {
    token: Option<Arc<Token>>,
    until: Instant,
}

/// Whether a token may have expired: a service goes on for a user whose work takes longer.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Expired {
    Refused,
    Allowed,
}

impl Keystone {
    /// The one at `options.auth_url`. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// Where the address is none, or the certificates cannot be read.
    pub fn new(options: KeystoneOptions) -> Result<Self, KeystoneError> {
        let wire = Arc::new(Wire::new(&options)?);
        Ok(Self {
            session: Session::new(&options),
            wire,
            options,
            verdicts: Cache::new(REMEMBERED),
        })
    }

    /// Where clients get tokens, as they are told where they have none.
    pub fn public_url(&self) -> &str {
        let options = &self.options;
        options.public_url.as_ref().unwrap_or(&options.auth_url)
    }

    /// Whose `token` (`X-Auth-Token`) it is, with the roles of the service that passes the request on,
    /// if it shows a token of its own (`X-Service-Token`).
    ///
    /// # Errors
    ///
    /// [`KeystoneError::Refused`] where one of them is no valid token, and
    /// [`KeystoneError::Unavailable`] where that cannot be known.
    pub async fn identity(
        &self,
        token: &str,
        service_token: Option<&str>,
    ) -> Result<Identity, KeystoneError> {
        let service = match service_token {
            Some(service) => Some(self.validated(service, Expired::Refused).await?),
            None => None,
        };
        let known = service.as_ref().is_some_and(|service| self.knows(service));
        let any = !self.options.service_token_roles_required;
        let expired = if known || (any && service.is_some()) {
            Expired::Allowed
        } else {
            Expired::Refused
        };
        let token = self.validated(token, expired).await?;
        let mut who = token.credentials();
        who.service_roles = service.map(|s| s.roles()).unwrap_or_default();
        Ok(Identity {
            who,
            service: known,
        })
    }

    /// Where the service of `kind` is, as the catalogue of this service's own token says. `interface` is
    /// `public`, `internal` or `admin`; any region does where none is named.
    ///
    /// # Errors
    ///
    /// [`KeystoneError::Unavailable`] where Keystone does not answer, or knows of none.
    pub async fn endpoint(
        &self,
        kind: &str,
        interface: &str,
        region: Option<&str>,
    ) -> Result<String, KeystoneError> {
        self.find(kind, interface, region).await?.ok_or_else(|| {
            let why = format!("the catalogue has no {interface} endpoint of a service {kind}");
            KeystoneError::Unavailable(why.into())
        })
    }

    /// The same, where there need not be one.
    pub(crate) async fn find(
        &self,
        kind: &str,
        interface: &str,
        region: Option<&str>,
    ) -> Result<Option<String>, KeystoneError> {
        let (_, catalog) = self.session.token(&self.wire, None).await?;
        Ok(catalog.endpoint(kind, interface, region))
    }

    /// What seals the tokens of users, with a key that all processes with this service's password have.
    pub fn seal(&self) -> Option<Seal> {
        Seal::new(&self.options.password)
    }

    /// This service's own token, for `X-Service-Token`.
    pub(crate) async fn own_token(&self) -> Result<String, KeystoneError> {
        Ok(self.session.token(&self.wire, None).await?.0)
    }

    fn knows(&self, service: &Token) -> bool {
        let known = |role: &String| self.options.service_token_roles.contains(role);
        service.roles().iter().any(known)
    }

    async fn validated(&self, token: &str, expired: Expired) -> Result<Arc<Token>, KeystoneError> {
        let plain = token.bytes().all(|b| b.is_ascii_graphic());
        if token.is_empty() || token.len() > MAX_TOKEN || !plain {
            return Err(KeystoneError::Refused);
        }
        let key = (
            Sha256::digest(token.as_bytes()).into(),
            expired == Expired::Allowed,
        );
        if self
            .verdicts
            .peek(&key)
            .is_some_and(|v| v.until <= Instant::now())
        {
            self.verdicts.remove(&key);
        }
        // Requests with one token ask once and share the answer.
        let ask = self.asked(token, expired);
        let verdict = self.verdicts.get_or_insert_async(&key, ask).await?;
        let found = verdict.token.ok_or(KeystoneError::Refused)?;
        if expired == Expired::Refused && found.expires_at <= OffsetDateTime::now_utc() {
            return Err(KeystoneError::Refused);
        }
        Ok(found)
    }

    async fn asked(&self, token: &str, expired: Expired) -> Result<Verdict, KeystoneError> {
        let allowed = expired == Expired::Allowed;
        let token = self.session.look_up(&self.wire, token, allowed).await?;
        let holds = match token {
            Some(_) => self.options.cache_time,
            None => REFUSED_FOR.min(self.options.cache_time),
        };
        Ok(Verdict {
            token: token.map(Arc::new),
            until: Instant::now() + holds,
        })
    }
}
