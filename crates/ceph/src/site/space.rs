//! The room in the pool, as Cinder's driver counts it.

use firebrick_backend::{Fault, FaultKind, SpaceStats};
use firebrick_vocabulary::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use crate::fault::Doing;
use crate::link::Link;

#[derive(Deserialize)]
struct Df {
    pools: Vec<PoolDf>,
}

#[derive(Deserialize)]
struct PoolDf {
    name: String,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    max_avail: u64,
    #[serde(default)]
    stored: Option<u64>,
    #[serde(default)]
    bytes_used: u64,
}

#[derive(Deserialize)]
struct Quota {
    #[serde(default)]
    quota_max_bytes: u64,
}

/// What the monitors say of the pool, and the sum of what is promised.
pub(super) fn space(shared: &Shared, link: &Link, doing: &str) -> Result<SpaceStats, Fault> {
    let options = shared.options();
    let df: Df = asked(link, &json!({ "prefix": "df", "format": "json" }), doing)?;
    let pool = df.pools.into_iter().find(|pool| pool.name == options.pool);
    let stats = pool.map(|pool| pool.stats).ok_or_else(|| {
        let why = format!("the cluster has no pool {}", options.pool);
        Fault::new(FaultKind::Unreachable, doing, why)
    })?;
    let quota = json!({ "prefix": "osd pool get-quota", "pool": options.pool, "format": "json" });
    let quota: Quota = asked(link, &quota, doing)?;
    let provisioned = if options.exclusive_pool {
        // All images are volumes, whose sizes the control plane knows.
        0
    } else {
        link.pool.provisioned().doing(doing)?
    };
    Ok(count(
        &stats,
        quota.quota_max_bytes,
        options.dynamic_total,
        provisioned,
    ))
}

fn count(stats: &Stats, quota: u64, dynamic: bool, provisioned: u64) -> SpaceStats {
    let used = stats.stored.unwrap_or(stats.bytes_used);
    let free = match quota {
        0 => stats.max_avail,
        quota => quota.saturating_sub(used).min(stats.max_avail),
    };
    let total = match quota {
        0 => stats.max_avail.saturating_add(used),
        quota => quota,
    };
    SpaceStats {
        total: Bytes(if dynamic {
            free.saturating_add(used)
        } else {
            total
        }),
        free: Bytes(free),
        provisioned: Bytes(provisioned),
        used: Bytes(used),
        reclaimable: Bytes::ZERO,
    }
}

/// What the monitors answer.
pub(super) fn asked<T: for<'a> Deserialize<'a>>(
    link: &Link,
    command: &serde_json::Value,
    doing: &str,
) -> Result<T, Fault> {
    let answer = link
        .cluster
        .ask_monitors(&command.to_string())
        .doing(doing)?;
    serde_json::from_slice(&answer).map_err(|error| {
        let why = format!("the monitors' answer to {command} is none: {error}");
        Fault::new(FaultKind::Internal, doing, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_what_is_free() {
        let stats = Stats {
            max_avail: 100,
            stored: Some(20),
            bytes_used: 60,
        };
        let of = |quota, dynamic| {
            let space = count(&stats, quota, dynamic, 7);
            (space.total.0, space.free.0, space.used.0)
        };
        assert_eq!(of(0, true), (120, 100, 20));
        assert_eq!(of(50, true), (50, 30, 20));
        assert_eq!(of(1000, true), (120, 100, 20));
        assert_eq!(of(1000, false), (1000, 100, 20));
        assert_eq!(of(10, true), (20, 0, 20));
    }
}
