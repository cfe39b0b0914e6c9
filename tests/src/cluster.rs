//! What the nodes of a cluster say of a backend that they serve together.

use serde_json::{Value, json};

use crate::api::Api;
use crate::nodes::{Hold, Nodes};
use crate::wait::{until, until_some};

/// Where a failover can be interrupted: what it is at, in that order.
pub const PHASES: [&str; 5] = [
    "looking at both sites",
    "handing over",
    "promoting",
    "writing down",
    "waiting for the services",
];

/// A backend of the cluster `north`.
#[derive(Clone, Copy, Debug)]
pub struct Together<'a> {
    /// The backend's section, for example `blocks`.
    pub backend: &'a str,
}

impl Together<'_> {
    /// The cluster of its services.
    pub fn cluster(&self) -> String {
        format!("north@{}", self.backend)
    }

    /// The hosts of its services.
    pub fn hosts(&self) -> [String; 2] {
        ["node1", "node2"].map(|node| format!("{node}@{}", self.backend))
    }

    /// What its services say of themselves, asked of one node: host, status, site.
    pub fn said(&self, api: &Api) -> Vec<(String, String, Value)> {
        let answer = api.get("/os-services?binary=cinder-volume").expect(200);
        let services = answer.body["services"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = services
            .iter()
            .filter(|service| service["cluster"] == self.cluster());
        own.map(|service| {
            let status = text(&service["replication_status"]);
            let site = service["active_backend_id"].clone();
            (text(&service["host"]), status, site)
        })
        .collect()
    }

    /// The cluster as one node shows it.
    pub fn shown(&self, api: &Api) -> Value {
        let answer = api.get(&format!("/clusters/{}", self.cluster()));
        answer.expect(200).body["cluster"].clone()
    }

    /// Nothing is on its way, and all volumes of the backend are where it is.
    pub fn nothing_is_stuck(&self, api: &Api, replication: &str) {
        until("no activity runs", 120, || {
            let answer = api
                .get("/activities?all_tenants=true&status=running")
                .expect(200);
            answer.body["activities"]
                .as_array()
                .is_some_and(Vec::is_empty)
        });
        let answer = api.get("/volumes/detail").expect(200);
        for volume in answer.body["volumes"].as_array().unwrap() {
            let status = volume["status"].as_str().unwrap();
            assert!(["available", "in-use"].contains(&status), "{volume}");
            assert_eq!(volume["replication_status"], replication, "{volume}");
            let host = volume["os-vol-host-attr:host"].as_str().unwrap();
            assert!(
                host.starts_with(&format!("{}#", self.cluster())),
                "{volume}"
            );
        }
    }

    /// One failover, asked of the nodes in turn, in which whoever works on it dies as it comes to that phase; to
    /// `site-b` in even rounds, and home in odd ones. Both nodes run when it returns, and say the same.
    pub fn killed_in(&self, nodes: &mut Nodes, phase: &str, round: usize) {
        let home = !round.is_multiple_of(2);
        let (to, status) = if home {
            ("default", "enabled")
        } else {
            ("site-b", "failed-over")
        };
        let hold: Hold = nodes.hold(phase);
        let asked = &nodes.clients()[(round + 1) % 2];
        let host = &self.hosts()[round / 2 % 2];
        let _ = asked
            .cinder(&["failover-host", host, "--backend_id", to])
            .ok();
        until(&format!("it comes to {phase}"), 120, || nodes.is_held());
        let victim = worker(&nodes.first());
        nodes.kill(&victim, hold);
        let api = nodes.first();
        until(&format!("{victim} was replaced at {phase}"), 240, || {
            self.shown(&api)["replication_status"] == status
        });
        self.nothing_is_stuck(&api, status);
        if !nodes.has_second() {
            let shown = self.shown(&api);
            assert_eq!(
                (&shown["num_hosts"], &shown["num_down_hosts"]),
                (&json!(2), &json!(1))
            );
            nodes.start_second();
        }
        let active = if home { Value::Null } else { json!("site-b") };
        let expected = self
            .hosts()
            .map(|host| (host, status.to_owned(), active.clone()));
        for api in [nodes.first(), nodes.second()] {
            until(&format!("both went along at {phase}"), 60, || {
                self.said(&api) == expected
            });
            assert_eq!(self.shown(&api)["active_backend_id"], active);
        }
    }
}

/// The node that works on a failover.
fn worker(api: &Api) -> String {
    until_some("somebody works on it", 60, || {
        let answer = api
            .get("/activities?all_tenants=true&action=failover&status=running")
            .expect(200);
        answer.body["activities"][0]["node"]
            .as_str()
            .map(str::to_owned)
    })
}
