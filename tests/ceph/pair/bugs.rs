//! What went wrong with failovers elsewhere, on two clusters; each test is called after its report.

use firebrick_tests::{Bugs, Ceph, CephPair, until};

use super::{HOST, Story};

/// Tells it of a backend on two clusters.
fn told(story: impl FnOnce(&Bugs, &CephPair)) {
    CephPair::with(|pair| {
        let begun = Story::begin(pair, "");
        let bugs = Bugs {
            api: begun.api.clone(),
            clients: begun.clients.clone(),
            host: HOST.to_owned(),
            backend: "ceph".to_owned(),
            database: begun.deployment.dir().join("firebrick.sqlite"),
        };
        story(&bugs, pair);
        for site in [&pair.a, &pair.b] {
            until("no image is left", 180, || is_empty(site));
        }
    });
}

fn is_empty(site: &Ceph) -> bool {
    site.rbd(&["ls", "volumes"]).ok().stdout.is_empty()
}

#[test]
fn lp_1641714_a_request_without_a_host_is_a_wrong_request() {
    told(|bugs, _| bugs.lp_1641714());
}

#[test]
fn lp_1641715_a_wrong_target_leaves_the_status_as_it_was() {
    told(|bugs, _| bugs.lp_1641715());
}

#[test]
fn lp_1641716_a_fault_of_the_driver_leaves_the_service_usable() {
    told(|bugs, pair| {
        bugs.lp_1641716(&|gone| {
            if gone {
                pair.b.stop();
            } else {
                pair.b.go_on();
            }
        });
    });
}

#[test]
fn lp_1643886_the_replication_status_follows_type_and_failover() {
    told(|bugs, _| bugs.lp_1643886());
}

#[test]
fn lp_1616974_freeze_stops_the_api_and_the_scheduler() {
    told(|bugs, _| bugs.lp_1616974());
}

#[test]
fn lp_1654471_what_is_made_of_something_is_replicated() {
    told(|bugs, _| bugs.lp_1654471());
}

#[test]
fn an_error_of_the_database_in_the_middle_is_no_success() {
    told(|bugs, _| bugs.an_error_of_the_database());
}
