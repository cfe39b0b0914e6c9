//! Microversions: which one a request asks for, and what each of them brings.

mod history;

use std::fmt;

use axum::http::HeaderMap;

use crate::fault::Fault;

pub(crate) use history::HISTORY;

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
