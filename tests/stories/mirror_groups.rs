//! Groups are mirrored, switched and copied anew as a whole.

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::Value;

fn status(rbd: &Rbd, group: &str) -> Value {
    rbd.json(&["mirror", "group", "status", group])
}

fn write(rbd: &Rbd, image: &str, byte: u8) {
    let uri = rbd.ok(&["map", image]).trim().to_owned();
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[byte; 8192]).unwrap();
    guest.flush().unwrap();
    // Who watches an image is said with an address.
    let watchers = rbd.json(&["status", image])["watchers"].clone();
    let address = watchers[0]["address"].as_str().unwrap().to_owned();
    let local = address
        .strip_prefix("pid:")
        .map(|pid| pid == std::process::id().to_string());
    assert!(
        local.unwrap_or_else(|| address.starts_with("127.0.0.1:")),
        "{watchers}"
    );
    let printed = rbd.ok(&["status", image]);
    assert!(
        printed.contains(&format!("watcher={address} client.")),
        "{printed}"
    );
    guest.close();
    rbd.ok(&["unmap", image]);
    until("nobody watches it", 10, || {
        rbd.ok(&["status", image]).starts_with("Watchers: none\n")
    });
}

fn first(rbd: &Rbd, image: &str) -> u8 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported");
    rbd.ok(&["export", image, path.to_str().unwrap()]);
    std::fs::read(path).unwrap()[0]
}

#[test]
fn a_group_goes_as_a_whole() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["group", "create", "shop"]);
    for image in ["db", "files"] {
        a.ok(&["create", "--size", "1M", image]);
        a.ok(&["group", "image", "add", "shop", image]);
    }
    let said = a.refused(22, &["mirror", "group", "status", "shop"]);
    assert!(
        said.contains("mirroring not enabled on the group"),
        "{said}"
    );
    a.refused(2, &["mirror", "group", "enable", "none"]);
    assert_eq!(
        a.ok(&["mirror", "group", "enable", "shop"]),
        "Mirroring enabled\n"
    );
    // A second time changes nothing.
    a.ok(&["mirror", "group", "enable", "shop", "journal"]);
    for image in ["db", "files"] {
        write(&a, image, 1);
    }
    a.ok(&["mirror", "wait", "--timeout", "30s"]);
    b.ok(&["mirror", "wait", "--timeout", "30s"]);
    let seen = status(&a, "shop");
    assert_eq!(seen["state"], "up+stopped", "{seen}");
    assert_eq!(seen["description"], "local group is primary");
    assert_eq!(seen["images"][1]["name"], "files");
    assert_eq!(seen["peer_sites"][0]["site_name"], "site-b");
    assert_eq!(seen["lag"]["records"], 0);
    let seen = status(&b, "shop");
    assert_eq!(seen["state"], "up+replaying", "{seen}");
    assert_eq!(seen["safe_to_promote"], false);
    let text = b.ok(&["mirror", "group", "status", "shop"]);
    assert!(text.starts_with("shop:\n  global_id:   "), "{text}");
    assert!(text.contains("\n    db:\n      global_id:"), "{text}");
    assert!(seen["rpo"].is_null(), "{seen}");

    // A target of the group is that of its images, at both sites, but of those that have one of their own.
    let own = ["mirror", "image", "target", "files", "--seconds", "20s"];
    a.ok(&own);
    let of_group = ["mirror", "group", "target", "shop", "--seconds"];
    a.ok(&[&of_group[..], &["10s"]].concat());
    a.ok(&["mirror", "wait", "--timeout", "30s"]);
    for rbd in [&a, &b] {
        let seen = status(rbd, "shop");
        let seconds = |value: &Value| value["rpo"]["target_seconds"].as_f64();
        let images = [&seen["images"][0], &seen["images"][1]].map(seconds);
        assert_eq!(seconds(&seen), Some(10.0), "{seen}");
        assert_eq!(images, [Some(10.0), Some(20.0)], "{seen}");
        assert_eq!(seen["rpo"]["breached"], false);
    }
    a.ok(&[&of_group[..], &["none"]].concat());
    assert!(status(&a, "shop")["rpo"].is_null());
    b.refused(30, &[&of_group[..], &["10s"]].concat());

    b.refused(16, &["mirror", "group", "promote", "shop"]);
    b.refused(22, &["mirror", "group", "demote", "shop"]);
    b.refused(30, &["mirror", "group", "disable", "shop"]);
    a.refused(22, &["mirror", "group", "promote", "shop"]);
    a.refused(22, &["mirror", "group", "resync", "shop"]);
    let said = a.ok(&["mirror", "group", "demote", "shop"]);
    assert_eq!(said, "Group demoted to non-primary\n");
    until("the demotion arrives", 30, || {
        status(&b, "shop")["safe_to_promote"] == true
    });
    let dry = b.json(&["mirror", "group", "promote", "--dry-run", "shop"]);
    assert_eq!(dry.as_array().unwrap().len(), 2, "{dry}");
    let said = b.ok(&["mirror", "group", "promote", "shop"]);
    assert_eq!(said, "Group promoted to primary\n");
    // All of them changed their role in one record.
    let promoted: Vec<Value> = ["db", "files"]
        .iter()
        .map(|image| {
            let printed = b.ok(&["journal", "inspect", "--verbose", "--format", "json", image]);
            let entries = printed
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut promotions = entries.filter(|entry| entry["change"]["promote"].is_object());
            promotions.next_back().unwrap()["commit_tid"].clone()
        })
        .collect();
    assert_eq!(promoted[0], promoted[1]);
    for image in ["db", "files"] {
        write(&b, image, 2);
    }
    b.ok(&["mirror", "wait", "--timeout", "30s"]);
    a.ok(&["mirror", "wait", "--timeout", "30s"]);
    let said = a.ok(&["mirror", "group", "resync", "shop"]);
    assert_eq!(said, "Flagged group for resync from primary\n");
    until("the copies are complete", 60, || {
        let seen = status(&a, "shop");
        let images = seen["images"].as_array().unwrap().clone();
        images.iter().all(|image| image["state"] == "up+replaying")
            && !a.ok(&["ls"]).contains("before-resync")
    });
    assert_eq!((first(&a, "db"), first(&a, "files")), (2, 2));
    assert_eq!(
        b.ok(&["mirror", "group", "disable", "shop"]),
        "Mirroring disabled\n"
    );
    until("the copies are gone", 30, || a.ok(&["ls"]).is_empty());
    b.refused(22, &["mirror", "image", "status", "db"]);
}
