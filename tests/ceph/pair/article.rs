//! The scenario of the README on Ceph: a type, a volume, `failover-host` and back again, as planned.

use firebrick_tests::CephPair;
use serde_json::json;

use super::{HOST, MIB, Story, all_are, follows, is_primary, of};

/// There, back, and there again, each at once: nobody waits for rbd-mirror in between.
fn there_and_back(pair: &CephPair, more: &str) {
    let story = Story::begin(pair, more);
    let (a, b) = (&story.pair.a, &story.pair.b);
    let (volume, image) = story.replicated();
    a.write(&image, 0xa1, 2);
    let foretold = story.check("site-b");
    assert_eq!(
        (&foretold["mode"], &foretold["refused"]),
        (&json!("planned"), &json!(null))
    );
    story.cinder(&["freeze-host", HOST]);

    // What site-b lacks arrives before it is promoted.
    let report = story.fail_over(&[], "failed-over");
    assert_eq!(report["mode"], "planned", "{report}");
    let told = of(&report, &volume);
    assert_eq!(
        (&told["outcome"], &told["seconds_lost"]),
        (&json!("moved"), &json!(0.0))
    );
    assert_eq!(
        story.api.volume(&volume)["replication_status"],
        "failed-over"
    );
    let services = story.cinder(&["service-list", "--withreplication"]);
    let line = services.lines().find(|line| line.contains(HOST)).unwrap();
    let says = |words: &[&str]| words.iter().all(|word| line.contains(word));
    assert!(says(&["failed-over", "site-b", "True"]), "{services}");
    assert!(is_primary(b, &image) && !is_primary(a, &image));
    assert!(all_are(&b.read(&image, 2), 0xa1), "site-b lacks something");

    b.write(&image, 0xb2, 1);
    let report = story.fail_over(&["--backend_id", "default"], "enabled");
    assert_eq!(of(&report, &volume)["outcome"], "moved", "{report}");
    assert!(is_primary(a, &image) && !is_primary(b, &image));
    let back = a.read(&image, 2);
    assert!(all_are(&back[..MIB], 0xb2) && all_are(&back[MIB..], 0xa1));

    // Frozen is frozen, at both sites.
    assert_ne!(story.clients.cinder(&["delete", &volume]).status, 0);
    story.cinder(&["thaw-host", HOST]);
    let service = story.api.volume_service();
    assert_eq!(service["status"], json!("enabled"), "{service}");

    // No older demotion is taken for the newest.
    a.write(&image, 0xa3, 1);
    story.fail_over(&[], "failed-over");
    assert!(is_primary(b, &image) && !is_primary(a, &image));
    let there = b.read(&image, 2);
    assert!(all_are(&there[..MIB], 0xa3) && all_are(&there[MIB..], 0xa1));
    follows(a, &image);
    story.remove(&volume);
}

#[test]
fn the_article_works_on_two_clusters() {
    CephPair::with(|pair| there_and_back(pair, ""));
}

#[test]
fn the_article_works_with_mirror_snapshots() {
    CephPair::with(|pair| there_and_back(pair, "firebrick_rbd_mirroring = snapshot\n"));
}
