//! What clusters cannot is refused before anything moves.

use firebrick_tests::{CephPair, until};
use serde_json::{Value, json};

use super::{Story, is_primary};

fn refused(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (volume, image) = story.replicated();
    let path = format!("/replications/{volume}@site-b/action");
    let at = "2026-01-01T00:00:00Z";
    for (action, why) in [
        (json!({ "failover": { "at": at } }), "site-b has no states"),
        (json!({ "reverse": { "at": at } }), "site-b has no states"),
        (json!({ "drill": { "at": at } }), "site-b has no states"),
        (json!({ "drill": {} }), "site-b has no drills"),
    ] {
        let said = story.api.post(&path, &action).expect(400).body.to_string();
        assert!(said.contains(why), "{action}: {said}");
    }
    let shown = story.api.volume(&volume);
    assert_eq!(shown["replication_status"], "enabled");
    assert!(is_primary(&pair.a, &image));
    let running = story.api.get("/activities?all_tenants=true&status=running");
    assert_eq!(running.expect(200).body["activities"], Value::Array(vec![]));
    story.remove(&volume);

    // Several images have no one position.
    story.line("group-type-create at-once");
    let spec = "consistent_group_replication_enabled=<is> True";
    story.cinder(&["group-type-key", "at-once", "set", spec]);
    story.line("group-create --name g at-once replicated");
    until("the group finds no place", 60, || {
        story.group()["status"] == "error"
    });
}

#[test]
fn what_clusters_cannot_is_refused() {
    CephPair::with(refused);
}
