//! Two nodes serve two clusters on PostgreSQL. One of them is killed in each phase of a failover; the other one ends
//! it, and nothing that was confirmed is lost.

use firebrick_tests::{CephPair, Nodes, PHASES, Together, until};
use serde_json::json;

use super::{all_are, has, image, is_primary, section};

const CEPH: Together<'_> = Together { backend: "ceph" };

/// Two volumes, one asked of each node.
fn given(nodes: &Nodes) -> Vec<String> {
    let specs = json!({ "volume_backend_name": "ceph", "replication_enabled": "<is> True" });
    until("both nodes serve the clusters", 60, || {
        CEPH.said(&nodes.first()).len() == 2 && CEPH.shown(&nodes.second())["state"] == "up"
    });
    let kind = nodes.first().make_type("mirrored", &specs);
    let request = json!({ "size": 1, "volume_type": kind });
    [nodes.first(), nodes.second()]
        .map(|api| api.make_volume(&request))
        .to_vec()
}

fn killed(pair: &CephPair) {
    let section = section(pair, "");
    let mut nodes = Nodes::beside(Some(("ceph", &section)));
    let volumes = given(&nodes);
    let images: Vec<String> = volumes.iter().map(|id| image(id)).collect();
    let _ = nodes.clients()[1]
        .cinder(&["freeze-host", "node1@ceph"])
        .ok();
    for (round, phase) in PHASES.into_iter().enumerate() {
        let (from, to) = if round % 2 == 0 {
            (&pair.a, &pair.b)
        } else {
            (&pair.b, &pair.a)
        };
        let byte = 0x21 + round as u8;
        for image in &images {
            from.write(image, byte, 1);
        }
        CEPH.killed_in(&mut nodes, phase, round);
        for image in &images {
            let roles = (is_primary(from, image), is_primary(to, image));
            assert_eq!(roles, (false, true), "{phase}: {image}");
            assert!(
                all_are(&to.read(image, 1), byte),
                "{phase}: {image} lacks something"
            );
        }
    }
    let body = json!({ "cluster": CEPH.cluster(), "backend_id": "default" });
    let home = nodes
        .second()
        .try_send("PUT", "/os-services/failover", Some(&body));
    let _ = home.unwrap().expect(202);
    until("the cluster is home", 240, || {
        CEPH.shown(&nodes.first())["replication_status"] == "enabled"
    });
    // It was frozen during all of it.
    let frozen = nodes.first().delete(&format!("/volumes/{}", volumes[0]));
    assert_ne!(frozen.status, 202);
    let _ = nodes.clients()[0].cinder(&["thaw-host", "node2@ceph"]).ok();
    for (volume, image) in volumes.iter().zip(&images) {
        let _ = nodes
            .first()
            .delete(&format!("/volumes/{volume}"))
            .expect(202);
        for site in [&pair.a, &pair.b] {
            until("no image of it is left", 180, || !has(site, image));
        }
    }
}

#[test]
fn a_node_is_killed_in_each_phase_of_a_failover_between_clusters() {
    CephPair::with(killed);
}
