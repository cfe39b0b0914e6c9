//! A failover is tried at the secondary while mirroring goes on.

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::{Value, json};

fn write(rbd: &Rbd, image: &str, byte: u8) {
    let uri = rbd.ok(&["map", image]).trim().to_owned();
    put(&uri, byte);
    rbd.ok(&["unmap", image]);
}

fn put(uri: &str, byte: u8) {
    let mut guest = Guest::open(uri).unwrap();
    guest.write(0, &[byte; 8192]).unwrap();
    guest.flush().unwrap();
    guest.close();
}

fn first(uri: &str) -> u8 {
    let mut guest = Guest::open(uri).unwrap();
    let read = guest.read(0, 4096).unwrap();
    guest.close();
    read[0]
}

fn synced(a: &Rbd, b: &Rbd) {
    a.ok(&["mirror", "wait", "--timeout", "30s"]);
    b.ok(&["mirror", "wait", "--timeout", "30s"]);
}

fn state(rbd: &Rbd, image: &str) -> Value {
    let status = rbd.json(&["mirror", "image", "status", image]);
    json!([
        status["state"],
        status["role"],
        status["epoch"],
        status["global_id"]
    ])
}

#[test]
fn a_drill_changes_nothing_but_itself() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "--size", "1M", "disk"]);
    a.ok(&["mirror", "image", "enable", "disk"]);
    write(&a, "disk", 1);
    synced(&a, &b);
    let before = state(&b, "disk");
    let said = a.refused(22, &["mirror", "image", "drill", "disk"]);
    assert!(said.contains("disk is primary here"), "{said}");
    b.refused(2, &["mirror", "image", "drill", "none"]);
    b.refused(2, &["mirror", "image", "drill", "disk", "--cleanup"]);
    let uri = b
        .ok(&["mirror", "image", "drill", "disk"])
        .trim()
        .to_owned();
    assert_eq!(first(&uri), 1);
    put(&uri, 9);
    // Mirroring goes on, and knows nothing of it.
    write(&a, "disk", 2);
    synced(&a, &b);
    assert_eq!(first(&uri), 9);
    assert_eq!(state(&b, "disk"), before);
    for rbd in [&a, &b] {
        assert_eq!(rbd.ok(&["ls"]), "disk\n");
    }
    assert_eq!(b.json(&["children", "disk"]), json!([]));
    let drills = b.json(&["mirror", "image", "drill", "ls"]);
    assert_eq!(drills[0]["image"], "disk", "{drills}");
    assert_eq!(drills[0]["uri"], uri, "{drills}");
    assert!(drills[0]["position"].is_string(), "{drills}");
    assert_eq!(a.json(&["mirror", "image", "drill", "ls"]), json!([]));
    let listed = b.ok(&["mirror", "image", "drill", "ls"]);
    assert!(listed.starts_with("IMAGE  POSITION"), "{listed}");
    b.refused(17, &["mirror", "image", "drill", "disk"]);
    b.ok(&["mirror", "image", "drill", "rm", "disk"]);
    assert!(Guest::open(&uri).is_err());
    assert_eq!(b.json(&["mirror", "image", "drill", "ls"]), json!([]));
    // What was tried is nowhere: the image is what its primary wrote.
    let uri = b
        .ok(&["mirror", "image", "drill", "disk"])
        .trim()
        .to_owned();
    assert_eq!(first(&uri), 2);

    // It ends with the site, however that ends, and another one can begin.
    put(&uri, 7);
    dev.kill_site("site-b");
    dev.start_site("site-b");
    until("the site is back", 60, || b.run(&["ls"]).status == 0);
    assert_eq!(b.json(&["mirror", "image", "drill", "ls"]), json!([]));
    synced(&a, &b);
    let uri = b
        .ok(&["mirror", "image", "drill", "disk"])
        .trim()
        .to_owned();
    assert_eq!(first(&uri), 2);
    b.ok(&["mirror", "image", "drill", "--cleanup", "disk"]);
}

#[test]
fn a_drill_of_a_group_is_of_one_position() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    for site in ["site-a", "site-b"] {
        dev.configure(site, &["retention = 1h"]);
    }
    a.ok(&["group", "create", "shop"]);
    for image in ["db", "files"] {
        a.ok(&["create", "--size", "1M", image]);
        a.ok(&["group", "image", "add", "shop", image]);
    }
    a.ok(&["mirror", "group", "enable", "shop"]);
    synced(&a, &b);
    // What is retained begins with a checkpoint that knows the images; a site that stops takes one.
    dev.stop_site("site-b");
    dev.start_site("site-b");
    synced(&a, &b);
    for image in ["db", "files"] {
        write(&a, image, 1);
    }
    synced(&a, &b);
    let drills = b.json(&["mirror", "group", "drill", "shop"]);
    assert_eq!(drills[0]["position"], drills[1]["position"], "{drills}");
    assert_eq!(drills[0]["at"], drills[1]["at"], "{drills}");
    for (i, image) in ["db", "files"].iter().enumerate() {
        assert_eq!(drills[i]["image"], *image);
        assert_eq!(first(drills[i]["uri"].as_str().unwrap()), 1);
    }
    let at = drills[0]["at"].to_string();
    b.ok(&["mirror", "group", "drill", "shop", "--cleanup"]);
    b.refused(2, &["mirror", "group", "drill", "shop", "--cleanup"]);
    for image in ["db", "files"] {
        write(&a, image, 2);
    }
    synced(&a, &b);
    // As it was, and as it is.
    let was = b.ok(&["mirror", "group", "drill", "shop", "--at", &at]);
    assert_eq!(was.lines().map(first).collect::<Vec<_>>(), [1, 1]);
    b.ok(&["mirror", "group", "drill", "shop", "--cleanup"]);
    let is = b.ok(&["mirror", "group", "drill", "shop"]);
    assert_eq!(is.lines().map(first).collect::<Vec<_>>(), [2, 2]);
}
