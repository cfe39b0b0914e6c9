//! A failover is tried at the other cluster while replication goes on.

use std::fs;

use firebrick_tests::{Ceph, CephPair, until, until_some};
use serde_json::{Value, json};

use super::{Story, all_are, follows, has, is_primary};

/// So that what ends is seen to go.
const PURGE: &str = "deferred_deletion_purge_interval = 1\n";

impl Story<'_> {
    fn relation(&self, volume: &str) -> Value {
        let path = format!("/replications/{volume}@site-b");
        self.api.get(&path).expect(200).body["replication"].clone()
    }

    fn act(&self, volume: &str, action: &Value, status: u16) -> Value {
        let path = format!("/replications/{volume}@site-b/action");
        self.api.post(&path, action).expect(status).body
    }

    /// Begins a drill, and waits until guests can reach it.
    fn drilled(&self, volume: &str) -> Value {
        let begun = self.act(volume, &json!({ "drill": {} }), 200);
        let begun = &begun["replication"]["drill"];
        assert!(begun["began_at"].is_string(), "{begun}");
        until_some("the drill begins", 120, || {
            let drill = self.relation(volume)["drill"].clone();
            assert!(!drill.is_null(), "{}", self.last_drill());
            drill["uri"].is_string().then_some(drill)
        })
    }

    fn last_drill(&self) -> Value {
        let path = "/activities?action=drill&all_tenants=true&sort=created_at:desc";
        self.api.get(path).expect(200).body["activities"][0].clone()
    }

    fn drill_is_done(&self) {
        until("the activity ends", 120, || {
            self.last_drill()["status"] == "done"
        });
    }

    fn end_drill(&self, volume: &str) {
        self.act(volume, &json!({ "end_drill": {} }), 202);
        assert!(self.relation(volume)["drill"].is_null());
        no_drill(&self.pair.b);
    }
}

/// The image of a drill, as its connection says it.
fn name(drill: &Value) -> String {
    let name = drill["connection_info"]["data"]["name"].as_str();
    let name = name.unwrap_or_else(|| panic!("{drill}"));
    name.trim_start_matches("volumes/").to_owned()
}

/// What a guest reads that knows no more than the connection.
fn read(ceph: &Ceph, drill: &Value) -> Vec<u8> {
    let info = &drill["connection_info"];
    assert_eq!(info["driver_volume_type"], "rbd", "{info}");
    let data = |key: &str| info["data"][key].clone();
    let text = |value: Value| value.as_str().unwrap().to_owned();
    let monitor = format!(
        "{}:{}",
        text(data("hosts")[0].clone()),
        text(data("ports")[0].clone())
    );
    let file = ceph.dir().join("drill");
    let _ = fs::remove_file(&file);
    let (user, name) = (text(data("auth_username")), text(data("name")));
    let to = file.display().to_string();
    let args = ["-m", &monitor, "--id", &user, "export", &name, &to];
    let _ = ceph.rbd(&args).ok();
    let mut bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    bytes.truncate(2 << 20);
    bytes
}

/// Nothing of any drill is left at a cluster.
fn no_drill(ceph: &Ceph) {
    until("nothing of the drill is left", 60, || {
        let listed = ceph.rbd(&["ls", "volumes"]).ok().stdout;
        let trash = ceph.rbd(&["trash", "ls", "--all", "volumes"]).ok().stdout;
        !listed.contains("firebrick-") && trash.is_empty()
    });
}

/// No snapshot that somebody took is left of an image, nor one that a clone needs.
fn no_snapshots(ceph: &Ceph, image: &str) {
    let image = format!("volumes/{image}");
    until("no snapshot is left", 60, || {
        let listed = ceph.rbd(&["snap", "ls", "--all", "--format", "json", &image]);
        let listed: Value = serde_json::from_str(&listed.ok().stdout).unwrap();
        let all = listed.as_array().unwrap();
        all.iter().all(|snap| snap["namespace"]["type"] == "mirror")
    });
}

/// A volume whose first two MiB are written at site-a.
fn given(story: &Story<'_>) -> (String, String) {
    let (volume, image) = story.replicated();
    follows(&story.pair.b, &image);
    story.pair.a.write(&image, 0xd1, 2);
    (volume, image)
}

fn unchanged(pair: &CephPair, image: &str, byte: u8) {
    for site in [&pair.a, &pair.b] {
        assert!(all_are(&site.read(image, 2), byte));
    }
    assert!(is_primary(&pair.a, image) && !is_primary(&pair.b, image));
}

fn by_journal(pair: &CephPair) {
    let story = Story::begin(pair, PURGE);
    let (volume, image) = given(&story);
    let drill = story.drilled(&volume);
    assert!(
        all_are(&read(&pair.b, &drill), 0xd1),
        "all that was written"
    );
    pair.b.write(&name(&drill), 0xd9, 2);
    unchanged(pair, &image, 0xd1);
    story.drill_is_done();
    no_snapshots(&pair.a, &image);

    // Replication goes on, and knows nothing of it.
    pair.a.write(&image, 0xd2, 2);
    until("site-b has it", 60, || {
        all_are(&pair.b.read(&image, 2), 0xd2)
    });
    assert!(all_are(&read(&pair.b, &drill), 0xd9));
    assert!(!has(&pair.a, &name(&drill)));
    let again = story.drilled(&volume);
    assert_eq!(again["began_at"], drill["began_at"], "there is one");
    let at = json!({ "drill": { "at": "2026-01-01T00:00:00Z" } });
    let said = story.act(&volume, &at, 400).to_string();
    assert!(said.contains("site-b has no states"), "{said}");

    story.end_drill(&volume);
    story.act(&volume, &json!({ "end_drill": {} }), 404);
    for site in [&pair.a, &pair.b] {
        no_snapshots(site, &image);
    }
    unchanged(pair, &image, 0xd2);
    // Another one is what is there now, and goes with its volume.
    let drill = story.drilled(&volume);
    assert!(all_are(&read(&pair.b, &drill), 0xd2));
    story.drill_is_done();
    story.remove(&volume);
    no_drill(&pair.b);
}

fn by_snapshots(pair: &CephPair) {
    let mode = format!("firebrick_rbd_mirroring = snapshot\n{PURGE}");
    let story = Story::begin(pair, &mode);
    let (volume, image) = given(&story);
    let drill = story.drilled(&volume);
    // Also what no mirror snapshot had before.
    assert!(all_are(&read(&pair.b, &drill), 0xd1));
    pair.b.write(&name(&drill), 0xd9, 2);
    story.drill_is_done();
    unchanged(pair, &image, 0xd1);
    no_snapshots(&pair.a, &image);
    story.end_drill(&volume);
    no_snapshots(&pair.b, &image);
    follows(&pair.b, &image);

    // Without the primary it is the newest mirror snapshot that has arrived.
    pair.a.write(&image, 0xd2, 2);
    pair.a.stop();
    let drill = story.drilled(&volume);
    assert!(all_are(&read(&pair.b, &drill), 0xd1));
    pair.a.go_on();
    story.drill_is_done();
    story.end_drill(&volume);
    story.remove(&volume);
}

fn alone(pair: &CephPair) {
    let story = Story::begin(pair, PURGE);
    let (volume, image) = given(&story);
    until("site-b has it", 60, || {
        all_are(&pair.b.read(&image, 2), 0xd1)
    });
    pair.a.stop();
    let drill = story.drilled(&volume);
    assert!(all_are(&read(&pair.b, &drill), 0xd1));
    pair.b.write(&name(&drill), 0xd9, 2);
    assert!(all_are(&pair.b.read(&image, 2), 0xd1));
    // There is nothing to be waited for.
    story.drill_is_done();
    story.end_drill(&volume);
    pair.a.go_on();
    unchanged(pair, &image, 0xd1);
    pair.a.write(&image, 0xd2, 2);
    until("replication goes on", 120, || {
        all_are(&pair.b.read(&image, 2), 0xd2)
    });
    for site in [&pair.a, &pair.b] {
        no_snapshots(site, &image);
    }
    story.remove(&volume);
}

#[test]
fn a_drill_changes_nothing_but_itself() {
    CephPair::with(by_journal);
}

#[test]
fn a_drill_of_mirror_snapshots_has_what_was_written_last() {
    CephPair::with(by_snapshots);
}

#[test]
fn a_drill_needs_no_primary() {
    CephPair::with(alone);
}
