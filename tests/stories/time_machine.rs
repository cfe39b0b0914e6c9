//! Images as they were at an earlier moment, by time and by position.

use std::path::Path;
use std::thread;
use std::time::Duration;

use firebrick_tests::{Api, Dev, Rbd, run, tool, until};
use serde_json::{Value, json};

/// Runs steps of `qemu-io`; reads check what is read.
fn qemu_io(uri: &str, steps: &[&str]) {
    let mut command = tool("qemu-io");
    command.args(["-f", "raw", "-d", "unmap"]);
    for step in steps {
        command.args(["-c", step]);
    }
    let ran = run(command.arg(uri)).ok();
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        !said.contains("failed") && !said.contains("error"),
        "{said}"
    );
}

/// A moment as `--at` takes it: its time, and its position.
fn newest(rbd: &Rbd, image: &str) -> [String; 2] {
    let window = rbd.json(&["window", image]);
    let newest = &window["newest"];
    // Times are told apart by the second.
    thread::sleep(Duration::from_millis(1100));
    [
        newest["time"].as_str().unwrap().to_owned(),
        newest["position"].to_string(),
    ]
}

/// Writes a first state, notes the moment, and then a second state over it.
fn two_states(uri: &str, rbd: &Rbd, image: &str) -> [String; 2] {
    qemu_io(
        uri,
        &[
            "write -P 0x11 0 1M",
            "write -P 0x12 512M 64k",
            "write -P 0x13 700M 4k",
            "flush",
        ],
    );
    let moment = newest(rbd, image);
    qemu_io(
        uri,
        &[
            "write -P 0x21 64k 64k",
            "discard 512M 64k",
            "write -P 0x22 900M 1M",
            "write -P 0x23 1k 512",
            "flush",
        ],
    );
    moment
}

const FIRST: [&str; 5] = [
    "read -P 0x11 0 1M",
    "read -P 0x12 512M 64k",
    "read -P 0x13 700M 4k",
    "read -P 0 900M 1M",
    "read -P 0 1M 1M",
];
const SECOND: [&str; 5] = [
    "read -P 0x21 64k 64k",
    "read -P 0 512M 64k",
    "read -P 0x22 900M 1M",
    "read -P 0x23 1k 512",
    "read -P 0x13 700M 4k",
];

fn exported(rbd: &Rbd, spec: &str, dir: &Path) -> String {
    let path = dir.join(format!("{}.raw", spec.replace('@', "-at-")));
    let path = path.to_str().unwrap().to_owned();
    rbd.ok(&["export", spec, &path]);
    path
}

fn assert_same(a: &str, b: &str) {
    let _ = run(tool("qemu-img").args(["compare", "-f", "raw", "-F", "raw", a, b])).ok();
}

fn wait_mirrored(api: &Api) {
    // The look that is under way may have begun before the last write.
    let mut looks = Vec::new();
    until("the other site has everything", 60, || {
        let pools = api.get("/scheduler-stats/get_pools?detail=true");
        let shown = &pools.body["pools"][0]["capabilities"];
        if looks.last() != Some(&shown["timestamp"]) {
            looks.push(shown["timestamp"].clone());
        }
        looks.len() > 2 && shown["replication_lag_records"] == 0
    });
}

#[test]
fn an_image_is_cloned_and_returned_to_a_moment() {
    let dev = Dev::start();
    dev.configure("site-a", &["retention = 1h"]);
    let (api, rbd) = (dev.api(), dev.rbd("site-a"));
    let dir = tempfile::tempdir().unwrap();
    let id = api.make_volume(&json!({"size": 1}));
    let image = format!("volume-{id}");
    let (attachment, uri) = api.attach(&id);
    let [time, position] = two_states(&uri, &rbd, &image);
    let plain = rbd.ok(&["window", &image]);
    assert!(
        plain.contains("oldest") && plain.contains("newest"),
        "{plain}"
    );

    for (name, at) in [("by-time", &time), ("by-position", &position)] {
        rbd.ok(&["clone", &image, name, "--at", at]);
        qemu_io(&exported(&rbd, name, dir.path()), &FIRST);
        assert_eq!(rbd.json(&["info", name])["parent"]["image"], image.as_str());
    }
    let changed = rbd.json(&["diff", &image, "--from-position", &position]);
    let exists = |row: &Value| {
        (
            row["offset"].as_u64().unwrap() >> 10,
            row["exists"] == "true",
        )
    };
    let rows: Vec<_> = changed.as_array().unwrap().iter().map(exists).collect();
    let mib = 1 << 10;
    assert_eq!(
        rows,
        [(0, true), (64, true), (512 * mib, false), (900 * mib, true)]
    );

    // Somebody writes to it.
    rbd.refused(16, &["rollback", &image, "--at", &time]);
    qemu_io(&uri, &SECOND);
    api.detach(&attachment);
    let [later, _] = newest(&rbd, &image);
    rbd.ok(&["rollback", &image, "--at", &time]);
    let (attachment, uri) = api.attach(&id);
    qemu_io(&uri, &FIRST);
    api.detach(&attachment);
    // What was undone is a moment, too.
    rbd.ok(&["rollback", &image, "--at", &later]);
    let (_, uri) = api.attach(&id);
    qemu_io(&uri, &SECOND);
    rbd.refused(
        22,
        &["clone", &image, "never", "--at", "2020-01-01T00:00:00Z"],
    );
    rbd.refused(2, &["clone", "nothing", "never", "--at", &time]);
    assert!(!rbd.ok(&["ls"]).contains("never"));
}

#[test]
fn a_mirrored_image_is_returned_at_both_sites() {
    let dev = Dev::start();
    let (api, rbd, other) = (dev.api(), dev.rbd("site-a"), dev.rbd("site-b"));
    dev.configure("site-a", &["retention = 1h"]);
    api.make_replicated_type();
    let dir = tempfile::tempdir().unwrap();
    until("the backend is up", 60, || {
        api.volume_service()["state"] == "up"
    });
    let id = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let image = format!("volume-{id}");
    let (attachment, uri) = api.attach(&id);
    let [time, position] = two_states(&uri, &rbd, &image);
    api.detach(&attachment);
    rbd.ok(&["resize", &image, "--size", "2G"]);
    wait_mirrored(&api);
    assert_eq!(other.json(&["info", &image])["size"], 2u64 << 30);
    assert_eq!(other.json(&["info", &image])["mirroring"]["primary"], false);
    let [later, _] = newest(&rbd, &image);

    // Only where it is primary.
    other.refused(30, &["rollback", &image, "--at", &position]);
    for (at, state, size) in [
        (&time, FIRST, 1u64),
        (&later, SECOND, 2),
        (&position, FIRST, 1),
    ] {
        rbd.ok(&["rollback", &image, "--at", at]);
        wait_mirrored(&api);
        let here = exported(&rbd, &image, dir.path());
        let there = dir.path().join("there.raw");
        other.ok(&["export", &image, there.to_str().unwrap()]);
        qemu_io(&here, &state);
        assert_same(&here, there.to_str().unwrap());
        for site in [&rbd, &other] {
            assert_eq!(site.json(&["info", &image])["size"], size << 30);
        }
        std::fs::remove_file(&here).unwrap();
        std::fs::remove_file(&there).unwrap();
    }
    // And the other site goes on from there.
    api.fail_over(None, "failed-over");
    let (_, uri) = api.attach(&id);
    qemu_io(&uri, &FIRST);
    let _ = run(tool("nbdcopy").arg(&uri).arg(dir.path().join("copied.raw"))).ok();
    assert_same(
        dir.path().join("copied.raw").to_str().unwrap(),
        &exported(&other, &image, dir.path()),
    );
    qemu_io(
        &uri,
        &["write -P 0x31 2M 1M", "flush", "read -P 0x31 2M 1M"],
    );
}
