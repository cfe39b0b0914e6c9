//! Filters and the choice.

use std::collections::BTreeMap;
use std::fmt;

use firebrick_vocabulary::HostName;

use crate::capabilities::matches;
use crate::pool::PoolState;

/// A volume that needs a place.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// In GiB.
    pub size: u32,
    /// Of the type.
    pub extra_specs: BTreeMap<String, String>,
    /// The wanted zone.
    pub availability_zone: Option<String>,
    /// Only these pools (where a clone's origin lives); any, if empty.
    pub only: Vec<HostName>,
    /// Hosts of which one must be taken, where given.
    pub same_host: Vec<HostName>,
    /// Hosts that must not be taken.
    pub different_host: Vec<HostName>,
}

/// The pool that was chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Where the volume goes.
    pub host: HostName,
}

/// Who refused a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Filter {
    /// The service is down, disabled or frozen.
    Service,
    /// Another zone.
    AvailabilityZone,
    /// Not enough room.
    Capacity,
    /// An extra spec does not fit.
    Capabilities,
    /// The scheduler hints, or the place of the origin.
    Affinity,
}

/// Why no pool could be taken.
#[derive(Clone, Debug, Default, Eq, PartialEq, thiserror::Error)]
pub struct Refusal {
    /// For each pool, who refused it and why.
    pub pools: Vec<(HostName, Filter, String)>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("No valid backend was found. ")?;
        if self.pools.is_empty() {
            return f.write_str("No backend has reported yet.");
        }
        let reasons = self
            .pools
            .iter()
            .map(|(host, _, why)| format!("{host}: {why}"));
        f.write_str(&reasons.collect::<Vec<_>>().join("; "))
    }
}

/// Picks the pool with the most room of those that fit; of equals, the first.
///
/// Source: `CapacityFilter`, `CapabilitiesFilter`, `AvailabilityZoneFilter`, `SameBackendFilter`,
/// `DifferentBackendFilter` and `CapacityWeigher` of `cinder.scheduler`.
pub fn choose(request: &Request, pools: &[PoolState]) -> Result<Choice, Refusal> {
    let mut refusal = Refusal::default();
    let mut best: Option<&PoolState> = None;
    for pool in pools {
        match refused(request, pool) {
            Some((filter, why)) => refusal.pools.push((pool.host.clone(), filter, why)),
            None if best.is_none_or(|best| pool.room() > best.room()) => best = Some(pool),
            None => {}
        }
    }
    best.map(|pool| Choice {
        host: pool.host.clone(),
    })
    .ok_or(refusal)
}

fn refused(request: &Request, pool: &PoolState) -> Option<(Filter, String)> {
    if let Some(why) = &pool.closed {
        return Some((Filter::Service, why.clone()));
    }
    if let Some(zone) = &request.availability_zone
        && *zone != pool.availability_zone
    {
        return Some((
            Filter::AvailabilityZone,
            format!("it is in {}", pool.availability_zone),
        ));
    }
    if let Some(why) = misplaced(request, &pool.host) {
        return Some((Filter::Affinity, why));
    }
    if let Some(why) = incapable(request, pool) {
        return Some((Filter::Capabilities, why));
    }
    let room = pool.room();
    (f64::from(request.size) > room).then(|| {
        (
            Filter::Capacity,
            format!("{} GiB asked, {room:.1} GiB left", request.size),
        )
    })
}

fn misplaced(request: &Request, host: &HostName) -> Option<String> {
    if !request.only.is_empty() && !request.only.contains(host) {
        return Some("the origin lives elsewhere".to_owned());
    }
    if !request.same_host.is_empty() && !request.same_host.contains(host) {
        return Some("same_host names others".to_owned());
    }
    let apart = request.different_host.contains(host);
    apart.then(|| "different_host excludes it".to_owned())
}

/// The first extra spec that does not fit. Keys of another scope than `capabilities` concern others.
fn incapable(request: &Request, pool: &PoolState) -> Option<String> {
    request.extra_specs.iter().find_map(|(key, wanted)| {
        let name = match key.split_once(':') {
            Some(("capabilities", name)) => name,
            Some(_) => return None,
            None => key,
        };
        match pool.capabilities.get(name) {
            Some(found) if matches(wanted, found) => None,
            Some(_) => Some(format!("{key} is not {wanted}")),
            None => Some(format!("it says nothing about {key}")),
        }
    })
}

#[cfg(test)]
mod tests;
