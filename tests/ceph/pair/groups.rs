//! A group moves to the other cluster on its own and comes back, while its backend is frozen and fails over too.

use firebrick_tests::{CephPair, fields, until, until_some};
use serde_json::{Value, json};

use super::{HOST, MIB, Story, all_are, follows, has, image, is_primary};

impl Story<'_> {
    /// Fails the test unless the command is refused with these words.
    fn refused(&self, line: &str, why: &str) {
        let ran = self.clients.cinder(&line.split(' ').collect::<Vec<_>>());
        assert_ne!(ran.status, 0, "{line}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(why), "{line}: {said}");
    }

    /// Waits until nothing of the group changes, and says what its replication is then.
    fn rests(&self) -> String {
        until_some("the group rests", 240, || {
            let status = self.group()["replication_status"].as_str()?.to_owned();
            let changing = ["enabling", "disabling", "failing-over"];
            (!changing.contains(&status.as_str())).then_some(status)
        })
    }

    /// Why something did not take place.
    fn messages(&self) -> String {
        self.line("message-list")
    }

    fn moves(&self, to: &str, status: &str) {
        self.line(&format!(
            "group-failover-replication g --allow-attached-volume --secondary-backend-id {to}"
        ));
        assert_eq!(self.rests(), status, "{}", self.messages());
    }

    /// Its volumes are there, primary, and as the group.
    fn lives_at(&self, volumes: &[String], away: bool, status: &str) {
        for volume in volumes {
            let roles = [&self.pair.a, &self.pair.b].map(|site| is_primary(site, &image(volume)));
            assert_eq!(roles, [!away, away], "{volume}");
            assert_eq!(self.api.volume(volume)["replication_status"], status);
        }
    }

    fn attach(&self, volume: &str) -> String {
        let body = json!({"attachment": {
            "volume_uuid": volume,
            "instance_uuid": "5d3cbd1a-0000-4000-8000-000000000001",
            "connector": {"host": "guest", "ip": "127.0.0.1", "mountpoint": "/dev/vdb"},
        }});
        let made = self.api.post("/attachments", &body).expect(200).body;
        let id = made["attachment"]["id"].as_str().unwrap().to_owned();
        let complete = json!({ "os-complete": null });
        let path = format!("/attachments/{id}/action");
        let _ = self.api.post(&path, &complete).expect(204);
        id
    }

    /// The cluster to which an attachment leads.
    fn leads_to(&self, attachment: &str) -> Value {
        let found = self.api.get(&format!("/attachments/{attachment}"));
        found.expect(200).body["attachment"]["connection_info"]["cluster_name"].clone()
    }
}

/// A group with two volumes that replicate.
fn given(story: &Story<'_>) -> Vec<String> {
    story.line("group-type-create moving");
    let spec = "group_replication_enabled=<is> True";
    story.cinder(&["group-type-key", "moving", "set", spec]);
    story.line("group-create --name g moving replicated");
    until("the group is there", 60, || {
        story.group()["status"] == "available"
    });
    let id = story.group()["id"].as_str().unwrap().to_owned();
    let make = |_| {
        let line = format!("create --group-id {id} --volume-type replicated 1");
        let made = fields(&story.line(&line));
        let volume = made["id"].as_str().unwrap().to_owned();
        story.api.wait_status(&volume, "available");
        volume
    };
    let volumes: Vec<String> = (0..2).map(make).collect();
    story.line("freeze-host node1@ceph");
    story.refused("group-enable-replication g", "frozen");
    story.line("thaw-host node1@ceph");
    story.line("group-enable-replication g");
    assert_eq!(story.rests(), "enabled", "{}", story.messages());
    for volume in &volumes {
        follows(&story.pair.b, &image(volume));
        story.ready(volume);
    }
    volumes
}

fn there_and_back(pair: &CephPair) {
    let mut story = Story::begin(pair, "");
    let (a, b) = (&pair.a, &pair.b);
    let volumes = given(&story);
    let images: Vec<String> = volumes.iter().map(|id| image(id)).collect();
    let (stranger, stranger_image) = story.replicated();
    assert!(
        story
            .line("group-list-replication-targets g")
            .contains("site-b")
    );
    let attachment = story.attach(&volumes[0]);
    assert_eq!(story.leads_to(&attachment), "site-a");
    for image in &images {
        a.write(image, 0xa1, 2);
    }
    let (failover, attached) = ("group-failover-replication g", "--allow-attached-volume");
    // What is attached is looked at before the target.
    for to in ["site-b", "mars"] {
        let line = format!("{failover} --secondary-backend-id {to}");
        story.refused(&line, "allow_attached_volume");
    }
    let nowhere = format!("{failover} {attached} --secondary-backend-id mars");
    story.refused(&nowhere, "mars");
    story.lives_at(&volumes, false, "enabled");

    // Frozen from here on; that stops no failover.
    story.cinder(&["freeze-host", HOST]);
    story.moves("site-b", "failed-over");
    story.lives_at(&volumes, true, "failed-over");
    assert_eq!(story.leads_to(&attachment), "site-b");
    assert!(is_primary(a, &stranger_image));
    assert_eq!(story.api.volume(&stranger)["replication_status"], "enabled");
    assert_eq!(story.api.volume_service()["replication_status"], "enabled");
    for image in &images {
        assert!(all_are(&b.read(image, 2), 0xa1), "site-b lacks something");
        b.write(image, 0xb2, 1);
    }

    // The control plane dies on the way back.
    story.line(
        "group-failover-replication g --allow-attached-volume --secondary-backend-id default",
    );
    story.deployment.kill_serve();
    story.deployment.start_serve();
    assert_eq!(story.rests(), "enabled", "{}", story.messages());
    story.lives_at(&volumes, false, "enabled");
    assert_eq!(story.leads_to(&attachment), "site-a");
    for image in &images {
        let back = a.read(image, 2);
        assert!(all_are(&back[..MIB], 0xb2) && all_are(&back[MIB..], 0xa1));
    }

    // Where its backend arrives, it is with it again.
    story.moves("site-b", "failed-over");
    story.fail_over(&["--backend_id", "site-b"], "failed-over");
    assert!(is_primary(b, &stranger_image));
    story.fail_over(&["--backend_id", "default"], "enabled");
    assert_eq!(story.rests(), "enabled");
    story.lives_at(&volumes, false, "enabled");
    assert!(is_primary(a, &stranger_image));
    story.refused(&format!("delete {stranger}"), "frozen");
    assert!(story.api.volume_service()["disabled_reason"] == "frozen");
    story.cinder(&["thaw-host", HOST]);

    ends(&story, &volumes, &attachment);
    story.remove(&stranger);
}

/// Without replication the other cluster keeps nothing.
fn ends(story: &Story<'_>, volumes: &[String], attachment: &str) {
    story.line("group-disable-replication g");
    assert_eq!(story.rests(), "disabled", "{}", story.messages());
    for volume in volumes {
        until("its copy is gone", 120, || {
            !has(&story.pair.b, &image(volume))
        });
        assert!(has(&story.pair.a, &image(volume)));
    }
    story.api.detach(attachment);
    story.line("group-delete --delete-volumes g");
    for volume in volumes {
        story.gone(volume);
    }
}

#[test]
fn a_group_goes_to_the_other_cluster_and_comes_back() {
    CephPair::with(there_and_back);
}
