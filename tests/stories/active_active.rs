//! Two nodes serve one backend on PostgreSQL. One of them is killed in each phase of a failover; the other one
//! ends it, nothing is stuck, nothing that was written is lost, and both say the same.

use firebrick_tests::{Nodes, PHASES, Together, fields, rows, until};
use serde_json::json;

use crate::group_replication::{Writer, number, uri_of};

const BLOCKS: Together<'_> = Together { backend: "blocks" };

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

/// One failover under a writer, in which whoever works on it dies as it comes to that phase.
fn killed_in(nodes: &mut Nodes, phase: &str, round: usize, attachment: &str) {
    let uri = uri_of(&nodes.first(), attachment);
    let writer = Writer::start(std::slice::from_ref(&uri), number(&uri));
    writer.go_on(20);
    BLOCKS.killed_in(nodes, phase, round);
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
        .cinder(&[version, "3.26", "cluster-show", &BLOCKS.cluster()])
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
    for (round, phase) in PHASES.into_iter().enumerate() {
        killed_in(&mut nodes, phase, round, &attachment);
    }
    // By the name of the cluster, as no command of the client asks.
    let body = json!({ "cluster": BLOCKS.cluster(), "backend_id": "default" });
    let home = nodes
        .second()
        .try_send("PUT", "/os-services/failover", Some(&body));
    let _ = home.unwrap().expect(202);
    until("the cluster is home", 120, || {
        BLOCKS.shown(&nodes.first())["replication_status"] == "enabled"
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
