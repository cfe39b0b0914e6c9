//! Volumes that are deleted, or replicated no more, while one of the clusters cannot know: nothing of them stays
//! behind.

use firebrick_tests::{Ceph, CephPair, until};
use serde_json::{Value, json};

use super::{Story, all_are, follows, has, is_primary};

/// Right after a failover the former primary does not know yet whom it follows.
fn right_after(pair: &CephPair) {
    let mut story = Story::begin(pair, "");
    let (a, b) = (&pair.a, &pair.b);
    let (volume, image) = story.replicated();
    let printed = story.cinder(&["snapshot-create", "--name", "then", &volume]);
    assert!(printed.contains("creating"), "{printed}");
    story.ready(&volume);
    a.write(&image, 0xa1, 1);
    a.stop_mirror();
    story.fail_over(&[], "failed-over");
    assert!(is_primary(b, &image));
    story.cinder(&["delete", "--cascade", &volume]);
    until("the volume is gone", 120, || {
        story.api.volume(&volume).is_null()
    });
    assert!(!has(b, &image));
    assert!(has(a, &image), "it could not have heard of that");
    // Who remembers it dies as well.
    story.deployment.kill_serve();
    a.go_on_mirror();
    story.deployment.start_serve();
    story.nothing_left(&volume);
    story.fail_over(&["--backend_id", "default"], "enabled");
}

/// A former primary that comes back from the dead has all of it, and thinks that it is primary.
fn while_lost(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (a, b) = (&pair.a, &pair.b);
    let (volume, image) = story.replicated();
    let (kept, kept_image) = story.replicated();
    for image in [&image, &kept_image] {
        follows(b, image);
        a.write(image, 0xa1, 1);
        until("site-b has it", 60, || all_are(&b.read(image, 1), 0xa1));
    }
    a.stop();
    let report = story.fail_over(&["--backend_id", "site-b"], "failed-over");
    assert_eq!(report["mode"], "forced", "{report}");
    story.cinder(&["delete", &volume]);
    until("the volume is gone", 120, || {
        story.api.volume(&volume).is_null()
    });
    a.go_on();
    story.nothing_left(&volume);
    // Only that one.
    assert!(has(a, &kept_image) && has(b, &kept_image));
    let shown = story.api.volume(&kept);
    assert_eq!(shown["replication_status"], json!("failed-over"));
    story.fail_over(&["--backend_id", "default"], "enabled");
    assert!(is_primary(a, &kept_image) && all_are(&a.read(&kept_image, 1), 0xa1));
    assert!(!has(a, &image) && !has(b, &image));
    story.remove(&kept);
}

impl Story<'_> {
    /// Turns the replication of a volume on or off.
    fn turns(&self, volume: &str, what: &str, status: &str) {
        let path = format!("/replications/{volume}@site-b/action");
        let _ = self.api.post(&path, &json!({ what: {} })).expect(202);
        until(&format!("{volume} is {status}"), 180, || {
            self.api.volume(volume)["replication_status"] == status
        });
    }
}

/// By what the clusters that mirror it know an image.
fn global_id(site: &Ceph, image: &str) -> Value {
    let info = site.rbd(&["info", "--format", "json", &format!("volumes/{image}")]);
    let info: Value = serde_json::from_str(&info.stdout).unwrap_or_default();
    info["mirroring"]["global_id"].clone()
}

/// Volumes that stay, and are replicated no more, or anew, by the time that the other cluster is back.
fn that_stay(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (a, b) = (&pair.a, &pair.b);
    let (ended, ended_image) = story.replicated();
    let (anew, anew_image) = story.replicated();
    for image in [&ended_image, &anew_image] {
        follows(b, image);
        a.write(image, 0xa1, 1);
        until("site-b has it", 60, || all_are(&b.read(image, 1), 0xa1));
    }
    b.stop();
    for volume in [&ended, &anew] {
        story.turns(volume, "disable", "disabled");
    }
    story.turns(&anew, "enable", "enabled");
    a.write(&anew_image, 0xa2, 1);
    b.go_on();
    until("the copy is gone", 240, || !has(b, &ended_image));
    assert!(has(a, &ended_image) && all_are(&a.read(&ended_image, 1), 0xa1));
    let now = global_id(a, &anew_image);
    assert!(now.is_string(), "{now}");
    until("there is a new copy", 240, || {
        global_id(b, &anew_image) == now
    });
    follows(b, &anew_image);
    until("site-b has it", 60, || {
        all_are(&b.read(&anew_image, 1), 0xa2)
    });
    for volume in [&ended, &anew] {
        story.remove(volume);
    }
}

/// A volume that is replicated anew, and whoever removed its former copy died when he had ended the mirroring of that.
fn by_half(pair: &CephPair) {
    let mut story = Story::begin(pair, "");
    let (a, b) = (&pair.a, &pair.b);
    let (volume, image) = story.replicated();
    follows(b, &image);
    a.write(&image, 0xa1, 1);
    until("site-b has it", 60, || all_are(&b.read(&image, 1), 0xa1));
    b.kill_mirror();
    b.stop();
    story.turns(&volume, "disable", "disabled");
    story.turns(&volume, "enable", "enabled");
    a.write(&image, 0xa2, 1);
    story.deployment.kill_serve();
    b.go_on();
    let disable = ["mirror", "image", "disable", "--force"];
    let name = format!("volumes/{image}");
    let _ = b.rbd(&[&disable[..], &[&name]].concat()).ok();
    b.start_mirror();
    story.deployment.start_serve();
    let now = global_id(a, &image);
    until("there is a new copy", 240, || global_id(b, &image) == now);
    follows(b, &image);
    until("site-b has it", 60, || all_are(&b.read(&image, 1), 0xa2));
    story.remove(&volume);
}

#[test]
fn a_copy_that_is_removed_by_half_makes_room_for_the_next() {
    CephPair::with(by_half);
}

#[test]
fn a_volume_that_stays_leaves_no_copy_at_a_lost_cluster() {
    CephPair::with(that_stay);
}

#[test]
fn a_volume_deleted_right_after_a_failover_leaves_nothing() {
    CephPair::with(right_after);
}

#[test]
fn a_volume_deleted_while_a_cluster_is_lost_leaves_nothing() {
    CephPair::with(while_lost);
}
