//! Images in snapshot mode at two real sites: what is listed, promoted by force, and kept.

use firebrick_tests::{Dev, Guest, Rbd, until};
use serde_json::{Value, json};

fn status(rbd: &Rbd, image: &str) -> Value {
    rbd.json(&["mirror", "image", "status", image])
}

fn synced(rbd: &Rbd) {
    rbd.ok(&["mirror", "wait", "--timeout", "30s"]);
}

fn write(rbd: &Rbd, image: &str, byte: u8) {
    let uri = rbd.ok(&["map", image]).trim().to_owned();
    let mut guest = Guest::open(&uri).unwrap();
    guest.write(0, &[byte; 8192]).unwrap();
    guest.flush().unwrap();
    guest.close();
    rbd.ok(&["unmap", image]);
}

fn first(rbd: &Rbd, spec: &str) -> u8 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported");
    rbd.ok(&["export", spec, path.to_str().unwrap()]);
    std::fs::read(path).unwrap()[0]
}

/// All snapshots of an image.
fn taken(rbd: &Rbd, image: &str) -> Vec<Value> {
    let all = rbd.json(&["snap", "ls", "--all", image]);
    all.as_array().unwrap().clone()
}

/// The shape of a text, as the `rbd` tool prints it: ids and times are taken out.
fn shape(text: &str) -> String {
    let id = |word: &str| {
        let parts: Vec<usize> = word.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12]
    };
    let mut words = Vec::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let (bare, end) = match word.char_indices().next_back() {
            Some((at, c)) if !c.is_ascii_alphanumeric() && c != '-' => word.split_at(at),
            _ => (word, ""),
        };
        words.push(if id(bare) { "ID" } else { bare });
        words.push(end);
    }
    words.concat()
}

#[test]
fn an_image_in_snapshot_mode_is_promoted_at_its_newest_mirror_snapshot() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["create", "disk", "--size", "16"]);
    a.refused(22, &["mirror", "image", "snapshot", "disk"]);
    let enabled = a.ok(&["mirror", "image", "enable", "disk", "snapshot"]);
    assert_eq!(enabled, "Mirroring enabled\n");
    let info = a.ok(&["info", "disk"]);
    assert!(info.contains("\tmirroring mode: snapshot\n"), "{info}");
    assert!(!info.contains("journal"), "{info}");
    write(&a, "disk", 1);
    let said = a.ok(&["mirror", "image", "snapshot", "disk"]);
    let id = said.strip_prefix("Snapshot ID: ").unwrap().trim();
    synced(&a);
    synced(&b);
    what_is_listed(&a, &b, id.parse().unwrap());

    // Another write arrives, and no snapshot behind it.
    write(&a, "disk", 2);
    synced(&a);
    assert_eq!(first(&b, "disk"), 2);
    let seen = status(&b, "disk");
    assert!(seen["lag"]["seconds"].as_f64() > Some(0.0), "{seen}");
    b.ok(&["mirror", "image", "drill", "disk"]);
    b.ok(&["mirror", "image", "drill", "disk", "--cleanup"]);
    dev.kill_site("site-a");
    until("the site notices", 30, || {
        status(&b, "disk")["state"] == "up+starting_replay"
    });
    b.ok(&["mirror", "image", "promote", "disk", "--force"]);
    assert_eq!(first(&b, "disk"), 1);
    write(&b, "disk", 3);
    b.ok(&["mirror", "image", "snapshot", "disk"]);
    dev.start_site("site-a");
    until("the first site follows", 60, || {
        let seen = status(&a, "disk");
        seen["role"] == "secondary" && seen["state"] == "up+replaying"
    });
    synced(&b);
    assert_eq!((first(&a, "disk"), first(&b, "disk")), (3, 3));
    // What was there behind the snapshot is kept at both, and nowhere else.
    let beyond = |rbd: &Rbd| {
        let names = taken(rbd, "disk").into_iter();
        let mut names = names.map(|taken| taken["name"].as_str().unwrap().to_owned());
        names.find(|name| name.starts_with(".mirror.beyond."))
    };
    let name = beyond(&b).unwrap();
    assert_eq!(beyond(&a).as_ref(), Some(&name));
    for rbd in [&a, &b] {
        assert_eq!(first(rbd, &format!("disk@{name}")), 2);
    }
    let said = b.ok(&["mirror", "explain", "disk"]);
    assert!(said.contains("beyond: "), "{said}");
    b.ok(&["snap", "rm", &format!("disk@{name}")]);
    b.ok(&["rm", "disk"]);
}

/// The words of the `rbd` tool, for people and for programs.
fn what_is_listed(a: &Rbd, b: &Rbd, newest: u64) {
    let listed = taken(a, "disk");
    assert_eq!(listed.len(), 2);
    let last = &listed[1];
    assert_eq!(last["id"], newest);
    assert_eq!(last["namespace"]["type"], "mirror");
    assert_eq!(last["namespace"]["state"], "primary");
    assert_eq!(last["namespace"]["complete"], true);
    assert_eq!(listed[0]["namespace"]["mirror_peer_uuids"], json!([]));
    let peers = last["namespace"]["mirror_peer_uuids"].as_array().unwrap();
    assert_eq!(peers.len(), 1);
    assert_eq!(a.ok(&["snap", "ls", "disk"]), "");
    let there = taken(b, "disk");
    assert_eq!(there[1]["id"], newest);
    assert_eq!(there[1]["namespace"]["state"], "non-primary");
    assert_eq!(there[1]["namespace"]["primary_snap_id"], newest);
    let here = shape(&a.ok(&["snap", "ls", "--all", "disk"]));
    assert!(here.contains(" .mirror.primary.ID.ID "), "{here}");
    assert!(
        here.contains("  mirror (primary peer_uuids:[ID])"),
        "{here}"
    );
    let there = shape(&b.ok(&["snap", "ls", "--all", "disk"]));
    let expected = format!("  mirror (non-primary peer_uuids:[] ID:{newest} copied)");
    assert!(there.contains(&expected), "{there}");
    let seen = status(a, "disk");
    assert_eq!(seen["snapshots"][1]["id"], newest);
    assert_eq!(seen["snapshots"][1]["demoted"], false);
    assert_eq!(seen["mirroring_mode"], "snapshot");
    let text = shape(&a.ok(&["mirror", "image", "status", "disk"]));
    let expected = format!("    {newest} .mirror.primary.ID.ID (peer_uuids:[ID])");
    assert!(text.contains(&expected), "{text}");
    let name = last["name"].as_str().unwrap();
    a.refused(2, &["snap", "rm", &format!("disk@{name}")]);
    a.refused(22, &["snap", "create", "disk@.mirror.primary.mine"]);
    b.refused(30, &["mirror", "image", "snapshot", "disk"]);
}

#[test]
fn a_group_in_snapshot_mode_returns_as_a_whole() {
    let dev = Dev::start();
    let (a, b) = (dev.rbd("site-a"), dev.rbd("site-b"));
    a.ok(&["group", "create", "shop"]);
    for image in ["db", "files"] {
        a.ok(&["create", "--size", "1M", image]);
        a.ok(&["group", "image", "add", "shop", image]);
    }
    a.ok(&["mirror", "group", "enable", "shop", "snapshot"]);
    let said = a.refused(22, &["mirror", "image", "snapshot", "db"]);
    assert!(said.contains("take one of the group"), "{said}");
    for image in ["db", "files"] {
        write(&a, image, 1);
    }
    let said = a.ok(&["mirror", "group", "snapshot", "shop"]);
    assert!(said.starts_with("Snapshot ID: "), "{said}");
    assert!(a.ok(&["group", "snap", "ls", "shop"]).is_empty());
    // One that comes later has a position with the others from its first moment on.
    a.ok(&["create", "--size", "1M", "late"]);
    a.ok(&["group", "image", "add", "shop", "late"]);
    let points: Vec<String> = ["db", "files", "late"]
        .iter()
        .map(|image| {
            let newest = taken(&a, image).pop().unwrap();
            let name = newest["name"].as_str().unwrap().to_owned();
            name.rsplit_once('.').unwrap().1.to_owned()
        })
        .collect();
    assert!(points.iter().all(|point| *point == points[0]), "{points:?}");
    write(&a, "files", 2);
    synced(&a);
    synced(&b);
    dev.kill_site("site-a");
    until("the site notices", 30, || {
        status(&b, "db")["state"] == "up+starting_replay"
    });
    let dry = b.json(&["mirror", "group", "promote", "--force", "--dry-run", "shop"]);
    assert_eq!(dry[1]["promotable"], true, "{dry}");
    b.ok(&["mirror", "group", "promote", "--force", "shop"]);
    assert_eq!((first(&b, "db"), first(&b, "files")), (1, 1));
    let seen = b.json(&["mirror", "group", "status", "shop"]);
    assert_eq!(seen["mirroring_mode"], "snapshot", "{seen}");
    dev.start_site("site-a");
    until("the first site follows", 60, || {
        let seen = a.json(&["mirror", "group", "status", "shop"]);
        seen["state"] == "up+replaying"
    });
    synced(&b);
    assert_eq!((first(&a, "db"), first(&a, "files")), (1, 1));
}

fn schedule<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["mirror", "snapshot", "schedule"], rest].concat()
}

/// What is listed is, byte for byte, what the `rbd` tool of Ceph 16.2 printed.
#[test]
fn schedules_are_kept_and_run() {
    let dev = Dev::start();
    let a = dev.rbd("site-a");
    a.ok(&["create", "snapvol", "--size", "16"]);

    let image = ["--pool", "volumes", "--image", "snapvol"];
    let add = |interval: &'static str| schedule(&[&["add"], &image[..], &[interval]].concat());
    let said = a.refused(22, &add("1m"));
    assert!(said.contains("is not in snapshot mirror mode"), "{said}");
    a.ok(&["mirror", "image", "enable", "snapvol", "snapshot"]);
    let said = a.refused(22, &add("1s"));
    assert!(said.contains("Invalid interval (1s)"), "{said}");
    let heading = "SCHEDULE TIME  IMAGE\n";
    assert_eq!(a.ok(&schedule(&["status"])), heading);
    assert_eq!(a.json(&schedule(&["status"])), json!([]));
    a.refused(2, &schedule(&["ls", "--pool", "volumes"]));
    assert_eq!(a.ok(&add("1m")), "");
    let listed = "POOL     NAMESPACE  IMAGE    SCHEDULE\n\
                  volumes             snapvol  every 1m\n";
    let recursive = schedule(&["ls", "--pool", "volumes", "--recursive"]);
    assert_eq!(a.ok(&recursive), listed);
    let item = json!([{"interval": "1m", "start_time": ""}]);
    let whole = json!([{"pool": "volumes", "namespace": "", "image": "snapvol", "items": item}]);
    assert_eq!(a.json(&recursive), whole);
    assert_eq!(
        a.ok(&schedule(&[&["ls"], &image[..]].concat())),
        "every 1m\n"
    );
    let next = a.json(&schedule(&["status"]));
    assert_eq!(next[0]["image"], "volumes/snapvol", "{next}");
    let first = taken(&a, "snapvol").len();
    until("one is taken by itself", 90, || {
        taken(&a, "snapvol").len() > first
    });
    dev.kill_site("site-a");
    dev.start_site("site-a");
    until("the site answers", 30, || a.run(&recursive).status == 0);
    assert_eq!(a.ok(&recursive), listed);
    a.ok(&schedule(&["add", "1d", "14:00:00-05:00"]));
    let all = a.ok(&schedule(&["ls", "-R"]));
    assert!(
        all.starts_with("POOL     NAMESPACE  IMAGE    SCHEDULE"),
        "{all}"
    );
    assert!(
        all.contains("-        -          -        every 1d starting at 14:00:00-05:00"),
        "{all}"
    );
    a.ok(&schedule(&[&["remove"], &image[..], &["1m"]].concat()));
    a.refused(2, &schedule(&[&["ls"], &image[..]].concat()));
}
