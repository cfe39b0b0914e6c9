//! Filters: each takes a pool or says why not.

mod affinity;
mod capabilities;
mod capacity;
mod driver;
mod json;
mod locality;
mod retry;
mod zone;

use std::fmt;
use std::str::FromStr;

use crate::pool::PoolState;
use crate::request::Request;

/// Who refused a pool.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Filter {
    /// The service is down, disabled or frozen. Always asked, and not one that operators choose.
    Service,
    /// The origin, or the volume itself, is bound to other pools. Always asked, as [`Self::Service`].
    Origin,
    /// Another zone.
    AvailabilityZone,
    /// Not enough room.
    Capacity,
    /// An extra spec does not fit.
    Capabilities,
    /// Hint `different_host`.
    DifferentBackend,
    /// Hint `same_host`.
    SameBackend,
    /// The backend's own `filter_function`.
    Driver,
    /// Hint `local_to_instance`.
    InstanceLocality,
    /// Hint `query`.
    Json,
    /// It has been tried there in vain.
    Retry,
}

/// A name that is no filter's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a filter")]
pub struct UnknownFilter(String);

impl Filter {
    /// Those that operators choose from.
    pub const ALL: [Self; 9] = [
        Self::AvailabilityZone,
        Self::Capacity,
        Self::Capabilities,
        Self::DifferentBackend,
        Self::SameBackend,
        Self::Driver,
        Self::InstanceLocality,
        Self::Json,
        Self::Retry,
    ];

    /// Where nobody chose: Cinder's three, and those that do nothing unless somebody asks for it.
    /// Cinder leaves these out, and hints and functions without effect.
    pub const DEFAULT: [Self; 7] = [
        Self::Retry,
        Self::AvailabilityZone,
        Self::SameBackend,
        Self::DifferentBackend,
        Self::Capabilities,
        Self::Capacity,
        Self::Driver,
    ];

    /// Its name in `scheduler_default_filters`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Origin => "Origin",
            Self::AvailabilityZone => "AvailabilityZoneFilter",
            Self::Capacity => "CapacityFilter",
            Self::Capabilities => "CapabilitiesFilter",
            Self::DifferentBackend => "DifferentBackendFilter",
            Self::SameBackend => "SameBackendFilter",
            Self::Driver => "DriverFilter",
            Self::InstanceLocality => "InstanceLocalityFilter",
            Self::Json => "JsonFilter",
            Self::Retry => "IgnoreAttemptedHostsFilter",
        }
    }

    /// Why the pool is refused; `None` if it is taken.
    pub(crate) fn refuses(self, request: &Request, pool: &PoolState) -> Option<String> {
        match self {
            Self::Service => pool.closed.clone(),
            Self::Origin => affinity::bound(request, pool),
            Self::AvailabilityZone => zone::refuses(request, pool),
            Self::Capacity => capacity::refuses(request, pool),
            Self::Capabilities => capabilities::refuses(request, pool),
            Self::DifferentBackend => affinity::apart(request, pool),
            Self::SameBackend => affinity::together(request, pool),
            Self::Driver => driver::refuses(request, pool),
            Self::InstanceLocality => locality::refuses(request, pool),
            Self::Json => json::refuses(request, pool),
            Self::Retry => retry::refuses(request, pool),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Filter {
    type Err = UnknownFilter;

    fn from_str(text: &str) -> Result<Self, UnknownFilter> {
        // The name before Cinder's Train release.
        if text == "RetryFilter" {
            return Ok(Self::Retry);
        }
        let found = Self::ALL.into_iter().find(|filter| filter.name() == text);
        found.ok_or_else(|| UnknownFilter(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests;
