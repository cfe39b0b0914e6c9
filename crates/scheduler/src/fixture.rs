//! Pools and requests for tests.

use std::collections::BTreeMap;

use firebrick_vocabulary::HostName;

use crate::{Capability, Capacity, Function, PoolState, Ratio, Request};

/// A thick pool `node@NAME#volumes` of 100 GiB, 10 of them reserved.
pub(crate) fn pool(name: &str, free: f64) -> PoolState {
    let text = |text: &str| Capability::Text(text.to_owned());
    let inner = BTreeMap::from([("media".to_owned(), text("flash"))]);
    let capabilities = [
        ("volume_backend_name", text(name)),
        ("storage_protocol", text("nbd")),
        ("replication_enabled", Capability::Flag(name == "a")),
        ("layout", Capability::Map(inner)),
    ];
    PoolState {
        host: HostName::service("node", name).with_pool("volumes"),
        availability_zone: "nova".into(),
        closed: None,
        total: Capacity::Gigabytes(100.0),
        free: Capacity::Gigabytes(free),
        provisioned: 0.0,
        allocated: 0.0,
        volumes: 0,
        reserved_percentage: 10,
        max_over_subscription_ratio: Ratio::Fixed(2.0),
        thin: false,
        online_extend: true,
        snapshot_schedules: true,
        filter_function: None,
        goodness_function: None,
        capabilities: capabilities
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    }
}

pub(crate) fn request(size: u32, specs: &[(&str, &str)]) -> Request {
    let extra_specs = specs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let volume = BTreeMap::from([("size".to_owned(), Capability::Number(f64::from(size)))]);
    Request {
        size,
        extra_specs,
        volume,
        ..Request::default()
    }
}

pub(crate) fn function(text: &str) -> Function {
    Function::parse(text).unwrap_or_else(|error| panic!("{text} {error}"))
}
