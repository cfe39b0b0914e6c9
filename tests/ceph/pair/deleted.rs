//! Volumes that are deleted while one of the clusters cannot know: nothing of them stays behind.

use firebrick_tests::{CephPair, until};
use serde_json::json;

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
    until("site-a answers", 60, || {
        a.rbd(&["ls", "volumes"]).status == 0
    });
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

#[test]
fn a_volume_deleted_right_after_a_failover_leaves_nothing() {
    CephPair::with(right_after);
}

#[test]
fn a_volume_deleted_while_a_cluster_is_lost_leaves_nothing() {
    CephPair::with(while_lost);
}
