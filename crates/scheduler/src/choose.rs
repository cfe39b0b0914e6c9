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

/// Picks the pool with the most room of those that fit.
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
mod tests {
    use super::*;
    use crate::pool::Capability;

    fn pool(name: &str, free: f64) -> PoolState {
        PoolState {
            host: HostName::service("node", name).with_pool("volumes"),
            availability_zone: "nova".into(),
            closed: None,
            total: 100.0,
            free,
            provisioned: 0.0,
            reserved_percentage: 10,
            max_over_subscription_ratio: 2.0,
            thin: false,
            capabilities: BTreeMap::from([
                (
                    "volume_backend_name".to_owned(),
                    Capability::Text(name.to_owned()),
                ),
                (
                    "replication_enabled".to_owned(),
                    Capability::Flag(name == "a"),
                ),
            ]),
        }
    }

    fn request(size: u32, specs: &[(&str, &str)]) -> Request {
        let extra_specs = specs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Request {
            size,
            extra_specs,
            ..Request::default()
        }
    }

    #[test]
    fn the_pool_with_the_most_room_wins_among_those_that_fit() {
        let pools = [pool("a", 50.0), pool("b", 80.0)];
        let choice = choose(&request(1, &[]), &pools).map(|choice| choice.host);
        assert_eq!(choice, Ok(pools[1].host.clone()));
        let replicated = [("replication_enabled", "<is> True")];
        let choice = choose(&request(1, &replicated), &pools).map(|choice| choice.host);
        assert_eq!(choice, Ok(pools[0].host.clone()));
    }

    #[test]
    fn a_refusal_names_every_pool_and_reason() {
        let mut pools = [pool("a", 50.0), pool("b", 80.0), pool("c", 90.0)];
        pools[2].closed = Some("the service is disabled".into());
        let specs = [("volume_backend_name", "a"), ("other:scope", "ignored")];
        let refusal = choose(&request(60, &specs), &pools)
            .err()
            .unwrap_or_default();
        let filters: Vec<Filter> = refusal.pools.iter().map(|(_, filter, _)| *filter).collect();
        assert_eq!(
            filters,
            [Filter::Capacity, Filter::Capabilities, Filter::Service]
        );
        assert!(
            refusal.to_string().contains("60 GiB asked, 40.0 GiB left"),
            "{refusal}"
        );
    }

    #[test]
    fn thin_pools_promise_more_than_they_have() {
        let mut thin = pool("a", 50.0);
        thin.thin = true;
        thin.provisioned = 150.0;
        assert!(choose(&request(50, &[]), &[thin.clone()]).is_ok());
        assert!(choose(&request(51, &[]), &[thin]).is_err());
    }
}
