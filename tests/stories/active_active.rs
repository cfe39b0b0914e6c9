//! Two nodes serve one backend on PostgreSQL. One of them is killed in each phase of a failover; the other one
//! ends it, nothing is stuck, nothing that was written is lost, and both say the same.

use firebrick_tests::{Api, Nodes, fields, rows, until, until_some};
use serde_json::{Value, json};

use crate::group_replication::{Writer, number, uri_of};

const CLUSTER: &str = "north@blocks";

/// What the nodes of the cluster say of themselves, asked of one: host, status, site.
fn said(api: &Api) -> Vec<(String, String, Value)> {
    let answer = api.get("/os-services?binary=cinder-volume").expect(200);
    let services = answer.body["services"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let said = services.iter().map(|service| {
        assert_eq!(service["cluster"], CLUSTER);
        let status = text(&service["replication_status"]);
        (
            text(&service["host"]),
            status,
            service["active_backend_id"].clone(),
        )
    });
    said.collect()
}

fn cluster(api: &Api) -> Value {
    let answer = api.get(&format!("/clusters/{CLUSTER}")).expect(200);
    answer.body["cluster"].clone()
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

/// Nothing is on its way, and all volumes are where the backend is.
fn nothing_is_stuck(api: &Api, replication: &str) {
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
        assert_eq!(
            volume["os-vol-host-attr:host"],
            format!("{CLUSTER}#volumes")
        );
    }
}

/// A replicated volume with a server, and another one.
fn given(nodes: &Nodes) -> String {
    let api = nodes.first();
    let kind = api.make_replicated_type();
    let request = json!({ "size": 1, "volume_type": kind });
    let volume = api.make_volume(&request);
    nodes.second().make_volume(&request);
    let (attachment, _) = api.attach(&volume);
    attachment
}

/// One failover, in which whoever works on it dies as it comes to that phase.
fn killed_in(nodes: &mut Nodes, phase: &str, round: usize, attachment: &str) {
    let home = round.is_multiple_of(2);
    let (to, status) = if home {
        ("site-b", "failed-over")
    } else {
        ("default", "enabled")
    };
    let api = nodes.first();
    let uri = uri_of(&api, attachment);
    let writer = Writer::start(std::slice::from_ref(&uri), number(&uri));
    writer.go_on(20);
    let hold = nodes.hold(phase);
    let asked = &nodes.clients()[(round + 1) % 2];
    let host = ["node1@blocks", "node2@blocks"][round / 2 % 2];
    let _ = asked
        .cinder(&["failover-host", host, "--backend_id", to])
        .ok();
    until(&format!("it comes to {phase}"), 60, || nodes.is_held());
    let victim = worker(&nodes.first());
    nodes.kill(&victim, hold);
    let api = nodes.first();
    until(&format!("{victim} was replaced at {phase}"), 180, || {
        cluster(&api)["replication_status"] == status
    });
    nothing_is_stuck(&api, status);
    if !nodes.has_second() {
        let shown = cluster(&api);
        assert_eq!(
            (&shown["num_hosts"], &shown["num_down_hosts"]),
            (&json!(2), &json!(1))
        );
        nodes.start_second();
    }
    let active = if home { json!("site-b") } else { Value::Null };
    let expected = ["node1@blocks", "node2@blocks"]
        .map(|host| (host.to_owned(), status.to_owned(), active.clone()));
    for api in [nodes.first(), nodes.second()] {
        until(&format!("both went along at {phase}"), 60, || {
            said(&api) == expected
        });
        assert_eq!(cluster(&api)["active_backend_id"], active);
    }
    let last = writer.end();
    let uri = uri_of(&nodes.second(), attachment);
    until("its export is there", 60, || {
        firebrick_tests::Guest::open(&uri).is_ok()
    });
    let newest = number(&uri);
    assert!(newest >= last, "{newest}, and {last} was answered; {phase}");
}

#[test]
fn a_node_is_killed_in_each_phase_of_a_failover() {
    let mut nodes = Nodes::start();
    let attachment = given(&nodes);
    let [first, second] = nodes.clients();
    let version = "--os-volume-api-version";
    let listed = first
        .cinder(&[version, "3.26", "cluster-list", "--detailed"])
        .ok();
    assert_eq!(rows(&listed.stdout).len(), 1, "{}", listed.stdout);
    let shown = second
        .cinder(&[version, "3.26", "cluster-show", CLUSTER])
        .ok();
    let shown = fields(&shown.stdout);
    for (key, value) in [
        ("num_hosts", "2"),
        ("num_down_hosts", "0"),
        ("replication_status", "enabled"),
        ("state", "up"),
    ] {
        assert_eq!(shown[key], value, "{shown}");
    }
    let _ = second.cinder(&["freeze-host", "node1@blocks"]).ok();
    for (round, phase) in [
        "looking at both sites",
        "handing over",
        "promoting",
        "writing down",
        "waiting for the services",
    ]
    .into_iter()
    .enumerate()
    {
        killed_in(&mut nodes, phase, round, &attachment);
    }
    // By the name of the cluster, as no command of the client asks.
    let body = json!({ "cluster": CLUSTER, "backend_id": "default" });
    let home = nodes
        .second()
        .try_send("PUT", "/os-services/failover", Some(&body));
    let _ = home.unwrap().expect(202);
    until("the cluster is home", 120, || {
        cluster(&nodes.first())["replication_status"] == "enabled"
    });
    // It was frozen during all of it.
    let request = json!({ "volume": { "size": 1 } });
    let made = nodes.second().post("/volumes", &request).expect(202);
    let id = made.body["volume"]["id"].as_str().unwrap().to_owned();
    until("it is refused", 60, || {
        nodes.first().volume(&id)["status"] == "error"
    });
    let _ = nodes.clients()[0]
        .cinder(&["thaw-host", "node2@blocks"])
        .ok();
    nodes.second().make_volume(&json!({ "size": 1 }));
}
