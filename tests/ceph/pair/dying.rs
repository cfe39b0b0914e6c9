//! A cluster dies in the middle of a planned failover. Whichever it is and whenever, the operator finds the backend at
//! one of the two sites, all of it, and the next command works.

use firebrick_tests::{CephPair, until};
use serde_json::json;

use super::{MIB, Story, all_are, follows, is_primary, of};

/// A volume whose first two MiB are at both, and whose copy could take over.
fn given(story: &Story<'_>) -> (String, String) {
    let (volume, image) = story.replicated();
    let (a, b) = (&story.pair.a, &story.pair.b);
    follows(b, &image);
    a.write(&image, 0xa1, 2);
    until("site-b has it", 60, || all_are(&b.read(&image, 2), 0xa1));
    story.ready(&volume);
    (volume, image)
}

/// The failover has begun, and cannot go on: site-a has given way, and site-b reads nothing of that.
fn demoted(story: &Story<'_>, image: &str) {
    story.pair.b.stop_mirror();
    story.ask_failover(&["--backend_id", "site-b"]);
    until("site-a gives way", 60, || !is_primary(&story.pair.a, image));
    assert!(!is_primary(&story.pair.b, image));
}

/// Home again, by the one command, with what was written meanwhile.
fn back_home(story: &Story<'_>, (volume, image): (&str, &str)) {
    let (a, b) = (&story.pair.a, &story.pair.b);
    b.write(image, 0xb2, 1);
    let report = story.fail_over(&["--backend_id", "default"], "enabled");
    assert_eq!(
        (&report["mode"], &of(&report, volume)["outcome"]),
        (&json!("planned"), &json!("moved"))
    );
    assert!(is_primary(a, image) && !is_primary(b, image));
    let back = a.read(image, 2);
    assert!(all_are(&back[..MIB], 0xb2) && all_are(&back[MIB..], 0xa1));
    follows(b, image);
}

/// The one that is left dies once it has given way, before the other one has read that: the rest goes without it.
fn primary_dies(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (volume, image) = given(&story);
    let (a, b) = (&pair.a, &pair.b);
    demoted(&story, &image);
    a.kill_osd();
    b.go_on_mirror();
    let report = story.switched("failed-over");
    assert_eq!(report["mode"], "forced", "{report}");
    assert_eq!(of(&report, &volume)["outcome"], "moved", "{report}");
    assert_eq!(story.api.volume(&volume)["status"], "available");
    assert!(is_primary(b, &image));
    assert!(all_are(&b.read(&image, 2), 0xa1), "site-b lacks something");
    assert_ne!(story.check("default")["refused"], json!(null));

    a.start_osd();
    back_home(&story, (&volume, &image));
    story.remove(&volume);
}

/// The one to go to dies: the one that has given way takes it back, and the message says why.
fn target_dies(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (volume, image) = given(&story);
    let (a, b) = (&pair.a, &pair.b);
    demoted(&story, &image);
    b.kill_osd();
    b.go_on_mirror();
    let report = story.switched("enabled");
    assert_eq!(report, json!(null), "nothing has moved");
    let error = story.last_failover()["error"].to_string();
    assert!(error.contains("site-b"), "{error}");
    assert!(is_primary(a, &image));
    a.write(&image, 0xa3, 1);
    let shown = story.api.volume(&volume);
    assert_eq!(
        (&shown["status"], &shown["replication_status"]),
        (&json!("available"), &json!("enabled"))
    );

    b.start_osd();
    follows(b, &image);
    let report = story.fail_over(&[], "failed-over");
    assert_eq!(report["mode"], "planned", "{report}");
    assert!(is_primary(b, &image) && !is_primary(a, &image));
    let there = b.read(&image, 2);
    assert!(all_are(&there[..MIB], 0xa3) && all_are(&there[MIB..], 0xa1));
    back_home(&story, (&volume, &image));
    story.remove(&volume);
}

/// All of the cluster that is left hangs while the other one is waited for, so nobody has given way.
fn primary_hangs(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (a, b) = (&pair.a, &pair.b);
    // Without it no copy can take over.
    a.stop_mirror();
    let (volume, image) = story.replicated();
    follows(b, &image);
    a.write(&image, 0xa1, 2);
    until("site-b has it", 60, || all_are(&b.read(&image, 2), 0xa1));
    story.ask_failover(&["--backend_id", "site-b"]);
    until("it waits for site-b", 60, || {
        story.running_failover()["phase"] == "handing over"
    });
    assert!(is_primary(a, &image));
    a.stop();
    let report = story.switched("failed-over");
    assert_eq!(report["mode"], "forced", "{report}");
    assert_eq!(of(&report, &volume)["outcome"], "moved", "{report}");
    assert!(is_primary(b, &image));
    assert!(all_are(&b.read(&image, 2), 0xa1), "site-b lacks something");
    a.go_on();
    back_home(&story, (&volume, &image));
    story.remove(&volume);
}

#[test]
fn a_primary_that_dies_when_it_has_given_way_is_left_by_force() {
    CephPair::with(primary_dies);
}

#[test]
fn a_primary_takes_back_what_a_target_that_dies_cannot_take() {
    CephPair::with(target_dies);
}

#[test]
fn a_primary_that_hangs_in_the_middle_is_left_by_force() {
    CephPair::with(primary_hangs);
}
