//! A cluster that does not answer is left by force, and comes back with one command.

use firebrick_tests::{CephPair, until};
use serde_json::json;

use super::{MIB, Story, all_are, follows, is_primary, of};

fn lost_and_found(pair: &CephPair) {
    let story = Story::begin(pair, "");
    let (a, b) = (&story.pair.a, &story.pair.b);
    let (volume, image) = story.replicated();
    follows(b, &image);
    a.write(&image, 0xa1, 2);
    until("site-b has it", 60, || all_are(&b.read(&image, 2), 0xa1));

    a.stop();
    let foretold = story.check("site-b");
    assert_eq!(
        (&foretold["mode"], &foretold["refused"]),
        (&json!("forced"), &json!(null))
    );
    let report = story.fail_over(&["--backend_id", "site-b"], "failed-over");
    assert_eq!(report["mode"], "forced", "{report}");
    assert_eq!(of(&report, &volume)["outcome"], "moved", "{report}");
    assert!(is_primary(b, &image));
    b.write(&image, 0xb2, 1);
    assert_eq!(story.api.volume(&volume)["status"], "available");
    let refused = story.check("default");
    assert_ne!(refused["refused"], json!(null), "{refused}");

    a.go_on();
    // What it had and nobody read is given up with the rest of it.
    a.write(&image, 0xee, 1);
    let report = story.fail_over(&["--backend_id", "default"], "enabled");
    assert_eq!(
        (&report["mode"], &of(&report, &volume)["outcome"]),
        (&json!("planned"), &json!("moved"))
    );
    assert!(is_primary(a, &image) && !is_primary(b, &image));
    let back = a.read(&image, 2);
    assert!(all_are(&back[..MIB], 0xb2) && all_are(&back[MIB..], 0xa1));
    follows(b, &image);
    story.remove(&volume);
}

#[test]
fn a_cluster_that_is_lost_comes_back_with_one_command() {
    CephPair::with(lost_and_found);
}
