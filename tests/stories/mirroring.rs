//! `firebrick rbd mirror`: two real sites, seen and switched by hand.

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::{Value, json};

/// The image as a site sees it.
fn status(rbd: &Rbd, image: &str) -> Value {
    rbd.json(&["mirror", "image", "status", image])
}

fn synced(rbd: &Rbd) {
    rbd.ok(&["mirror", "wait", "--timeout", "30s"]);
}

#[test]
fn images_are_switched_by_hand_there_and_back() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    for image in ["one", "two"] {
        a.ok(&["create", image, "--size", "16"]);
        let said = a.refused(22, &["mirror", "image", "status", image]);
        assert!(
            said.contains("mirroring not enabled on the image"),
            "{said}"
        );
        let enabled = a.ok(&["mirror", "image", "enable", image]);
        assert_eq!(enabled, "Mirroring enabled\n");
    }
    synced(&a);
    let seen = status(&a, "one");
    assert_eq!(seen["state"], "up+stopped", "{seen}");
    assert_eq!(seen["description"], "local image is primary");
    assert_eq!(seen["peer_sites"][0]["site_name"], "site-b");
    assert_eq!(seen["peer_sites"][0]["state"], "up+replaying", "{seen}");
    assert_eq!(seen["peer_sites"][0]["lag"]["records"], 0, "{seen}");
    synced(&b);
    let seen = status(&b, "volumes/one");
    assert_eq!(seen["state"], "up+replaying", "{seen}");
    assert_eq!(seen["safe_to_promote"], false);
    let pool = a.json(&["mirror", "pool", "status", "volumes", "--verbose"]);
    assert_eq!(pool["summary"]["health"], "OK", "{pool}");
    assert_eq!(pool["summary"]["states"], json!({"replaying": 2}));
    assert_eq!(pool["images"][1]["name"], "two", "{pool}");
    let text = b.ok(&["mirror", "pool", "status"]);
    assert!(
        text.starts_with("health: OK\ndaemon health: OK\n"),
        "{text}"
    );

    // Beside who has it open, `status` says all of that.
    let seen = b.json(&["status", "one"]);
    assert_eq!(seen["watchers"], json!([]));
    assert_eq!(seen["mirroring"]["state"], "up+replaying", "{seen}");
    let text = a.ok(&["status", "one"]);
    assert!(text.starts_with("Watchers: none\nMirroring:\n"), "{text}");
    assert!(
        text.contains("\n  role:        primary, epoch 1\n"),
        "{text}"
    );

    // A secondary takes no change.
    let said = b.refused(30, &["resize", "one", "--size", "32"]);
    assert!(said.contains("Read-only file system"), "{said}");
    b.refused(30, &["snap", "create", "one@never"]);
    b.refused(30, &["rm", "one"]);
    let said = b.refused(16, &["mirror", "image", "promote", "one"]);
    assert!(said.contains("demotion is not propagated yet"), "{said}");
    b.refused(22, &["mirror", "image", "demote", "one"]);
    a.refused(22, &["mirror", "image", "promote", "one"]);
    a.refused(22, &["mirror", "image", "resync", "one"]);

    let demoted = a.ok(&["mirror", "pool", "demote"]);
    assert_eq!(demoted, "Demoted 2 mirrored images\n");
    until("the demotion arrives", 30, || {
        status(&b, "two")["safe_to_promote"] == true
    });
    let dry = b.json(&["mirror", "pool", "promote", "--dry-run"]);
    assert_eq!(dry[0]["data_loss_if_promoted"]["seconds"], 0.0, "{dry}");
    let promoted = b.ok(&["mirror", "pool", "promote"]);
    assert_eq!(promoted, "Promoted 2 mirrored images\n");
    a.refused(30, &["resize", "one", "--size", "32"]);
    b.ok(&["resize", "one", "--size", "32"]);
    synced(&b);
    assert_eq!(a.json(&["info", "one"])["size"], 32 << 20);

    assert_eq!(
        b.ok(&["mirror", "image", "demote", "one"]),
        "Image demoted to non-primary\n"
    );
    until("the demotion arrives", 30, || {
        status(&a, "one")["safe_to_promote"] == true
    });
    assert_eq!(
        a.ok(&["mirror", "image", "promote", "one"]),
        "Image promoted to primary\n"
    );
    assert_eq!(status(&a, "one")["epoch"], 3);
}

#[test]
fn what_a_forced_promotion_loses_is_known_before() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "16"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    synced(&a);
    synced(&b);
    a.ok(&["mirror", "image", "target", "disk", "--seconds", "10m"]);
    dev.kill_site("site-a");
    until("the site notices", 30, || {
        status(&b, "disk")["state"] == "up+starting_replay"
    });
    let seen = status(&b, "disk");
    let loss = &seen["data_loss_if_promoted"];
    assert!(loss["seconds"].as_f64() > Some(0.0), "{seen}");
    let said = b.ok(&["mirror", "explain", "disk"]);
    assert!(
        said.contains("primary_away: site-a does not answer"),
        "{said}"
    );
    b.refused(16, &["mirror", "image", "promote", "disk"]);
    let said = b.refused(
        16,
        &[
            "mirror",
            "image",
            "promote",
            "disk",
            "--force",
            "--accept-loss",
            "1ms",
        ],
    );
    assert!(said.contains("would be lost"), "{said}");
    let force = [
        "mirror",
        "image",
        "promote",
        "disk",
        "--force",
        "--accept-loss",
        "1h",
    ];
    assert_eq!(b.ok(&force), "Image promoted to primary\n");
    dev.start_site("site-a");
    until("the first site follows", 30, || {
        let seen = status(&a, "disk");
        seen["role"] == "secondary" && seen["state"] == "up+replaying"
    });
    synced(&b);
    a.refused(30, &["resize", "disk", "--size", "32"]);
    let resync = a.ok(&["mirror", "image", "resync", "disk"]);
    assert_eq!(resync, "Flagged image for resync from primary\n");
    until("it is whole again", 30, || {
        a.json(&["ls"]) == json!(["disk"]) && status(&a, "disk")["state"] == "up+replaying"
    });
}

/// A site that gave an image away, and has not read of what came of that, takes its own demotion for the last one.
#[test]
fn a_demotion_that_another_site_was_promoted_behind_counts_no_more() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "16"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    synced(&a);
    let info = b.json(&["mirror", "pool", "info"]);
    let uuid = info["peers"][0]["uuid"].as_str().unwrap();
    let bandwidth = |value| b.ok(&["mirror", "pool", "peer", "set", uuid, "bandwidth", value]);
    // Questions are answered, but no record goes from B to A.
    bandwidth("0");
    a.ok(&["mirror", "image", "demote", "disk"]);
    until("the demotion arrives", 30, || {
        status(&b, "disk")["safe_to_promote"] == true
    });
    b.ok(&["mirror", "image", "promote", "disk"]);
    let seen = status(&a, "disk");
    assert_eq!(seen["epoch"], 1, "it has not heard: {seen}");
    for how in [&[][..], &["--dry-run"]] {
        let promote = [&["mirror", "image", "promote", "disk"], how].concat();
        let said = a.refused(16, &promote);
        assert!(said.contains("demotion is not propagated yet"), "{said}");
    }
    assert_eq!(status(&a, "disk")["role"], "secondary");
    b.ok(&["resize", "disk", "--size", "32"]);
    bandwidth("unlimited");
    synced(&b);
    assert_eq!(a.json(&["info", "disk"])["size"], 32 << 20);

    // Who is away keeps nobody from it.
    b.ok(&["mirror", "image", "demote", "disk"]);
    until("the demotion arrives", 30, || {
        status(&a, "disk")["safe_to_promote"] == true
    });
    dev.stop_site("site-b");
    a.ok(&["mirror", "image", "promote", "disk"]);
}

#[test]
fn a_demotion_that_peers_do_not_get_in_time_changes_nothing() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "16"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    synced(&a);
    let info = a.json(&["mirror", "pool", "info"]);
    let uuid = info["peers"][0]["uuid"].as_str().unwrap();
    let bandwidth = |value| a.ok(&["mirror", "pool", "peer", "set", uuid, "bandwidth", value]);
    let demote = ["mirror", "image", "demote", "disk", "--timeout"];
    let within = |time| [&demote[..], &[time]].concat();

    // The peer has everything, but the demotion does not come there.
    bandwidth("0");
    let said = a.refused(110, &within("1s"));
    assert!(said.contains("nothing has changed"), "{said}");
    assert_eq!(status(&a, "disk")["role"], "primary");
    // What is written now keeps the next one from being begun.
    a.ok(&["resize", "disk", "--size", "32"]);
    let epoch = status(&a, "disk")["epoch"].clone();
    let said = a.refused(110, &within("1s"));
    assert!(said.contains("nothing has changed"), "{said}");
    let seen = status(&a, "disk");
    assert_eq!((&seen["role"], &seen["epoch"]), (&json!("primary"), &epoch));

    // Behind one that has arrived, the peer is promoted without another look.
    bandwidth("unlimited");
    for verb in ["image", "pool"] {
        let here = if verb == "image" {
            vec!["disk"]
        } else {
            vec![]
        };
        let (from, to) = if verb == "image" { (&a, &b) } else { (&b, &a) };
        let demote = ["mirror", verb, "demote", "--timeout", "30s"];
        from.ok(&[&demote[..], &here].concat());
        to.ok(&[&["mirror", verb, "promote"][..], &here].concat());
    }
    assert_eq!(a.json(&["info", "disk"])["size"], 32 << 20);
}

#[test]
fn a_forced_promotion_returns_to_a_moment() {
    let dev = Dev::start();
    dev.configure("site-b", &["retention = 1h"]);
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "16"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    let mut guest = Guest::open(a.ok(&["map", "disk"]).trim()).unwrap();
    let mut write = |byte| {
        guest.write(4096, &[byte; 8192]).unwrap();
        guest.flush().unwrap();
        synced(&a);
    };
    write(1);
    let before = b.json(&["window", "disk"])["newest"]["position"].to_string();
    write(2);
    dev.kill_site("site-a");
    let promote = ["mirror", "image", "promote", "disk", "--force", "--at"];
    let said = b.refused(22, &[&promote[..], &["2020-01-01T00:00:00Z"]].concat());
    assert!(said.contains("retention"), "{said}");
    assert_eq!(status(&b, "disk")["role"], "secondary", "nothing changed");
    b.ok(&[&promote[..], &[&before]].concat());
    assert_eq!(status(&b, "disk")["role"], "primary");
    let file = dev.dir().join("disk.raw");
    b.ok(&["export", "disk", file.to_str().unwrap()]);
    let held = std::fs::read(&file).unwrap();
    assert!(held[4096..12288].iter().all(|byte| *byte == 1), "as it was");
}
