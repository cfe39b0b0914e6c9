//! How the API is served.

use std::net::SocketAddr;
use std::sync::Arc;

use firebrick_cloud::Keystone;
use firebrick_policy::Policy;

use crate::list::open::ResourceFilters;

/// Who may call.
#[derive(Clone, Debug, Default)]
pub enum AuthStrategy {
    /// `noauth`: everybody is an administrator of the project in the address or the token. Loopback only.
    #[default]
    NoAuth,
    /// `keystone`: who has a token of that Keystone.
    Keystone(Arc<Keystone>),
}

/// The settings of the API. Option names are Cinder's.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// `auth_strategy`.
    pub auth: AuthStrategy,
    /// `public_endpoint`: what links in answers begin with, for example `https://volumes.example.org`;
    /// the `Host` header of the request without.
    pub public_endpoint: Option<String>,
    /// `resource_filters_file`: the filters that are open to everybody.
    pub filters: Arc<ResourceFilters>,
    /// `osapi_max_limit`: the most items of a list's page.
    pub max_limit: u32,
    /// `[oslo_policy]`: who may do what.
    pub policy: Arc<Policy>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            auth: AuthStrategy::NoAuth,
            public_endpoint: None,
            filters: Arc::default(),
            max_limit: 1000,
            policy: Arc::default(),
        }
    }
}

/// Options that must not be served with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// `noauth` elsewhere than on loopback.
    #[error(
        "auth_strategy = noauth makes everybody an administrator, so it is only served on a loopback \
         address, not on {0}; listen on 127.0.0.1"
    )]
    NoAuthBeyondLoopback(SocketAddr),
    /// `osapi_max_limit` is 0.
    #[error("osapi_max_limit must be at least 1")]
    NoPages,
    /// `public_endpoint` is not an address.
    #[error("public_endpoint must begin with http:// or https://, not {0:?}")]
    Endpoint(String),
}

impl ApiOptions {
    /// Whether the API may be served on `address` with these options, or the reason why not.
    pub fn check(&self, address: SocketAddr) -> Result<(), OptionsError> {
        match &self.auth {
            AuthStrategy::NoAuth if !address.ip().to_canonical().is_loopback() => {
                return Err(OptionsError::NoAuthBeyondLoopback(address));
            }
            AuthStrategy::NoAuth | AuthStrategy::Keystone(_) => {}
        }
        if self.max_limit == 0 {
            return Err(OptionsError::NoPages);
        }
        match &self.public_endpoint {
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                Err(OptionsError::Endpoint(url.clone()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noauth_stays_on_loopback() {
        let options = ApiOptions::default();
        for good in [
            "127.0.0.1:8776",
            "127.3.2.1:1",
            "[::1]:8776",
            "[::ffff:127.0.0.1]:8776",
        ] {
            assert_eq!(options.check(good.parse().expect(good)), Ok(()), "{good}");
        }
        for bad in ["0.0.0.0:8776", "192.0.2.7:8776", "[::]:8776"] {
            assert!(options.check(bad.parse().expect(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_options_have_bounds_too() {
        let loopback = "127.0.0.1:8776".parse().expect("an address");
        let none = ApiOptions {
            max_limit: 0,
            ..ApiOptions::default()
        };
        assert_eq!(none.check(loopback), Err(OptionsError::NoPages));
        let odd = ApiOptions {
            public_endpoint: Some("here".into()),
            ..ApiOptions::default()
        };
        assert!(odd.check(loopback).is_err());
    }
}
