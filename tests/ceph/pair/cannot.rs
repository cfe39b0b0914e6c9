//! What clusters cannot is refused before anything moves.

use firebrick_tests::{CephPair, fields, until};
use serde_json::{Value, json};

use super::{Story, has, image, is_primary};

fn refused(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (volume, image) = story.replicated();
    let path = format!("/replications/{volume}@site-b/action");
    let at = "2026-01-01T00:00:00Z";
    for (action, why) in [
        (json!({ "failover": { "at": at } }), "site-b has no states"),
        (json!({ "reverse": { "at": at } }), "site-b has no states"),
        (json!({ "drill": { "at": at } }), "site-b has no states"),
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

/// A type of which no pool here takes volumes.
fn placed_nowhere(story: &Story<'_>) {
    let made = fields(&story.line("create --volume-type replicated 1"));
    let volume = made["id"].as_str().unwrap();
    until("it finds no place", 60, || {
        story.api.volume(volume)["status"] == "error"
    });
    let host = &story.api.volume(volume)["os-vol-host-attr:host"];
    assert_eq!(*host, Value::Null);
    for site in [&story.pair.a, &story.pair.b] {
        assert!(!has(site, &image(volume)));
    }
    let listed = story.line("message-list");
    let said = listed.lines().find(|line| line.contains(volume));
    let said = said.unwrap_or_else(|| panic!("nobody says why: {listed}"));
    assert!(
        said.contains("Could not find any available weighted backend"),
        "{said}"
    );
    assert!(said.contains("an extra spec of the type"), "{said}");
    story.line(&format!("delete {volume}"));
    story.gone(volume);
}

fn said_by_type(pair: &CephPair) {
    let key = "type-key replicated set";
    let mode = "replication_mode=<in> snapshot";
    let journals = Story::begin(pair, "");
    journals.cinder(&[&key.split(' ').collect::<Vec<_>>()[..], &[mode]].concat());
    placed_nowhere(&journals);
    drop(journals);

    let snapshots = Story::begin(pair, "firebrick_rbd_mirroring = snapshot\n");
    snapshots.cinder(&[&key.split(' ').collect::<Vec<_>>()[..], &[mode]].concat());
    let (volume, _) = snapshots.replicated();
    snapshots.line(&format!("{key} firebrick:snapshot_interval=15m"));
    placed_nowhere(&snapshots);
    snapshots.remove(&volume);
}

#[test]
fn types_that_clusters_cannot_serve_find_no_pool() {
    CephPair::with(said_by_type);
}

#[test]
fn what_clusters_cannot_is_refused() {
    CephPair::with(refused);
}
