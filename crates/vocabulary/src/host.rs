//! Where a volume lives, in Cinder's form `node@backend#pool`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place for volumes: `node`, `node@backend` or `node@backend#pool`.
///
/// Source: `cinder.volume.volume_utils.extract_host`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName {
    /// The machine, or what `host` in the configuration says.
    pub node: String,
    /// The section of the configuration that describes the backend.
    pub backend: Option<String>,
    /// The pool within the backend.
    pub pool: Option<String>,
}

/// The text is not a host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a host is written node, node@backend or node@backend#pool, at most 255 bytes, not {0:?}")]
pub struct HostNameError(String);

impl HostName {
    /// The service of `backend` on `node`.
    pub fn service(node: &str, backend: &str) -> Self {
        Self {
            node: node.to_owned(),
            backend: Some(backend.to_owned()),
            pool: None,
        }
    }

    /// The same place without its pool: the name of the service that looks after it.
    #[must_use]
    pub fn without_pool(&self) -> Self {
        Self {
            pool: None,
            ..self.clone()
        }
    }

    /// The pool `pool` of this service.
    #[must_use]
    pub fn with_pool(&self, pool: &str) -> Self {
        Self {
            pool: Some(pool.to_owned()),
            ..self.clone()
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.node)?;
        if let Some(backend) = &self.backend {
            write!(f, "@{backend}")?;
        }
        if let Some(pool) = &self.pool {
            write!(f, "#{pool}")?;
        }
        Ok(())
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || HostNameError(text.chars().take(300).collect());
        if text.len() > 255 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(refuse());
        }
        let (service, pool) = match text.split_once('#') {
            Some((service, pool)) => (service, Some(pool.to_owned())),
            None => (text, None),
        };
        let (node, backend) = match service.split_once('@') {
            Some((node, backend)) => (node, Some(backend.to_owned())),
            None => (service, None),
        };
        let empty = |part: &Option<String>| part.as_deref() == Some("");
        if node.is_empty()
            || empty(&backend)
            || empty(&pool)
            || (pool.is_some() && backend.is_none())
        {
            return Err(refuse());
        }
        Ok(Self {
            node: node.to_owned(),
            backend,
            pool,
        })
    }
}

impl TryFrom<String> for HostName {
    type Error = HostNameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> String {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_survive_printing() {
        for text in ["node1", "node1@blocks", "node1@blocks#volumes"] {
            assert_eq!(
                text.parse::<HostName>().map(|h| h.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn other_text_is_no_host() {
        for text in ["", "@b", "a@", "a@b#", "a#p", "a b"] {
            assert!(text.parse::<HostName>().is_err(), "{text:?} was taken");
        }
    }
}
