//! Tempest's tests of the Block Storage API against the real binary, a real Keystone and Glance.
//!
//! Every test of `tempest.api.volume` passes but those that `excluded.txt` names with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod report;
mod tempest;

use std::collections::BTreeMap;

use firebrick_tests::{Deployment, Openstack};
use report::Outcome;
use tempest::Tempest;

/// Tests that cannot run without Nova, each with the reason.
const EXCLUDED: &str = include_str!("excluded.txt");

/// What the suite is told of the control plane.
const DEFAULTS: &str = "\
auth_strategy = keystone
default_volume_type = tempest
";

fn excluded() -> BTreeMap<&'static str, &'static str> {
    let lines = EXCLUDED.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.split_once(' ')
                .unwrap_or_else(|| panic!("no reason: {line}"))
        })
        .collect()
}

#[test]
fn tempest_finds_a_block_storage_service() {
    let mut volumes = Deployment::new(&["alpha", "beta"]);
    let mut cloud = Openstack::start(&volumes.url());
    let defaults = format!("{DEFAULTS}glance_api_servers = {}\n", cloud.glance_url());
    let sections = format!(
        "[keystone_authtoken]\n{}[key_manager]\nfixed_key = {}\n",
        cloud.authtoken(),
        "0123456789abcdef".repeat(4)
    );
    volumes.start(&defaults, &sections);
    let suite = Tempest::prepare(&mut cloud);
    let excluded = excluded();
    let all = suite.list();
    let stale: Vec<_> = excluded
        .keys()
        .filter(|name| !all.iter().any(|test| test == *name))
        .collect();
    assert!(stale.is_empty(), "excluded, but there are none: {stale:?}");
    let report = suite.run(&excluded.keys().copied().collect::<Vec<_>>());
    let wanted = all
        .iter()
        .filter(|name| !excluded.contains_key(name.as_str()));
    let mut failed: Vec<String> = report
        .iter()
        .filter(|(_, outcome)| **outcome == Outcome::Failed)
        .map(|(name, _)| name.clone())
        .collect();
    failed.extend(
        wanted
            .filter(|name| report.get(*name) != Some(&Outcome::Passed))
            .filter(|name| report.get(*name) != Some(&Outcome::Failed))
            .map(|name| format!("{name} (did not run)")),
    );
    let passed = report.values().filter(|o| **o == Outcome::Passed).count();
    eprintln!(
        "tempest: {passed} passed, {} failed, {} of {} excluded",
        failed.len(),
        excluded.len(),
        all.len()
    );
    assert!(
        failed.is_empty(),
        "{}\n{}",
        suite.failures(),
        failed.join("\n")
    );
}
