//! Microversions: which one a request asks for, and what each of those used here brings.

use std::fmt;

use axum::http::HeaderMap;

use crate::fault::Fault;

/// The header of the request that names the version, and of the answer that echoes it.
pub(crate) const HEADER: &str = "openstack-api-version";

/// The service type in the header.
const SERVICE: &str = "volume";

/// A version of the API, `3.0` to `3.71`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Microversion {
    major: u32,
    minor: u32,
}

impl Microversion {
    pub(crate) const MIN: Self = Self::v3(0);
    pub(crate) const MAX: Self = Self::v3(71);

    pub(crate) const STRICT_BOOTABLE: Self = Self::v3(2);
    pub(crate) const GLANCE_METADATA_FILTER: Self = Self::v3(4);
    pub(crate) const CLUSTERS: Self = Self::v3(7);
    pub(crate) const GROUP_FILTER: Self = Self::v3(10);
    pub(crate) const SUMMARY: Self = Self::v3(12);
    pub(crate) const GROUPS: Self = Self::v3(13);
    pub(crate) const GROUP_SNAPSHOTS: Self = Self::v3(14);
    pub(crate) const METADATA_ETAG: Self = Self::v3(15);
    pub(crate) const PROVIDER_ID: Self = Self::v3(21);
    pub(crate) const SNAPSHOT_METADATA_FILTER: Self = Self::v3(22);
    pub(crate) const FORCED_DELETE: Self = Self::v3(23);
    pub(crate) const FAILOVER: Self = Self::v3(26);
    pub(crate) const ATTACHMENTS: Self = Self::v3(27);
    pub(crate) const POOL_FILTERS: Self = Self::v3(28);
    pub(crate) const SNAPSHOT_SORT_BY_NAME: Self = Self::v3(30);
    pub(crate) const CHECKED_FILTERS: Self = Self::v3(31);
    pub(crate) const SIMILAR_FILTER: Self = Self::v3(34);
    pub(crate) const SUMMARY_METADATA: Self = Self::v3(36);
    pub(crate) const LIMITS_OF_PROJECT: Self = Self::v3(39);
    pub(crate) const SNAPSHOT_USER_ID: Self = Self::v3(41);
    pub(crate) const EXTEND_IN_USE: Self = Self::v3(42);
    pub(crate) const ATTACHMENT_COMPLETE: Self = Self::v3(44);
    pub(crate) const COUNT: Self = Self::v3(45);
    pub(crate) const SHARED_TARGETS: Self = Self::v3(48);
    pub(crate) const BACKEND_STATE: Self = Self::v3(49);
    pub(crate) const STRICT_BODIES: Self = Self::v3(53);
    pub(crate) const ATTACH_MODE: Self = Self::v3(54);
    pub(crate) const TIME_FILTERS: Self = Self::v3(60);
    pub(crate) const CLUSTER_NAME: Self = Self::v3(61);
    pub(crate) const VOLUME_TYPE_ID: Self = Self::v3(63);
    pub(crate) const CONSUMES_QUOTA: Self = Self::v3(65);
    pub(crate) const SNAPSHOT_IN_USE: Self = Self::v3(66);

    const fn v3(minor: u32) -> Self {
        Self { major: 3, minor }
    }

    /// The version that `headers` ask for: the oldest where they do not say.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Self, Refused> {
        let mut values = headers.get_all(HEADER).iter().peekable();
        if values.peek().is_none() {
            return Ok(Self::MIN);
        }
        for value in values {
            let text = value.to_str().map_err(|_| Refused::unreadable())?;
            for entry in text.split(',') {
                let mut words = entry.split_whitespace();
                if words
                    .next()
                    .is_some_and(|w| w.eq_ignore_ascii_case(SERVICE))
                {
                    return match (words.next(), words.next()) {
                        (Some(version), None) => Self::parse(version),
                        _ => Err(Refused::unreadable()),
                    };
                }
            }
        }
        Err(Refused::unreadable())
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        if text == "latest" {
            return Ok(Self::MAX);
        }
        let version = text
            .split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: part(major)?,
                    minor: part(minor)?,
                })
            })
            .filter(|v| v.major > 0)
            .ok_or_else(|| Refused::malformed(text))?;
        if version < Self::MIN || version > Self::MAX {
            return Err(Refused::outside(version));
        }
        Ok(version)
    }
}

/// A decimal without leading zeroes.
fn part(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a version header was not taken, and which version the answer echoes nevertheless.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The answer.
    pub(crate) fault: Fault,
    /// What is echoed: a well-formed version outside the range.
    pub(crate) echo: Option<Microversion>,
}

impl Refused {
    fn unreadable() -> Self {
        Self {
            fault: Fault::malformed(),
            echo: None,
        }
    }

    fn malformed(text: &str) -> Self {
        let text: String = text.chars().take(64).collect();
        let fault = Fault::bad_request(format!(
            "API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
        ));
        Self { fault, echo: None }
    }

    fn outside(version: Microversion) -> Self {
        let fault = Fault::not_acceptable(format!(
            "Version {version} is not supported by the API. Minimum is {} and maximum is {}.",
            Microversion::MIN,
            Microversion::MAX
        ));
        Self {
            fault,
            echo: Some(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    fn negotiated(value: &'static str) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static(value));
        Microversion::negotiate(&headers)
            .map(|v| v.to_string())
            .map_err(|refused| refused.fault.status().as_u16())
    }

    #[test]
    fn what_clients_send_is_understood() {
        assert_eq!(
            Microversion::negotiate(&HeaderMap::new()).ok(),
            Some(Microversion::MIN)
        );
        assert_eq!(negotiated("volume 3.50"), Ok("3.50".into()));
        assert_eq!(negotiated("volume latest"), Ok("3.71".into()));
        assert_eq!(negotiated("compute 2.1, volume 3.50"), Ok("3.50".into()));
    }

    #[test]
    fn what_is_outside_or_malformed_is_refused() {
        for outside in ["volume 3.72", "volume 2.0", "volume 4.0"] {
            assert_eq!(negotiated(outside), Err(406), "{outside}");
        }
        for malformed in [
            "volume junk",
            "volume 3",
            "volume 3.071",
            "volume 3.",
            "volume +3.1",
            "compute 2.1",
            "",
        ] {
            assert_eq!(negotiated(malformed), Err(400), "{malformed}");
        }
    }
}
